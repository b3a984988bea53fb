"""A lane's records, sent to the topic that all contestants read."""

from datetime import datetime
from typing import Any

from consumers import topics
from consumers.client import producer, started
from consumers.settings import Settings
from tests.benchmarks.lanes import Lane, beginning


async def fill(settings: Settings, lane: Lane, start: datetime | None = None) -> float:
    """Send a lane's records, which begin at `start` (so long ago that all has happened, unless told otherwise).

    :returns: how many bytes a record has on average
    """
    partitions = await topics.ensure(settings.kafka)
    (topic,) = settings.kafka.events_topics
    client = await started(producer(settings.kafka, compression_type="lz4"))
    batches: list[Any] = [client.create_batch() for _ in range(partitions)]
    size = 0
    for key, value in lane.made(start or beginning(lane)):
        number = hash_of(key) % partitions
        size += len(value)
        if batches[number].append(timestamp=None, key=key, value=value) is None:
            await client.send_batch(batches[number], topic, partition=number)
            batches[number] = client.create_batch()
            batches[number].append(timestamp=None, key=key, value=value)
    for number, batch in enumerate(batches):
        if batch.record_count():
            await client.send_batch(batch, topic, partition=number)
    await client.close()
    return size / lane.records


def hash_of(key: bytes) -> int:
    """Which partition a case belongs to: any function will do, so long as it is one."""
    return int.from_bytes(key[-4:], "big") * 2_654_435_761 % 2**32
