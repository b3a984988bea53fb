"""Frames of the changelog: what is written is what is read, and damage is told by its place."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers import changelog
from consumers.changelog import FrameDamaged, Kind, NewerFormat, OlderFormat, Place
from monitor.engine import step
from monitor.events import NOTHING
from monitor.frames import CELLS, HISTORY, IDS, MEASURE, conform
from monitor.keys import keys_of
from monitor.names import MEASURES
from monitor.policy import default_policy
from monitor.state import META, State

PLACE = Place("sqm.state", 3, 1017)
NOW = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)

META_ROW = conform(pl.DataFrame([{"now": NOW, "newest_event": NOW, "policies": "abc", "semantics": 1}]), META)
EVENT = conform(
    pl.DataFrame(
        [{"case": "INC-1", "case_key": -(2**100), "event_key": 2**126, "content_key": 7, "time": NOW, "kind": "opened"}]
    ),
    HISTORY,
)


def read(records: list[tuple[bytes, bytes]]) -> dict[str, pl.DataFrame]:
    for _, value in records:
        changelog.header(value, PLACE)
    return changelog.decode([value for _, value in records], PLACE)


def damaged_like(value: bytes) -> FrameDamaged | NewerFormat:
    with pytest.raises((FrameDamaged, NewerFormat)) as caught:
        changelog.decode([value], PLACE) if changelog.header(value, PLACE) else None
    assert isinstance(caught.value, FrameDamaged | NewerFormat)
    return caught.value


def test_tables_come_back_as_they_were() -> None:
    tables = {"history": EVENT, "meta": META_ROW}
    back = read(changelog.encode(tables, Kind.DELTA, 1))
    assert back.keys() == tables.keys()
    assert all(back[name].equals(rows) and back[name].schema == rows.schema for name, rows in tables.items())


@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**31), 2**31 - 1) | st.none(),
            st.integers(0, 2**32 - 1),
            st.sampled_from(MEASURES),
            st.integers(-(2**15), 2**15 - 1) | st.none(),
            st.integers(-(2**63), 2**63 - 1),
            st.integers(-(2**63), 2**63 - 1),
        )
    ),
    part_bytes=st.integers(1, 400),
)
def test_a_frame_of_any_cells_in_any_number_of_parts_comes_back(rows: list[tuple[int, ...]], part_bytes: int) -> None:
    cells = pl.DataFrame(rows, schema=dict(CELLS), orient="row")
    records = changelog.encode({"cells": cells}, Kind.DELTA, 5, part_bytes=part_bytes)
    assert all(len(value) <= part_bytes + 32 for _, value in records)
    assert len({key for key, _ in records}) == len(records)
    assert read(records)["cells"].equals(cells)


def test_a_frame_of_no_tables_is_one_record() -> None:
    records = changelog.encode({}, Kind.SLICE, 9, slice_number=4)
    assert [key for key, _ in records] == [b"slice/4/0"]
    assert read(records) == {}


def test_the_header_tells_what_the_frame_is() -> None:
    (_, value), *_ = changelog.encode({"meta": META_ROW}, Kind.SLICE, 70_000, slice_number=15)
    assert changelog.header(value, PLACE) == changelog.Header(Kind.SLICE, 15, 0, 1, 70_000)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(Kind.DELTA, b"delta/7/1"), (Kind.SLICE, b"slice/2/1"), (Kind.BEAT, b"beat/1")],
)
def test_keys_stay_where_a_frame_replaces_another(kind: Kind, expected: bytes) -> None:
    assert changelog.key(kind, 1, slice_number=2, number=7) == expected


def test_every_flipped_bit_is_found() -> None:
    (_, value), *_ = changelog.encode({"meta": META_ROW}, Kind.DELTA, 1)
    for at in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[at // 8] ^= 1 << at % 8
        damaged_like(bytes(flipped))


@pytest.mark.parametrize("cut", [0, 3, 12, 30, -1])
def test_a_cut_frame_is_named_with_its_place(cut: int) -> None:
    (_, value), *_ = changelog.encode({"meta": META_ROW}, Kind.DELTA, 1)
    assert str(damaged_like(value[:cut])).startswith("sqm.state, partition 3, offset 1017: ")


def test_a_newer_format_says_so() -> None:
    (_, value), *_ = changelog.encode({"meta": META_ROW}, Kind.DELTA, 1)
    error = damaged_like(value[:4] + bytes([changelog.FORMAT + 1]) + value[5:])
    assert isinstance(error, NewerFormat)
    assert f"format {changelog.FORMAT + 1}, by a newer sqm" in str(error)
    assert str(error).startswith("sqm.state, partition 3, offset 1017")


def test_a_format_of_before_the_first_release_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(changelog, "FORMAT", 1)
        (_, value), *_ = changelog.encode({"meta": META_ROW}, Kind.DELTA, 1)
    with pytest.raises(OlderFormat, match=r"offset 1017: .* format 1, before the first release; this sqm reads \d"):
        changelog.header(value, PLACE)


def test_a_state_of_a_format_that_did_not_record_which_rules_were_in_force_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as before:
        before.setattr(changelog, "FORMAT", 3)
        records = changelog.encode({"meta": META_ROW, "history": EVENT}, Kind.DELTA, 1)
    state = State()
    state.apply(read(records))
    assert (state.history.height, state.in_force.height) == (1, 0)
    state.apply({"offsets": pl.DataFrame({"topic": ["t"], "next_offset": [7]})})
    state.apply(step(state, NOTHING, NOW, default_policy()).delta)
    # What came before is judged by nobody knows what, and that is what the record says.
    assert state.in_force.select("number", "topic", "from_offset").rows() == [(1, "t", 7)]
    kept = read(changelog.encode(state.slice(0), Kind.SLICE, 2))["in_force"]
    assert kept.equals(state.in_force)


def test_columns_and_measures_that_were_added_since_are_made_up_for() -> None:
    older = pl.Enum(MEASURES[:7])
    cells = pl.DataFrame([(1, 2, MEASURES[3], None, 4, 5)], schema={**CELLS, "measure": older}, orient="row")
    back = read(changelog.encode({"cells": cells.drop("bin")}, Kind.DELTA, 1))["cells"]
    assert back.schema == dict(CELLS)
    assert back.row(0) == (1, 2, MEASURES[3], None, 4, 5)
    assert back.schema["measure"] == MEASURE


def test_small_frames_stay_small() -> None:
    beat = changelog.encode({"meta": META_ROW}, Kind.BEAT, 1)
    assert sum(len(value) for _, value in beat) < 700


def test_many_ids_take_little_more_than_they_are() -> None:
    keys = keys_of(f"case {n}" for n in range(20_000))
    ids = conform(pl.DataFrame({"event_key": keys, "content_key": range(20_000)}), IDS)
    assert sum(len(value) for _, value in changelog.encode({"ids": ids}, Kind.DELTA, 1)) < 21 * ids.height
