"""Numbers of good and bad outcomes in a window, over all partitions: what objectives are judged from.

Only numbers are read here, never values, so bins are added up before anything else.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from monitor.frames import LABEL_COLUMNS, MEASURE
from monitor.state import State
from monitor.sums import measure_of_key, series_of_key, without_bin
from monitor.tiers import finest

# (labels, measure) -> n; the same labels and measure may stand in several rows, one a partition.
COUNTS: Final = {**LABEL_COLUMNS, "measure": MEASURE, "n": pl.Int64()}


class Counted(NamedTuple):
    counts: pl.DataFrame  # COUNTS
    tier: str  # of the cells that were read


# (start, None: all time; end) -> the numbers of the buckets that start in [start, end].
Counts = Callable[[datetime | None, datetime], Counted]


def counts_of(states: Mapping[int, State], measures: tuple[str, ...]) -> Counts:
    """Reads the numbers of those measures from the states' cells; a window asked for twice is read once."""
    codes = sorted(MEASURE.categories.to_list().index(measure) for measure in set(measures))
    name = "n:" + ",".join(map(str, codes))
    held: dict[tuple[datetime | None, datetime], Counted] = {}

    def project(rows: pl.DataFrame) -> pl.DataFrame:
        chosen = rows.filter(measure_of_key().is_in(codes))
        return chosen.select(without_bin().alias("key"), "n", pl.lit(0, dtype=pl.Int64).alias("total"))

    def read(start: datetime | None, end: datetime) -> Counted:
        if (start, end) not in held:
            tier = finest(end, start)
            parts = [_labelled(state, state.tiers.moving(name, start, end, tier, project)) for state in states.values()]
            held[start, end] = Counted(pl.concat(parts) if parts else pl.DataFrame(schema=COUNTS), tier)
        return held[start, end]

    return read


def _labelled(state: State, rows: pl.DataFrame) -> pl.DataFrame:
    keyed = rows.select(series_of_key().alias("series"), measure_of_key().cat.to(MEASURE).alias("measure"), "n")
    return keyed.join(state.series, on="series", how="left").select(list(COUNTS))
