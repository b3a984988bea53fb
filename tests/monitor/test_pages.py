"""Stretches of a tier: packed or plain, they hold the same."""

import hashlib
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cells.pages import CUTS, ROWS, Page
from monitor.names import MEASURES

START, STEP, BUCKETS = 8640 * 20_000, 90, 96

Row = tuple[int, int, int, int]

a_row: st.SearchStrategy[Row] = st.tuples(
    st.integers(0, BUCKETS - 1).map(lambda number: START + number * STEP),
    st.one_of(st.integers(0, 40), st.just(2**32 - 1)).flatmap(
        lambda series: st.integers(0, 3).map(lambda rest: series * 2**24 + rest)
    ),
    st.integers(-3, 5),
    st.integers(-(2**40), 2**40),
)
ROW_LISTS = st.lists(a_row, max_size=30)


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(ROWS), orient="row")


def page(*chunks: list[Row], pack_after: frozenset[int] = frozenset()) -> Page:
    made = Page(START, STEP, BUCKETS)
    for number, rows in enumerate(chunks):
        made.add(frame(rows))
        if number in pack_after:
            made.pack()
    return made


def held(rows: pl.DataFrame) -> list[Any]:
    summed = rows.group_by("bucket", "key").agg(pl.col("n", "total").sum())
    return summed.filter((pl.col("n") != 0) | (pl.col("total") != 0)).sort("bucket", "key").rows()


EVERYTHING = (-(2**31), 2**31 - 1)


@given(st.lists(ROW_LISTS, max_size=5), st.frozensets(st.integers(0, 4)), st.integers(-1, 97), st.integers(-1, 97))
def test_a_page_holds_the_same_whenever_it_was_packed(
    chunks: list[list[Row]], pack_after: frozenset[int], first: int, last: int
) -> None:
    packed, plain = page(*chunks, pack_after=pack_after), page(*chunks)
    wanted = START + first * STEP + 1, START + last * STEP + 1
    assert held(packed.between(*EVERYTHING)) == held(plain.between(*EVERYTHING))
    assert held(packed.between(*wanted)) == held(plain.between(*wanted))
    for of in (1, 3, CUTS, 2 * CUTS):
        for number in range(of):
            assert packed.part(number, of).sort("bucket", "key").equals(plain.part(number, of).sort("bucket", "key"))


@given(ROW_LISTS, ROW_LISTS)
def test_what_is_taken_back_from_a_packed_page_is_gone(kept: list[Row], retracted: list[Row]) -> None:
    back = [(bucket, key, -n, -total) for bucket, key, n, total in retracted]
    corrected = page(kept + retracted, back, pack_after=frozenset({0}))
    assert corrected.part(0, 1).sort("bucket", "key").equals(page(kept).part(0, 1).sort("bucket", "key"))


@given(ROW_LISTS, ROW_LISTS, ROW_LISTS)
def test_packed_rows_can_be_put_into_another_page_as_they_lie(
    packed: list[Row], late: list[Row], there: list[Row]
) -> None:
    whole = page(packed, late, pack_after=frozenset({0}))
    other = page(there, pack_after=frozenset({0}))
    for number in range(CUTS):
        if (cut := whole.cut(number)) is not None:
            other.put(number, cut)
        other.add(whole.part(number, CUTS, packed=False))
    assert held(other.between(*EVERYTHING)) == held(page(packed + late + there).between(*EVERYTHING))


@given(ROW_LISTS, st.integers(-STEP, 97 * STEP), st.integers(-STEP, 97 * STEP))
def test_buckets_that_start_within_the_bounds_are_read(rows: list[Row], first: int, last: int) -> None:
    found = page(rows, pack_after=frozenset({0})).between(START + first, START + last)
    assert held(found) == held(frame([row for row in rows if START + first <= row[0] <= START + last]))


@pytest.mark.parametrize("pack_after", [frozenset[int](), frozenset({0})], ids=["plain", "packed"])
def test_the_greatest_numbers_are_held_exactly(pack_after: frozenset[int]) -> None:
    most = 2**63 - 1
    bucket = START + 126 * STEP
    made = Page(START, STEP, 127)
    made.add(frame([(START, 0, -most, most), (bucket, 2**56 - 1, most, -most)]))
    if pack_after:
        made.pack()
    assert made.part(0, 1).sort("bucket").rows() == [(START, 0, -most, most), (bucket, 2**56 - 1, most, -most)]


def test_nothing_lies_plain_once_it_is_packed_until_something_comes_late() -> None:
    made = page([(START, 1, 1, 5)], pack_after=frozenset({0}))
    assert made.plain == 0
    made.add(frame([(START, 1, 1, 7)]))
    made.between(*EVERYTHING)
    assert made.plain == 1
    made.pack()
    assert made.plain == 0
    assert held(made.between(*EVERYTHING)) == [(START, 1, 2, 12)]


def test_measures_stand_where_packed_cells_say_that_they_stand() -> None:
    """Cells of older snapshots hold the places: what is new comes after these, or takes a new format of the state."""
    assert hashlib.sha256("\n".join(MEASURES[:94]).encode()).hexdigest()[:16] == "b4db00f5a379fd46"
