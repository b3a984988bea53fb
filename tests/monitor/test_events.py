"""Events as JSON: what is kept of them, and that each is read as it is alone."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.events import Read, read_json
from monitor.events.fields import LONGEST_TEXT, TYPE_NAMES
from monitor.frames import EVENTS, ORIGIN, REFUSED
from monitor.keys import event_key_text, keys_of
from monitor.names import LABELS, Kind
from tests.monitor.event_examples import JSON, TIME, VALUES, event, origin, read, row_of


@pytest.mark.parametrize("name", TYPE_NAMES)
@pytest.mark.parametrize("prefix", ["", "sqm.", "com.example.sqm.", "org.acme-corp.desk_2.sqm."])
def test_every_type_is_known_with_or_without_a_prefix(name: str, prefix: str) -> None:
    audit = {"score": 8, "max_score": 10, "passed": True}
    row = row_of(event(prefix + name, audit))
    family, _, what = name.partition(".")
    expected = {"submitted": Kind.RATED, "scored": Kind.AUDITED}.get(what, what)
    assert (row["kind"], row["complaint"]) == (expected, family == "complaint")


def test_an_event_has_all_columns_of_its_schema() -> None:
    result = read(event())
    assert result.events.schema == pl.Schema({**EVENTS, **ORIGIN})
    assert result.refused.schema == pl.Schema(dict(REFUSED))
    assert result.read == 1
    row = result.events.row(0, named=True)
    assert (row["case"], row["source"], row["id"]) == ("c1", "/desk", "e1")
    assert row["time"] == datetime(2026, 11, 20, 8, 30, 0, 250_000, tzinfo=UTC)


def test_keys_are_those_of_the_subject_and_of_subject_source_and_id() -> None:
    row = row_of(event(subject="fall ß", source="/s", id="7"))
    assert row["case_key"] == keys_of(["fall ß"])[0]
    assert row["event_key"] == keys_of([event_key_text("fall ß", "/s", "7")])[0]


LABELLED = {label: f"{label}-1" for label in LABELS}


@pytest.mark.parametrize(
    ("name", "data", "columns"),
    [
        ("interaction.opened", LABELLED, LABELLED),
        ("interaction.opened", {"customer": 'K "7"'}, {"about": '{"customer":"K \\"7\\""}'}),
        ("interaction.opened", {"customer": 12}, {"about": '{"customer":"12"}'}),
        ("interaction.updated", {"due_at": TIME}, {"due_at": datetime(2026, 11, 20, 8, 30, 0, 250_000, tzinfo=UTC)}),
        ("interaction.responded", {}, {"public": None, "bot": None}),
        ("interaction.responded", {"public": False, "by": "bot"}, {"public": False, "bot": True}),
        ("interaction.responded", {"by": "agent"}, {"bot": False}),
        ("interaction.paused", {"reason": "customer"}, {"reason": "customer"}),
        ("interaction.resolved", {"outcome": "solved"}, {"outcome": "solved"}),
        ("interaction.resolved", {"right_first_time": True}, {"right_first_time": True}),
        ("interaction.resolved", {"redress": True}, {"redress": None}),
        ("complaint.resolved", {"outcome": "upheld", "redress": 20}, {"outcome": "upheld", "redress": True}),
        ("complaint.resolved", {"redress": 0}, {"redress": False}),
        ("complaint.resolved", {"redress": "a voucher"}, {"redress": True}),
        ("complaint.opened", {"interaction": "c0", "severity": 2}, {"about": '{"interaction":"c0","severity":"2"}'}),
        ("interaction.abandoned", {"waited_s": 12.5}, {"waited": timedelta(seconds=12.5)}),
        (
            "interaction.measured",
            {"response_time_s": 0.1234564, "resolution_time_s": 7, "abandoned": False, "right_first_time": None},
            {
                "response_time": timedelta(microseconds=123_456),
                "resolution_time": timedelta(seconds=7),
                "abandoned": False,
                "right_first_time": None,
            },
        ),
        ("rating.submitted", {"csat": 5, "nps": 0, "ces": 6.5}, {"csat": 5.0, "nps": 0.0, "ces": 6.5}),
        ("rating.submitted", {}, {"csat": None, "answers": None}),
        (
            "rating.submitted",
            {"items": {"R1": {"perceived": 5, "expected": "n/a"}, "R2": {"perceived": 0}}, "weights": {"empathy": 2}},
            {"answers": '{"items":{"R1":{"perceived":5.0}},"weights":{"empathy":2.0}}'},
        ),
        (
            "audit.scored",
            {"score": 8, "max_score": 10, "passed": False, "lot": "L7", "inspector": "Kim"},
            {"score": 8.0, "max_score": 10.0, "passed": False, "about": '{"inspector":"Kim","lot":"L7"}'},
        ),
    ],
)
def test_the_fields_of_a_type_are_kept(name: str, data: JSON, columns: JSON) -> None:
    row = row_of(event(name, data))
    assert {column: row[column] for column in columns} == columns


@pytest.mark.parametrize(
    ("data", "service", "cleared"),
    [({}, None, None), ({"service": "a"}, "a", None), ({"service": ""}, None, None), ({"service": None}, None, 1)],
)
def test_a_null_label_is_cleared_and_an_absent_or_empty_one_is_no_value(
    data: JSON, service: str | None, cleared: int | None
) -> None:
    row = row_of(event("interaction.updated", data))
    assert (row["service"], row["cleared"]) == (service, cleared)


def test_cleared_labels_are_told_by_their_place_in_the_list() -> None:
    rows = read(event("interaction.updated", {"service": None, "category": None}), event(id="e2")).events
    assert rows["cleared"].to_list() == [0b1000_0001, None]


@pytest.mark.parametrize(
    "whole",
    [
        event(extension="x", datacontenttype="application/json", dataschema=None),
        event(data=None),
        event(data={"unknown": {"deep": [1]}, "csat": "odd", "score": -1, "dimensions": {"a": {"perceived": -1}}}),
        event(subject="c" * LONGEST_TEXT),
        event(sequence=""),
        event(sequence=None),
        {**event(), "data": None},
        {**event(), "data_base64": "eyJzZXJ2aWNlIjogIngifQ=="},
        event("interaction.updated", {"due_at": "9999-12-31T00:00:00Z"}),
        event(time="1900-01-01T00:00:00Z"),
        event(time="2599-12-31T23:59:59Z"),
        event("interaction.measured", {"response_time_s": 0, "resolution_time_s": 1e9}),
    ],
)
def test_what_is_unusual_but_right_is_accepted(whole: JSON) -> None:
    row_of(whole)


def test_data_in_base64_is_read() -> None:
    assert row_of({**event(), "data_base64": "eyJzZXJ2aWNlIjogIngifQ=="})["service"] == "x"


def test_the_passing_of_time_is_no_event_about_a_case_and_is_not_counted() -> None:
    result = read(event("clock.advanced", subject=...), event())
    assert result.events["kind"].to_list() == ["advanced", "opened"]
    assert result.events["case"].to_list() == [None, "c1"]
    assert result.events["case_key"].null_count() == 1
    assert result.read == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (event(data={"service": "a", "team": "b"}), event(data={"team": "b", "service": "a"})),
        (event(time="2026-11-20T08:30:00Z"), event(time="2026-11-20T16:30:00.0+08:00")),
        (event("rating.submitted", {"csat": 5}), event("a.sqm.rating.submitted", {"csat": 5.0})),
        (event(data={"service": ""}), event()),
        (event(data={"mood": 1}), event(extension="x")),
        (event(data={"csat": 1}), event()),
        (event(id="1", source="x", subject="y"), event()),
        (event("complaint.resolved", {"redress": 5}), event("complaint.resolved", {"redress": True})),
    ],
)
def test_events_that_mean_the_same_have_the_same_content(one: JSON, other: JSON) -> None:
    assert row_of(one)["content_key"] == row_of(other)["content_key"]


DIFFERENT = [
    event(),
    event("complaint.opened"),
    event("interaction.updated"),
    event(time="2026-11-20T08:30:00.251Z"),
    event(sequence="1"),
    event(data={"service": "a"}),
    event(data={"channel": "a"}),
    event(data={"service": None}),
    event(data={"channel": None}),
    event(data={"service": "a", "channel": "b"}),
    event(data={"customer": "a"}),
    event(data={"due_at": TIME}),
    event("interaction.measured"),
    event("interaction.measured", {"response_time_s": 0}),
    event("interaction.measured", {"resolution_time_s": 0}),
    event("interaction.measured", {"abandoned": False}),
    event("interaction.measured", {"abandoned": True}),
    event("interaction.measured", {"right_first_time": False}),
    event("rating.submitted", {"nps": 1}),
    event("rating.submitted", {"csat": 1}),
    event("rating.submitted", {"items": {"csat": {"perceived": 1}}}),
]


def test_events_that_differ_in_anything_have_other_contents() -> None:
    keys = [row_of(whole)["content_key"] for whole in DIFFERENT]
    assert len(set(keys)) == len(DIFFERENT)


def test_content_keys_are_the_same_in_every_version() -> None:
    # They are stored in sqm.state: a change here makes duplicates of stored events count as conflicting.
    assert read(*DIFFERENT[:3], *DIFFERENT[-3:]).events["content_key"].to_list() == [
        *(2789883064, 3824707558, 1894248138, 2332045491, 3913934853, 1484112380)
    ]


MEASURED = "interaction.measured"
NOW = datetime(2026, 11, 20, 8, 30, 0, 250_000, tzinfo=UTC)


def together(reads: list[Read]) -> Read:
    """What reading values one by one gives, put together."""
    events, refused = pl.concat([r.events for r in reads]), pl.concat([r.refused for r in reads])
    return Read(events, refused, sum(r.read for r in reads))


@settings(max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=6), st.sampled_from([None, NOW]))
def test_any_mixture_of_values_gives_what_each_gives_alone(values: list[bytes], latest: datetime | None) -> None:
    rows = origin(len(values))
    whole = read_json(values, rows, future_after=latest)
    alone = together([read_json([value], rows[i], future_after=latest) for i, value in enumerate(values)])
    assert_frame_equal(whole.events, alone.events)
    assert_frame_equal(whole.refused, alone.refused)
    assert whole.read == alone.read


MANY = 160  # so many that a shape is learned, from every tenth


STREAMS: list[list[Any]] = [
    [event(MEASURED, {"service": "a", "response_time_s": 1})] * MANY,
    [event("interaction.opened", {"customer": "k"}), event("interaction.resolved", {"outcome": "ok"})] * (MANY // 2),
    [event(MEASURED, {"csat": "ignored", "mood": {"of": ["today"]}, "response_time_s": 1})] * MANY,
    [event("clock.advanced")] * MANY,
    # More than an eighth do not fit what is learned from the others.
    [event(data={"service": "a"}), *[event(data={"team": None, "channel": "b"})] * 4] * (MANY // 5),
]


@settings(max_examples=30)
@given(st.sampled_from(STREAMS), st.lists(st.tuples(st.integers(0, MANY - 1), VALUES), max_size=4))
def test_a_stray_among_events_of_one_sort_is_read_as_it_is_alone(
    stream: list[JSON], strays: list[tuple[int, bytes]]
) -> None:
    values = [json.dumps(whole).encode() for whole in stream]
    for place, stray in strays:
        values[place] = stray
    alone = {value: read_json([value], origin(1), future_after=None) for value in set(values)}
    whole, parts = read_json(values, origin(len(values)), future_after=None), together([alone[v] for v in values])
    assert_frame_equal(whole.events.drop("offset"), parts.events.drop("offset"))
    assert_frame_equal(whole.refused.drop("offset"), parts.refused.drop("offset"))


@settings(max_examples=200)
@given(VALUES)
def test_every_value_is_either_an_event_or_refused_with_a_reason(value: bytes) -> None:
    result = read_json([value], origin(1), future_after=None)
    assert result.events.height + result.refused.height == 1
    assert all(len(text) < 400 for text in result.refused["message"])


def test_nothing_is_read_of_nothing() -> None:
    result = read_json([], origin(0), future_after=None)
    assert (result.events.height, result.refused.height, result.read) == (0, 0, 0)
    assert result.events.schema == pl.Schema({**EVENTS, **ORIGIN})
