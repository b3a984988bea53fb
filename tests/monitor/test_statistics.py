"""Intervals: golden values of the documents and of tables, and what must hold whatever the sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.indicators.statistics import count_of_rare, mean_t, net_promoter, quantile_ranks, t_quantiles, wilson


@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [(18, 20, 0.699, 0.972), (20, 20, 0.839, 1.0), (0, 20, 0.0, 0.161), (1, 2, 0.095, 0.905), (50, 100, 0.404, 0.596)],
)
def test_wilson_bounds_of_a_proportion(part: int, n: int, low: float, high: float) -> None:
    interval = wilson([part], [n])
    assert (round(interval.low[0], 3), round(interval.high[0], 3)) == (low, high)


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_lie_around_the_share_and_within_0_and_1(sample: tuple[int, int]) -> None:
    part, n = sample
    low, high = (bound[0] for bound in wilson([part], [n]))
    assert 0 <= low <= part / n <= high <= 1
    assert low == 0 if part == 0 else low > 0
    assert high == 1 if part == n else high < 1


def test_the_net_promoter_score_has_its_golden_bounds() -> None:
    interval = net_promoter([50], [100 / 6], [100])
    assert round((interval.high[0] - interval.low[0]) / 2, 1) == 14.6


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.706205), (2, 4.302653), (3, 3.182446), (4, 2.776445), (9, 2.262157), (24, 2.063899), (30, 2.042272),
     (99, 1.984217), (100, 1.983972), (101, 1.983731), (1000, 1.962339), (10**9, 1.959964)],
)  # fmt: skip
def test_student_s_t_is_that_of_the_tables(freedom: int, t: float) -> None:
    assert t_quantiles([freedom])[0] == pytest.approx(t, abs=1e-6)


def test_t_falls_with_every_degree_of_freedom() -> None:
    quantiles = t_quantiles(np.arange(1, 400))
    assert (np.diff(quantiles) < 0).all()


def test_a_mean_of_five_has_the_bounds_of_a_hand_calculation() -> None:
    # 1 2 3 4 5: mean 3, squared deviations 10, t(4) = 2.776445, s²/n = 2.5/5
    low, high = (bound[0] for bound in mean_t([3.0], [10.0], [5]))
    assert (low, high) == (pytest.approx(3 - 1.963243, abs=1e-5), pytest.approx(3 + 1.963243, abs=1e-5))


@pytest.mark.parametrize("n", [0, 1])
def test_a_mean_of_fewer_than_two_has_no_bounds(n: int) -> None:
    assert np.isnan(mean_t([3.0], [0.0], [n])).all()


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.69), (5, 1.62, 11.67), (10, 4.80, 18.39), (100, 81.4, 121.6)]
)
def test_bounds_of_a_poisson_count_come_close_to_the_exact_ones(count: int, low: float, high: float) -> None:
    interval = count_of_rare([count])
    assert interval.low[0] == pytest.approx(low, rel=0.02, abs=0.01)
    assert interval.high[0] == pytest.approx(high, rel=0.01)


@given(st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.integers(1, 10**9))
def test_ranks_of_a_quantile_lie_around_it_and_exist(share: float, n: int) -> None:
    low, high = (bound[0] for bound in quantile_ranks(share, n=[n]))
    assert 1 <= low <= max(n * share, 1)
    assert n * share <= high <= n


def test_groups_without_observations_have_no_bounds_and_warn_nobody() -> None:
    for interval in (wilson([0], [0]), net_promoter([0], [0], [0])):
        assert np.isnan(interval).all()
