"""Simulated events as Kafka records, in each of the four encodings of the event contract."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
import polars as pl
from aiokafka.partitioner import murmur2

BULK_EVENTS = 4000  # of one record, so that it stays far below the usual limit of 1 MB
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
ARROW = "application/vnd.apache.arrow.stream"
ATTRIBUTES = ("id", "source", "type", "subject", "time")

_json = msgspec.json.Encoder().encode


class Record(NamedTuple):
    """What is sent; `events` are the rows it holds."""

    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    newest: datetime
    events: int


@lru_cache(maxsize=200_000)
def partition_of(subject: str, partitions: int) -> int:
    """Where the Java client and aiokafka put a record with that key."""
    return int((murmur2(subject.encode()) & 0x7FFFFFFF) % partitions)


def with_partitions(events: pl.DataFrame, partitions: int) -> pl.DataFrame:
    """`events` and their column `partition`."""
    numbers = [partition_of(subject, partitions) for subject in events["subject"].to_list()]
    return events.with_columns(pl.Series("partition", numbers, dtype=pl.Int32))


def structured(events: pl.DataFrame) -> Iterator[Record]:
    """A record an event, all of it in one JSON object."""
    for row, event in _rows(events):
        headers = [("content-type", STRUCTURED.encode())]
        yield Record(row["partition"], row["subject"].encode(), _json(event), headers, row["time"], 1)


def binary(events: pl.DataFrame) -> Iterator[Record]:
    """A record an event, its attributes in headers."""
    for row, event in _rows(events):
        data = event.pop("data")
        headers = [("content-type", b"application/json")]
        headers += [(f"ce_{name}", value.encode()) for name, value in event.items() if name != "datacontenttype"]
        yield Record(row["partition"], row["subject"].encode(), _json(data), headers, row["time"], 1)


def batch(events: pl.DataFrame) -> Iterator[Record]:
    """A record for all events of a partition, a JSON array."""
    for part in _bulks(events):
        value = _json([event for _, event in _rows(part)])
        yield _bulk(part, value, BATCH)


def arrow(events: pl.DataFrame) -> Iterator[Record]:
    """A record for all events of a partition, an Arrow IPC stream of the columns that are not empty."""
    for part in _bulks(events):
        columns = [c for c in part.columns if c != "partition" and part[c].null_count() < part.height]
        out = BytesIO()
        part.select(columns).write_ipc_stream(out, compression="zstd")
        yield _bulk(part, out.getvalue(), ARROW)


ENCODINGS: Mapping[str, Callable[[pl.DataFrame], Iterator[Record]]] = {
    "structured": structured,
    "binary": binary,
    "batch": batch,
    "arrow": arrow,
}


def history(events: pl.DataFrame, every: str = "1d") -> Iterator[Record]:
    """Many events (in the order of time) in few records: an exporter that wakes up `every` so often."""
    for part in events.with_columns(pl.col("time").dt.truncate(every).alias("slice")).partition_by(
        "slice", maintain_order=True, include_key=False
    ):
        yield from arrow(part)


def _bulks(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for part in events.partition_by("partition", maintain_order=True):
        for start in range(0, part.height, BULK_EVENTS):
            yield part[start : start + BULK_EVENTS]


def _bulk(part: pl.DataFrame, value: bytes, content_type: str) -> Record:
    headers = [("content-type", content_type.encode())]
    newest: Any = part["time"].max()
    return Record(part["partition"][0], None, value, headers, newest, part.height)


def _rows(events: pl.DataFrame) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each row, and the CloudEvent made of it."""
    fields = [(c, c.removeprefix("data_")) for c in events.columns if c.startswith("data_")]
    for row in events.iter_rows(named=True):
        yield row, _cloudevent(row, fields)


def _cloudevent(row: Mapping[str, Any], fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    event: dict[str, Any] = {"specversion": "1.0"}
    event |= {name: row[name] for name in ATTRIBUTES if name != "time"}
    event["time"] = _rfc3339(row["time"])
    event["datacontenttype"] = "application/json"
    data = {name: row[column] for column, name in fields if row[column] is not None}
    event["data"] = {k: _rfc3339(v) if isinstance(v, datetime) else v for k, v in data.items()}
    return event


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
