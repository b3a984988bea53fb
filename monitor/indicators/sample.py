"""The cells of one window by group, as arrays that estimates are made from."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cells.bins import values_of
from monitor.names import MEASURES

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

THOUSANDTHS: Final = 1000  # values are kept in milliseconds and thousandths of a score
_NO_BIN: Final = -(2**15)
_BINS: Final = 2**16  # more than there are
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
        self._bin = cells["bin"].fill_null(_NO_BIN).to_numpy().astype(np.int64)
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
        wanted = np.zeros(len(MEASURES), dtype=bool)
        wanted[[_CODE[measure] for measure in measures]] = True
        chosen = np.flatnonzero(wanted[self._measure] & (self._bin != _NO_BIN))
        key = self._group[chosen] * _BINS + self._bin[chosen]
        order = np.argsort(key, kind="stable")  # a few sorted runs: this merges them
        key, chosen = key[order], chosen[order]
        starts = np.flatnonzero(np.diff(key, prepend=-_BINS))
        n, total = (_added(values[chosen], starts) for values in (self._n, self._total))
        kept = n > 0
        group, number = np.divmod(key[starts][kept] + _BINS // 2, _BINS)
        first = np.searchsorted(group, np.arange(self.height + 1))
        return Distribution(group, (number - _BINS // 2).astype(np.int16), n[kept], total[kept], first)


def _added(values: Ints, starts: Ints) -> Ints:
    """Sums over stretches of `values`, each from one start to the next."""
    return np.asarray(np.add.reduceat(values, starts) if len(starts) else np.empty(0, np.int64), dtype=np.int64)


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
