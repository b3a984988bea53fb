"""Events to test with: builders of single ones, and strategies that make good, bad and damaged ones."""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
from hypothesis import strategies as st

from monitor.events import Read, read_json
from monitor.events.fields import FIELDS, TYPES, EventType, Field, Value
from monitor.frames import ORIGIN

TIME = "2026-11-20T08:30:00.250Z"
JSON = dict[str, Any]


def event(name: str = "interaction.opened", data: Any = None, **attributes: Any) -> JSON:
    """A valid event in structured mode, but for what is given; an attribute given as `...` is left out."""
    whole = {"specversion": "1.0", "id": "e1", "source": "/desk", "type": name, "subject": "c1", "time": TIME}
    whole |= {} if data is None else {"data": data}
    return {key: value for key, value in (whole | attributes).items() if value is not ...}


def origin(count: int) -> pl.DataFrame:
    columns = {"topic": ["t"] * count, "partition": [0] * count, "offset": range(count), "index": [0] * count}
    return pl.DataFrame(columns, schema=dict(ORIGIN))


def read(*events: JSON | bytes, **options: Any) -> Read:
    """`read_json` of events given as dicts or as bytes."""
    values = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in events]
    return read_json(values, origin(len(values)), **({"future_after": None} | options))


def row_of(whole: Mapping[str, Any]) -> JSON:
    """The one event as a row; fails the test if it was refused."""
    read_one = read(dict(whole))
    assert read_one.refused.height == 0, read_one.refused.to_dicts()
    return read_one.events.row(0, named=True)


def refusal_of(whole: JSON | bytes, **options: Any) -> JSON:
    """The one refusal as a row; fails the test if the event was accepted."""
    read_one = read(whole, **options)
    assert read_one.events.height == 0, "the event was accepted"
    return read_one.refused.row(0, named=True)


# --- strategies -----------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAMES = st.sampled_from(["R1", "R2", "empathy", "é"])
TIMES = st.sampled_from(
    [
        TIME,
        "2026-11-20T08:30:00Z",
        "2024-02-29t23:59:59.123456789+08:00",
        "2000-01-01 00:00:00-00:30",
        "1970-01-01T00:00:00Z",
    ]
)
SCORES = st.sampled_from([0, 1, 4.5, 7, None, "n/a", ""])
ANSWERS = st.dictionaries(NAMES, st.dictionaries(st.sampled_from(["perceived", "expected", "adequate"]), SCORES))


def good_value(field: Field, complaint: bool) -> st.SearchStrategy[Any]:
    """Values that the field may hold."""
    if allowed := field.allowed(complaint):
        return st.sampled_from(allowed)
    match field.value:
        case Value.LABEL | Value.TEXT:
            return TEXTS
        case Value.SHOWN:
            return TEXTS | st.integers(0, 10**6) | st.floats(0, 1e6)
        case Value.FLAG:
            return st.booleans()
        case Value.NUMBER | Value.SECONDS:
            least = 1 if field.positive else field.least
            most = field.most if field.most is not None else 1e6
            if field.name == "score":
                return st.floats(0, 1)  # at most any max_score
            return st.integers(int(least or 0), int(most)) | st.floats(least or 0, most)
        case Value.INSTANT:
            return TIMES
        case Value.GIVEN:
            return st.booleans() | st.integers(0, 100) | TEXTS
        case Value.ANSWERS:
            return ANSWERS
        case Value.WEIGHTS:
            return st.dictionaries(NAMES, st.integers(0, 9) | st.none())


def fields_of_type(event_type: EventType) -> list[Field]:
    return [field for field in FIELDS if field.belongs_to(event_type.kind, event_type.complaint)]


@st.composite
def good_events(draw: st.DrawFn, nulls: bool = True) -> JSON:
    """Valid events of any type, with any of its fields and some that do not belong to it."""
    event_type = draw(st.sampled_from(TYPES))
    bare = draw(st.booleans())
    data: JSON = {}
    for field in fields_of_type(event_type):
        if field.required or draw(st.integers(0, 3)) == 0:
            values = good_value(field, event_type.complaint)
            data[field.name] = draw(values if field.required or not nulls else values | st.none())
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=1)):
        if not field.belongs_to(event_type.kind, event_type.complaint):
            data[field.name] = draw(st.sampled_from([-7, "odd", True, {"x": {"perceived": -1}}]))
    whole = event(
        draw(st.sampled_from(["", "sqm.", "com.example.sqm."])) + event_type.name,
        None if bare and not data else data,
        id=draw(TEXTS.filter(bool)),
        subject=draw(TEXTS.filter(bool)),
        time=draw(TIMES),
        sequence=draw(st.sampled_from([..., "1", "0002"])),
    )
    return whole


BAD_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "x",
        -1,
        0,
        99,
        1e12,
        float("nan"),
        float("inf"),
        True,
        [],
        {},
        {"a": 1},
        {"a": {"perceived": -1}},
        "a\0b",
    ]
)


@st.composite
def spoilt_events(draw: st.DrawFn) -> JSON:
    """Events with one thing about them changed to something that is mostly wrong."""
    whole = draw(good_events())
    place = draw(st.sampled_from([*whole, *(f"data.{name}" for name in whole.get("data") or {})]))
    value = draw(BAD_VALUES | st.just(...))
    owner = whole["data"] if place.startswith("data.") else whole
    name = place.removeprefix("data.")
    if value is ...:
        del owner[name]
    else:
        owner[name] = value
    return whole


DAMAGED = st.binary(max_size=40) | st.sampled_from(
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"[" * 5000,
        b'{"specversion":"1.0"',
        b'{"specversion":"0.3","id":"1"}',
        b"\xff\xfe{",
    ]
)


def as_bytes(whole: JSON) -> bytes:
    return json.dumps(whole, ensure_ascii=False).encode()


VALUES = st.one_of(good_events().map(as_bytes), spoilt_events().map(as_bytes), DAMAGED)
