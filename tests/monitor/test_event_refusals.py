"""Every reason to refuse an event, and what a refusal tells."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from monitor.events.fields import LONGEST_TEXT
from tests.monitor.event_examples import JSON, TIME, event, read, refusal_of

LONG = "x" * (LONGEST_TEXT + 1)
MEASURED, RATED, AUDITED, COMPLAINED = "interaction.measured", "rating.submitted", "audit.scored", "complaint.resolved"
AUDIT = {"score": 8, "max_score": 10, "passed": True}


@pytest.mark.parametrize(
    ("whole", "reason", "field", "message"),
    [
        (b"", "malformed_json", "", "not JSON: it is empty"),
        (b"nonsense", "malformed_json", "", "at character 0"),
        (b'{"specversion":"1.0",', "malformed_json", "", "not JSON"),
        (b"\xff", "malformed_json", "", "byte 0 is 0xff"),
        (b"[" * 100_000, "malformed_json", "", "nested too deeply"),
        (json.dumps(event(id="\ud800")).encode(), "malformed_json", "", "surrogate"),
        (b"[]", "not_a_cloudevent", "", "for a list set the header content-type: application/cloudevents-batch+json"),
        (b"null", "not_a_cloudevent", "", "found null"),
        (b'"text"', "not_a_cloudevent", "", 'found the text "text"'),
        (event(specversion=...), "not_a_cloudevent", "specversion", "missing"),
        (event(specversion="0.3"), "not_a_cloudevent", "specversion", 'found the text "0.3", expected "1.0"'),
        (event(specversion=1.0), "not_a_cloudevent", "specversion", "found the number 1"),
        (event(id=...), "missing_field", "id", "id is missing"),
        (event(id=""), "missing_field", "id", "id is missing"),
        ({**event(), "id": None}, "missing_field", "id", "id is missing"),
        (event(id=5), "wrong_type", "id", "found the number 5, expected text"),
        (event(source=...), "missing_field", "source", "source is missing"),
        (event(subject=...), "missing_field", "subject", "the id of the case"),
        (event(subject=""), "missing_field", "subject", "the id of the case"),
        (event(subject=["c"]), "wrong_type", "subject", "found a list"),
        (event(sequence=3), "wrong_type", "sequence", "found the number 3, expected text"),
        (event(time=...), "missing_field", "time", "time is missing"),
        (event(time=1795163400), "wrong_type", "time", "found the number 1,795,163,400"),
        (event(time="2026-11-20T08:30:00"), "bad_time", "time", "no offset"),
        (event(time="2026-02-30T08:30:00Z"), "bad_time", "time", "calendar"),
        (event(time="1899-12-31T23:59:59Z"), "bad_time", "time", "years 1900 to 2599"),
        (event(time="2600-01-01T00:00:00Z"), "bad_time", "time", "years 1900 to 2599"),
        (event(data=[]), "wrong_type", "data", "found a list, expected an object"),
        (event(data="text"), "wrong_type", "data", "found the text"),
        ({**event(), "data_base64": "e30"}, "malformed_json", "data", "not base64"),
        ({**event(), "data_base64": "W10="}, "wrong_type", "data", "found a list"),
        ({**event(), "data_base64": "e3s="}, "malformed_json", "data", "not JSON"),
        ({**event(), "data_base64": 5}, "wrong_type", "data", "found the number 5"),
        (event(type=...), "missing_field", "type", "type is missing"),
        (event(""), "missing_field", "type", "type is missing"),
        (event("interaction.opend"), "unknown_type", "type", 'did you mean "interaction.opened"?'),
        (event("com.x.sqm.complaint.resolve"), "unknown_type", "type", 'did you mean "complaint.resolved"?'),
        (event("interaction.acknowledged"), "unknown_type", "type", 'did you mean "complaint.acknowledged"?'),
        (event("Interaction.Opened"), "unknown_type", "type", 'did you mean "interaction.opened"?'),
        (event("com.example.interaction.opened"), "unknown_type", "type", 'did you mean "interaction.opened"?'),
        (event("?"), "unknown_type", "type", "expected one of the types"),
        (event(id="a\0b"), "unknown_value", "id", "NUL"),
        (event(source="a\0b"), "unknown_value", "source", "NUL"),
        (event(subject="\0"), "unknown_value", "subject", "NUL"),
        (event(id=LONG), "too_large", "id", "found 1025 characters, expected at most 1024"),
        (event(sequence=LONG), "too_large", "sequence", "found 1025 characters"),
        (event(data={"team": LONG}), "too_large", "data.team", "found 1025 characters"),
        (event(data={"customer": LONG}), "too_large", "data.customer", "found 1025 characters"),
        (event(data={"service": 7}), "wrong_type", "data.service", "found the number 7, expected text"),
        (event(data={"due_at": "tomorrow"}), "bad_time", "data.due_at", "RFC 3339"),
        (event(data={"due_at": "2026-11-21"}), "bad_time", "data.due_at", "RFC 3339"),
        (
            event(data={"customer": {"id": 1}}),
            "wrong_type",
            "data.customer",
            "found an object, expected text or a number",
        ),
        (event("interaction.responded", {"public": "yes"}), "wrong_type", "data.public", "expected true or false"),
        (event("interaction.responded", {"public": 1}), "wrong_type", "data.public", "expected true or false"),
        (event("interaction.responded", {"by": "robot"}), "unknown_value", "data.by", "expected one of agent, bot"),
        (event("interaction.abandoned", {"waited_s": -1}), "negative", "data.waited_s", "found -1, expected 0 to"),
        (event(MEASURED, {"response_time_s": "5"}), "wrong_type", "data.response_time_s", 'found the text "5"'),
        (event(MEASURED, {"response_time_s": True}), "wrong_type", "data.response_time_s", "found true"),
        (event(MEASURED, {"response_time_s": -0.001}), "negative", "data.response_time_s", "found -0.001"),
        (event(MEASURED, {"response_time_s": float("nan")}), "not_finite", "data.response_time_s", "found nan"),
        (event(MEASURED, {"resolution_time_s": float("inf")}), "not_finite", "data.resolution_time_s", "found inf"),
        (event(MEASURED, {"resolution_time_s": 10**400}), "not_finite", "data.resolution_time_s", "found inf"),
        (event(MEASURED, {"resolution_time_s": 2e9}), "too_large", "data.resolution_time_s", "0 to 1,000,000,000"),
        (event(MEASURED, {"abandoned": 0}), "wrong_type", "data.abandoned", "found the number 0"),
        (
            event(COMPLAINED, {"outcome": "won"}),
            "unknown_value",
            "data.outcome",
            "expected one of upheld, partly_upheld",
        ),
        (event(COMPLAINED, {"redress": -5}), "negative", "data.redress", "found -5"),
        (event(COMPLAINED, {"redress": []}), "wrong_type", "data.redress", "found a list"),
        (event(RATED, {"csat": 0}), "off_scale", "data.csat", "found 0, expected 1 to 5"),
        (event(RATED, {"csat": 5.1}), "off_scale", "data.csat", "found 5.1, expected 1 to 5"),
        (event(RATED, {"csat": "4"}), "wrong_type", "data.csat", "expected a number from 1 to 5"),
        (event(RATED, {"nps": 11}), "off_scale", "data.nps", "found 11, expected 0 to 10"),
        (event(RATED, {"nps": -1}), "off_scale", "data.nps", "found -1, expected 0 to 10"),
        (event(RATED, {"ces": 8}), "off_scale", "data.ces", "found 8, expected 1 to 7"),
        (event(RATED, {"ces": float("nan")}), "not_finite", "data.ces", "found nan"),
        (event(RATED, {"dimensions": []}), "wrong_type", "data.dimensions", "found a list"),
        (event(RATED, {"dimensions": {"a": 5}}), "wrong_type", "data.dimensions.a", "expected an object such as"),
        (event(RATED, {"items": {"a": {"perceived": "x"}}}), "wrong_type", "data.items.a.perceived", 'or "n/a"'),
        (event(RATED, {"items": {"a": {"expected": -1}}}), "negative", "data.items.a.expected", "found -1"),
        (event(RATED, {"items": {"a": {"adequate": float("nan")}}}), "not_finite", "data.items.a.adequate", "nan"),
        (event(RATED, {"weights": {"a": "1"}}), "wrong_type", "data.weights.a", "found the text"),
        (event(RATED, {"weights": {"a": -1}}), "negative", "data.weights.a", "found -1"),
        (event(RATED, {"weights": {LONG * 9 + str(i): 1 for i in range(9)}}), "too_large", "data.weights", "65536"),
        (event(AUDITED), "missing_field", "data.score", "score is missing, expected a number"),
        (event(AUDITED, {**AUDIT, "max_score": None}), "missing_field", "data.max_score", "a number above 0"),
        (event(AUDITED, {"score": 8, "max_score": 10}), "missing_field", "data.passed", "expected true or false"),
        (event(AUDITED, {**AUDIT, "score": -1}), "negative", "data.score", "found -1"),
        (event(AUDITED, {**AUDIT, "score": 11}), "off_scale", "data.score", "at most max_score, which is 10"),
        (event(AUDITED, {**AUDIT, "score": 0, "max_score": 0}), "off_scale", "data.max_score", "found 0"),
        (event(AUDITED, {**AUDIT, "lot": float("nan")}), "not_finite", "data.lot", "found nan"),
    ],
)
def test_an_event_that_is_wrong_is_refused_with_reason_field_and_what_was_expected(
    whole: JSON | bytes, reason: str, field: str, message: str
) -> None:
    row = refusal_of(whole)
    assert (row["reason"], row["field"]) == (reason, field)
    assert message in row["message"]


def test_a_refusal_tells_what_could_be_read_and_where_it_stood() -> None:
    result = read(event(), event(RATED, {"csat": 9}, id="bad"), b"{")
    assert result.refused.select("topic", "partition", "offset", "index").rows() == [("t", 0, 1, 0), ("t", 0, 2, 0)]
    assert result.refused.select("case", "source", "id", "type", "time").rows() == [
        ("c1", "/desk", "bad", RATED, TIME),
        (None, None, None, None, None),
    ]
    assert result.read == 3


@pytest.mark.parametrize(
    ("whole", "field"),
    [
        (event(RATED, {"csat": 9}, time="x", id=""), "id"),
        (event(RATED, {"csat": "x"}, time="x"), "time"),
        (event(RATED, {"csat": "x", "service": 5}), "data.service"),
        (event(RATED, {"nps": 99, "csat": 99}), "data.csat"),
        (event("rating.given", {"csat": 99}, subject=...), "type"),
    ],
)
def test_of_several_faults_the_first_in_the_order_of_the_contract_is_told(whole: JSON, field: str) -> None:
    assert refusal_of(whole)["field"] == field


NOW = datetime(2026, 11, 20, 8, 30, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("name", ["interaction.opened", "clock.advanced"])
def test_a_time_after_the_latest_allowed_is_refused_and_one_at_it_is_not(name: str) -> None:
    assert read(event(name), future_after=NOW).refused.height == 0
    row = refusal_of(event(name), future_after=NOW - timedelta(microseconds=1))
    assert (row["reason"], row["field"]) == ("future_time", "time")
    assert "expected a time not after 2026-11-20T08:30:00.249999Z" in row["message"]


def test_a_promise_may_lie_in_the_future() -> None:
    assert read(event(data={"due_at": "2030-01-01T00:00:00Z"}), future_after=NOW).refused.height == 0
