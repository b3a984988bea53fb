"""A slope and its interval: what grows is found out, what only wavers is not."""

import numpy as np
import pytest

from tests.faults.slope import slope

MINUTES = np.arange(30.0)


def test_a_straight_line_has_its_slope_and_no_doubt() -> None:
    found = slope(list(MINUTES), list(100 + 2.5 * MINUTES))
    assert (found.value, found.low, found.high) == pytest.approx((2.5, 2.5, 2.5))
    assert not found.within_noise


@pytest.mark.parametrize(("grows", "share_found"), [(0.0, (0.0, 0.1)), (1.0, (0.95, 1.0))])
@pytest.mark.parametrize("alike", [0.0, 0.6], ids=["noise", "noise that lasts"])
def test_growth_is_told_from_noise(grows: float, share_found: tuple[float, float], alike: float) -> None:
    draw = np.random.default_rng(1)
    found = 0
    for _ in range(400):
        noise = draw.normal(0, 3, len(MINUTES))
        for place in range(1, len(noise)):
            noise[place] = alike * noise[place - 1] + np.sqrt(1 - alike**2) * noise[place]
        found += not slope(list(MINUTES), list(200 + grows * MINUTES + noise)).within_noise
    assert share_found[0] <= found / 400 <= share_found[1]
