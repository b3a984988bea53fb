"""Rows: what was added is there, what was replaced is not, however it was chunked."""

from datetime import UTC
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import chunk, sealed
from monitor.frames import KEY
from monitor.keyed import FAN, MOST_MERGED, to_merge
from monitor.rows import Rows, part_of

COLUMNS = {"key": KEY, "n": pl.Int64()}


def rows_of(pairs: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=COLUMNS, orient="row")


def keys(*values: int) -> pl.Series:
    return pl.Series("key", values, dtype=KEY)


batches = st.lists(st.lists(st.tuples(st.integers(0, 20), st.integers(-5, 5)), max_size=8), max_size=12)


@given(batches)
def test_rows_added_in_any_chunks_are_all_found(chunks: list[list[tuple[int, int]]]) -> None:
    table = Rows(COLUMNS, "key")
    for some in chunks:
        table.add(rows_of(some))
    everything = [pair for some in chunks for pair in some]
    assert sorted(table.frame().rows()) == sorted(everything)
    assert sorted(table.of(keys(3, 7, 3)).rows()) == sorted(pair for pair in everything if pair[0] in (3, 7))
    assert table.height == len(everything)


@given(batches, st.sets(st.integers(0, 20)))
def test_replacing_leaves_the_rows_of_other_keys_alone(chunks: list[list[tuple[int, int]]], replaced: set[int]) -> None:
    table = Rows(COLUMNS, "key")
    for some in chunks:
        table.add(rows_of(some))
    table.replace(keys(*replaced), rows_of([(key, 99) for key in sorted(replaced)]))
    others = [pair for some in chunks for pair in some if pair[0] not in replaced]
    expected = sorted([*others, *((key, 99) for key in replaced)])
    assert sorted(table.frame().rows()) == expected
    assert sorted(table.of(keys(*range(21))).rows()) == expected
    assert table.height == len(expected)


def test_keys_that_agree_in_their_lower_halves_are_told_apart() -> None:
    table = Rows(COLUMNS, "key")
    table.add(rows_of([(7, 1), (7 + 2**64, 2), (7 + 2**65, 3)]))
    assert sorted(table.of(keys(7, 7 + 2**65)).rows()) == [(7, 1), (7 + 2**65, 3)]
    table.remove(keys(7))
    assert sorted(table.frame().rows()) == [(7 + 2**64, 2), (7 + 2**65, 3)]


def test_rows_taken_out_do_not_come_back_when_chunks_are_merged() -> None:
    table = Rows(COLUMNS, "key")
    for n in range(40):
        table.add(rows_of([(n, 0), (n + 100, 0)]))
        table.remove(keys(n))
    assert sorted(table.frame().rows()) == [(n + 100, 0) for n in range(40)]
    assert table.of(keys(*range(40))).height == 0


def test_the_least_value_is_taken_over_all_chunks_and_is_none_without_rows() -> None:
    table = Rows(COLUMNS, "key")
    assert table.least("n") is None
    for n in (5, 2, 9):
        table.add(rows_of([(n, n)]))
    assert table.least("n") == 2


@given(st.lists(st.tuples(st.integers(-(2**127), 2**127 - 1), st.integers(0, 9)), max_size=40), st.integers(2, 6))
def test_parts_hold_every_row_once_and_where_it_is_told(pairs: list[tuple[int, int]], bits: int) -> None:
    table = Rows(COLUMNS, "key")
    for place in range(0, len(pairs), 7):
        table.add(rows_of(pairs[place : place + 7]))
    gone = {key for key, _ in pairs[::3]}
    table.remove(keys(*gone))
    parts = [table.part(number, 2**bits) for number in range(2**bits)]
    assert sorted(row for part in parts for row in part.rows()) == sorted(p for p in pairs if p[0] not in gone)
    for number, part in enumerate(parts):
        assert set(part.select(part_of(pl.col("key"), 2**bits)).to_series()) <= {number}


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.tuples(st.integers(0, 20), st.integers(-5, 5)), max_size=8)),
        st.tuples(st.sampled_from(["remove", "seal"]), st.sets(st.integers(0, 20), max_size=6)),
    ),
    max_size=24,
)


@given(OPERATIONS, st.integers(1, 6))
def test_sealed_rows_are_found_and_taken_out_as_all_others(operations: list[Any], block_keys: int) -> None:
    table, model = Rows(COLUMNS, "key"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "BLOCK_KEYS", block_keys)
        for operation, what in operations:
            if operation == "add":
                table.add(rows_of(what))
                model += what
                continue
            if operation == "seal":
                table.seal(table.to_seal(keys(*what)))
            else:
                table.remove(keys(*what))
                model = [pair for pair in model if pair[0] not in what]
    assert sorted(table.frame().rows()) == sorted(model)
    assert table.height == len(model)
    assert sorted(table.of(keys(3, 7, 3, 99)).rows()) == sorted(pair for pair in model if pair[0] in (3, 7))
    assert sorted(table.where(pl.col("n") > 0).rows()) == sorted(pair for pair in model if pair[1] > 0)
    parts = [table.part(number, 4) for number in range(4)]
    assert sorted(pl.concat(parts).rows()) == sorted(model)


WIDE = {"key": KEY, "text": pl.String(), "n": pl.Int64(), "at": pl.Datetime("us", "UTC")}
WIDE_ROWS = st.tuples(
    st.sampled_from([1, 2, 3, 7, 7 + 2**64, 7 - 2**64]),
    st.one_of(st.none(), st.sampled_from(["a", "b"]), st.text(max_size=3)),
    st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))),
)


@given(st.lists(st.lists(WIDE_ROWS, max_size=8), min_size=FAN, max_size=20), st.sets(st.integers(1, 7), max_size=2))
def test_rows_held_in_as_little_as_their_values_need_are_given_as_they_came(batches: list[Any], gone: set[int]) -> None:
    table, model = Rows(WIDE, "key"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk, "NARROWED", 1)
        patch.setattr(chunk, "FEW", 3)
        for number, batch in enumerate(batches):
            table.add(pl.DataFrame(batch, schema=WIDE, orient="row"))
            model += batch
            if number == len(batches) // 2:
                table.remove(keys(*gone))
                model = [row for row in model if row[0] not in gone]
    assert table.frame().schema == pl.Schema(WIDE)
    assert sorted(table.frame().rows(), key=repr) == sorted(model, key=repr)
    for key in (1, 7, 7 + 2**64):
        assert sorted(table.of(keys(key)).rows(), key=repr) == sorted((r for r in model if r[0] == key), key=repr)
    few = (pl.col("n") > 0) | pl.col("text").is_in(["a"])
    expected = [row for row in model if (row[2] is not None and row[2] > 0) or row[1] == "a"]
    assert sorted(table.where(few).rows(), key=repr) == sorted(expected, key=repr)
    assert sorted(table.where(pl.col("key") == 7).rows(), key=repr) == sorted(table.of(keys(7)).rows(), key=repr)
    for place, name in ((1, "text"), (2, "n")):
        assert table.least(name) == min((row[place] for row in model if row[place] is not None), default=None)


def test_sealed_keys_that_agree_in_their_lower_halves_are_told_apart() -> None:
    table = Rows(COLUMNS, "key")
    pairs = [(7, 1), (7 + 2**64, 2), (7, 3), (7 + 2**65, 4), (7 + 2**64, 5)]
    table.add(rows_of(pairs))
    table.seal(table.to_seal(keys(7, 7 + 2**64, 7 + 2**65)))
    assert sorted(table.of(keys(7, 7 + 2**65)).rows()) == [(7, 1), (7, 3), (7 + 2**65, 4)]
    table.remove(keys(7))
    assert sorted(table.frame().rows()) == [(7 + 2**64, 2), (7 + 2**64, 5), (7 + 2**65, 4)]


@given(st.lists(st.integers(1, MOST_MERGED // 2), max_size=60))
def test_chunks_are_merged_up_to_what_one_checkpoint_can_wait_for(heights: list[int]) -> None:
    held: list[int] = []
    for height in heights:
        held.append(height)
        while some := to_merge(held):
            held[-some:] = [sum(held[-some:])]
    assert sum(held) == sum(heights)
    assert all(height <= MOST_MERGED for height in held)
    assert to_merge([1] * FAN) == FAN
    assert to_merge([MOST_MERGED // FAN] * FAN) == FAN
    assert to_merge([MOST_MERGED // FAN + 1] * FAN) == 0
