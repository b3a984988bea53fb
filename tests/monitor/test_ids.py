"""Keys that are remembered for a time: found as long as they are, and not a second longer."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from monitor.frames import IDS, empty
from monitor.ids import Ids

T0 = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = st.integers(-(2**70), 2**70) | st.sampled_from([5, 5 + 2**64, 5 - 2**64, -5])
CHUNKS = st.lists(st.lists(st.tuples(KEYS, st.integers(0, 50)), max_size=20, unique_by=lambda row: row[0]), max_size=12)


def rows(pairs: list[tuple[int, int]]) -> pl.DataFrame:
    made = [(key, minute, T0 + timedelta(minutes=minute)) for key, minute in pairs]
    return pl.DataFrame(made, schema=dict(IDS), orient="row")


def listed(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(frame.iter_rows())


@given(CHUNKS, st.integers(-1, 51), st.sets(KEYS))
def test_what_is_found_are_the_rows_of_the_asked_keys_that_are_not_forgotten(
    chunks: list[list[tuple[int, int]]], before: int, asked: set[int]
) -> None:
    ids = Ids(IDS, "event_key")
    for number, chunk in enumerate(chunks):
        ids.add(rows(chunk))
        if number == len(chunks) // 2:
            ids.forget(T0 + timedelta(minutes=before))
    every = [pair for number, chunk in enumerate(chunks) for pair in chunk]
    known = rows([pair for pair in every if not chunks or pair[1] >= before])
    wanted = [*asked, *(key for key, _ in every[:5])]
    keys = pl.Series(wanted, dtype=IDS["event_key"])
    assert listed(ids.of(keys)) == listed(known.filter(pl.col("event_key").is_in(keys.implode())))
    assert listed(ids.frame()) == listed(known)


@given(CHUNKS, st.integers(2, 5))
def test_its_parts_hold_every_row_once(chunks: list[list[tuple[int, int]]], bits: int) -> None:
    ids = Ids(IDS, "event_key")
    for chunk in chunks:
        ids.add(rows(chunk))
    parts = pl.concat([ids.part(number, 2**bits) for number in range(2**bits)])
    assert listed(parts) == listed(pl.concat([empty(IDS), *map(rows, chunks)]))


def test_times_are_kept_to_the_second_below() -> None:
    ids = Ids(IDS, "event_key")
    ids.add(pl.DataFrame([(1, 2, T0 + timedelta(seconds=1.9))], schema=dict(IDS), orient="row"))
    assert ids.frame().row(0) == (1, 2, T0 + timedelta(seconds=1))


def test_the_newest_so_many_begin_where_it_is_told() -> None:
    ids = Ids(IDS, "event_key")
    ids.add(rows([(key, key) for key in range(10)]))
    assert ids.newest(10) is None
    assert ids.newest(3) == T0 + timedelta(minutes=7)


def test_forgetting_never_brings_anything_back() -> None:
    ids = Ids(IDS, "event_key")
    ids.add(rows([(1, 1), (2, 2)]))
    ids.forget(T0 + timedelta(minutes=2))
    ids.forget(T0)
    assert listed(ids.frame()) == listed(rows([(2, 2)]))


def test_what_lies_before_1970_is_forgotten_before_all_else() -> None:
    ids = Ids(IDS, "event_key")
    ids.add(pl.DataFrame([(1, 2, datetime(1969, 7, 20, tzinfo=UTC))], schema=dict(IDS), orient="row"))
    ids.add(rows([(2, 2), (3, 3)]))
    assert ids.height == 3
    ids.forget(T0)
    assert listed(ids.frame()) == listed(rows([(2, 2), (3, 3)]))


def test_how_many_are_remembered_does_not_depend_on_when_bytes_were_dropped() -> None:
    ids, again = Ids(IDS, "event_key"), Ids(IDS, "event_key")
    ids.add(rows([(key, key) for key in range(100)]))
    ids.forget(T0 + timedelta(minutes=1))
    again.add(ids.frame())
    again.forget(T0 + timedelta(minutes=1))
    assert ids.height == again.height == 99
    assert ids.newest(90, surplus=9) is again.newest(90, surplus=9) is None
    assert ids.newest(90, surplus=8) == again.newest(90, surplus=8) == T0 + timedelta(minutes=10)
