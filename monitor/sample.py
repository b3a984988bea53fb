"""The cells of one window by group, as arrays that estimates are made from."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.bins import values_of
from monitor.names import MEASURES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

THOUSANDTHS: Final = 1000  # values are kept in milliseconds and thousandths of a score
_CODE: Final = {measure: code for code, measure in enumerate(MEASURES)}


class Distribution(NamedTuple):
    """Values of several measures together: one entry a group and bin that occurs, sorted by both."""

    group: Ints
    bin: npt.NDArray[np.int16]
    n: Ints
    total: Ints
    first: Ints  # G + 1: where each group's entries begin


class Sample:
    """Sums of G groups, numbered from 0.

    :param cells: windows.GROUPED; each (group, measure, bin) once
    :param height: G
    """

    def __init__(self, cells: pl.DataFrame, height: int) -> None:
        self.height = height
        self._group = cells["group"].to_numpy().astype(np.int64)
        self._measure = cells["measure"].to_physical().to_numpy().astype(np.int64)
        self._bin = cells["bin"]
        self._n, self._total = cells["n"].to_numpy(), cells["total"].to_numpy()
        self._sums = np.zeros((len(MEASURES), height, 2), dtype=np.int64)
        np.add.at(self._sums[:, :, 0], (self._measure, self._group), self._n)
        np.add.at(self._sums[:, :, 1], (self._measure, self._group), self._total)
        self._distributions: dict[tuple[str, ...], Distribution] = {}

    def n(self, measures: Iterable[str] | Mapping[str, int]) -> Ints:
        """How many of those measures together; a mapping says how often each counts."""
        return self._sum(measures, 0)

    def total(self, measures: Iterable[str]) -> Ints:
        """Sum of their values, in thousandths."""
        return self._sum(measures, 1)

    def distribution(self, measures: tuple[str, ...]) -> Distribution:
        """Their values by bin."""
        if measures not in self._distributions:
            self._distributions[measures] = self._distribution(measures)
        return self._distributions[measures]

    def _sum(self, measures: Iterable[str] | Mapping[str, int], column: int) -> Ints:
        weights = measures if isinstance(measures, Mapping) else dict.fromkeys(measures, 1)
        summed = np.zeros(self.height, dtype=np.int64)
        for measure, weight in weights.items():
            summed += weight * self._sums[_CODE[measure], :, column]
        return summed

    def _distribution(self, measures: tuple[str, ...]) -> Distribution:
        chosen = np.isin(self._measure, [_CODE[measure] for measure in measures]) & self._bin.is_not_null().to_numpy()
        rows = pl.DataFrame(
            {
                "group": self._group[chosen],
                "bin": self._bin.filter(pl.Series(chosen)),
                "n": self._n[chosen],
                "total": self._total[chosen],
            }
        )
        rows = (
            rows.group_by("group", "bin").agg(pl.col("n", "total").sum()).filter(pl.col("n") > 0).sort("group", "bin")
        )
        group = rows["group"].to_numpy()
        first = np.searchsorted(group, np.arange(self.height + 1))
        return Distribution(group, rows["bin"].to_numpy(), rows["n"].to_numpy(), rows["total"].to_numpy(), first)


def at_rank(distribution: Distribution, rank: Ints) -> Floats:
    """G: the value of each group's observation of that rank (from 1), read off its bin; NaN beyond the last."""
    cumulated = np.cumsum(distribution.n)
    before = np.concatenate(([0], cumulated))[distribution.first]
    place = np.searchsorted(cumulated, before[:-1] + rank, side="left")
    known = (rank >= 1) & (rank <= before[1:] - before[:-1])
    found = np.full(len(rank), np.nan)
    found[known] = values_of(distribution.bin[place[known]])
    return found


def deviations(distribution: Distribution, mean: Floats) -> Floats:
    """G: sum of squared deviations from the mean in whole units, each value taken for the mean of its bin.

    Σ total²/n over the bins, less total²/n of all: what values of one bin differ among themselves (at most 2.2 % of
    the value) is left out. The sum is taken about the mean, so that no digits cancel.
    """
    of_bin = distribution.total / distribution.n / THOUSANDTHS
    squares = distribution.n * (of_bin - mean[distribution.group]) ** 2
    summed = np.zeros(len(mean))
    np.add.at(summed, distribution.group, squares)
    return summed
