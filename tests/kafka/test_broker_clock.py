"""The clock of a real broker, seen by a machine whose own is wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.admin import NewTopic
from structlog.testing import capture_logs

from consumers import broker_clock, topics
from consumers.broker_clock import compare
from consumers.client import administrating
from consumers.settings import Settings
from consumers.wall import Wall
from monitor.names import Topic

pytestmark = pytest.mark.kafka

SLOW = timedelta(minutes=10)
GRAIN = timedelta(milliseconds=1)  # of a record's timestamp


def slow() -> datetime:
    return datetime.now(UTC) - SLOW


async def test_a_slow_machine_learns_from_the_broker_how_late_it_is(settings: Settings) -> None:
    await topics.ensure(settings.kafka)
    wall, before = Wall(slow), datetime.now(UTC)
    with capture_logs() as logged:
        await compare(settings.kafka, wall)
    assert before - GRAIN <= wall.latest() <= datetime.now(UTC)
    assert wall() < before
    [warning] = [line for line in logged if line["log_level"] == "warning"]
    assert warning["event"] == "the clocks of this machine and of Kafka are apart: set them right by NTP"
    assert 590 < warning["behind_seconds"] <= 600


async def test_a_topic_that_does_not_tell_the_time_is_named(settings: Settings) -> None:
    name = settings.kafka.topic(Topic.CLOCK)
    async with administrating(settings.kafka) as admin:
        await admin.create_topics([NewTopic(name, 1, 1)])
    await topics.ensure(settings.kafka)
    wall = Wall(slow)
    with capture_logs() as logged:
        await compare(settings.kafka, wall)
    assert wall.latest() <= slow() + GRAIN
    [warning] = [line for line in logged if line["log_level"] == "warning"]
    assert (warning["topic"], warning["needed"]) == (name, "message.timestamp.type=LogAppendTime")


@pytest.mark.parametrize(
    ("config", "seconds", "needed"),
    [
        ({}, 1e-3, "replicas that take a record within "),
        ({"max.message.bytes": "1"}, 20.0, "a topic that this worker can write: "),
    ],
    ids=["no answer in time", "the record is refused"],
)
async def test_a_clock_that_cannot_be_asked_keeps_no_worker_from_its_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, config: dict[str, str], seconds: float, needed: str
) -> None:
    monkeypatch.setattr(broker_clock, "ANSWER_SECONDS", seconds)
    stamped = {"message.timestamp.type": "LogAppendTime"}
    async with administrating(settings.kafka) as admin:
        await admin.create_topics([NewTopic(settings.kafka.topic(Topic.CLOCK), 1, 1, topic_configs=stamped | config)])
    with capture_logs() as logged:
        await compare(settings.kafka, Wall(slow))
    [warning] = [line for line in logged if line["log_level"] == "warning"]
    assert warning["needed"].startswith(needed)
