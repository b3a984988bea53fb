"""A partition without Kafka: what it does with positions that bring no records."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import create_autospec

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.fold import Folder, chunk
from consumers.health import PartitionHealth
from consumers.partition import Partition, Shared
from consumers.partition_time import Question
from consumers.policies import FixedPolicies
from consumers.resume import Resumed
from consumers.settings import Settings, load
from consumers.state_log import StateLog
from consumers.wall import Wall
from monitor.policy import default_policy

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
SETTINGS: Settings = load(env_file=None)
TOPIC = SETTINGS.kafka.events_topics[0]
WHERE = TopicPartition(TOPIC, 0)


@pytest.fixture
def shared() -> Iterator[Shared]:
    client: Any = create_autospec(AIOKafkaConsumer, instance=True)
    with ThreadPoolExecutor(1) as pool:
        yield Shared(SETTINGS, FixedPolicies(default_policy()), client, client, pool, 1_000, 1, Wall())


async def test_a_position_without_records_waits_for_the_next_beat(shared: Shared) -> None:
    """An aborted transaction at the end of a topic is told by nothing else."""
    partition = Partition(0, shared, PartitionHealth(0))
    log = StateLog("sqm.state", 0)
    log.settled = True
    partition._begin(Resumed(log, 0, {WHERE: 0}, Question(T0, {TOPIC: 0})))
    folder = Folder(SETTINGS, log, partition.health)
    assert await partition._checkpoint(folder, beat=True) is not None
    partition.asked(Question(T0 + timedelta(seconds=1), {TOPIC: 5}))
    partition._chunks.append(chunk(WHERE, [], 5, T0, advancing=False))
    assert await partition._checkpoint(folder, beat=False) is None
    folded = await partition._checkpoint(folder, beat=True)
    assert folded is not None
    assert folded.checkpoint.offsets == {TOPIC: 5}
