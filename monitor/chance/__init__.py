"""How likely a running clock is to be breached, learned from what became of clocks like it.

    cells (<clock>.reached) + running clocks -> tables (survival, by level) -> chance, n, what is alike

Everything is read: the counts are cells like all others, so that order, duplicates and crashes cannot show in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from monitor.chance.course import FIRST, STEPS, length
from monitor.chance.tables import Survival, survival
from monitor.frames import CLOCK, LABEL_COLUMNS, Columns, conform
from monitor.names import LABELS, REACHED, Alike
from monitor.policy import PolicySet
from monitor.running import OPEN, running, with_used
from monitor.slas.counts import Counts
from monitor.slas.objectives import Measures
from monitor.state import State

# Parallel to the clocks asked for.
CHANCES: Final[Columns] = {
    "chance": pl.Float64(),  # to be breached; null: too few like it are known, or it is not open
    "chance_n": pl.Int64(),  # clocks of that class which got as far and were met or breached
    "chance_alike": pl.String(),  # an Alike: the narrowest class with enough of them
}

# How many breaches are to be expected of the clocks that run; they need not be whole.
EXPECTED: Final[Columns] = {"clock": CLOCK, **LABEL_COLUMNS, "breaches": pl.Float64()}

# A target is learned from the clocks that started in the first of these that is four times as long.
WINDOWS: Final = (timedelta(days=30), timedelta(days=90), timedelta(days=400))
TIMES: Final = 4


@dataclass(frozen=True)
class Chances:
    """What was learned up to one instant."""

    levels: Mapping[Alike, Survival]
    least: int  # clocks below which nothing is said

    def of(self, clocks: pl.DataFrame) -> pl.DataFrame:
        """CHANCES of running clocks.

        :param clocks: clock, outcome, the labels of the policy, whole, used (see `running.with_used`)
        """
        clocks = clocks.with_columns(length=length("whole"))
        used = clocks["used"].fill_null(0).to_numpy()
        step = np.clip((used * STEPS).astype(np.int64), 0, STEPS - 1)
        chance = np.full(clocks.height, np.nan)
        n = np.zeros(clocks.height, dtype=np.int64)
        alike = np.full(clocks.height, -1)
        for number, table in enumerate(self.levels.values()):
            classes = table.row_of(clocks)
            found = np.flatnonzero(classes >= 0)
            row, at = classes[found], step[found]
            chance[found] = table.chance(row, used[found])
            enough = table.known(row, at, self.least)
            named = enough | (number == 0)  # where none is enough, the widest says how few there are
            n[found[named]] = table.ended[row[named], at[named]]
            alike[found[enough]] = number
        open_ = clocks["outcome"].is_in(OPEN) & clocks["used"].is_not_null()
        known = open_ & pl.Series(alike >= 0)
        names = pl.Series([str(name) for name in self.levels], dtype=pl.String)
        return pl.DataFrame(
            {
                "chance": pl.Series(chance, dtype=pl.Float64).set(~known, None),
                "chance_n": pl.Series(n).set(~open_, None),
                "chance_alike": names.gather(pl.Series(np.maximum(alike, 0))).set(~known, None),
            },
            schema=dict(CHANCES),
        )


class Foretold(NamedTuple):
    """All running clocks, and what was learned to tell their chances."""

    clocks: pl.DataFrame  # RUNNING with whole, used (see `running.with_used`) and CHANCES
    chances: Chances


def foretell(
    states: Mapping[int, State], policies: PolicySet, now: datetime, grace: timedelta | None = None
) -> Foretold:
    """The chances of all clocks that run.

    :param now: the greatest of the partitions; below `limits.min_n` clocks that got as far nothing is said
    :param grace: as for `clocks.derive`
    """
    clocks = with_used(running(states), states, policies, grace)
    newest = policies.newest
    chances = _learned(states, clocks, newest.labels, now, newest.limits.min_n)
    return Foretold(pl.concat([clocks, chances.of(clocks)], how="horizontal"), chances)


def expected(clocks: pl.DataFrame) -> pl.DataFrame:
    """EXPECTED: the chances of the open clocks added up, by clock and labels; those without a chance add nothing.

    :param clocks: of `foretell`
    """
    known = clocks.filter(pl.col("chance").is_not_null())
    return conform(known.group_by("clock", *LABELS).agg(pl.col("chance").sum().alias("breaches")), EXPECTED)


def _learned(
    states: Mapping[int, State], clocks: pl.DataFrame, labels: Sequence[str], now: datetime, least: int
) -> Chances:
    """The chances as of `now`, for the classes that the running clocks belong to.

    :param clocks: all running clocks (RUNNING with whole and used)
    """
    clocks = clocks.filter(pl.col("outcome").is_in(OPEN) & pl.col("used").is_not_null())
    clocks = clocks.with_columns(length=length("whole"))
    counts = Counts(states, Measures((), REACHED))
    rows = []
    for window, fits in _windows():
        rows.append(_ended(counts(now - window, now).counts, labels).filter(fits))
        since = pl.col("started").dt.truncate("1d") >= now - window
        rows.append(_running(clocks.filter(fits & since), labels))
    return Chances(survival(pl.concat(rows), clocks, labels), least)


def _windows() -> list[tuple[timedelta, pl.Expr]]:
    """Each window, and which lengths are learned from it."""
    found, above = [], pl.lit(True)
    for window in WINDOWS:
        longest = int(window / TIMES / timedelta(seconds=1)).bit_length() - 2  # whose upper end is at most that
        fits = pl.lit(True) if window == WINDOWS[-1] else pl.col("length") <= longest
        found.append((window, above & fits))
        above = above & ~fits
    return found


def _ended(counts: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """Clocks that were met or breached: clock, length, labels, step, ended, running."""
    return counts.select(
        (pl.col("measure").to_physical().cast(pl.UInt8) - FIRST).cat.to(CLOCK).alias("clock"),
        (pl.col("bin") // (STEPS + 1)).cast(pl.Int64).alias("length"),
        *labels,
        (pl.col("bin") % (STEPS + 1)).cast(pl.Int64).alias("step"),
        pl.col("n").alias("ended"),
        pl.lit(0, dtype=pl.Int64).alias("running"),
    )


def _running(clocks: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """Clocks that still run, in the same columns."""
    step = (pl.col("used") * STEPS).floor().clip(0, STEPS - 1).cast(pl.Int64).alias("step")
    by = ["clock", "length", *labels, "step"]
    counted = clocks.with_columns(step).group_by(by).agg(pl.len().cast(pl.Int64).alias("running"))
    return counted.select(*by, pl.lit(0, dtype=pl.Int64).alias("ended"), "running")
