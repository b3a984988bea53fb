"""Exact one-sided binomial test: can so many bad ones come from a service that just keeps its goal?

Let X be binomial with `n` trials and the probability `miss` that one is bad. The p value of seeing `bad` of them is

    P(X >= bad) = sum over i >= bad of C(n, i) miss^i (1 - miss)^(n - i)

summed term by term from `bad` upwards: each term is the one before it times (n - i) / (i + 1) x miss / (1 - miss),
which is below 1 beyond the mean. The sum is only needed near the goal: far from it Chernoff's bound,

    P(X >= bad) <= exp(-n KL(bad/n || miss))   where KL(q || p) = q ln(q/p) + (1 - q) ln((1 - q)/(1 - p)),

is below the level already (Hoeffding 1963, theorem 1), and at or below the mean the p value cannot be small.

>>> import numpy as np
>>> tells_apart(np.array([1, 2, 5]), np.array([10, 10, 10]), 0.1, 0.05).tolist()
[False, False, True]
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEVEL: Final = 0.05
_NEGLIGIBLE: Final = 1e-17  # of the sum: what a further term must reach to matter


def tells_apart(bad: Ints, n: Ints, miss: float, level: float = LEVEL) -> Bools:
    """Whether `bad` of `n` is worse than a share of `miss`, with a p value below `level`; element by element.

    Exact but for float64 rounding (relative error below 1e-9 up to n = 1e6, 1e-5 up to 1e9). n = 0: False.
    """
    worse = bad > n * miss
    decided = np.zeros(len(bad), dtype=np.bool_)
    decided[worse] = _chernoff(bad[worse], n[worse], miss) < level
    open_ = worse & ~decided
    if open_.any():
        decided[open_] = upper_tail(bad[open_], n[open_], miss) < level
    return decided


def upper_tail(bad: Ints, n: Ints, miss: float) -> Floats:
    """P(X >= bad) of the binomial distribution, element by element; `bad` above the mean."""
    term = np.exp(_log_probability(bad, n, miss))
    total = term.copy()
    odds = miss / (1 - miss)
    i, trials = bad.astype(np.float64), n.astype(np.float64)
    going = np.arange(len(bad))
    while len(going):
        term = term * (trials - i) / (i + 1) * odds
        i += 1
        total[going] += term
        still = term > _NEGLIGIBLE * total[going]
        going, term, i, trials = going[still], term[still], i[still], trials[still]
    return total


def _log_probability(k: Ints, n: Ints, p: float) -> Floats:
    log_p, log_q, lgamma = math.log(p), math.log1p(-p), math.lgamma
    values = [
        lgamma(trials + 1) - lgamma(hits + 1) - lgamma(trials - hits + 1) + hits * log_p + (trials - hits) * log_q
        for hits, trials in zip(k.tolist(), n.tolist(), strict=True)
    ]
    return np.array(values, dtype=np.float64)


def _chernoff(k: Ints, n: Ints, p: float) -> Floats:
    q = k / n
    rest = np.where(k < n, (1 - q) * np.log(np.where(k < n, 1 - q, 1.0) / (1 - p)), 0.0)
    bound: Floats = np.exp(-n * (q * np.log(q / p) + rest))
    return bound
