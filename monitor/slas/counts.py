"""Good and bad outcomes in a window, over all partitions: what objectives are judged from."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from monitor.cells.grains import finest
from monitor.cells.sums import measure_of_key, unpacked, without_bin
from monitor.frames import CELLS, LABEL_COLUMNS, MEASURE
from monitor.slas.objectives import Measures
from monitor.state import State

# (labels, measure, bin) -> n, total; the same may stand in several rows, one a partition.
COUNTS: Final = {**LABEL_COLUMNS, **{name: CELLS[name] for name in ("measure", "bin", "n", "total")}}


class Counted(NamedTuple):
    counts: pl.DataFrame  # COUNTS
    tier: str  # of the cells that were read


class Counts:
    """Reads what those measures come to in the cells of all partitions; a window asked for twice is read once.

    Bins are added up at once where only numbers are wanted.
    """

    def __init__(self, states: Mapping[int, State], wanted: Measures) -> None:
        self._states = states
        codes = {name: code for code, name in enumerate(MEASURE.categories)}
        counted, valued = ([codes[name] for name in names] for names in wanted)
        self._project = _projection(counted, valued)
        self._name = f"n {counted} values {valued}"
        self._read: dict[tuple[datetime | None, datetime], Counted] = {}

    def __call__(self, start: datetime | None, end: datetime, *, anchored: bool = False) -> Counted:
        """The buckets that start in [start, end].

        :param start: None: all time
        :param anchored: the window grows from a fixed start, as a month so far
        """
        if (start, end) not in self._read:
            tier = finest(end, start)
            parts = [
                _labelled(state, state.tiers.moving(self._name, start, end, tier, self._project, anchored=anchored))
                for state in self._states.values()
            ]
            self._read[start, end] = Counted(pl.concat(parts) if parts else pl.DataFrame(schema=COUNTS), tier)
        return self._read[start, end]


def _projection(counted: list[int], valued: list[int]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    measure, total = measure_of_key(), pl.col("total")

    def project(rows: pl.DataFrame) -> pl.DataFrame:
        numbers = rows.filter(measure.is_in(counted)).select(without_bin().alias("key"), "n", total * 0)
        if not valued:
            return numbers
        return pl.concat([numbers, rows.filter(measure.is_in(valued)).select("key", "n", "total")])

    return project


def _labelled(state: State, rows: pl.DataFrame) -> pl.DataFrame:
    return unpacked(rows).join(state.series, on="series", how="left").select(list(COUNTS))
