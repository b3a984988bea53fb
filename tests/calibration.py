"""What was foretold of running clocks, and what became of them: the table that shows whether a chance is one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from monitor.chance import foretell
from monitor.engine import step
from monitor.events import Read
from monitor.names import Outcome
from monitor.policy import PolicySet
from monitor.running import OPEN
from monitor.state import State

AT_ONCE = timedelta(0)
KEYS = ["case", "clock", "cycle"]


def foretold(read: Read, policies: PolicySet, instants: Sequence[datetime], end: datetime) -> pl.DataFrame:
    """Every open clock at each instant, with the chance as of then and what had become of it at the end.

    At each instant nothing later than it has been read. Clocks that fall due after the end are left out: of them only
    those that were met would be known.
    """
    state, before, parts = State(), datetime(1970, 1, 1, tzinfo=UTC), []
    for now in instants:
        fold(state, read, before, now, policies)
        parts.append(foretell({0: state}, policies, now, AT_ONCE).clocks.filter(pl.col("outcome").is_in(OPEN)))
        before = now
    fold(state, read, before, end, policies)
    became = state.verdicts.select(*KEYS, due_at_last="due", became="outcome")
    settled = pl.col("became").is_in([Outcome.MET, Outcome.BREACHED])
    return pl.concat(parts).join(became, on=KEYS, how="left").filter(settled & (pl.col("due_at_last") <= end))


def fold(state: State, read: Read, after: datetime, to: datetime, policies: PolicySet) -> None:
    """Read the events in (after, to], and let time come to `to`."""
    inside = (pl.col("time") > after) & (pl.col("time") <= to)
    part = read._replace(events=read.events.filter(inside))
    state.apply(step(state, part, to, policies, grace=AT_ONCE).delta)


def table(clocks: pl.DataFrame) -> pl.DataFrame:
    """tenth, n, chance (mean), breached (share), off (points between them), of the clocks with a chance."""
    known = clocks.filter(pl.col("chance").is_not_null())
    tenth = (pl.col("chance") * 10).floor().clip(0, 9).cast(pl.Int64).alias("tenth")
    breached = (pl.col("became") == Outcome.BREACHED).mean().alias("breached")
    rows = known.group_by(tenth).agg(pl.len().alias("n"), pl.col("chance").mean(), breached).sort("tenth")
    return rows.with_columns(off=((pl.col("breached") - pl.col("chance")) * 100).abs())
