"""Kafka records to events, in all four encodings of EVENTS.md; whatever a record holds, it never raises.

| encoding | how it is told | index of an event in its record |
|---|---|---|
| structured | `content-type: application/cloudevents+json`, or none and a JSON object | 0 |
| binary | `ce_…` headers; `content-type` is that of `data` | 0 |
| batch | `content-type: application/cloudevents-batch+json` | position in the array |
| Arrow stream | `content-type: application/vnd.apache.arrow.stream` | row |
"""

import json
from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import polars as pl

from consumers.decode_arrow import Table, read_stream, read_tables
from monitor.events import NOTHING, Read, read_structs
from monitor.events.faults import Fault, Refused, clipped, fault, shown, unreadable
from monitor.events.json_values import (
    EXPECTED_ATTRIBUTES,
    Found,
    decode_each,
    decode_events,
    parse,
    read_attributes,
    read_object,
)
from monitor.events.shapes import ANY, UNREADABLE, Event
from monitor.names import Refusal

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
ARROW: Final = "application/vnd.apache.arrow.stream"

_has_headers = attrgetter("headers")
Headers = Sequence[tuple[str, bytes | None]]


class Record(Protocol):
    """What is read of an aiokafka ConsumerRecord."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Mode(Enum):
    STRUCTURED = auto()
    BINARY = auto()
    BATCH = auto()
    ARROW = auto()
    UNKNOWN = auto()


class Binary(NamedTuple):
    """A record in binary mode."""

    headers: Headers
    value: bytes | None


class Broken(NamedTuple):
    """A record that holds no event, and why."""

    fault: Fault


Entry = bytes | Binary | Broken  # one event, not yet decoded; bytes: structured


def decode(records: Sequence[Record], *, future_after: datetime | None) -> Read:
    """Events and refusals of records, in their order; events after `future_after` are refused (None: none are)."""
    if not records:
        return NOTHING
    if any(map(_has_headers, records)):
        return _decode_mixed(records, future_after)
    values = [record.value for record in records if record.value is not None]
    if len(values) < len(records):
        return _decode_mixed(records, future_after)
    return read_structs(decode_events(values), _origin(records), future_after=future_after)


def _origin(records: Sequence[Record]) -> pl.DataFrame:
    """ORIGIN of the first event of each record."""
    topics = [record.topic for record in records]
    one_topic = topics.count(topics[0]) == len(topics)
    columns = {
        "partition": pl.Series([record.partition for record in records], dtype=pl.Int32),
        "offset": pl.Series([record.offset for record in records], dtype=pl.Int64),
    }
    if not one_topic:
        columns["topic"] = pl.Series(topics, dtype=pl.String)
    topic = pl.lit(topics[0]).alias("topic") if one_topic else "topic"
    return pl.DataFrame(columns).select(topic, "partition", "offset", index=pl.lit(0, pl.Int32))


def _decode_mixed(records: Sequence[Record], future_after: datetime | None) -> Read:
    """Records of any encoding: those of JSON together, those of Arrow together, then put in the order of the log."""
    entries: list[Entry] = []
    places: list[int] = []  # number of the record, of each entry
    indexes: list[int] = []
    tables: list[Table] = []
    for place, record in enumerate(records):
        found = _entries(record)
        if isinstance(found, pl.DataFrame):
            tables.append(Table(place, found))
            continue
        entries += found
        places += [place] * len(found)
        indexes += range(len(found))
    origin = _origin(records).with_row_index("place")
    of_entries = origin[places].with_columns(index=pl.Series(indexes, dtype=pl.Int32))
    decoded = decode_each(entries, _decode_entry, _read_entry, ANY)
    reads = [read_structs(decoded, of_entries, future_after=future_after)] if entries else []
    return _merged(reads + read_tables(tables, origin, future_after=future_after))


def _merged(reads: list[Read]) -> Read:
    """One `Read` of several, in the order of the log."""
    if not reads:
        return NOTHING
    order = ["place", "index"]
    events = pl.concat([read.events for read in reads]).sort(order, maintain_order=True).drop("place")
    refused = pl.concat([read.refused for read in reads]).sort(order, maintain_order=True).drop("place")
    return Read(events, refused, sum(read.read for read in reads))


def _mode(headers: Headers) -> tuple[Mode, str]:
    """How a record with those headers is encoded, and its content type."""
    content_type, attributes = "", False
    for key, value in headers:
        name = key.lower()
        if name == "content-type" and value is not None:
            content_type = value.decode("utf-8", "replace").partition(";")[0].strip().lower()
        attributes |= name.startswith("ce_")
    if content_type in _MODES:
        return _MODES[content_type], content_type
    if content_type.startswith("application/cloudevents"):  # another event format, such as +avro
        return Mode.UNKNOWN, content_type
    if attributes:
        return Mode.BINARY, content_type
    return Mode.STRUCTURED if _is_json(content_type) else Mode.UNKNOWN, content_type


_MODES: Final = {STRUCTURED: Mode.STRUCTURED, BATCH: Mode.BATCH, ARROW: Mode.ARROW}


def _is_json(content_type: str) -> bool:
    return not content_type or content_type.endswith(("/json", "+json"))


def _entries(record: Record) -> list[Entry] | pl.DataFrame:
    """What events a record holds: an Arrow stream as a table, all else as entries."""
    mode, content_type = _mode(record.headers)
    value = record.value
    if mode is Mode.BINARY:
        return [Binary(record.headers, value)]
    if mode is Mode.UNKNOWN:
        message = (
            f'found content-type "{clipped(content_type)}", expected {STRUCTURED}, {BATCH}, {ARROW} or ce_ headers'
        )
        return [Broken(unreadable(Refusal.UNKNOWN_ENCODING, message))]
    if value is None:
        return [Broken(unreadable(Refusal.NOT_A_CLOUDEVENT, "the record has no value, expected a CloudEvent"))]
    if mode is Mode.STRUCTURED:
        return [value]
    try:
        return read_stream(value) if mode is Mode.ARROW else _batch(value)
    except Refused as refused:
        return [Broken(refused.fault)]


_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


def _batch(value: bytes) -> list[Entry]:
    """The events of a JSON array, each still JSON, so that one that is wrong leaves its neighbours alone."""
    try:
        return [bytes(item) for item in _split(value)]
    except UNREADABLE:
        items = parse(value)
    if not isinstance(items, list):
        message = f"found {shown(items)}, expected a JSON array of CloudEvents"
        raise Refused(unreadable(Refusal.NOT_A_CLOUDEVENT, message))
    return [json.dumps(item).encode() for item in items]  # with a NaN somewhere: found again, with its place


def _decode_entry(entry: Entry) -> Event:
    if isinstance(entry, bytes):
        return ANY.decode(entry)
    if isinstance(entry, Broken):
        raise ValueError(entry.fault.message)
    attributes = {key[3:]: value.decode() for key, value in entry.headers if key.startswith("ce_") and value}
    version = attributes.pop("specversion", None)
    if version != "1.0" or not attributes.keys() >= _NEEDED or not _is_json(_mode(entry.headers)[1]):
        raise ValueError("not well formed")
    given: dict[str, Any] = {name: attributes[name] for name in _TEXTS if name in attributes}
    return ANY.Event("1.0", **given, data=ANY.decode_data(entry.value) if entry.value else ANY.no_data)


_NEEDED: Final = frozenset({"id", "source", "type", "time"})
_TEXTS: Final = ("id", "source", "type", "time", "subject", "sequence")


def _read_entry(entry: Entry) -> Found:
    """An entry on which `_decode_entry` raised, and what is wrong with it."""
    if isinstance(entry, bytes):
        return read_object(entry)
    if isinstance(entry, Broken):
        return read_attributes({})[0], entry.fault
    return _read_binary(entry)


def _read_binary(entry: Binary) -> Found:
    given: dict[str, object] = {}
    wrong: list[Fault] = []
    for key, value in entry.headers:
        name = key.lower()
        if not name.startswith("ce_") or value is None:
            continue
        try:
            given[name[3:]] = value.decode()
        except UnicodeDecodeError:
            if name[3:] in EXPECTED_ATTRIBUTES:
                found = "found bytes that are not UTF-8"
                wrong.append(fault(Refusal.WRONG_TYPE, name[3:], f"{found}, expected {EXPECTED_ATTRIBUTES[name[3:]]}"))
            given[name[3:]] = ""
    given.pop("data", None)
    content_type = _mode(entry.headers)[1]
    try:
        if entry.value and not _is_json(content_type):
            message = f'found content-type "{clipped(content_type)}" for the data, expected JSON'
            raise Refused(fault(Refusal.UNKNOWN_ENCODING, "data", message))
        given["data"] = parse(entry.value) if entry.value else None
    except Refused as refused:
        wrong.append(fault(refused.fault.reason, "data", refused.fault.message))
    event, found_wrong = read_attributes(given)
    if found_wrong is not None:
        wrong.append(found_wrong)
    return event, min(wrong, default=None)
