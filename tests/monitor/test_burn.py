"""Burn pairs: which windows are watched and how fast the budget must burn there.

period 30 d, goal 95 %                    the factor says how much faster than even spending
|--------------------------- 30 d --------------------------->|
page     2 % in  1 h  and still in  5 m   0.02 x 720 h /  1 h = 14.4
page     5 % in  6 h  and still in 30 m   0.05 x 720 h /  6 h =  6
ticket  10 % in  1 d  and still in  2 h   0.10 x 720 h / 24 h =  3
ticket  10 % in  3 d  and still in  6 h   0.10 x 720 h / 72 h =  1

goal 80 %: all failing burns at 5, so that 14.4 could never fire; 0.9 x 5 = 4.5
page     2 % in  1 h -> 3 h 12 m          0.02 x 720 h / 3.2 h = 4.5
page     5 % in  6 h -> 8 h               0.05 x 720 h / 8 h   = 4.5
"""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.policy.durations import format_span, parse_span
from monitor.slas.burn import HEADROOM, MINUTE, STANDARD, Pair, greatest_burn, miss, pairs, windows

D30 = timedelta(days=30)


def row(pair: Pair) -> tuple[str, str, str, str, str | None]:
    widened = None if pair.widened_from is None else format_span(pair.widened_from)
    return str(pair.severity), format_span(pair.long), format_span(pair.short), str(pair.factor), widened


TABLE = {
    "30 days": (
        ("95%", "30d"),
        [
            ("page", "1h", "5m", "72/5", None),
            ("page", "6h", "30m", "6", None),
            ("ticket", "1d", "2h", "3", None),
            ("ticket", "3d", "6h", "1", None),
        ],
    ),
    "28 days": (
        ("99.9%", "28d"),
        [
            ("page", "1h", "5m", "336/25", None),
            ("page", "6h", "30m", "28/5", None),
            ("ticket", "1d", "2h", "14/5", None),
            ("ticket", "3d", "6h", "14/15", None),
        ],
    ),
    "a goal of 80 % widens what could never fire": (
        ("80%", "30d"),
        [
            ("page", "3h12m", "16m", "9/2", "1h"),
            ("page", "8h", "40m", "9/2", "6h"),
            ("ticket", "1d", "2h", "3", None),
            ("ticket", "3d", "6h", "1", None),
        ],
    ),
    "a goal of 50 %": (
        ("50%", "30d"),
        [
            ("page", "8h", "40m", "9/5", "1h"),
            ("page", "20h", "1h40m", "9/5", "6h"),
            ("ticket", "1d16h", "3h20m", "9/5", "1d"),
            ("ticket", "3d", "6h", "1", None),
        ],
    ),
    "7 days are not scaled": (
        ("99%", "7d"),
        [
            ("page", "1h", "5m", "84/25", None),
            ("page", "6h", "30m", "7/5", None),
            ("ticket", "1d", "2h", "7/10", None),
            ("ticket", "3d", "6h", "7/30", None),
        ],
    ),
    "a day scales the windows and keeps the factors": (
        ("95%", "1d"),
        [
            ("page", "2m", "1m", "72/5", None),
            ("page", "12m", "1m", "6", None),
            ("ticket", "48m", "4m", "3", None),
            ("ticket", "2h24m", "12m", "1", None),
        ],
    ),
    "6 days, 80 %: widened first, then scaled": (
        ("80%", "6d"),
        [
            ("page", "38m", "3m", "9/2", "12m"),
            ("page", "1h36m", "8m", "9/2", "1h12m"),
            ("ticket", "4h48m", "24m", "3", None),
            ("ticket", "14h24m", "1h12m", "1", None),
        ],
    ),
    "an hour: no window below a minute": (
        ("95%", "1h"),
        [
            ("page", "1m", "1m", "72/5", None),
            ("page", "1m", "1m", "6", None),
            ("ticket", "2m", "1m", "3", None),
            ("ticket", "6m", "1m", "1", None),
        ],
    ),
}


def decimal(goal: str) -> Decimal:
    return Decimal(goal.rstrip("%")) / 100


@pytest.mark.parametrize(("asked", "expected"), TABLE.values(), ids=TABLE)
def test_windows_and_factors_follow_from_the_share_of_the_budget(
    asked: tuple[str, str], expected: list[tuple[str, ...]]
) -> None:
    goal, period = asked
    assert [row(pair) for pair in pairs(decimal(goal), parse_span(period))] == expected


def test_the_promised_factors_of_thirty_days() -> None:
    assert [float(pair.factor) for pair in pairs(Decimal("0.99"), D30)] == [14.4, 6, 3, 1]


def test_99_point_9_percent_leaves_exactly_a_thousandth() -> None:
    assert miss(Decimal("0.999")) == Fraction(1, 1000)
    assert greatest_burn(Decimal("0.8")) == 5


def test_windows_of_a_calendar_period_stay_the_same_all_year() -> None:
    longest = timedelta(days=31, hours=1)
    february = pairs(Decimal("0.9"), timedelta(days=28), longest)
    october = pairs(Decimal("0.9"), timedelta(days=31, hours=1), longest)
    assert windows(february) == windows(october)
    assert [p.factor < q.factor for p, q in zip(february, october, strict=True)] == [True] * 4


goals = st.integers(1, 99_999).map(lambda n: Decimal(n) / 100_000)
periods = st.integers(1, 400 * 24 * 60).map(lambda minutes: minutes * MINUTE)


@given(goals, periods)
def test_every_pair_can_fire_and_is_whole_minutes(goal: Decimal, period: timedelta) -> None:
    for pair in pairs(goal, period):
        assert pair.factor <= HEADROOM * greatest_burn(goal)
        assert pair.long % MINUTE == pair.short % MINUTE == timedelta(0)
        assert MINUTE <= pair.short <= pair.long


@given(goals, st.integers(7 * 24 * 60, 400 * 24 * 60).map(lambda minutes: minutes * MINUTE))
def test_the_factor_is_share_times_period_over_window(goal: Decimal, period: timedelta) -> None:
    for pair, rule in zip(pairs(goal, period), STANDARD, strict=True):
        assert pair.factor * Fraction(pair.long // MINUTE) == rule.share * Fraction(period // MINUTE)
        if pair.widened_from is not None:
            shorter = rule.share * Fraction(period // MINUTE) / Fraction(pair.long // MINUTE - 1)
            assert shorter > HEADROOM * greatest_burn(goal)
