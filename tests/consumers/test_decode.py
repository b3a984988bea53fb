"""Kafka records in every encoding, good and bad, to events."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from consumers.decode import ARROW, BATCH, STRUCTURED, decode
from monitor.events import Read
from monitor.events.fields import FIELDS, TYPES, Value
from monitor.frames import EVENTS, ORIGIN, REFUSED
from tests.monitor.event_examples import JSON, VALUES, as_bytes, event, good_events, spoilt_events

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True)
class Record:
    """As much of an aiokafka ConsumerRecord as is read."""

    value: bytes | None
    headers: Headers = ()
    offset: int = 0
    topic: str = "sqm.events"
    partition: int = 3
    timestamp: int = 0
    key: bytes | None = None


def typed(content_type: str) -> Headers:
    return (("content-type", content_type.encode()),)


def structured(whole: JSON) -> Record:
    return Record(as_bytes(whole), typed(STRUCTURED))


def bare(whole: JSON) -> Record:
    return Record(as_bytes(whole))


def binary(whole: JSON) -> Record:
    attributes = tuple((f"ce_{name}", str(value).encode()) for name, value in whole.items() if name != "data")
    value = as_bytes(whole["data"]) if "data" in whole else None
    return Record(value, (*attributes, *typed("application/json")))


def batch(*events: JSON | bytes) -> Record:
    items = [whole if isinstance(whole, bytes) else as_bytes(whole) for whole in events]
    return Record(b"[" + b",".join(items) + b"]", typed(BATCH))


def stream(frame: pl.DataFrame, **options: Any) -> Record:
    buffer = BytesIO()
    frame.write_ipc_stream(buffer, **options)
    return Record(buffer.getvalue(), typed(ARROW))


def arrow(whole: JSON) -> Record:
    cells = {name: value for name, value in whole.items() if name not in ("data", "specversion")}
    return stream(pl.DataFrame([cells | {f"data_{name}": value for name, value in (whole.get("data") or {}).items()}]))


def read(*records: Record, **options: Any) -> Read:
    """`decode` of records whose offsets are their places."""
    numbered = [Record(**{**vars(record), "offset": place}) for place, record in enumerate(records)]
    return decode(numbered, **({"future_after": None} | options))


def places(frame: pl.DataFrame) -> list[tuple[int, int]]:
    return frame.select("offset", "index").rows()


# --- four encodings, one event --------------------------------------------------------------------------------

# Of these a column of Arrow has another type, or none: names that are keys, nulls that clear a label, values of several
# types in one field.
PLAIN = {field.name for field in FIELDS if field.value not in (Value.ANSWERS, Value.WEIGHTS, Value.SHOWN, Value.GIVEN)}


def plain(whole: JSON) -> JSON:
    """The event with only such data as every encoding can hold."""
    by_name = {f.name: f for f in FIELDS}
    kind = next(t for t in TYPES if whole["type"].endswith(t.name))
    data = {
        name: value
        for name, value in (whole.get("data") or {}).items()
        if name in PLAIN and value is not None and by_name[name].belongs_to(kind.kind, kind.complaint)
    }
    return {**whole, "data": data}


@settings(max_examples=60)
@given(good_events().map(plain))
def test_the_four_encodings_of_an_event_are_the_same_event(whole: JSON) -> None:
    one, *others = (read(encode(whole)) for encode in (bare, structured, binary, batch, arrow))
    assert (one.events.height, one.refused.height) == (1, 0)
    for other in others:
        assert_frame_equal(other.events, one.events)
        assert_frame_equal(other.refused, one.refused)
        assert other.read == one.read


@settings(max_examples=60)
@given(spoilt_events())
def test_json_encodings_refuse_an_event_for_the_same_reason(whole: JSON) -> None:
    one, *others = (read(encode(whole)) for encode in (bare, structured, batch))
    for other in others:
        assert_frame_equal(other.events, one.events)
        assert_frame_equal(other.refused, one.refused)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        typed(STRUCTURED),
        typed("application/cloudevents+json; charset=UTF-8"),
        typed("Application/CloudEvents+JSON"),
        typed("application/json"),
        (("Content-Type", STRUCTURED.encode()), ("trace", b"\xff")),
        (("content-type", None),),
        # A structured event whose producer repeats its attributes as headers.
        (*typed(STRUCTURED), ("ce_id", b"other")),
    ],
)
def test_structured_mode_is_told_by_its_content_type_or_by_none(headers: Headers) -> None:
    result = read(Record(as_bytes(event()), headers))
    assert result.events["id"].to_list() == ["e1"]


def test_binary_mode_needs_no_data_and_no_content_type() -> None:
    headers = binary(event()).headers[:-1]
    assert read(Record(None, headers), Record(b"", headers), Record(b"null", headers)).events.height == 3


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"compression": "lz4"}, {"compat_level": 0}])
def test_arrow_streams_may_be_compressed(options: JSON) -> None:
    if "compat_level" in options:
        options = {"compat_level": pl.CompatLevel.oldest()}
    rows = [
        {"id": str(i), "source": "/s", "type": "interaction.opened", "subject": "c", "time": TIME} for i in range(5)
    ]
    result = read(stream(pl.DataFrame(rows), **options))
    assert places(result.events) == [(0, i) for i in range(5)]


TIME = "2026-11-20T08:30:00Z"


# --- order and origin -----------------------------------------------------------------------------------------


def test_events_of_all_encodings_come_in_the_order_of_the_log() -> None:
    opened = [event(id=str(i)) for i in range(9)]
    table = pl.concat([pl.read_ipc_stream(BytesIO(arrow(whole).value or b"")) for whole in opened[4:6]])
    result = read(
        structured(opened[0]), batch(opened[1], opened[2]), binary(opened[3]), stream(table), bare(opened[6]),
        arrow({**opened[7], "data": {"service": "x"}}), batch(), bare(opened[8]),
    )  # fmt: skip
    assert result.events["id"].to_list() == [str(i) for i in range(9)]
    assert places(result.events) == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (4, 0), (5, 0), (7, 0)]
    assert result.read == 9
    assert result.events.schema == pl.Schema({**EVENTS, **ORIGIN})


def test_an_event_keeps_its_topic_partition_and_offset() -> None:
    records = [Record(as_bytes(event()), (), 7, "a", 1), Record(b"{", (), 8, "b", 2)]
    result = decode(records, future_after=None)
    assert result.events.select(*ORIGIN).rows() == [("a", 1, 7, 0)]
    assert result.refused.select(*ORIGIN).rows() == [("b", 2, 8, 0)]


def test_nothing_is_decoded_of_nothing() -> None:
    for records in ([], [batch()]):
        result = decode(records, future_after=None)
        assert (result.events.height, result.refused.height, result.read) == (0, 0, 0)
        assert result.events.schema == pl.Schema({**EVENTS, **ORIGIN})
        assert result.refused.schema == pl.Schema(dict(REFUSED))


# --- refusals -------------------------------------------------------------------------------------------------

GOOD = binary(event(data={"service": "a"}))


def with_header(name: str, value: bytes | None) -> Record:
    return Record(GOOD.value, (*((key, given) for key, given in GOOD.headers if key != name), (name, value)))


@pytest.mark.parametrize(
    ("record", "reason", "field", "message"),
    [
        (Record(None), "not_a_cloudevent", "", "no value"),
        (Record(b""), "malformed_json", "", "not JSON"),
        (Record(b"[]"), "not_a_cloudevent", "", "found a list"),
        (Record(b"{}"), "not_a_cloudevent", "specversion", "missing"),
        (Record(b"hi", typed("text/plain")), "unknown_encoding", "", 'found content-type "text/plain", expected'),
        (Record(b"hi", typed("application/cloudevents+avro")), "unknown_encoding", "", "cloudevents+avro"),
        (Record(b"hi", (("content-type", b"\xff"),)), "unknown_encoding", "", "content-type"),
        (Record(b"{", typed(BATCH)), "malformed_json", "", "not JSON"),
        (Record(b"{}", typed(BATCH)), "not_a_cloudevent", "", "expected a JSON array"),
        (Record(None, typed(BATCH)), "not_a_cloudevent", "", "no value"),
        (Record(b"", typed(ARROW)), "damaged_record", "", "not an Arrow IPC stream"),
        (Record(b"nonsense" * 9, typed(ARROW)), "damaged_record", "", "not an Arrow IPC stream"),
        (Record(None, typed(ARROW)), "not_a_cloudevent", "", "no value"),
        (with_header("ce_specversion", b"0.3"), "not_a_cloudevent", "specversion", "0.3"),
        (with_header("ce_specversion", None), "not_a_cloudevent", "specversion", "missing"),
        (with_header("ce_id", None), "missing_field", "id", "id is missing"),
        (with_header("ce_id", b""), "missing_field", "id", "id is missing"),
        (with_header("ce_id", b"\xff"), "wrong_type", "id", "not UTF-8"),
        (with_header("ce_subject", None), "missing_field", "subject", "the id of the case"),
        (with_header("ce_type", b"interaction.opend"), "unknown_type", "type", "interaction.opened"),
        (with_header("ce_time", b"2026-11-20"), "bad_time", "time", "RFC 3339"),
        (with_header("content-type", b"application/protobuf"), "unknown_encoding", "data", "application/protobuf"),
        (Record(b"{", GOOD.headers), "malformed_json", "data", "not JSON"),
        (Record(b"[]", GOOD.headers), "wrong_type", "data", "found a list"),
        (Record(b'{},"id":"other"', GOOD.headers), "malformed_json", "data", "not JSON"),
        (Record(b'{"service":1}', GOOD.headers), "wrong_type", "data.service", "expected text"),
    ],
)
def test_a_record_that_holds_no_event_is_refused_with_reason_and_field(
    record: Record, reason: str, field: str, message: str
) -> None:
    result = read(bare(event(id="before")), record, bare(event(id="after")))
    assert result.events["id"].to_list() == ["before", "after"]
    assert result.refused.select("offset", "index", "reason", "field").rows() == [(1, 0, reason, field)]
    assert message in result.refused["message"][0]
    assert result.read == 3


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"{}", "not_a_cloudevent"),
        (b"5", "not_a_cloudevent"),
        (b'"\xff"', "malformed_json"),
        (as_bytes(event("rating.submitted", {"csat": float("nan")})), "not_finite"),
        (as_bytes(event("rating.submitted", {"csat": 6})), "off_scale"),
        (as_bytes(event(time="2026-11-20T08:30:00")), "bad_time"),
    ],
)
def test_neighbours_of_a_wrong_event_in_a_batch_still_count(wrong: bytes, reason: str) -> None:
    result = read(batch(event(id="1"), wrong, event(id="3")))
    assert places(result.events) == [(0, 0), (0, 2)]
    assert result.refused.select("index", "reason").rows() == [(1, reason)]


def test_an_arrow_stream_cut_anywhere_or_with_a_byte_changed_never_raises() -> None:
    rows = [
        {"id": str(i), "source": "/s", "type": "interaction.opened", "subject": "c", "time": TIME} for i in range(3)
    ]
    whole = stream(pl.DataFrame(rows)).value or b""
    damaged = [whole[:end] for end in range(0, len(whole), 31)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole), 29)]
    result = read(*(Record(value, typed(ARROW)) for value in damaged))
    assert set(result.refused["reason"]) >= {"damaged_record"}


# --- laws -----------------------------------------------------------------------------------------------------

CONTENT_TYPES = [STRUCTURED, BATCH, ARROW, "application/json", "text/plain", "", "application/cloudevents+xml"]
NOISE = st.tuples(
    st.sampled_from(["content-type", "ce_id", "ce_specversion", "ce_time", "ce_type", "CE_subject", "x"]),
    st.none() | st.binary(max_size=8) | st.sampled_from(CONTENT_TYPES).map(str.encode),
)
RECORDS = st.one_of(
    good_events().map(bare),
    spoilt_events().map(binary),
    good_events().map(plain).map(arrow),
    st.lists(VALUES, max_size=3).map(lambda values: batch(*values)),
    st.builds(Record, st.none() | VALUES, st.lists(NOISE, max_size=4).map(tuple)),
)


def together(reads: Sequence[Read]) -> Read:
    events, refused = pl.concat([r.events for r in reads]), pl.concat([r.refused for r in reads])
    return Read(events, refused, sum(r.read for r in reads))


@settings(max_examples=60)
@given(st.lists(RECORDS, min_size=1, max_size=5))
def test_any_mixture_of_records_gives_what_each_gives_alone(records: list[Record]) -> None:
    numbered = [Record(**{**vars(record), "offset": place}) for place, record in enumerate(records)]
    whole = decode(numbered, future_after=None)
    alone = together([decode([record], future_after=None) for record in numbered])
    assert_frame_equal(whole.events, alone.events)
    assert_frame_equal(whole.refused, alone.refused)
    assert whole.read == alone.read


def test_what_is_read_is_counted_or_refused() -> None:
    result = read(bare(event()), bare(event("clock.advanced")), Record(b"{"), batch(event(), b"{}", event()))
    assert result.read == 5
    assert json.loads(json.dumps(places(result.refused))) == [[2, 0], [3, 1]]
