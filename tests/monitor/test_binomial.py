"""The exact binomial test against the sum of exact fractions."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.slas.binomial import tells_apart, upper_tail


def exact(bad: int, n: int, miss: Fraction) -> Fraction:
    return sum((comb(n, i) * miss**i * (1 - miss) ** (n - i) for i in range(bad, n + 1)), Fraction(0))


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(1, 99))
def test_it_decides_as_the_exact_fractions_do(counted: tuple[int, int], percent: int) -> None:
    bad, n = counted
    miss = Fraction(percent, 100)
    p = exact(bad, n, miss)
    if abs(p - Fraction(5, 100)) < Fraction(1, 10**9):
        return  # nearer than float64 can tell
    assert tells_apart(np.array([bad]), np.array([n]), float(miss))[0] == (p < Fraction(5, 100))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))), st.integers(1, 20))
def test_the_upper_tail_is_the_exact_sum(counted: tuple[int, int], percent: int) -> None:
    bad, n = counted
    miss = Fraction(percent, 100)
    if bad <= n * miss:
        return
    got = upper_tail(np.array([bad]), np.array([n]), float(miss))[0]
    assert got == pytest.approx(float(exact(bad, n, miss)), rel=1e-9)


@pytest.mark.parametrize(
    ("bad", "n", "miss", "told"),
    [
        (0, 0, 0.05, False),
        (0, 100, 0.05, False),
        (5, 100, 0.05, False),  # at the goal
        (9, 100, 0.05, False),  # P(X >= 9) = 0.063
        (10, 100, 0.05, True),  # P(X >= 10) = 0.028
        (1, 1, 0.05, False),  # p = 0.05 is not below 0.05
        (1, 1, 0.04, True),
        (100, 100, 0.05, True),
        (50_600, 1_000_000, 0.05, True),
        (50_300, 1_000_000, 0.05, False),
    ],
)
def test_few_or_ordinary_misses_prove_nothing(bad: int, n: int, miss: float, told: bool) -> None:
    assert bool(tells_apart(np.array([bad]), np.array([n]), miss)[0]) is told


def test_ten_thousand_objectives_at_once() -> None:
    n = np.full(10_000, 2_000)
    bad = np.arange(10_000) % 2_000
    told = tells_apart(bad, n, 0.05)
    assert told.tolist() == [k % 2_000 >= 117 for k in range(10_000)]  # P(X >= 116) = 0.058, P(X >= 117) = 0.048
