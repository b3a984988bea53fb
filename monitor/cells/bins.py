"""The grid on which distributions are kept: bin i holds the values in (b^(i-1), b^i], b = 2^(1/32).

This is the grid of Prometheus native histograms and of OpenTelemetry exponential histograms at schema 5. Values are
integers in thousandths (milliseconds, thousandths of a score); the grid is that of the whole unit (seconds, points).

Zero has the bin 0, positive values have `i + ORIGIN`, negative ones the same number with a minus sign, so that bins
sort as their values do. A bin is reported as 2·b^i/(b+1), the value whose relative distance to both edges is the
same: (b-1)/(b+1), at most 1.08 %.
"""

from math import isqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

SCHEMA: Final = 5  # b = 2^(2^-SCHEMA)
STEPS: Final = 2**SCHEMA  # bins for each doubling
BASE: Final = 2.0 ** (1 / STEPS)
ORIGIN: Final = 2048  # code of the bin whose upper edge is 1
RELATIVE_ERROR: Final = (BASE - 1) / (BASE + 1)

_FIRST: Final = -320  # b^-320 < 0.001: the bin below all values
_LAST: Final = (63 - 9) * STEPS  # 1000 · b^_LAST > 2^63

Codes = npt.NDArray[np.int16]


def _upper_edges() -> npt.NDArray[np.int64]:
    """floor(1000 · b^i) for every bin, as exact integers: v <= 1000·b^i is then v <= edge for every integer v.

    The 32nd root of 1000^32 · 2^i is five integer square roots, each of which rounds down.
    """
    edges = []
    for i in range(_FIRST, _LAST + 1):
        power = 1000**STEPS << i if i >= 0 else 1000**STEPS >> -i
        for _ in range(SCHEMA):
            power = isqrt(power)
        edges.append(min(power, 2**63 - 1))
    return np.array(edges, dtype=np.int64)


_EDGES: Final = _upper_edges()
_LOG_UNIT: Final = float(np.log2(1000)) * STEPS


def codes_of(values: npt.NDArray[np.int64]) -> Codes:
    """The bin of each value in thousandths; exact also where a value is an edge of its bin."""
    magnitudes = np.maximum(np.abs(values), 1)
    # The logarithm decides all but values within a millionth of an edge, which may come out one too low.
    steps = np.ceil(np.log2(magnitudes) * STEPS - (_LOG_UNIT + 1e-6)).astype(np.int64)
    steps += magnitudes > _EDGES[steps - _FIRST]
    return ((steps + ORIGIN) * np.sign(values)).astype(np.int16)


def bin_of(values: pl.Series) -> pl.Series:
    """The bins (Int16) of values in thousandths (Int64); a null has none."""
    if not values.null_count():
        return pl.Series(values.name, codes_of(values.cast(pl.Int64).to_numpy()), dtype=pl.Int16)
    known = values.is_not_null()
    codes = np.zeros(len(values), dtype=np.int16)
    codes[known.to_numpy()] = codes_of(values.drop_nulls().cast(pl.Int64).to_numpy())
    return pl.Series(values.name, codes, dtype=pl.Int16).set(~known, None)


def upper_edges(codes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The greatest magnitude that each bin holds, in whole units, with the sign of the bin (zero: 0)."""
    code = np.asarray(codes, dtype=np.float64)
    return np.where(code == 0, 0.0, np.sign(code) * np.exp2((np.abs(code) - ORIGIN) / STEPS))


def values_of(codes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """What each bin is reported as, in whole units (seconds, points)."""
    edges: npt.NDArray[Any] = upper_edges(codes)
    return edges * (2 / (BASE + 1))
