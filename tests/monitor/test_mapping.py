"""Mappings: what rows become, what is wrong with a mapping, and that both ways out give the same events."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.events import read_columns, read_json
from monitor.frames import ORIGIN
from monitor.mapping import Mapped, load_mapping, mapped, mapping_schema
from monitor.mapping.json_events import event_bytes
from monitor.mapping.model import TimeFormat
from monitor.mapping.times import instants
from monitor.policy.problems import MappingError

ISO = "%Y-%m-%dT%H:%M:%S.%fZ"


def table(rows: list[dict[str, object]]) -> pl.DataFrame:
    """A table as the readers of files make it."""
    frame = pl.DataFrame(rows).select(pl.all().name.prefix("="))
    return frame.with_columns(
        topic=pl.lit("t.csv"),
        file=pl.lit(0, pl.Int32),
        line=pl.int_range(2, len(rows) + 2, dtype=pl.Int64),
        number=pl.int_range(1, len(rows) + 1, dtype=pl.Int64),
    )


def run(mapping: str, rows: list[dict[str, object]]) -> Mapped:
    return mapped(table(rows), load_mapping("m.yaml", mapping))


def told(made: Mapped) -> list[tuple[str, ...]]:
    """Type, case and time of each event."""
    rows = made.events.select("type", "subject", pl.col("time").dt.strftime("%H:%M:%S"))
    return [tuple(row) for row in rows.iter_rows()]


CASES = """\
source: desk
rows: cases
case: id
time: {zone: UTC}
labels: {service: what, channel: {value: phone}}
events:
  - {type: interaction.opened, at: opened, data: {due_at: due}}
  - {type: interaction.resolved, at: closed}
  - {type: rating.submitted, at: asked, when: {score: "*"}, data: {csat: score}}
"""


def test_with_rows_of_cases_every_time_column_becomes_an_event() -> None:
    rows: list[dict[str, object]] = [
        {"id": "1", "what": "a", "opened": "2026-01-01T10:00", "closed": "2026-01-01 11:00:30", "due": "2026-01-02",
         "asked": "2026-01-01T12:00Z", "score": "4"},
        {"id": "2", "what": "", "opened": "2026-01-01T10:05", "closed": "", "due": "", "asked": "2026-01-01T12:00",
         "score": ""},
    ]  # fmt: skip
    made = run(CASES, rows)
    assert told(made) == [
        ("interaction.opened", "1", "10:00:00"),
        ("interaction.resolved", "1", "11:00:30"),
        ("rating.submitted", "1", "12:00:00"),
        ("interaction.opened", "2", "10:05:00"),
    ]
    assert made.events["data_due_at"].to_list() == ["2026-01-02T00:00:00.000000Z", None, None, None]
    assert made.events["data_service"].to_list() == ["a", "a", "a", None]
    assert set(made.events["data_channel"]) == {"phone"}
    assert made.events["data_csat"].to_list() == [None, None, "4", None]
    assert made.events["sequence"].null_count() == 4
    assert made.events.select("offset", "index").rows() == [(2, 0), (2, 1), (2, 2), (3, 0)]
    assert made.unreadable.height == 0


LOG = """\
rows: events
case: number
time: {zone: UTC}
missing: ["?", NA]
events:
  - {type: interaction.opened, at: at, when: {state: New}, once: first}
  - type: interaction.paused
    at: at
    when: {state: [Waiting, Parts]}
    data: {reason: {column: state, map: {Waiting: customer}}}
  - {type: interaction.resolved, at: at, when: {state: Resolved}}
  - {type: interaction.updated, at: at, when: {state: "!New", priority: "*"}, data: {priority: priority}}
"""


def log(*rows: tuple[str, str, str, str]) -> list[dict[str, object]]:
    return [dict(zip(("number", "at", "state", "priority"), row, strict=True)) for row in rows]


def test_with_rows_of_events_conditions_tell_what_happened_and_rows_keep_their_order() -> None:
    made = run(
        LOG,
        log(
            ("A", "?", "New", ""),
            ("A", "2026-01-01T10:00", "New", "P3"),
            ("A", "2026-01-01T10:00", "New", "P3"),
            ("A", "2026-01-01T10:00", "Waiting", "NA"),
            ("A", "2026-01-01T10:00", "Parts", "P1"),
            ("A", "2026-01-01T11:00", "Resolved", "?"),
            ("A", "2026-01-01T12:00", "Whatever", ""),
        ),
    )
    assert [(kind.split(".")[1], at) for kind, _, at in told(made)] == [
        ("opened", "10:00:00"),
        ("paused", "10:00:00"),
        ("paused", "10:00:00"),
        ("updated", "10:00:00"),
        ("resolved", "11:00:00"),
    ]
    assert made.events["data_reason"].to_list() == [None, "customer", "Parts", None, None]
    assert made.events["sequence"].to_list() == [f"{n:012}" for n in (2, 4, 5, 5, 6)]
    # Rows that no entry speaks of are not unreadable; the first one's time is missing.
    assert made.unreadable.rows() == [("t.csv", 2, "at", "is empty: no event", True)]


def test_once_first_takes_the_first_row_that_fits_and_has_a_time() -> None:
    rows = log(("A", "", "New", ""), ("A", "2026-01-01T10:00", "New", ""), ("A", "2026-01-01T09:00", "New", ""))
    rows += log(("B", "2026-01-01T08:00", "New", ""))
    assert [at for _, _, at in told(run(LOG, rows))] == ["10:00:00", "08:00:00"]


def test_times_may_be_joined_and_added_to() -> None:
    mapping = """\
rows: cases
case: id
time: {zone: Europe/Berlin, format: "%d.%m.%Y %H:%M"}
events:
  - {type: interaction.opened, at: [day, hour]}
  - {type: interaction.responded, at: {column: [day, hour], plus: wait}}
"""
    rows: list[dict[str, object]] = [
        {"id": "1", "day": "05.01.2026", "hour": "10:00", "wait": "90.5"},
        {"id": "2", "day": "05.01.2026", "hour": "11:00", "wait": ""},
        {"id": "3", "day": "05.01.2026", "hour": "12:00", "wait": "long"},
    ]
    made = run(mapping, rows)
    assert told(made) == [
        ("interaction.opened", "1", "09:00:00"),
        ("interaction.responded", "1", "09:01:30"),
        ("interaction.opened", "2", "10:00:00"),
        ("interaction.opened", "3", "11:00:00"),
    ]
    ((_, line, column, message, lost),) = made.unreadable.rows()
    assert (line, column, lost) == (4, "day hour + wait", False)
    assert '"05.01.2026 12:00 + long s" is no time' in message


def test_values_are_translated_scaled_or_constant() -> None:
    mapping = """\
rows: cases
case: id
events:
  - type: interaction.measured
    at: at
    data:
      response_time_s: {column: ms, scale: 0.001}
      right_first_time: {column: ok, map: {J: "true", N: "false", "-": null}}
      service: {value: phone}
"""
    rows: list[dict[str, object]] = [
        {"id": str(i), "at": "2026-01-01T00:00Z", "ms": ms, "ok": ok}
        for i, (ms, ok) in enumerate([("1234", "J"), (" 5 ", "N"), ("x", "-"), ("", "?")])
    ]
    events = run(mapping, rows).events
    assert events["data_response_time_s"].to_list() == ["1.234", "0.005", "x", None]
    assert events["data_right_first_time"].to_list() == ["true", "false", None, "?"]
    assert set(events["data_service"]) == {"phone"}


def test_an_id_is_a_hash_of_what_the_event_says_or_a_column() -> None:
    rows: list[dict[str, object]] = [
        {"id": "1", "what": "a", "opened": "2026-01-01T10:00", "closed": "", "due": "", "asked": "", "score": ""},
        {"id": "1", "what": "a", "opened": "2026-01-01T10:00", "closed": "", "due": "", "asked": "", "score": ""},
        {"id": "1", "what": "b", "opened": "2026-01-01T10:00", "closed": "", "due": "", "asked": "", "score": ""},
        {"id": "2", "what": "a", "opened": "2026-01-01T10:00", "closed": "", "due": "", "asked": "", "score": ""},
    ]
    first, same, other_data, other_case = run(CASES, rows).events["id"]
    assert first == same
    assert len({first, other_data, other_case}) == 3
    shuffled = run(CASES, [{name: row[name] for name in reversed(row)} for row in rows]).events["id"]
    assert shuffled[0] == first
    given_ids = run(CASES.replace("case: id", "case: id\nid: what"), rows).events["id"].to_list()
    assert given_ids == ["a", "a", "b", "a"]


@pytest.mark.parametrize(
    ("row", "column", "message", "lost"),
    [
        ({"id": ""}, "id", "is empty: no case", True),
        ({"opened": "garbage", "closed": ""}, "opened", '"garbage" is no time (ISO 8601)', True),
        ({"opened": "garbage"}, "opened", '"garbage" is no time (ISO 8601)', False),
        ({"opened": "2026-02-30T10:00"}, "opened", '"2026-02-30T10:00" is no time (ISO 8601)', False),
        ({"opened": "", "closed": ""}, "opened", "is empty: no event", True),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line_and_column(
    row: dict[str, str], column: str, message: str, lost: bool
) -> None:
    right = {"id": "1", "what": "a", "opened": "2026-01-01T10:00", "closed": "2026-01-01T11:00", "due": "", "asked": "",
             "score": ""}  # fmt: skip
    made = run(CASES, [dict(right), {**right, **row}])
    assert made.unreadable.rows() == [("t.csv", 3, column, message, lost)]


def test_a_time_without_offset_needs_a_zone() -> None:
    rows: list[dict[str, object]] = [{"id": "1", "at": "2026-01-01T10:00"}]
    made = run("rows: cases\ncase: id\nevents: [{type: interaction.opened, at: at}]", rows)
    assert "the mapping names no zone" in made.unreadable["message"][0]


def test_native_columns_of_parquet_are_read_as_they_are() -> None:
    rows: list[dict[str, object]] = [
        {
            "id": 17,
            "opened": datetime(2026, 7, 1, 10, tzinfo=UTC).replace(tzinfo=None),
            "closed": datetime(2026, 7, 1, 10, tzinfo=UTC),
            "stars": 4.5,
            "ok": True,
        }
    ]
    mapping = """\
rows: cases
case: id
time: {zone: Europe/Berlin}
events:
  - {type: interaction.opened, at: opened}
  - {type: interaction.resolved, at: closed, data: {right_first_time: ok}}
  - {type: rating.submitted, at: closed, when: {ok: "true"}, data: {csat: stars}}
"""
    made = run(mapping, rows)
    assert [at for _, _, at in told(made)] == ["08:00:00", "10:00:00", "10:00:00"]
    read = read_columns(made.events, future_after=None)
    assert read.refused.height == 0
    assert read.events["right_first_time"].to_list() == [None, True, None]
    assert read.events["csat"].to_list() == [None, None, 4.5]
    assert read.events["case"].unique().to_list() == ["17"]


# --- times ---


@pytest.mark.parametrize(
    ("written", "zone", "form", "instant"),
    [
        ("2026-01-05T12:40:41Z", None, None, "2026-01-05T12:40:41.000000Z"),
        ("2026-01-05 12:40:41.123456789+05:30", None, None, "2026-01-05T07:10:41.123456Z"),
        ("2026-01-05T12:40-0330", None, None, "2026-01-05T16:10:00.000000Z"),
        ("2026-01-05T12:40+01", "America/New_York", None, "2026-01-05T11:40:00.000000Z"),
        ("2026-01-05", "America/New_York", None, "2026-01-05T05:00:00.000000Z"),
        (" 2026-01-05T12:40:41,5 ", "UTC", None, "2026-01-05T12:40:41.500000Z"),
        ("01/05/2026 12:40:41 PM", "America/New_York", "%m/%d/%Y %I:%M:%S %p", "2026-01-05T17:40:41.000000Z"),
        ("2026-01-05T12:40:41Z", "America/New_York", "%m/%d/%Y %I:%M:%S %p", "2026-01-05T12:40:41.000000Z"),
        ("05.01.2026 12:40 +0200", None, "%d.%m.%Y %H:%M %z", "2026-01-05T10:40:00.000000Z"),
        # In a gap: forward by the gap. Twice: the first.
        ("2026-03-08 02:30", "America/New_York", None, "2026-03-08T07:30:00.000000Z"),
        ("2026-11-01 01:30", "America/New_York", None, "2026-11-01T05:30:00.000000Z"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", None, "2026-10-03T15:45:00.000000Z"),
        ("2011-12-30 12:00", "Pacific/Apia", None, "2011-12-30T22:00:00.000000Z"),
        ("2026-01-05 12:40", None, None, None),
        ("2026-02-29", "UTC", None, None),
        ("2026-01-05 24:00", "UTC", None, None),
        ("2026-01-05 12:40:60", "UTC", None, None),
        ("5.1.2026", "UTC", None, None),
        ("", "UTC", None, None),
    ],
)
def test_written_times_are_instants(written: str, zone: str | None, form: str | None, instant: str | None) -> None:
    (found,) = instants(pl.Series([written]), TimeFormat(zone=zone, format=form))
    assert (found and found.strftime(ISO)) == instant


# --- wrong mappings ---

WRONG = [
    ("rows: cases", "rows: case", 2, "rows", "is not one of cases, events", "cases"),
    ("case: id", "cse: id", 3, "cse", "unknown field", "case"),
    ("case: id", "", 1, "case", "is required", None),
    ("zone: UTC", "zone: Europe/Belrin", 4, "time.zone", "no IANA time zone", "Europe/Berlin"),
    ("labels: {service:", "labels: {servce:", 5, "labels.servce", "unknown label 'servce'", "service"),
    ("{value: phone}", "{value: phone, map: {a: b}}", 5, "labels.channel", "a constant takes neither", None),
    ("{value: phone}", "{}", 5, "labels.channel", "give a column, or {value: x}", None),
    ("interaction.opened", "interaction.opend", 7, "events[0].type", "unknown type", "interaction.opened"),
    ("interaction.opened", "clock.advanced", 7, "events[0].type", "is no event of a case", None),
    (", at: closed", "", 8, "events[1].at", "is required", None),
    ("{due_at: due}", "{due: due}", 7, "events[0].data.due", "has no field 'due'", "due_at"),
    ("{due_at: due}", "{csat: due}", 7, "events[0].data.csat", "has no field 'csat'", None),
    ("data: {csat: score}", "once: last", 9, "events[2].once", "is not one of first", None),
    ("rating.submitted", "audit.scored", 9, "events[2].data.score", "is required for audit.scored", None),
    ('{score: "*"}', "{score: []}", 9, "events[2].when.score", "an empty list fits no case", None),
    ("{csat: score}", "{csat: {column: score, scale: x}}", 9, "events[2].data.csat.scale", "is not a number", None),
    ("rows: cases", "rows: cases\n---\nrows: events", 0, "", "several documents", None),
]


@pytest.mark.parametrize(("written", "instead", "line", "field", "message", "nearest"), WRONG)
def test_a_wrong_mapping_names_file_line_field_and_what_was_expected(
    written: str, instead: str, line: int, field: str, message: str, nearest: str | None
) -> None:
    with pytest.raises(MappingError) as refused:
        load_mapping("m.yaml", CASES.replace(written, instead, 1))
    found = [p for p in refused.value.problems if p.field == field and message in p.message]
    assert found, str(refused.value)
    assert (found[0].file, found[0].line) == ("m.yaml", line)
    if nearest:
        assert found[0].nearest == nearest


def test_the_schema_is_made_from_the_models() -> None:
    schema = mapping_schema()
    assert {"rows", "case", "events"} <= set(schema["required"])
    json.dumps(schema)


# --- columns and JSON ---

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NUMBERS = st.sampled_from(["4", " 4.5 ", "0", "6", "-1", "nan", "inf", "-inf", "1e3", "four", " ", "+5", ".5", "4,5"])
FLAGS = st.sampled_from(["true", "False", "yes", "0", " N ", "maybe", " "])
PROMISES = st.sampled_from(["2026-01-02T00:00:00Z", "2026-01-02T00:00:00", "x", " "])
OBJECTS = st.sampled_from(
    ['{"a": {"perceived": 5}}', '{"a": 1}', "[1]", "x", " ", '{"a": {"perceived": NaN}}', '{"a":']
)
FIELDS = {
    "interaction.opened": {"due_at": PROMISES, "service": TEXTS, "customer": TEXTS},
    "interaction.responded": {"public": FLAGS, "by": st.sampled_from(["bot", "agent", "Bot", ""])},
    "interaction.measured": {"response_time_s": NUMBERS, "right_first_time": FLAGS, "abandoned": FLAGS, "team": TEXTS},
    "complaint.resolved": {
        "redress": st.one_of(FLAGS, NUMBERS, TEXTS),
        "outcome": st.sampled_from(["upheld", "x", ""]),
    },
    "rating.submitted": {"csat": NUMBERS, "nps": NUMBERS, "dimensions": OBJECTS, "weights": OBJECTS},
    "audit.scored": {"score": NUMBERS, "max_score": NUMBERS, "passed": FLAGS, "lot": TEXTS},
}


@st.composite
def events(draw: st.DrawFn) -> dict[str, str | None]:
    kind = draw(st.sampled_from(sorted(FIELDS)))
    cells = {f"data_{name}": draw(st.none() | values.map(lambda v: v or None)) for name, values in FIELDS[kind].items()}
    return {"type": kind, "subject": draw(TEXTS.filter(bool)), "id": draw(TEXTS.filter(bool)), **cells}


COLUMNS = sorted({f"data_{name}" for fields in FIELDS.values() for name in fields})


@settings(deadline=None, max_examples=150)
@given(st.lists(events(), min_size=1, max_size=6))
def test_an_event_sent_as_json_is_the_event_of_the_columns_and_refused_for_the_same_reason(
    rows: list[dict[str, str | None]],
) -> None:
    schema = dict.fromkeys(("type", "subject", "id", *COLUMNS), pl.String)
    frame = pl.DataFrame(rows, schema=schema).with_columns(
        source=pl.lit("s"),
        sequence=pl.lit(None, pl.String),
        time=pl.lit(datetime(2026, 1, 1, tzinfo=UTC)),
        topic=pl.lit("t"),
        partition=pl.lit(0, pl.Int32),
        offset=pl.int_range(len(rows), dtype=pl.Int64),
        index=pl.lit(0, pl.Int32),
    )
    by_columns = read_columns(frame, future_after=None)
    by_json = read_json(event_bytes(frame), frame.select(list(ORIGIN)), future_after=None)
    assert_frame_equal(by_json.events, by_columns.events)
    told = ["offset", "reason", "field", "case", "id", "type"]
    assert by_json.refused.select(told).rows() == by_columns.refused.select(told).rows()
