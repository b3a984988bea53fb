"""Paging by cursor: every row once, whatever comes and goes in between."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import cursors
from api.cursors import Order
from api.problems import Problem

BOUND = cursors.binding("things", {})
ORDER = Order(("at", "name", "n"), (True, False, False))
START = datetime(2026, 11, 20, tzinfo=UTC)
COLUMNS = {"at": pl.Datetime("us", "UTC"), "name": pl.Enum(["b", "a", "c"]), "n": pl.Int32()}

rows = st.lists(
    st.tuples(st.none() | st.integers(0, 5), st.sampled_from(["a", "b", "c"]), st.integers(0, 9)), unique=True
)


def frame(keys: list[tuple[int | None, str, int]]) -> pl.DataFrame:
    instants = [(None if at is None else START + timedelta(microseconds=at), name, n) for at, name, n in keys]
    return pl.DataFrame(instants, schema=COLUMNS, orient="row")


def expected(keys: list[tuple[int | None, str, int]]) -> list[tuple[int | None, str, int]]:
    return sorted(keys, key=lambda key: (key[0] is None, -(key[0] or 0), key[1], key[2]))


def walk(keys: list[tuple[int | None, str, int]], limit: int) -> list[tuple[int | None, str, int]]:
    seen: list[tuple[int | None, str, int]] = []
    cursor = None
    while True:
        page = cursors.page(frame(keys), ORDER, limit=limit, cursor=cursor, bound=BOUND)
        for at, name, n in page.rows.iter_rows():
            seen.append((None if at is None else (at - START) // timedelta(microseconds=1), name, n))
        if page.next is None:
            return seen
        cursor = page.next


@given(rows, st.integers(1, 7))
def test_pages_of_any_size_hold_every_row_once_in_order(keys: list[tuple[int | None, str, int]], limit: int) -> None:
    assert walk(keys, limit) == expected(keys)


@given(rows, rows)
def test_rows_that_come_before_the_cursor_do_not_repeat_others(
    keys: list[tuple[int | None, str, int]], more: list[tuple[int | None, str, int]]
) -> None:
    first = cursors.page(frame(keys), ORDER, limit=3, cursor=None, bound=BOUND)
    if first.next is None:
        return
    given_out = [row[1:] for row in first.rows.iter_rows()]
    later = list(dict.fromkeys([*keys, *more]))
    rest = cursors.page(frame(later), ORDER, limit=1000, cursor=first.next, bound=BOUND).rows
    behind = expected(keys)[3:]
    got = [row[1:] for row in rest.iter_rows()]
    assert all((name, n) in got for _, name, n in behind)
    at_of = {
        (None if at is None else START + timedelta(microseconds=at), name, n) for at, name, n in expected(keys)[:3]
    }
    assert not at_of & set(rest.iter_rows()), given_out


@pytest.mark.parametrize(
    ("cursor", "says"),
    [
        ("", "damaged"),
        ("???", "damaged"),
        ("bm90IGpzb24", "damaged"),
        ("e30", "damaged"),
        (cursors.encode(BOUND, (1, 2)), "damaged"),
        (cursors.encode(BOUND, ("x", "a", 1)), "damaged"),
        (cursors.encode(cursors.binding("things", {"service": ["a"]}), (1, "a", 1)), "other filters"),
    ],
)
def test_a_cursor_that_does_not_fit_is_refused(cursor: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        cursors.page(frame([(1, "a", 1)]), ORDER, limit=1, cursor=cursor, bound=BOUND)
