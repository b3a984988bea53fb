"""From `sqm.state` back to a partition's state."""

import asyncio
from typing import Final

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
    topic = kafka.topic(Topic.STATE)
    where = TopicPartition(topic, partition)
    read = StateLog(topic, partition)
    client = await started(consumer(kafka, max_partition_fetch_bytes=_READ_AHEAD))
    try:
        client.assign([where])
        await client.seek_to_beginning(where)
        end = (await client.end_offsets([where]))[where]
        records = 0
        while await client.position(where) < end:
            batch = (await client.getmany(timeout_ms=250)).get(where, [])
            records += len(batch)
            await asyncio.to_thread(_take, read, batch)
    finally:
        await stopped(client)
    await asyncio.to_thread(read.settle)
    log.info("restored", partition=partition, delta=read.number, records=records)
    return read


def _take(read: StateLog, batch: list) -> None:  # type: ignore[type-arg]
    for record in batch:
        read.read(Place(read.topic, read.partition, record.offset), record.key, record.value)
