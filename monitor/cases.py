"""Cases: the events of many cases put in order (rule 2), with what holds after each event.

A case's history is its state. `ordered` makes of any set of events, in any order, one `Cases`: parallel numpy
arrays over the events (case by case, each in the order of rule 2) and over the cases. Everything here is made of
whole-array steps, so that neither many cases nor many events in one case cost a loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.frames import INSTANT, KIND, LABEL_COLUMNS, PHASE, empty
from monitor.names import KINDS, LABELS, NO_CASE, Kind

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CODE: Final = {kind: code for code, kind in enumerate(KINDS)}

# Codes of names.Phase, in the order of names.PHASES.
UNOPENED, OPEN, RESOLVED, FINAL = range(4)


@dataclass(frozen=True)
class Cases:
    """Events of C cases in order. Arrays of length N are per event, of length C per case (numbered from 0).

    Instants are microseconds since 1970-01-01T00:00Z. An index is a position in the per-event arrays; a case has
    the events `first[c]` up to, not including, `first[c + 1]`.
    """

    history: pl.DataFrame  # HISTORY as it was given
    row: Ints  # N: the event's row in `history`
    time: Ints  # N
    kind: npt.NDArray[np.uint8]  # N: position in names.KINDS
    case: Ints  # N: number of its case
    first: Ints  # C + 1
    opened: Ints  # C: index of the earliest `opened`; -1: none has arrived
    final: Ints  # C: index of the first `cancelled` or `abandoned`; first[c + 1] without one
    resolves: Mask  # N: it resolved a case that was not resolved (`closed` counts), and was not after the final one
    reopens: Mask  # N: it reopened a resolved case
    state: Ints  # N: row in `labels` that is in force after the event
    labels: pl.DataFrame  # LABEL_COLUMNS, every combination that was in force; row 0: no label known
    setter: Ints  # one a row of `labels`: index of the event that set it; -1 for row 0
    void: Mask  # C: last resolved as duplicate or merged and not reopened: it was no case (rule 9)

    @property
    def height(self) -> int:
        """Number of cases."""
        return len(self.opened)

    @cached_property
    def keys(self) -> pl.Series:
        """C: the key of each case (KEY)."""
        return self.column("case_key", self.first[:-1])

    def mask(self, *kinds: Kind) -> Mask:
        """N: which events are of one of these kinds."""
        wanted = np.zeros(len(KINDS), dtype=bool)
        wanted[[CODE[kind] for kind in kinds]] = True
        return wanted[self.kind]

    def column(self, name: str, index: Ints) -> pl.Series:
        """Values of a HISTORY column for the events at `index`."""
        return self.history[name].gather(self.row[index])

    def first_of(self, index: Ints) -> Ints:
        """C: for each case the first of these (ascending) event indices, N where it has none."""
        found = np.full(self.height, len(self.time), dtype=np.int64)
        found[self.case[index[::-1]]] = index[::-1]
        return found

    def last_of(self, index: Ints) -> Ints:
        """C: for each case the last of these (ascending) event indices, -1 where it has none."""
        found = np.full(self.height, -1, dtype=np.int64)
        found[self.case[index]] = index
        return found

    def opened_at(self) -> pl.Series:
        """C: time of the earliest `opened`, null without one (INSTANT)."""
        known = self.opened >= 0
        return instants(np.where(known, self.time[np.maximum(self.opened, 0)], 0), known)

    @cached_property
    def complaint(self) -> Mask:
        """C: whether the earliest `opened` is one of a complaint (False without one)."""
        flags = self.column("complaint", np.maximum(self.opened, 0)).fill_null(False).to_numpy()
        return np.asarray(flags & (self.opened >= 0))

    @cached_property
    def phase(self) -> npt.NDArray[np.uint8]:
        """N: the code of the phase of the case after each event."""
        here = np.arange(len(self.time))
        turned = last_where(self.resolves | self.reopens, self.first[self.case])
        resolved = (turned >= 0) & self.resolves[np.maximum(turned, 0)]
        phase = np.where(resolved, RESOLVED, OPEN)
        phase = np.where(here >= self.final[self.case], FINAL, phase)
        opened = self.opened[self.case]
        return np.where((opened < 0) | (here < opened), UNOPENED, phase).astype(np.uint8)

    def contradictory(self) -> Mask:
        """C: an agent's answer, an acknowledgement (of complaints) or a resolve lies before the opening (rule 15).

        This tells it of clocks that have no target, too. An answer of a bot contradicts only where a line of the
        policy counts it: such a clock's verdict says so.
        """
        early = np.flatnonzero(np.arange(len(self.time)) < self.opened[self.case])
        early = early[early < self.final[self.case[early]]]
        contradictory = np.zeros(self.height, dtype=bool)
        if len(early):
            stops = self.mask(Kind.RESOLVED, Kind.CLOSED)[early] | self.answers(early, bots=False)
            stops |= self.mask(Kind.ACKNOWLEDGED)[early] & self.complaint[self.case[early]]
            contradictory[self.case[early[stops]]] = True
        return contradictory & ~self.void

    def answers(self, index: Ints, *, bots: bool) -> Mask:
        """Which of the events at `index` are public responses: of agents only, or of agents and bots."""
        answers = self.kind[index] == CODE[Kind.RESPONDED]
        public, bot = self.history["public"], self.history["bot"]
        if public.null_count() < len(public):
            answers &= self.column("public", index).fill_null(True).to_numpy()
        if not bots and bot.null_count() < len(bot):
            answers &= ~self.column("bot", index).fill_null(False).to_numpy()
        return np.asarray(answers)

    def frame(self) -> pl.DataFrame:
        """One row an event, in order: row, case_no, time, kind, phase, state, opened_at, is_complaint.

        `row` is the event's row in `history`, `state` the row of `labels` in force after it, `phase` that of the
        case after it, `opened_at` (null: unopened) and `is_complaint` are of the case.
        """
        case = pl.Series(self.case)
        return pl.DataFrame(
            {
                "row": self.row,
                "case_no": self.case,
                "time": instants(self.time),
                "kind": enumerated(self.kind, KIND),
                "phase": enumerated(self.phase, PHASE),
                "state": self.state,
                "opened_at": self.opened_at().gather(case),
                "is_complaint": self.complaint[self.case],
            }
        )

    def summary(self) -> pl.DataFrame:
        """One row a case, in the order of their numbers: case_key, case, opened_at, is_complaint, phase (after the
        last event), state (after the last event), void, contradictory."""
        last = self.first[1:] - 1
        return pl.DataFrame(
            {
                "case_key": self.keys,
                "case": self.column("case", self.first[:-1]),
                "opened_at": self.opened_at(),
                "is_complaint": self.complaint,
                "phase": enumerated(self.phase[last], PHASE),
                "state": self.state[last],
                "void": self.void,
                "contradictory": self.contradictory(),
            }
        )


def instants(microseconds: Ints, known: Mask | None = None) -> pl.Series:
    """INSTANT values of microseconds since 1970, null where not `known`."""
    values = pl.Series(microseconds).cast(INSTANT)
    return values if known is None else values.set(pl.Series(~known), None)


def enumerated(codes: npt.NDArray[np.uint8], dtype: pl.Enum) -> pl.Series:
    """Values of an Enum of at most 255 categories by their positions."""
    return pl.Series(codes, dtype=pl.UInt8).cat.to(dtype)


def gathered(frame: pl.DataFrame, index: Ints | pl.Series) -> pl.DataFrame:
    """The rows at `index`; columns without any value, which most labels are, cost nothing."""
    rows = pl.Series(index)
    blank = {name for name in frame.columns if frame[name].null_count() == frame.height}
    return frame.select(
        pl.Series(name, [None], dtype=frame.schema[name]).new_from_index(0, len(index))
        if name in blank
        else frame[name].gather(rows)
        for name in frame.columns
    )


def labelled(rows: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the label columns in the place of `state`, which says in which row of `labels` they stand."""
    return rows.drop("state").with_columns(gathered(labels, rows["state"]))


def last_where(mask: Mask, start: Ints) -> Ints:
    """For each position the last one at or before it, and not before `start` there, where `mask` holds; else -1."""
    last = np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1)) if len(mask) else np.empty(0, np.int64)
    return np.where(last >= start, last, -1)


def ordered(history: pl.DataFrame) -> Cases:
    """Put the events of HISTORY in the order of rule 2, case by case, and find what holds after each.

    The result does not depend on the order of the rows. Cases are ordered by a part of their key.
    """
    row, case = _order(history)
    time = history["time"].to_physical().to_numpy()[row]
    kind = history["kind"].to_physical().to_numpy()[row].astype(np.uint8, copy=False)
    height = int(case[-1]) + 1 if len(case) else 0
    first = np.append(np.flatnonzero(np.diff(case, prepend=-1)), len(case))
    opened = _first_per_case(kind == CODE[Kind.OPENED], case, np.full(height, -1))
    ends = (kind == CODE[Kind.CANCELLED]) | (kind == CODE[Kind.ABANDONED])
    final = _first_per_case(ends, case, first[1:])
    resolves, reopens = _turns(kind, case, final)
    state, labels, setter = _labels(history, row, kind, case, first, opened)
    void = _void(history, row, case, resolves, reopens, height)
    return Cases(history, row, time, kind, case, first, opened, final, resolves, reopens, state, labels, setter, void)


# --- order --------------------------------------------------------------------------------------------------


def _order(history: pl.DataFrame) -> tuple[Ints, Ints]:
    """Rows of `history` by case and rule 2, and the number of each one's case."""
    time = history["time"].to_physical().to_numpy()
    key = history["case_key"]
    low = key.cast(pl.Int64, wrap_numerical=True).to_numpy().view(np.uint64)
    high = (key // 2**64).cast(pl.Int64).to_numpy()
    by_time = None if bool(np.all(time[1:] >= time[:-1])) else np.argsort(time)  # ties are settled below
    row = _group(low if by_time is None else low[by_time])
    if by_time is not None:
        row = by_time[row]
    low, high = low[row], high[row]
    if bool(np.any((low[1:] < low[:-1]) | ((low[1:] == low[:-1]) & (high[1:] != high[:-1])))):
        # Two cases agree in the bits that `_group` looked at: sort by the whole keys.
        low = key.cast(pl.Int64, wrap_numerical=True).to_numpy().view(np.uint64)
        high = (key // 2**64).cast(pl.Int64).to_numpy()
        row = np.lexsort((time, high, low)).astype(np.int64)
        low, high = low[row], high[row]
    starts = np.ones(len(row), dtype=bool)
    starts[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    case = np.cumsum(starts) - 1
    return _settle_ties(history, row, case, time[row]), case


def _group(low: npt.NDArray[np.uint64]) -> Ints:
    """A stable order of `low` by its upper bits: the position in the lower bits makes one plain sort of it."""
    bits = max(1, (len(low) - 1).bit_length())
    position = np.uint64((1 << bits) - 1)
    packed = np.sort((low & ~position) | np.arange(len(low), dtype=np.uint64))
    return (packed & position).astype(np.int64)


def _settle_ties(history: pl.DataFrame, row: Ints, case: Ints, time: Ints) -> Ints:
    """`row` with the events of one case and one instant in the order of rule 2."""
    same = (case[1:] == case[:-1]) & (time[1:] == time[:-1])
    if not bool(same.any()):
        return row
    tied = np.zeros(len(row), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    places = np.flatnonzero(tied)
    run = np.cumsum(~np.concatenate(([False], same)))[places]
    columns: Sequence[str] = ("kind", "sequence", "source", "id")
    frame = history.select(columns).select(pl.all().gather(row[places]))
    frame = frame.with_columns(
        pl.Series("run", run), pl.Series("row", row[places]), (pl.col("kind") != Kind.OPENED).alias("later")
    )
    # Enum sorts by position, which is the order of kinds in rule 2; text by code point; absent sequences first.
    frame = frame.sort("run", "later", "sequence", "kind", "source", "id", nulls_last=False)
    settled = row.copy()
    settled[places] = frame["row"].to_numpy()
    return settled


# --- what holds after each event ----------------------------------------------------------------------------


def _first_per_case(mask: Mask, case: Ints, otherwise: Ints) -> Ints:
    """For each case the index of the first event where `mask` holds."""
    index = np.flatnonzero(mask)[::-1]
    found = otherwise.astype(np.int64, copy=True)
    found[case[index]] = index
    return found


def _turns(kind: npt.NDArray[np.uint8], case: Ints, final: Ints) -> tuple[Mask, Mask]:
    """Which events resolved a case that was not resolved, and which reopened one that was."""
    down = (kind == CODE[Kind.RESOLVED]) | (kind == CODE[Kind.CLOSED])
    index = np.flatnonzero(down | (kind == CODE[Kind.REOPENED]))
    index = index[index < final[case[index]]]
    goes_down = down[index]
    was_down = np.zeros(len(index), dtype=bool)
    was_down[1:] = goes_down[:-1] & (case[index[1:]] == case[index[:-1]])
    resolves, reopens = np.zeros(len(kind), dtype=bool), np.zeros(len(kind), dtype=bool)
    resolves[index[goes_down & ~was_down]] = True
    reopens[index[~goes_down & was_down]] = True
    return resolves, reopens


def _labels(
    history: pl.DataFrame, row: Ints, kind: npt.NDArray[np.uint8], case: Ints, first: Ints, opened: Ints
) -> tuple[Ints, pl.DataFrame, Ints]:
    """The row of the label table in force after each event, that table, and which event set each row (rule 4)."""
    sets = kind == CODE[Kind.UPDATED]
    sets[opened[opened >= 0]] = True
    count = np.cumsum(sets)
    before = (count - sets)[first[:-1]] if len(first) > 1 else np.empty(0, np.int64)
    state = np.where(count > before[case], count, 0)
    setters = np.flatnonzero(sets)
    given = gathered(history.select((*LABELS, "cleared")), row[setters])
    start = before[case[setters]]  # of the setters of the case, the first one's position among `setters`
    columns = [_in_force(given, number, start) for number in range(len(LABELS))]
    labels = pl.concat([empty(LABEL_COLUMNS).clear(1), pl.DataFrame(columns)])
    return state, labels, np.concatenate(([-1], setters))


def _in_force(given: pl.DataFrame, number: int, start: Ints) -> pl.Series:
    """Values of one label after each of the setting events: absent keeps the one before, null clears it."""
    values = given[LABELS[number]]
    if bool(np.all(start[1:] > start[:-1])) or values.null_count() == len(values):
        return values  # one setting event a case: nothing to keep
    cleared = (given["cleared"].fill_null(0).to_numpy() >> number) & 1
    last = last_where(values.is_not_null().to_numpy() | (cleared == 1), start)
    return values.gather(pl.Series(last).set(pl.Series(last < 0), None))


def _void(history: pl.DataFrame, row: Ints, case: Ints, resolves: Mask, reopens: Mask, height: int) -> Mask:
    """Which cases were last resolved as duplicate or merged, without a reopening after that."""
    void = np.zeros(height, dtype=bool)
    outcome = history["outcome"]
    if outcome.null_count() == len(outcome):
        return void
    index = np.flatnonzero(resolves | reopens)
    none = resolves[index] & outcome.gather(row[index]).is_in(NO_CASE).fill_null(False).to_numpy()
    void[case[index]] = none  # the last one of a case is written last
    return void
