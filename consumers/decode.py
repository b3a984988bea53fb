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
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl
from aiokafka import TopicPartition

from consumers.batches import Record
from consumers.decode_arrow import Table, read_stream, read_tables
from monitor.events import NOTHING, Read, read_structs
from monitor.events.faults import Fault, Refused, clipped, fault, shown, unreadable
from monitor.events.json_values import (
    EXPECTED_ATTRIBUTES,
    Decoded,
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

Headers = Sequence[tuple[str, bytes | None]]


class Mode(Enum):
    STRUCTURED = auto()
    BINARY = auto()
    BATCH = auto()
    ARROW = auto()
    UNKNOWN = auto()


class Binary(NamedTuple):
    """A record in binary mode."""

    headers: Headers
    content_type: str  # of the data
    value: bytes | None


class Broken(NamedTuple):
    """A record that holds no event, and why."""

    fault: Fault


Entry = bytes | Binary | Broken  # one event, not yet decoded; bytes: structured


def decode(records: Sequence[Any], *, future_after: datetime | None, at: TopicPartition | None = None) -> Read:
    """Events and refusals of records, in their order; events after `future_after` are refused (None: none are).

    :param records: `batches.Record` or ConsumerRecord
    :param at: where they all stood; None: as each says itself
    """
    if not records:
        return NOTHING
    headers = [record.headers for record in records]
    values = [record.value for record in records if record.value is not None]
    alike = headers.count(headers[0]) == len(headers) == len(values)
    if alike and _mode(headers[0])[0] is Mode.STRUCTURED:
        return read_structs(decode_events(values), _origin(records, at), future_after=future_after)
    return _decode_mixed(records, _origin(records, at), future_after)


def _origin(records: Sequence[Any], at: TopicPartition | None) -> pl.DataFrame:
    """ORIGIN of the first event of each record."""
    offsets = pl.Series("offset", [record.offset for record in records], pl.Int64)
    if at is None:
        topics = pl.Series("topic", [record.topic for record in records], pl.String)
        partitions = pl.Series("partition", [record.partition for record in records], pl.Int32)
    else:
        topics = pl.Series("topic", [at.topic], pl.String).new_from_index(0, len(records))
        partitions = pl.Series("partition", [at.partition], pl.Int32).new_from_index(0, len(records))
    index = pl.Series("index", [0], pl.Int32).new_from_index(0, len(records))
    return pl.DataFrame([topics, partitions, offsets, index])


def _decode_mixed(records: Sequence[Any], of_records: pl.DataFrame, future_after: datetime | None) -> Read:
    """Records of any encoding: those of JSON together, those of Arrow together, then put in the order of the log."""
    entries: list[Entry] = []
    places: list[int] = []  # number of the record, of each entry
    indexes: list[int] = []
    tables: list[Table] = []
    for place, record in enumerate(records):
        found = _found(record)
        if isinstance(found, bytes | Binary | Broken):
            entries.append(found)
            places.append(place)
            indexes.append(0)
            continue
        if isinstance(found, pl.DataFrame):
            tables.append(Table(place, found))
            continue
        entries += found
        places += [place] * len(found)
        indexes += range(len(found))
    origin = of_records.with_row_index("place")
    reads = read_tables(tables, origin, future_after=future_after)
    if entries:
        of_entries = origin[places].with_columns(index=pl.Series(indexes, dtype=pl.Int32))
        reads.append(read_structs(_decoded(entries), of_entries, future_after=future_after))
    return _merged(reads)


def _merged(reads: list[Read]) -> Read:
    """One `Read` of several, in the order of the log."""
    if not reads:
        return NOTHING
    if len(reads) == 1:
        return Read(reads[0].events.drop("place"), reads[0].refused.drop("place"), reads[0].read)
    order = ["place", "index"]
    events = pl.concat([read.events for read in reads]).sort(order, maintain_order=True).drop("place")
    refused = pl.concat([read.refused for read in reads]).sort(order, maintain_order=True).drop("place")
    return Read(events, refused, sum(read.read for read in reads))


def _mode(headers: Headers) -> tuple[Mode, str]:
    """How a record with those headers is encoded, and its content type."""
    if not headers:
        return Mode.STRUCTURED, ""
    given = dict(headers)
    if "ce_specversion" not in given:  # written differently, or not there
        given = {key.lower(): value for key, value in headers}
    content_type = _content_type(given.get("content-type") or given.get("Content-Type") or b"")
    if content_type in _MODES:
        return _MODES[content_type], content_type
    if content_type.startswith("application/cloudevents"):  # another event format, such as +avro
        return Mode.UNKNOWN, content_type
    if "ce_specversion" in given or any(name.startswith("ce_") for name in given):
        return Mode.BINARY, content_type
    return Mode.STRUCTURED if _is_json(content_type) else Mode.UNKNOWN, content_type


@lru_cache(maxsize=256)
def _content_type(value: bytes) -> str:
    """A content type without its parameters."""
    return value.decode("utf-8", "replace").partition(";")[0].strip().lower()


_MODES: Final = {STRUCTURED: Mode.STRUCTURED, BATCH: Mode.BATCH, ARROW: Mode.ARROW}


def _is_json(content_type: str) -> bool:
    return not content_type or content_type.endswith(("/json", "+json"))


def _found(record: Record) -> Entry | list[Entry] | pl.DataFrame:
    """What a record holds: an event, those of a batch, or the table of an Arrow stream."""
    mode, content_type = _mode(record.headers)
    value = record.value
    if mode is Mode.BINARY:
        return Binary(record.headers, content_type, value)
    if mode is Mode.UNKNOWN:
        message = (
            f'found content-type "{clipped(content_type)}", expected {STRUCTURED}, {BATCH}, {ARROW} or ce_ headers'
        )
        return Broken(unreadable(Refusal.UNKNOWN_ENCODING, message))
    if value is None:
        return Broken(unreadable(Refusal.NOT_A_CLOUDEVENT, "the record has no value, expected a CloudEvent"))
    if mode is Mode.STRUCTURED:
        return value
    try:
        return read_stream(value) if mode is Mode.ARROW else _batch(value)
    except Refused as refused:
        return Broken(refused.fault)


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


def _decoded(entries: list[Entry]) -> Decoded:
    if set(map(type, entries)) == {bytes}:
        return decode_events([entry for entry in entries if isinstance(entry, bytes)])
    return decode_each(entries, _decode_entry, _read_entry)


def _decode_entry(entry: Entry) -> Event:
    if isinstance(entry, bytes):
        return ANY.decode(entry)
    if isinstance(entry, Broken):
        raise ValueError(entry.fault.message)
    given = dict(entry.headers)
    texts = [(given.get(name) or b"").decode() for name in _HEADERS]
    if given.get("ce_specversion") != b"1.0" or not all(texts[:5]) or not _is_json(entry.content_type):
        raise ValueError("not well formed")
    data = ANY.decode_data(entry.value) if entry.value else ANY.no_data
    return ANY.Event("1.0", *texts[:5], texts[5] or None, data)


_HEADERS: Final = ("ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_sequence")  # in the order of `Event`


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
    try:
        if entry.value and not _is_json(entry.content_type):
            message = f'found content-type "{clipped(entry.content_type)}" for the data, expected JSON'
            raise Refused(fault(Refusal.UNKNOWN_ENCODING, "data", message))
        given["data"] = parse(entry.value) if entry.value else None
    except Refused as refused:
        wrong.append(fault(refused.fault.reason, "data", refused.fault.message))
    event, found_wrong = read_attributes(given)
    if found_wrong is not None:
        wrong.append(found_wrong)
    return event, min(wrong, default=None)
