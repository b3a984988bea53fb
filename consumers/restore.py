"""From `sqm.state` back to a partition's state."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.changelog import Place
from consumers.client import consumer, persist, started
from consumers.follow import stopped
from consumers.settings import KafkaSettings
from consumers.state_log import DeltaMissing, StateLog
from monitor.names import Topic

log = structlog.get_logger()

_READ_AHEAD: Final = 32 * 1024 * 1024


@dataclass
class Copy:
    """A partition's state as far as `sqm.state` was read; settled unless it is still being read for the first time."""

    log: StateLog
    position: int = 0  # in sqm.state, of what comes next

    def take(self, records: Sequence[Any], position: int) -> None:
        """Read on up to `position`. Raises FrameDamaged, NewerFormat; DeltaMissing."""
        for record in records:
            self.log.read(Place(record.topic, record.partition, record.offset), record.key, record.value)
        self.position = position


async def restored(kafka: KafkaSettings, partition: int, known: Copy | None = None) -> Copy:
    """The state that all committed frames of a partition make; waits until Kafka can be reached.

    Start its transactional producer before, so that nothing is left open and nobody else writes.
    Raises FrameDamaged, NewerFormat.

    :param known: only what came since is read, if it is all still there; must not be used afterwards
    """
    return await persist(f"restoring partition {partition}", kafka, lambda: _restored(kafka, partition, known))


async def _restored(kafka: KafkaSettings, partition: int, known: Copy | None) -> Copy:
    where = TopicPartition(kafka.topic(Topic.STATE), partition)
    client = await started(consumer(kafka, max_partition_fetch_bytes=_READ_AHEAD))
    try:
        client.assign([where])
        if known is not None:
            try:
                return await _read(client, where, known)
            except DeltaMissing as error:  # what compaction took away is in the slices
                log.info("reading a partition's state anew", partition=partition, why=str(error))
        return await _read(client, where, Copy(StateLog(where.topic, partition)))
    finally:
        await stopped(client)


async def _read(client: AIOKafkaConsumer, where: TopicPartition, copy: Copy) -> Copy:
    """Read what that copy lacks. Raises DeltaMissing where that is not there any more."""
    begin, end = (await client.beginning_offsets([where]))[where], (await client.end_offsets([where]))[where]
    if copy.log.settled and not begin <= copy.position <= end:
        raise DeltaMissing(f"{where.topic}, partition {where.partition}: it was made anew")
    client.seek(where, max(begin, copy.position))
    records, warm = 0, copy.log.settled
    while (position := await client.position(where)) < end:
        batch = (await client.getmany(timeout_ms=250)).get(where, [])
        records += len(batch)
        await asyncio.to_thread(copy.take, batch, position)
    copy.position = position
    if not warm:
        await asyncio.to_thread(copy.log.settle)
    log.info("restored", partition=where.partition, delta=copy.log.number, records=records, warm=warm)
    return copy
