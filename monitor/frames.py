"""The shapes of all frames: one `Schema` a frame, and the helpers that make empty or conforming ones.

Instants are Datetime[us, UTC], spans Duration[us], keys 128-bit hashes, counts and sums integers, so that adding
is exact. A frame that crosses a module boundary has exactly the columns of its schema, in that order.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final

import polars as pl

from monitor.names import CLOCKS, KINDS, LABELS, MEASURES, OUTCOMES, PHASES

Columns = Mapping[str, pl.DataType]

INSTANT: Final = pl.Datetime("us", "UTC")
SPAN: Final = pl.Duration("us")
KEY: Final = pl.Int128()  # xxh3-128 of the text it stands for, see monitor/keys.py
KIND: Final = pl.Enum([str(k) for k in KINDS])
CLOCK: Final = pl.Enum([str(c) for c in CLOCKS])
OUTCOME: Final = pl.Enum([str(o) for o in OUTCOMES])
PHASE: Final = pl.Enum([str(p) for p in PHASES])
MEASURE: Final = pl.Enum(list(MEASURES))
BUCKET: Final = pl.Int32()  # number of the 10 s interval since 1970-01-01T00:00Z; null: no instant decided it

LABEL_COLUMNS: Final[Columns] = {label: pl.String() for label in LABELS}

# One validated event. Only what a figure uses has a column of its own; null: absent.
EVENTS: Final[Columns] = {
    "case": pl.String(),  # CloudEvents subject
    "case_key": KEY,  # of the subject
    "event_key": KEY,  # of (subject, source, id)
    "content_key": pl.UInt32(),  # of everything else in the event: tells conflicting contents
    "time": INSTANT,
    "kind": KIND,
    "complaint": pl.Boolean(),  # of the family `complaint.*`
    "sequence": pl.String(),
    "source": pl.String(),
    "id": pl.String(),
    **LABEL_COLUMNS,
    "cleared": pl.UInt8(),  # bit i set: label i was given as null (an update clears it)
    "public": pl.Boolean(),  # responded: seen by the customer; absent in the event: true
    "bot": pl.Boolean(),  # responded: `by` was bot
    "reason": pl.String(),  # paused, resumed
    "due_at": INSTANT,  # opened, updated
    "outcome": pl.String(),  # resolved
    "right_first_time": pl.Boolean(),  # resolved, measured
    "redress": pl.Boolean(),  # resolved complaints: something was given
    "waited": SPAN,  # abandoned
    "response_time": SPAN,  # measured
    "resolution_time": SPAN,  # measured
    "abandoned": pl.Boolean(),  # measured
    "csat": pl.Float64(),
    "nps": pl.Float64(),
    "ces": pl.Float64(),
    "answers": pl.String(),  # rated: JSON of `dimensions`, `items`, `weights`
    "score": pl.Float64(),
    "max_score": pl.Float64(),
    "passed": pl.Boolean(),
    "about": pl.String(),  # JSON of what is only shown: customer, interaction, severity, inspector, lot
}

# Where an event stood: parallel to EVENTS rows of one decoded batch. For files: topic = path, offset = line.
ORIGIN: Final[Columns] = {
    "topic": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "index": pl.Int32(),  # position within the record
}

# One refused event.
REFUSED: Final[Columns] = {
    **ORIGIN,
    "reason": pl.String(),  # a Refusal
    "field": pl.String(),  # path of the offending field, such as data.csat; empty: the record as a whole
    "message": pl.String(),  # what was wrong and what was expected, for people
    "case": pl.String(),  # as far as they could be read
    "source": pl.String(),
    "id": pl.String(),
    "type": pl.String(),
    "time": pl.String(),
}

# A live case's events are its state. Measured events are no history (each is a settled case of its own).
HISTORY: Final[Columns] = {k: v for k, v in EVENTS.items() if k not in ("response_time", "resolution_time")}

# One clock of one case (one cycle of it, for next_response). Instants as SEMANTICS "Clocks".
VERDICTS: Final[Columns] = {
    "case_key": KEY,
    "case": pl.String(),
    "clock": CLOCK,
    "cycle": pl.Int32(),  # from 1
    "complaint": pl.Boolean(),
    "policy": pl.Int16(),  # number of the policy version in its PolicySet; -1: opened before every version
    "line": pl.Int16(),  # number of the target line in that version, from 0; null: no target
    "target": SPAN,  # null for business_days and promise
    "started": INSTANT,
    "due": INSTANT,
    "stopped": INSTANT,
    "outcome": OUTCOME,
    "cut": pl.Boolean(),  # `stopped` is where its case ended otherwise (cancelled, given up): not a time it took
    "on_arrival": pl.Boolean(),  # breached because a change of target set a due already past
    "elapsed": SPAN,  # up to `stopped`, else to `now`
    "paused": SPAN,
    "decided": INSTANT,  # the instant that decided the outcome; null for open, at_risk, inconsistent, no_target
    "wake": INSTANT,  # the verdict may change by time alone once `wake < now`; null: never
    **LABEL_COLUMNS,  # in force when it was decided
}

# Within a step a row refers to its labels instead of holding them, and to its case by number.
REFERENCES: Final[Columns] = {
    "case_no": pl.Int64(),  # as `Cases` numbers them
    "state": pl.Int64(),  # row of a table of LABEL_COLUMNS
}


def referring(columns: Columns) -> Columns:
    """Those columns with REFERENCES in the place of the labels."""
    return {**{name: dtype for name, dtype in columns.items() if name not in LABEL_COLUMNS}, **REFERENCES}


# A fact about a case that is no clock: opened, abandoned, rated …; becomes one contribution.
FACTS: Final[Columns] = {
    "case_key": KEY,
    "measure": MEASURE,
    "at": INSTANT,  # null: without bucket
    "value": pl.Int64(),  # sum of the values of the `n`: milliseconds or thousandths; null: no value
    "wake": INSTANT,  # (on a row of its own with n = 0 where only time is awaited)
    "n": pl.Int32(),
    **LABEL_COLUMNS,
}

# The only aggregate, always additive. Rows with the same first four columns add up.
CELLS: Final[Columns] = {
    "bucket": BUCKET,
    "series": pl.UInt32(),
    "measure": MEASURE,
    "bin": pl.Int16(),  # see monitor/cells/bins.py; null: the measure has no value
    "n": pl.Int64(),
    "total": pl.Int64(),
}

# What a live case has put into the cells: signed rows that add up.
CONTRIBUTIONS: Final[Columns] = {"case_key": KEY, **CELLS}

# A series is a combination of values of the policy's labels; its number is local to the partition.
SERIES: Final[Columns] = {"series": pl.UInt32(), **LABEL_COLUMNS}

# Ids of measured events, which are no history; remembered within the dedup horizon.
IDS: Final[Columns] = {"event_key": KEY, "content_key": pl.UInt32(), "time": INSTANT}

# Cases that ended long ago: all else of them is gone but what they put into the cells.
ARCHIVED: Final[Columns] = {"case_key": KEY, "at": INSTANT}  # the time of the partition's newest event then

# Additive counters of a partition: names.LEDGER and rejected.<reason>.
LEDGER_ROWS: Final[Columns] = {"counter": pl.String(), "n": pl.Int64()}

# Published verdicts that changed in one step.
CHANGES: Final[Columns] = {
    **VERDICTS,
    "change": pl.String(),  # a Change
    "old_outcome": OUTCOME,  # null: none was published
}


# How one objective does in one window: its period so far, or a window that a burn pair looks at.
JUDGEMENTS: Final[Columns] = {
    "sla": pl.String(),
    **LABEL_COLUMNS,  # of `by`; null elsewhere
    "window": pl.String(),  # "period", or the length as it is written: 1h, 5m, 3h12m
    "from": INSTANT,
    "to": INSTANT,  # = now
    "grain": pl.String(),  # of the cells that were read: the name of their tier
    "good": pl.Int64(),  # null where the objective has nothing to count (a threshold of a mean or quantile)
    "bad": pl.Int64(),
    "n": pl.Int64(),  # good + bad, or what the value is out of
    "goal": pl.String(),  # decimal; null where only a value is held against a threshold
    "compliance": pl.Float64(),  # good / (good + bad); null: no events
    "burn": pl.Float64(),  # (1 - compliance) / (1 - goal)
    "budget_left": pl.Float64(),  # 1 - burn, of the period only; may be negative
    "value": pl.Float64(),  # of an indicator, in its unit
    "threshold": pl.Float64(),
    "kept": pl.Boolean(),  # whether the goal, or threshold, is kept; null: no events, or no value
}

# What became of one burn pair of one objective.
PAIRS: Final[Columns] = {
    "sla": pl.String(),
    **LABEL_COLUMNS,
    "pair": pl.UInt8(),  # place among the pairs of the objective, loudest first
    "severity": pl.String(),
    "share": pl.Float64(),  # of the budget that may be spent within `long`
    "factor": pl.Float64(),  # fires where both burn rates are greater
    "long": pl.String(),
    "short": pl.String(),
    "widened_from": pl.String(),  # the usual long window, where its factor could never be reached
    "burn_long": pl.Float64(),
    "burn_short": pl.Float64(),
    "bad": pl.Int64(),  # in the long window
    "n": pl.Int64(),
    "judged": pl.String(),  # a names.Judged
}

# An alert as its newest transition left it; a transition is such a row.
ALERTS: Final[Columns] = {
    "id": pl.String(),  # 32 hex digits
    "kind": pl.String(),  # a names.AlertKind
    "severity": pl.String(),  # a names.Severity
    "sla": pl.String(),  # null where no objective is concerned
    **LABEL_COLUMNS,
    "case": pl.String(),
    "clock": pl.String(),
    "cycle": pl.Int32(),
    "partition": pl.Int32(),  # of a ledger alert
    "state": pl.String(),  # a names.AlertState
    "reason": pl.String(),  # a names.AlertReason
    "title": pl.String(),
    "detail": pl.String(),
    "since": INSTANT,  # when it became true
    "ended": INSTANT,  # when it ceased to be true; null: still is
    "at": INSTANT,  # `now` of the transition; later than that of the one before it
    "wall": INSTANT,  # wall time of the transition
    "values": pl.String(),  # JSON object: the figures behind it
}


def empty(columns: Columns) -> pl.DataFrame:
    """A frame of that shape with no rows."""
    return _empty(tuple(columns.items())).clone()


@cache
def _empty(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))  # a quarter of a millisecond for many columns


def used(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """`frame` without the columns that are null in every row, but for those named; `together` makes them again."""
    some = [column.name for column in frame if column.name in names or column.null_count() < frame.height]
    return frame if len(some) == frame.width else frame.select(some)


def together(frames: Sequence[pl.DataFrame], columns: Columns) -> pl.DataFrame:
    """The rows of frames that may lack some of those columns, each one others, with all of them."""
    found = [frame for frame in frames if frame.height]
    if not found:
        return empty(columns)
    return conform(pl.concat(found, how="diagonal") if len(found) > 1 else found[0], columns)


def conform(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """`frame` with exactly those columns, in order: missing ones null, others dropped, types cast strictly."""
    have = frame.schema
    return frame.select(
        (pl.col(name) if have[name] == dtype else pl.col(name).cast(dtype))
        if name in have
        else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in columns.items()
    )


def earliest(times: pl.Series) -> datetime | None:
    """The least of these instants; None: there is none."""
    found = times.min()
    return found if isinstance(found, datetime) else None


def latest(times: pl.Series) -> datetime | None:
    """The greatest of these instants; None: there is none."""
    found = times.max()
    return found if isinstance(found, datetime) else None
