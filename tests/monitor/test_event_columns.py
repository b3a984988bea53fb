"""Tables of events: cells of files, and typed columns of Arrow."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest

from monitor.events import Read, read_columns
from tests.monitor.event_examples import JSON, TIME, event, origin, row_of

KEYS: JSON = {"id": "e1", "source": "/desk", "type": "interaction.opened", "subject": "c1", "time": TIME}


def table(name: str, *, typed: bool = False, dtypes: Any = None, **columns: Any) -> Read:
    """One event of that type as a table, with columns added or replaced; `typed`: as in Arrow, not as in a file."""
    cells = {**KEYS, "type": name, **columns}
    frame = pl.DataFrame({key: [value] for key, value in cells.items()}, schema_overrides=dtypes)
    return read_columns(frame.hstack(origin(1)), future_after=None, from_text=not typed)


def row(read: Read) -> JSON:
    assert read.refused.height == 0, read.refused.to_dicts()
    return read.events.row(0, named=True)


def refusal(read: Read) -> JSON:
    assert read.events.height == 0
    return read.refused.row(0, named=True)


INSTANT = datetime(2026, 11, 20, 8, 30, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "cell", "column", "kept"),
    [
        ("rating.submitted", {"data_csat": "4"}, "csat", 4.0),
        ("rating.submitted", {"data_csat": " 4.5 "}, "csat", 4.5),
        ("rating.submitted", {"data_csat": ""}, "csat", None),
        ("rating.submitted", {"data_nps": 9}, "nps", 9.0),
        ("interaction.opened", {"data_priority": 1}, "priority", "1"),
        ("interaction.opened", {"data_service": ""}, "service", None),
        ("interaction.opened", {"data_due_at": TIME}, "due_at", INSTANT),
        ("interaction.opened", {"data_due_at": INSTANT}, "due_at", INSTANT),
        ("interaction.opened", {"data_due_at": ""}, "due_at", None),
        ("interaction.opened", {"data_customer": 7}, "about", '{"customer":"7"}'),
        ("interaction.opened", {"data_customer": 7.5}, "about", '{"customer":"7.5"}'),
        ("interaction.opened", {"time": INSTANT.astimezone(timezone(timedelta(hours=8)))}, "time", INSTANT),
        ("interaction.opened", {"sequence": 12}, "sequence", "12"),
        ("interaction.opened", {"subject": 4711}, "case", "4711"),
        ("interaction.responded", {"data_public": "no"}, "public", False),
        ("interaction.responded", {"data_public": "TRUE"}, "public", True),
        ("interaction.responded", {"data_public": True}, "public", True),
        ("interaction.responded", {"data_public": ""}, "public", None),
        ("interaction.abandoned", {"data_waited_s": "1.5"}, "waited", timedelta(seconds=1.5)),
        ("complaint.resolved", {"data_redress": "20.00"}, "redress", True),
        ("complaint.resolved", {"data_redress": "0"}, "redress", False),
        ("complaint.resolved", {"data_redress": "no"}, "redress", False),
        ("complaint.resolved", {"data_redress": "voucher"}, "redress", True),
        ("complaint.resolved", {"data_redress": ""}, "redress", None),
        ("complaint.resolved", {"data_redress": 3.5}, "redress", True),
        ("rating.submitted", {"data_weights": '{"a": 1}'}, "answers", '{"weights":{"a":1.0}}'),
        ("interaction.opened", {"data_csat": "nonsense that does not belong here"}, "csat", None),
    ],
)
def test_a_cell_of_a_file_is_read_as_what_its_field_holds(name: str, cell: JSON, column: str, kept: Any) -> None:
    assert row(table(name, **cell))[column] == kept


@pytest.mark.parametrize(
    ("name", "cell", "reason", "field"),
    [
        ("rating.submitted", {"data_csat": "four"}, "wrong_type", "data.csat"),
        ("rating.submitted", {"data_csat": "9"}, "off_scale", "data.csat"),
        ("rating.submitted", {"data_csat": "nan"}, "not_finite", "data.csat"),
        ("rating.submitted", {"data_items": "nonsense"}, "wrong_type", "data.items"),
        ("interaction.abandoned", {"data_waited_s": "-1"}, "negative", "data.waited_s"),
        ("interaction.responded", {"data_public": "maybe"}, "wrong_type", "data.public"),
        ("interaction.responded", {"data_by": "robot"}, "unknown_value", "data.by"),
        ("interaction.opened", {"data_due_at": "tomorrow"}, "bad_time", "data.due_at"),
        ("interaction.opened", {"time": "2026-11-20T08:30:00"}, "bad_time", "time"),
        ("interaction.opened", {"time": datetime(2026, 11, 20)}, "bad_time", "time"),  # noqa: DTZ001
        ("interaction.opened", {"time": date(2026, 11, 20)}, "wrong_type", "time"),
        ("interaction.opened", {"time": None}, "missing_field", "time"),
        ("interaction.opened", {"id": None}, "missing_field", "id"),
        ("interaction.opened", {"subject": ""}, "missing_field", "subject"),
        ("interaction.opened", {"data_service": [1]}, "wrong_type", "data.service"),
        ("interaction.opend", {}, "unknown_type", "type"),
        ("complaint.resolved", {"data_redress": -2.0}, "negative", "data.redress"),
        ("audit.scored", {"data_score": "1", "data_passed": "yes"}, "missing_field", "data.max_score"),
    ],
)
def test_a_cell_that_is_wrong_is_refused_like_a_value_of_json(name: str, cell: JSON, reason: str, field: str) -> None:
    told = refusal(table(name, **cell))
    assert (told["reason"], told["field"]) == (reason, field)


@pytest.mark.parametrize(
    ("name", "cell", "dtypes"),
    [
        ("rating.submitted", {"csat": 4, "nps": 9.5}, {"data_csat": pl.Int8, "data_nps": pl.Float32}),
        ("interaction.measured", {"response_time_s": 4, "abandoned": False}, {"data_response_time_s": pl.UInt16}),
        ("interaction.opened", {"service": "a", "channel": "b"}, {"data_service": pl.Categorical}),
        ("interaction.opened", {"due_at": "2026-11-20T16:30:00.25+08:00", "customer": "k"}, None),
        ("complaint.resolved", {"redress": 20, "outcome": "upheld"}, {"data_redress": pl.Decimal(10, 2)}),
        ("rating.submitted", {"items": {"R1": {"perceived": 5, "expected": None}}}, None),
    ],
)
def test_a_typed_row_is_the_event_that_json_with_the_same_values_is(name: str, cell: JSON, dtypes: Any) -> None:
    columns = {f"data_{key}": value for key, value in cell.items()}
    assert row(table(name, typed=True, dtypes=dtypes, **columns)) == row_of(event(name, cell))


@pytest.mark.parametrize(
    ("name", "cell", "field"),
    [
        ("rating.submitted", {"data_csat": "4"}, "data.csat"),
        ("rating.submitted", {"data_csat": True}, "data.csat"),
        ("interaction.opened", {"data_priority": 1}, "data.priority"),
        ("interaction.responded", {"data_public": "true"}, "data.public"),
        ("interaction.opened", {"subject": 4711}, "subject"),
        ("interaction.opened", {"sequence": 5}, "sequence"),
        ("interaction.opened", {"data_due_at": 5}, "data.due_at"),
        ("complaint.resolved", {"data_redress": [True]}, "data.redress"),
    ],
)
def test_typed_columns_are_as_strict_as_json(name: str, cell: JSON, field: str) -> None:
    told = refusal(table(name, typed=True, **cell))
    assert (told["reason"], told["field"]) == ("wrong_type", field)


def test_a_map_of_answers_is_read_like_an_object() -> None:
    entries = [{"key": "R1", "value": {"perceived": 5.0}}]
    assert (
        row(table("rating.submitted", typed=True, data_items=entries))["answers"]
        == '{"items":{"R1":{"perceived":5.0}}}'
    )


def test_neighbours_of_a_row_that_is_wrong_still_count() -> None:
    frame = pl.DataFrame([{**KEYS, "type": "rating.submitted", "data_csat": csat} for csat in ("4", "x", "5", "6")])
    read = read_columns(frame.hstack(origin(4)), future_after=None)
    assert read.events["csat"].to_list() == [4.0, 5.0]
    assert read.events["offset"].to_list() == [0, 2]
    assert read.refused.select("offset", "reason").rows() == [(1, "wrong_type"), (3, "off_scale")]
    assert read.read == 4


def test_a_table_without_any_column_of_an_event_is_refused_row_by_row() -> None:
    read = read_columns(pl.DataFrame({"other": [1, 2]}).hstack(origin(2)), future_after=None)
    assert read.refused["field"].to_list() == ["id", "id"]


def test_times_of_a_finer_unit_are_cut_to_microseconds() -> None:
    nanos = pl.Series([json.loads("1795163400250000999"), -1]).cast(pl.Datetime("ns", "UTC"))
    frame = pl.DataFrame([KEYS, KEYS]).with_columns(time=nanos).hstack(origin(2))
    read = read_columns(frame, future_after=None)
    assert read.events["time"].to_list() == [
        datetime(2026, 11, 20, 8, 30, 0, 250_000, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
