"""How fast something grows that is measured again and again: a line through it, and how sure that line is."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

Z: Final = 1.96  # of 95 % of a normal distribution


class Slope(NamedTuple):
    """Growth in units of y per unit of x, with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @property
    def within_noise(self) -> bool:
        """Whether nothing shows that it grows."""
        return self.low <= 0


def slope(x: Sequence[float], y: Sequence[float]) -> Slope:
    """Least squares. Neighbours in time are alike, so that fewer of them count: n (1 - r) / (1 + r), where r is the
    correlation of a residual with the one before it (Bartlett 1935; Santer and others 2000, for trends).

    Needs four points at least, at different x.
    """
    at, measured = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    centred = at - at.mean()
    spread = float(centred @ centred)
    value = float(centred @ measured) / spread
    residuals = measured - measured.mean() - value * centred
    squares = float(residuals @ residuals)
    alike = float(residuals[1:] @ residuals[:-1]) / squares if squares else 0.0
    count = max(3.0, len(at) * (1 - alike) / (1 + alike)) if alike < 1 else 3.0
    freedom = min(count, float(len(at))) - 2
    error = math.sqrt(squares / freedom / spread)
    reach = _t(freedom) * error
    return Slope(value, value - reach, value + reach)


def _t(freedom: float) -> float:
    """Student's t of 95 % (Cornish and Fisher's expansion; Abramowitz and Stegun 26.7.5)."""
    return (
        Z
        + (Z**3 + Z) / (4 * freedom)
        + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)
        + (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * freedom**3)
    )
