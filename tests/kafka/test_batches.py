"""Reading record batches whole gives the very records that aiokafka gives one by one."""

import gc
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import OffsetOutOfRangeError

from consumers import topics
from consumers.batches import fetched, in_batches
from consumers.client import consumer, producer, started
from consumers.follow import stopped
from consumers.settings import Settings
from tests.kafka.traffic import read_topic

pytestmark = pytest.mark.kafka

HEADERS = [("content-type", b"application/json"), ("empty", b"")]


def told(records: Sequence[Any]) -> list[tuple[object, ...]]:
    return [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]


async def read(settings: Settings, offset: int, until: int) -> list[Any]:
    where = TopicPartition(settings.kafka.events_topics[0], 0)
    client = in_batches(await started(consumer(settings.kafka)))
    try:
        client.assign([where])
        client.seek(where, offset)
        found: list[Any] = []
        while await client.position(where) < until:
            found += (await fetched(client, where, timeout_ms=100)).get(where, [])
    finally:
        await stopped(client)
    return found


@pytest.fixture
async def end(settings: Settings) -> int:
    """A partition with transactions that were committed and aborted, batches of several kinds of compression, and
    where it ends."""
    await topics.ensure(settings.kafka.model_copy(update={"partitions": 1}))
    topic = settings.kafka.events_topics[0]
    for number, compression in enumerate([None, "gzip", "lz4", "zstd"]):
        plain = await started(producer(settings.kafka, compression_type=compression))
        for n in range(300):
            await plain.send(topic, b"%d %d" % (number, n), None if n % 7 == 0 else b"k", headers=HEADERS[: n % 3])
        await plain.close()
        client = await started(producer(settings.kafka, "writer"))
        for n in range(4):
            await client.begin_transaction()
            await client.send_and_wait(topic, None if n == 3 else b"t %d" % n, b"t")
            await (client.abort_transaction() if n % 2 else client.commit_transaction())
        await client.close()
    asker = await started(consumer(settings.kafka))
    where = TopicPartition(topic, 0)
    found = (await asker.end_offsets([where]))[where]
    await stopped(asker)
    return int(found)


async def test_all_committed_records_come_in_their_order_and_nothing_of_the_aborted(
    settings: Settings, end: int
) -> None:
    one_by_one = await read_topic(settings, settings.kafka.events_topics[0], 1)
    assert len(one_by_one) == 4 * (300 + 2)
    assert told(await read(settings, 0, end)) == told(one_by_one)


@pytest.mark.parametrize("offset", [1, 150, 299, 301, 777])
async def test_reading_may_begin_in_the_midst_of_a_batch(settings: Settings, end: int, offset: int) -> None:
    one_by_one = await read_topic(settings, settings.kafka.events_topics[0], 1)
    assert told(await read(settings, offset, end)) == told([r for r in one_by_one if r.offset >= offset])


async def test_an_offset_that_is_not_there_is_an_error(settings: Settings, end: int) -> None:
    with pytest.raises(OffsetOutOfRangeError):
        await read(settings, end + 1, end + 2)


async def test_what_was_read_is_let_go_at_once(settings: Settings, end: int) -> None:
    gc.collect()
    gc.disable()  # a worker's looks rarely
    try:
        assert await read(settings, 0, end)
        assert not [each for each in gc.get_objects() if isinstance(each, PartitionRecords)]
    finally:
        gc.enable()
