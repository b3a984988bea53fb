"""How a figure and its 95 % interval come from a sample: shares, rates, means, quantiles, net promoter score.

Each estimate is a small value that names its measures and works for all groups at once. A group with nothing to
count has no value (NaN), and never 0 or 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from monitor.indicators.sample import THOUSANDTHS, Floats, Ints, Sample, at_rank, deviations
from monitor.indicators.statistics import Interval, count_of_rare, mean_t, net_promoter, quantile_ranks, wilson

Weights = Mapping[str, int]  # measure -> how often each of its things counts


class Figure(NamedTuple):
    """An estimate for G groups."""

    value: Floats  # NaN: none
    low: Floats  # NaN: no bound
    high: Floats
    n: Ints  # what it is out of: outcomes, times, scores


class Estimate(Protocol):
    """What an indicator is computed by."""

    def of(self, sample: Sample) -> Figure: ...

    @property
    def measures(self) -> tuple[str, ...]:
        """All measures it reads."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Share of `part` in `whole`, both sums of measures; Wilson interval."""

    part: Weights
    whole: Weights

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.part, *self.whole)))

    @property
    def rest(self) -> Weights:
        """`whole` without `part`: what speaks against it."""
        every = {measure: self.whole.get(measure, 0) - self.part.get(measure, 0) for measure in self.measures}
        return {measure: weight for measure, weight in every.items() if weight}

    def of(self, sample: Sample) -> Figure:
        part, n = sample.n(self.part), sample.n(self.whole)
        return Figure(_divided(part, n), *wilson(part, n), n)


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` for every thousand of `base`; interval of a Poisson count."""

    count: Weights
    base: Weights

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.count, *self.base)))

    def of(self, sample: Sample) -> Figure:
        count, n = sample.n(self.count), sample.n(self.base)
        bounds = count_of_rare(count)
        return Figure(_divided(1000 * count, n), _divided(1000 * bounds.low, n), _divided(1000 * bounds.high, n), n)


@dataclass(frozen=True, slots=True)
class Mean:
    """Exact mean of the values; t interval, or none where the measures have no bins."""

    measures: tuple[str, ...]

    def of(self, sample: Sample) -> Figure:
        n = sample.n(self.measures)
        mean = _divided(sample.total(self.measures), THOUSANDTHS * n)
        distribution = sample.distribution(self.measures)
        binned = np.zeros(sample.height, dtype=np.int64)
        np.add.at(binned, distribution.group, distribution.n)
        low, high = mean_t(mean, deviations(distribution, mean), np.where(binned == n, n, 0))
        return Figure(mean, low, high, n)


@dataclass(frozen=True, slots=True)
class Quantile:
    """The value that `percent` of the observations do not exceed: that of rank ceil(n·percent/100), from its bin.

    At most 1.08 % off. The interval is that of the ranks which bound it whatever the distribution.
    """

    measures: tuple[str, ...]
    percent: int

    def of(self, sample: Sample) -> Figure:
        distribution = sample.distribution(self.measures)
        n = np.zeros(sample.height, dtype=np.int64)
        np.add.at(n, distribution.group, distribution.n)
        bounds = quantile_ranks(self.percent / 100, n)
        low, high = (at_rank(distribution, rank.astype(np.int64)) for rank in bounds)
        return Figure(at_rank(distribution, -(-n * self.percent // 100)), low, high, n)


@dataclass(frozen=True, slots=True)
class Spread:
    """How many times the upper quantile is the lower one: 1 where all are served alike. No interval."""

    measures: tuple[str, ...]
    upper: int = 90
    lower: int = 50

    def of(self, sample: Sample) -> Figure:
        upper, lower = (Quantile(self.measures, percent).of(sample) for percent in (self.upper, self.lower))
        value = np.divide(upper.value, lower.value, out=np.full(sample.height, np.nan), where=lower.value > 0)
        return Figure(value, *_unbounded(sample.height), upper.n)


@dataclass(frozen=True, slots=True)
class NetPromoter:
    """Promoters less detractors, in points from -100 to 100."""

    promoters: str
    detractors: str
    scores: str

    @property
    def measures(self) -> tuple[str, ...]:
        return (self.promoters, self.detractors, self.scores)

    def of(self, sample: Sample) -> Figure:
        promoters, detractors, n = (sample.n((measure,)) for measure in self.measures)
        value = _divided(100 * (promoters - detractors), n)
        return Figure(value, *net_promoter(promoters, detractors, n), n)


def _divided(part: Floats | Ints, whole: Ints) -> Floats:
    divided: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return divided


def _unbounded(height: int) -> Interval:
    return Interval(np.full(height, np.nan), np.full(height, np.nan))
