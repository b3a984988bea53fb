"""Everything that one tick shows: indicators, judgements, running clocks and who waits, over all partitions.

Computed once a tick for the judge and the API alike. Windows end at the greatest `now` of the partitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from monitor.frames import INSTANT, LABEL_COLUMNS, Columns, conform, empty
from monitor.indicators import INDICATORS, indicators
from monitor.names import Clock, Outcome
from monitor.policy import PolicySet
from monitor.running import OPEN, running
from monitor.slas import judgements
from monitor.slas.counts import Counts
from monitor.slas.objectives import measures
from monitor.state import State
from monitor.summary import ledger
from monitor.windows import WINDOWS, read

SHOWN: Final = ("5m", "1h", "1d", "7d", "30d")

# Indicators by window: `group` of INDICATORS replaced by its labels (all null: the total).
SHOWN_INDICATORS: Final[Columns] = {
    **{name: dtype for name, dtype in INDICATORS.items() if name in ("id", "dimension")},
    "window": pl.String(),
    "grain": pl.String(),  # of the cells that the window was read from: the name of their tier
    **LABEL_COLUMNS,
    **{name: dtype for name, dtype in INDICATORS.items() if name in ("value", "low", "high", "n")},
}

# How many clocks run, by group (everything, or one value of one label).
STANDING: Final[Columns] = {
    **LABEL_COLUMNS,
    "open": pl.Int64(),  # running and not due
    "at_risk": pl.Int64(),  # of these, with a stated share of the target used
    "breached": pl.Int64(),  # running past their due
    "waiting": pl.Int64(),  # cases that wait for their first response
    "oldest": INSTANT,  # since when the one waiting longest does; null: nobody waits
}

# Where each partition stands.
PARTITIONS: Final[Columns] = {"partition": pl.Int32(), "now": INSTANT, "newest_event": INSTANT}


@dataclass(frozen=True, slots=True)
class Figures:
    """What is to be seen at one instant."""

    now: datetime
    partitions: pl.DataFrame  # PARTITIONS
    indicators: pl.DataFrame  # SHOWN_INDICATORS: by window, then indicator, then group
    judgements: pl.DataFrame  # JUDGEMENTS
    running: pl.DataFrame  # RUNNING: open and at risk, the nearest due first, paused ones last; the first of them
    standing: pl.DataFrame  # STANDING: the total first, then by label and value
    ledger: Mapping[str, Any]


def figures(
    states: Mapping[int, State],
    policies: PolicySet,
    now: datetime | None = None,
    *,
    windows: Sequence[str] = SHOWN,
    nearest: int = 20,
) -> Figures | None:
    """All figures; None while no partition has a time.

    :param now: end of the windows; None: the greatest `now` of the partitions
    :param windows: names of `windows.WINDOWS`
    :param nearest: how many running clocks to list
    """
    now = now or newest(states)
    if now is None:
        return None
    newest_policy = policies.newest
    clocks = running(states)
    return Figures(
        now=now,
        partitions=_partitions(states),
        indicators=shown_indicators(states, policies, now, windows),
        judgements=judgements(Counts(states, measures(newest_policy.slas)), newest_policy, now),
        running=_nearest(clocks, nearest),
        standing=_standing(clocks, newest_policy.labels),
        ledger=ledger(states),
    )


def newest(states: Mapping[int, State]) -> datetime | None:
    """The greatest `now` of the partitions."""
    return max((state.now for state in states.values() if state.now is not None), default=None)


def shown_indicators(
    states: Mapping[int, State], policies: PolicySet, now: datetime, windows: Sequence[str] = SHOWN
) -> pl.DataFrame:
    """SHOWN_INDICATORS of those windows: for everything, and for each value of each single label of the policy."""
    parts = []
    for name in windows:
        window = read(states, policies.newest.labels, now - WINDOWS[name], now)
        found = indicators(window.cells, window.groups.height, policies.newest.limits.min_n)
        labelled = found.join(window.groups, on="group", how="left", maintain_order="left")
        parts.append(labelled.with_columns(window=pl.lit(name), grain=pl.lit(window.tier)))
    return pl.concat([conform(part, SHOWN_INDICATORS) for part in parts]) if parts else empty(SHOWN_INDICATORS)


def _partitions(states: Mapping[int, State]) -> pl.DataFrame:
    rows = [(partition, state.now, state.newest_event) for partition, state in sorted(states.items())]
    return pl.DataFrame(rows, schema=dict(PARTITIONS), orient="row")


def _nearest(clocks: pl.DataFrame, number: int) -> pl.DataFrame:
    order = ("due", "case", "clock", "cycle")
    return clocks.filter(pl.col("outcome").is_in(OPEN)).sort(order, nulls_last=True).head(number)


def _standing(clocks: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    outcome = pl.col("outcome")
    waits = pl.col("clock") == Clock.FIRST_RESPONSE
    counts = (
        outcome.is_in(OPEN).sum().alias("open"),
        (outcome == Outcome.AT_RISK).sum().alias("at_risk"),
        (outcome == Outcome.BREACHED).sum().alias("breached"),
        waits.sum().alias("waiting"),
        pl.col("started").filter(waits).min().alias("oldest"),
    )
    parts = [clocks.select(counts)]
    for label in labels:
        known = clocks.filter(pl.col(label).is_not_null())
        parts.append(known.group_by(label).agg(counts).sort(label))
    return pl.concat([conform(part, STANDING) for part in parts])
