"""The events topics read whole, from their beginning to where they end now, without a group: nobody's place moves."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.client import administrating, consumer, persist, started
from consumers.decode import decode
from consumers.follow import stopped
from consumers.settings import KafkaSettings
from consumers.topics import TopicsUnfit
from monitor.events import NOTHING, Read

MOST_AT_ONCE: Final = 50_000  # records that are decoded together
_LOG: Final = ("topic", "partition", "offset", "index")

Progress = Callable[[int, int], None]  # records read, of all
Ends = Mapping[TopicPartition, int]


async def read_events(kafka: KafkaSettings, *, future_after: datetime | None, progress: Progress | None = None) -> Read:
    """All events that the events topics hold at this moment, in the order of the log, and what is refused.

    Waits until Kafka can be reached. Raises TopicsUnfit for an events topic that does not exist.

    :param future_after: later events are refused; None: none are
    """
    partitions = await persist("reading events", kafka, lambda: _partitions(kafka))
    client = await persist("reading events", kafka, lambda: started(consumer(kafka)))
    try:
        client.assign(partitions)
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        for partition in partitions:
            client.seek(partition, begins[partition])
        return await _read(client, begins, ends, future_after, progress)
    finally:
        await stopped(client)


async def _read(
    client: AIOKafkaConsumer, begins: Ends, ends: Ends, future_after: datetime | None, progress: Progress | None
) -> Read:
    reads, total = [NOTHING], sum(ends.values()) - sum(begins.values())
    at = dict(begins)
    while left := [partition for partition, end in ends.items() if at[partition] < end]:
        batch = await client.getmany(*left, timeout_ms=250, max_records=MOST_AT_ONCE)
        records = [r for partition, some in batch.items() for r in some if r.offset < ends[partition]]
        reads.append(decode(records, future_after=future_after))
        for partition in left:  # beyond the last record may lie the end of a transaction, which is no record
            at[partition] = await client.position(partition)
        if progress:
            progress(sum(min(at[p], end) - begins[p] for p, end in ends.items()), total)
    events, refused = (
        pl.concat(frames).sort(_LOG) for frames in zip(*((r.events, r.refused) for r in reads), strict=True)
    )
    return Read(events, refused, sum(r.read for r in reads))


async def _partitions(kafka: KafkaSettings) -> list[TopicPartition]:
    async with administrating(kafka) as admin:
        described = {topic["topic"]: topic for topic in await admin.describe_topics() if not topic["error_code"]}
    missing = [name for name in kafka.events_topics if name not in described]
    if missing:
        raise TopicsUnfit(f"there is no topic {' nor '.join(missing)} at {kafka.bootstrap}")
    return [
        TopicPartition(name, number["partition"])
        for name in kafka.events_topics
        for number in described[name]["partitions"]
    ]
