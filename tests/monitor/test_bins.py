"""Bins: exact at their edges, close to what they stand for, in the order of the values."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cells.bins import BASE, ORIGIN, RELATIVE_ERROR, bin_of, upper_edges, values_of

THOUSANDTHS = st.integers(1, 2**62)


def code_of(value: int) -> int:
    return int(bin_of(pl.Series([value], dtype=pl.Int64))[0])


@pytest.mark.parametrize(
    ("thousandths", "code"),
    [
        (0, 0),
        (1000, ORIGIN),  # (b^-1, b^0] ends at 1
        (1001, ORIGIN + 1),
        (999, ORIGIN),
        (500, ORIGIN - 32),
        (501, ORIGIN - 31),
        (2000, ORIGIN + 32),
        (2001, ORIGIN + 33),
        (64_000, ORIGIN + 6 * 32),
        (64_001, ORIGIN + 6 * 32 + 1),
        (125, ORIGIN - 3 * 32),
        (-1000, -ORIGIN),
        (-1001, -ORIGIN - 1),
        (None, None),
    ],
)
def test_a_value_on_an_edge_lies_in_the_bin_that_ends_there(thousandths: int | None, code: int | None) -> None:
    assert bin_of(pl.Series([thousandths], dtype=pl.Int64)).to_list() == [code]


@given(THOUSANDTHS)
def test_the_bin_holds_the_value_exactly(value: int) -> None:
    """b^(i-1) < v <= b^i, both raised to the 32nd power: whole numbers and fractions, no rounding."""
    i = code_of(value) - ORIGIN
    power = Fraction(value, 1000) ** 32
    assert Fraction(2) ** (i - 1) < power <= Fraction(2) ** i


@given(THOUSANDTHS)
def test_a_bin_is_reported_within_its_relative_error(value: int) -> None:
    reported = values_of([code_of(value)])[0]
    assert abs(reported - value / 1000) <= value / 1000 * RELATIVE_ERROR * (1 + 1e-9)


def test_the_relative_error_is_at_most_1_08_percent() -> None:
    assert pytest.approx(0.01083, abs=5e-6) == RELATIVE_ERROR


@given(st.lists(st.integers(-(2**53), 2**53), min_size=2))
def test_bins_sort_as_their_values_do(values: list[int]) -> None:
    codes = bin_of(pl.Series(sorted(values), dtype=pl.Int64)).to_list()
    assert codes == sorted(codes)


@given(THOUSANDTHS)
def test_a_negative_value_has_the_mirrored_bin(value: int) -> None:
    assert code_of(-value) == -code_of(value)


def test_a_null_has_no_bin() -> None:
    assert bin_of(pl.Series([0, None], dtype=pl.Int64)).to_list() == [0, None]


def test_an_upper_edge_is_a_power_of_the_base() -> None:
    np.testing.assert_allclose(upper_edges([0, ORIGIN, ORIGIN + 1, -ORIGIN - 32]), [0, 1, BASE, -2], rtol=1e-15)
