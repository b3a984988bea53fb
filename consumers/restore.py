"""From `sqm.state` back to a partition's state."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition

from consumers.changelog import Place
from consumers.client import consumer, persist, started
from consumers.follow import stopped
from consumers.settings import KafkaSettings
from consumers.state_log import StateLog
from monitor.names import Topic

log = structlog.get_logger()

_READ_AHEAD: Final = 32 * 1024 * 1024


async def restored(kafka: KafkaSettings, partition: int) -> StateLog:
    """The state that all committed frames of a partition make; waits until Kafka can be reached.

    Start its transactional producer before, so that nothing is left open and nobody else writes.
    Raises FrameDamaged, NewerFormat.
    """
    return await persist(f"restoring partition {partition}", kafka, lambda: _restored(kafka, partition))


async def _restored(kafka: KafkaSettings, partition: int) -> StateLog:
    read = StateLog(kafka.topic(Topic.STATE), partition)
    records = await scanned(kafka, partition, read.read)
    await asyncio.to_thread(read.settle)
    log.info("restored", partition=partition, delta=read.number, records=records)
    return read


async def scanned(kafka: KafkaSettings, partition: int, take: Callable[[Place, bytes, bytes | None], object]) -> int:
    """Give `take` every committed record of a partition of `sqm.state`, in a thread; how many there were."""
    where = TopicPartition(kafka.topic(Topic.STATE), partition)
    client = await started(consumer(kafka, max_partition_fetch_bytes=_READ_AHEAD))
    try:
        client.assign([where])
        await client.seek_to_beginning(where)
        end = (await client.end_offsets([where]))[where]
        records = 0
        while await client.position(where) < end:
            batch = (await client.getmany(timeout_ms=250)).get(where, [])
            records += len(batch)
            await asyncio.to_thread(_give, take, batch)
        return records
    finally:
        await stopped(client)


def _give(take: Callable[[Place, bytes, bytes | None], object], batch: Sequence[Any]) -> None:
    for record in batch:
        take(Place(record.topic, record.partition, record.offset), record.key or b"", record.value)
