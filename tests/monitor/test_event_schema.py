"""The JSON Schema of events says what the decoder does."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from monitor.events.fields import FIELDS, TYPE_NAMES
from monitor.events.schema import event_schema
from tests.monitor.event_examples import JSON, event, good_events, read, spoilt_events

VALIDATOR = Draft202012Validator(event_schema())
AUDIT = {"score": 8, "max_score": 10, "passed": True}


def accepted(whole: Any) -> bool:
    return read(json.dumps(whole).encode()).refused.height == 0


def test_it_is_a_json_schema_and_describes_every_field() -> None:
    schema = event_schema()
    Draft202012Validator.check_schema(schema)
    assert {field.name for field in FIELDS} <= schema["$defs"].keys()
    assert all(definition.get("description") for name, definition in schema["$defs"].items() if name != "answers")
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("name", TYPE_NAMES)
@pytest.mark.parametrize("prefix", ["", "com.example.sqm."])
def test_an_event_of_every_type_is_valid(name: str, prefix: str) -> None:
    whole = event(prefix + name, AUDIT)
    assert VALIDATOR.is_valid(whole)
    assert accepted(whole)


@pytest.mark.parametrize(
    "whole",
    [
        event(specversion="0.3"),
        event(specversion=...),
        event(id=...),
        event(id=""),
        event(id="a\0b"),
        event(id="x" * 1025),
        event(subject=...),
        event(subject=""),
        event("interaction.opend"),
        event("com.example.interaction.opened"),
        event(time="2026-11-20T08:30:00"),
        event(time="2026-11-20T08:30:61Z"),
        event(time="2026-13-20T08:30:00Z"),
        event(sequence=1),
        event(data=[]),
        event(data={"service": 1}),
        event(data={"due_at": "soon"}),
        event("interaction.responded", {"by": "robot"}),
        event("interaction.responded", {"public": "yes"}),
        event("interaction.measured", {"response_time_s": -1}),
        event("interaction.measured", {"response_time_s": "1"}),
        event("interaction.measured", {"response_time_s": 1e10}),
        event("complaint.resolved", {"outcome": "won"}),
        event("complaint.resolved", {"redress": -1}),
        event("rating.submitted", {"csat": 0}),
        event("rating.submitted", {"items": {"a": {"perceived": "good"}}}),
        event("rating.submitted", {"weights": {"a": -1}}),
        event("audit.scored"),
        event("audit.scored", {"score": 1, "max_score": 2}),
        event("audit.scored", {**AUDIT, "max_score": 0, "score": 0}),
        event("clock.advanced", time="now"),
        [],
        "text",
    ],
)
def test_what_is_refused_is_not_valid(whole: Any) -> None:
    assert not VALIDATOR.is_valid(whole)
    assert not accepted(whole)


@settings(max_examples=60)
@given(good_events())
def test_every_event_that_the_decoder_accepts_is_valid(whole: JSON) -> None:
    assert accepted(whole)
    VALIDATOR.validate(whole)


def finite(value: Any) -> bool:
    """Whether a value can be written as JSON."""
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(map(finite, value.values()))
        case list():
            return all(map(finite, value))
        case _:
            return True


@settings(max_examples=200)
# That a score is at most its max_score no schema can say; those of the examples are.
@given(spoilt_events().filter(finite) | st.dictionaries(st.sampled_from(["id", "type", "specversion"]), st.text()))
def test_schema_and_decoder_agree_on_what_is_valid(whole: JSON) -> None:
    assert VALIDATOR.is_valid(whole) == accepted(whole)
