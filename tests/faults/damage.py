"""Every kind of damage that a record can have, made of a sound one: each is refused once, and stops nobody.

A batch whose compression is damaged is not among them: the broker reads what it takes, and refuses it (tried with all
four codecs). What is damaged later, on the broker's disk, halts its partition (tests/kafka/test_restart.py).
"""

import gzip
import io
import json
import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import polars as pl

from consumers.decode import ARROW, BATCH, STRUCTURED


class Message(NamedTuple):
    """A record to send; its key decides the partition."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


Event = dict[str, Any]
Damage = Callable[[random.Random, Event], Message]


def sound(event: Event) -> Message:
    """An event as it should be sent."""
    return Message(event["subject"].encode(), json.dumps(event).encode())


def _whole(change: Callable[[random.Random, Event], Event]) -> Damage:
    """A well-formed record of an event that is wrong."""

    def damage(draw: random.Random, event: Event) -> Message:
        return sound(event)._replace(value=json.dumps(change(draw, event)).encode())

    return damage


def _bytes(change: Callable[[random.Random, bytes], bytes | None], content_type: str = "") -> Damage:
    """A record whose bytes are wrong."""
    headers = (("content-type", content_type.encode()),) if content_type else ()

    def damage(draw: random.Random, event: Event) -> Message:
        key, value, _ = sound(event)
        return Message(key, change(draw, value or b""), headers)

    return damage


def _arrow(change: Callable[[random.Random, bytes], bytes], **other: Any) -> Damage:
    """An Arrow stream with compressed columns, `other` among them, and its bytes changed."""

    def damage(draw: random.Random, event: Event) -> Message:
        row = {name: event[name] for name in ("id", "source", "type", "subject", "time")} | other
        buffer = io.BytesIO()
        pl.DataFrame([row]).write_ipc_stream(buffer, compression=draw.choice(["zstd", "lz4"]))
        return Message(sound(event).key, change(draw, buffer.getvalue()), (("content-type", ARROW.encode()),))

    return damage


def _cut(draw: random.Random, value: bytes) -> bytes:
    return value[: draw.randrange(1, len(value) - 1)]


def _half(draw: random.Random, value: bytes) -> bytes:
    return value[: len(value) // 2]


def _noise_in_columns(draw: random.Random, value: bytes) -> bytes:
    """The end of the compressed columns overwritten; what describes them is left alone."""
    return value[: -8 - 120] + draw.randbytes(120) + value[-8:]


def _without(name: str) -> Damage:
    return _whole(lambda _, event: {key: value for key, value in event.items() if key != name})


def _with(**attributes: Any) -> Damage:
    return _whole(lambda _, event: event | attributes)


def _no_key(draw: random.Random, event: Event) -> Message:
    return Message(None, b"{nobody's")


def _empty_key(draw: random.Random, event: Event) -> Message:
    return Message(b"", b"\x00")


def _binary_of_no_text(draw: random.Random, event: Event) -> Message:
    named = {name: str(event[name]).encode() for name in ("id", "source", "type", "subject", "time", "specversion")}
    headers = tuple((f"ce_{name}", text) for name, text in (named | {"id": b"\xff\xfe"}).items())
    return Message(sound(event).key, b"{}", headers)


DAMAGES: Final[dict[str, Damage]] = {
    "truncated JSON": _bytes(_cut),
    "bytes that are no UTF-8": _bytes(lambda draw, value: value[:20] + b"\xff\xfe" + value[20:]),
    "UTF-16": _bytes(lambda draw, value: value.decode().encode("utf-16")),
    "gzip that nobody announced": _bytes(lambda draw, value: gzip.compress(value, mtime=0)),
    "broken gzip": _bytes(lambda draw, value: _half(draw, gzip.compress(value, mtime=0))),
    "zero bytes": _bytes(lambda draw, value: b"\0" * len(value)),
    "nothing": _bytes(lambda draw, value: b""),
    "a tombstone": _bytes(lambda draw, value: None),
    "no key": _no_key,
    "an empty key": _empty_key,
    "brackets without end": _bytes(lambda draw, value: b"[" * 50_000),
    "larger than anybody needs": _bytes(lambda draw, value: draw.randbytes(700_000)),
    "another schema": _bytes(lambda draw, value: b'{"order": 7, "lines": [{"sku": "a", "n": 2}]}'),
    "a number": _bytes(lambda draw, value: b"17"),
    "no id": _without("id"),
    "no time": _without("time"),
    "no subject": _without("subject"),
    "a time without zone": _with(time="2026-03-02T09:00:00"),
    "a time that is a number": _with(time=1_772_442_000),
    "a time far ahead": _with(time="2999-01-01T00:00:00Z"),
    "an unknown type": _with(type="interaction.opend"),
    "a type that is a list": _with(type=["interaction.opened"]),
    "another version of CloudEvents": _with(specversion="0.3"),
    "text for a rating": _with(type="rating.submitted", data={"csat": "many"}),
    "a rating off its scale": _with(type="rating.submitted", data={"csat": 99}),
    "data that is a list": _with(data=[1, 2]),
    "a negative response time": _with(type="interaction.measured", data={"response_time_s": -1}),
    "no finite number": _with(type="interaction.measured", data={"response_time_s": float("inf")}),
    "an encoding nobody knows": _bytes(lambda draw, value: value, "application/cloudevents+avro"),
    "a batch that is cut": _bytes(lambda draw, value: b"[" + value, BATCH),
    "a batch that is none": _bytes(lambda draw, value: b"{}", BATCH),
    "JSON called structured that is cut": _bytes(_half, STRUCTURED),
    "headers that are no text": _binary_of_no_text,
    "Arrow that is cut": _arrow(_half),
    "Arrow with damaged compression": _arrow(_noise_in_columns, data_service="x" * 200),
    "Arrow of another schema": _arrow(lambda draw, value: value, time=7),
    "Arrow that is none": _bytes(lambda draw, value: b"ARROW1" + value, ARROW),
}
