"""Files of events into Kafka, in the order of their times: `sqm send`.

Records are CloudEvents in structured mode under the key of their case. What cannot be parsed is published all the
same, behind the event before it in its file and in that event's partition, so that the monitor refuses and counts it
as `replay` does. At the end every partition of every events topic is told how far time has come.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from consumers.client import Producer, persist, producer, started
from consumers.files_read import Gathered, Lines, as_lines
from consumers.settings import KafkaSettings
from consumers.tables import FileError
from consumers.topics import ensure
from monitor.events import read_json
from monitor.frames import INSTANT, ORIGIN, latest
from monitor.policy.values import instant_text

MOST_UNDELIVERED: Final = 10_000  # records on their way at once
SLICES_A_SECOND: Final = 20  # with a rate: how often it is kept to
_PLACE: Final = ("partition", "offset", "index")  # in files: file, line, place in the row

Progress = Callable[[int, int], None]  # records delivered, of all


class Outgoing(NamedTuple):
    """Records in the order in which they go out."""

    values: list[bytes]
    keys: list[bytes | None]  # case ids; None: it cannot be read
    places: list[str]  # file:line
    newest: datetime | None  # the newest time that was not refused


class Sent(NamedTuple):
    """What was published: `events`, and `advanced` closing words, one a partition."""

    events: int
    advanced: int
    topics: tuple[str, ...]


def outgoing(gathered: Gathered, *, future_after: datetime | None) -> Outgoing:
    """All events of files as records, by time, then file, line and place in the row."""
    lines = [as_lines(part) for part in gathered.parts]
    if not lines:
        return Outgoing([], [], [], None)
    values = [value for part in lines for value in part.values]
    records = pl.concat([_records(part, future_after) for part in lines]).with_row_index("number").sort(_PLACE)
    newest = latest(records["time"])
    # What has no time of its own goes behind the event before it in its file; before all else if there is none.
    records = records.with_columns(pl.col("time").forward_fill().over("partition"))
    records = records.sort("time", *_PLACE, nulls_last=False)
    return Outgoing(
        values=[values[number] for number in records["number"]],
        keys=[None if case is None else case.encode() for case in records["case"]],
        places=records.select(pl.format("{}:{}", "topic", "offset")).to_series().to_list(),
        newest=newest,
    )


def _records(lines: Lines, future_after: datetime | None) -> pl.DataFrame:
    """ORIGIN of each line, with its `case` as far as it can be read, and its `time` unless it would be refused."""
    read = read_json(lines.values, lines.origin, future_after=future_after)
    refused = read.refused.with_columns(pl.lit(None, INSTANT).alias("time"))
    known = pl.concat([frame.select(*_PLACE, "case", "time") for frame in (read.events, refused)])
    return lines.origin.select(list(ORIGIN)).join(known, on=_PLACE, how="left", maintain_order="left")


async def send(
    records: Outgoing, kafka: KafkaSettings, *, rate: float | None = None, progress: Progress | None = None
) -> Sent:
    """Publish all records into the first events topic, then say in every partition how far time has come.

    Waits until Kafka can be reached. Raises FileError for a record that Kafka does not take.

    :param rate: records a second; None: as fast as it goes
    """
    await ensure(kafka)
    client = await persist("sending", kafka, lambda: started(producer(kafka)))
    try:
        await _send_all(client, kafka.events_topics[0], records, rate, progress)
        advanced = await _advance(client, kafka.events_topics, records.newest)
    finally:
        await client.close()
    return Sent(len(records.values), advanced, kafka.events_topics)


async def _send_all(
    client: Producer, topic: str, records: Outgoing, rate: float | None, progress: Progress | None
) -> None:
    partitions = sorted(await client.partitions_for(topic))
    undelivered: deque[tuple[str, asyncio.Future[Any]]] = deque()
    pace = _Pace(rate)
    last_key: bytes | None = None
    total = len(records.values)
    for number, (value, key, place) in enumerate(zip(records.values, records.keys, records.places, strict=True)):
        await pace.until(number)
        last_key = key or last_key
        # A record without a key of its own follows the one before it.
        where = None if key or last_key is None else _partition(last_key, partitions)
        undelivered.append((place, await _accepted(client.send(topic, value, key, partition=where), place)))
        if len(undelivered) >= MOST_UNDELIVERED:
            await _delivered(undelivered, MOST_UNDELIVERED // 2)
            if progress:
                progress(number + 1 - len(undelivered), total)
    await client.flush()
    await _delivered(undelivered, 0)
    if progress:
        progress(total, total)


def _partition(key: bytes, partitions: Sequence[int]) -> int:
    where: int = DefaultPartitioner()(key, partitions, partitions)
    return where


async def _accepted(sending: Any, place: str) -> Any:
    """What `sending` gives. Raises FileError that names the place of a record that is too large."""
    try:
        return await sending
    except MessageSizeTooLargeError:
        raise FileError(f"{place}: larger than Kafka takes (max.message.bytes of the topic)") from None


async def _delivered(undelivered: deque[tuple[str, "asyncio.Future[Any]"]], left: int) -> None:
    """Wait until no more than `left` records are on their way."""
    while len(undelivered) > left:
        place, future = undelivered.popleft()
        await _accepted(future, place)


async def _advance(client: Producer, topics: Sequence[str], newest: datetime | None) -> int:
    """`clock.advanced` with the newest time, in every partition of every topic; how many."""
    if newest is None:
        return 0
    time = instant_text(newest)
    event = {
        "specversion": "1.0",
        "id": f"advanced-{time}",
        "source": "sqm-send",
        "type": "clock.advanced",
        "time": time,
    }
    value = json.dumps(event).encode()
    places = [(topic, partition) for topic in topics for partition in sorted(await client.partitions_for(topic))]
    for topic, partition in places:
        await client.send_and_wait(topic, value, partition=partition)
    return len(places)


class _Pace:
    """Keeps to a rate, in slices of a twentieth of a second."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._slice = max(1, int((rate or 0) / SLICES_A_SECOND))
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()

    async def until(self, number: int) -> None:
        """Wait until record `number` (from 0) may go."""
        if self._rate and number % self._slice == 0:
            await asyncio.sleep(max(0.0, self._begun + number / self._rate - self._loop.time()))
