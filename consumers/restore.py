"""From `sqm.state` back to a partition's state."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import TopicPartition

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
        _give(self.log.read, records)
        self.position = position


async def restored(kafka: KafkaSettings, partition: int, known: Copy | None = None) -> Copy:
    """The state that all committed frames of a partition make; waits until Kafka can be reached.

    Start its transactional producer before, so that nothing is left open and nobody else writes.
    Raises FrameDamaged, NewerFormat.

    :param known: only what came since is read, if it is all still there; must not be used afterwards
    """
    return await persist(f"restoring partition {partition}", kafka, lambda: _restored(kafka, partition, known))


async def _restored(kafka: KafkaSettings, partition: int, known: Copy | None) -> Copy:
    if known is not None:
        try:
            return await _read_on(kafka, partition, known)
        except DeltaMissing as error:  # what compaction took away is in the slices
            log.info("reading a partition's state anew", partition=partition, why=str(error))
    return await _read_on(kafka, partition, Copy(StateLog(kafka.topic(Topic.STATE), partition)))


async def _read_on(kafka: KafkaSettings, partition: int, copy: Copy) -> Copy:
    """Read what that copy lacks. Raises DeltaMissing where that is not there any more."""
    warm = copy.log.settled
    records, copy.position = await scanned(kafka, partition, copy.log.read, copy.position if warm else None)
    if not warm:
        await asyncio.to_thread(copy.log.settle)
    log.info("restored", partition=partition, delta=copy.log.number, records=records, warm=warm)
    return copy


async def scanned(
    kafka: KafkaSettings, partition: int, take: Callable[[Place, bytes, bytes | None], object], start: int | None = None
) -> tuple[int, int]:
    """Give `take` every committed record of a partition of `sqm.state`, in a thread; how many there were, and where
    they end.

    :param start: of those from there on. Raises DeltaMissing where the log has not got them all
    """
    where = TopicPartition(kafka.topic(Topic.STATE), partition)
    client = await started(consumer(kafka, max_partition_fetch_bytes=_READ_AHEAD))
    try:
        client.assign([where])
        begin, end = (await client.beginning_offsets([where]))[where], (await client.end_offsets([where]))[where]
        if start is not None and not begin <= start <= end:
            raise DeltaMissing(
                f"{where.topic}, partition {partition}: it goes from offset {begin} to {end}, not {start}"
            )
        client.seek(where, begin if start is None else start)
        records = 0
        while (position := await client.position(where)) < end:
            batch = (await client.getmany(timeout_ms=250)).get(where, [])
            records += len(batch)
            await asyncio.to_thread(_give, take, batch)
        return records, position
    finally:
        await stopped(client)


def _give(take: Callable[[Place, bytes, bytes | None], object], batch: Sequence[Any]) -> None:
    for record in batch:
        take(Place(record.topic, record.partition, record.offset), record.key or b"", record.value)
