"""Intervals around what a sample shows: 95 %, two-sided, over arrays of groups.

A group without observations has no interval: its bounds are NaN.
"""

from functools import lru_cache
from math import atan, cos, pi, sin, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Z: Final = 1.959963984540054  # 97.5 % point of the normal distribution
_EXACT_UP_TO: Final = 100  # degrees of freedom; beyond, the series below is exact to 1e-9


class Interval(NamedTuple):
    low: Floats
    high: Floats


def wilson(part: npt.ArrayLike, n: npt.ArrayLike) -> Interval:
    """Bounds of a proportion `part / n` (Wilson 1927): they stay within 0 and 1, also for 0 of n and n of n.

    (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    """
    share, n = _share(part, n)
    middle = share + Z**2 / (2 * n)
    half = Z * np.sqrt(np.maximum(share * (1 - share), 0) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    # At the ends the bounds are 0 and 1 themselves, which rounding would only come close to.
    low = np.where(share <= 0, share * 0, np.maximum((middle - half) / scale, 0))
    high = np.where(share >= 1, share * 0 + 1, np.minimum((middle + half) / scale, 1))
    return Interval(low, high)


def mean_t(mean: npt.ArrayLike, deviations: npt.ArrayLike, n: npt.ArrayLike) -> Interval:
    """Bounds of a mean: mean ± t·sqrt(s²/n), s² = deviations / (n - 1); none below two observations.

    :param deviations: sum of squared deviations from the mean
    """
    mean, deviations, count = (np.asarray(values, dtype=np.float64) for values in (mean, deviations, n))
    freedom = np.where(count >= 2, count - 1, np.nan)
    half = t_quantiles(freedom) * np.sqrt(np.maximum(deviations, 0) / freedom / count)
    return Interval(mean - half, mean + half)


def net_promoter(promoters: npt.ArrayLike, detractors: npt.ArrayLike, n: npt.ArrayLike) -> Interval:
    """Bounds of the net promoter score in points (-100 to 100): p - d ± z·sqrt((p + d - (p - d)²) / n)."""
    for_it, count = _share(promoters, n)
    against, _ = _share(detractors, n)
    net = for_it - against
    half = Z * np.sqrt(np.maximum(for_it + against - net**2, 0) / count)
    return Interval(np.maximum(100 * (net - half), -100), np.minimum(100 * (net + half), 100))


def count_of_rare(count: npt.ArrayLike) -> Interval:
    """Bounds of the expectation of a Poisson count by Byar's approximation (Breslow and Day 1987, 2.13).

    lower = c·(1 - 1/9c - z/3√c)³, upper = (c+1)·(1 - 1/9(c+1) + z/3√(c+1))³. The upper bound is good to 1 %
    everywhere, the lower one from a count of 5 on; below that it lies too low, which errs on the wide side.
    """
    lower = np.asarray(count, dtype=np.float64)
    upper = lower + 1
    safe = np.maximum(lower, 1)
    low = np.where(lower > 0, safe * (1 - 1 / (9 * safe) - Z / (3 * np.sqrt(safe))) ** 3, 0)
    return Interval(np.maximum(low, 0), upper * (1 - 1 / (9 * upper) + Z / (3 * np.sqrt(upper))) ** 3)


def quantile_ranks(share: float, n: npt.ArrayLike) -> Interval:
    """Ranks (from 1) of the observations that bound a quantile whatever the distribution (Conover 1999, 3.2).

    n·q ± z·sqrt(n·q·(1-q)), rounded outwards and kept within 1 and n.
    """
    count = np.asarray(n, dtype=np.float64)
    half = Z * np.sqrt(count * share * (1 - share))
    low, high = np.floor(count * share - half), np.ceil(count * share + half)
    return Interval(np.clip(low, 1, np.maximum(count, 1)), np.clip(high, 1, np.maximum(count, 1)))


def t_quantiles(freedom: npt.ArrayLike) -> Floats:
    """97.5 % point of Student's t for whole degrees of freedom; NaN stays."""
    freedom = np.asarray(freedom, dtype=np.float64)
    found = _t_of_many(np.where(np.isnan(freedom), np.inf, np.maximum(freedom, _EXACT_UP_TO)))
    for few in np.unique(freedom[freedom <= _EXACT_UP_TO]):
        found[freedom == few] = _t_of_few(int(few))
    return np.where(np.isnan(freedom), np.nan, found)


def _share(part: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    count = np.asarray(n, dtype=np.float64)
    known = np.where(count > 0, count, np.nan)
    return np.asarray(part, dtype=np.float64) / known, known


def _t_of_many(freedom: npt.NDArray[Any]) -> Floats:
    """Fisher's expansion around the normal quantile (Abramowitz and Stegun 26.7.5)."""
    z = Z
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return np.asarray(z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3 + g4 / freedom**4, dtype=np.float64)


@lru_cache(maxsize=_EXACT_UP_TO)
def _t_of_few(freedom: int) -> float:
    """By halving the stretch in which the distribution function reaches 97.5 %."""
    low, high = 1.0, 16.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 0.95 else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """P(-t < T < t), in closed form for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    angle = atan(t / sqrt(freedom))
    odd = freedom % 2 == 1
    term, total = (cos(angle), cos(angle)) if odd else (1.0, 1.0)
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cos(angle) ** 2 * (k - 1) / k
        total += term
    if not odd:
        return sin(angle) * total
    return 2 / pi * (angle + (sin(angle) * total if freedom > 1 else 0))
