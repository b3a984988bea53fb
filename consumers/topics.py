"""The topics: made where they are missing, checked where they are there."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from consumers.client import administrating, persist, said
from consumers.settings import KafkaSettings
from monitor.names import Topic

log = structlog.get_logger()

_NEVER: Final = {"retention.ms": "-1"}
# The broker's clock and not the producer's, which may be ahead: while a partition lags `now` goes by it, too.
_APPENDED: Final = {"message.timestamp.type": "LogAppendTime"}
_SHORT: Final = {"retention.ms": "3600000", "segment.ms": "3600000"}
_COMPACTED: Final = {"cleanup.policy": "compact"}
_LARGE: Final = {"max.message.bytes": str(16 * 1024 * 1024)}  # an event of 1 MB fits with what is said of it
# Deltas are tombstoned by the minute: a small dirty share and short segments keep what must be restored short.
_STATE: Final = {"min.cleanable.dirty.ratio": "0.3", "segment.ms": "3600000", "delete.retention.ms": "3600000"}

CONFIGS: Final[Mapping[Topic, Mapping[str, str]]] = {
    Topic.EVENTS: _NEVER | _APPENDED,
    Topic.STATE: _COMPACTED | _STATE | _LARGE,
    Topic.POLICY: _COMPACTED,
    Topic.VERDICTS: _LARGE,
    Topic.ALERTS: _COMPACTED,
    Topic.REJECTED: _LARGE | _NEVER,  # what was refused on arrival nobody could find out again
    Topic.VERIFIED: _COMPACTED,
    Topic.CLOCK: _APPENDED | _SHORT,
    Topic.JUDGE: {},
}
LIKE_EVENTS: Final = (Topic.STATE, Topic.VERDICTS, Topic.REJECTED)  # partition p belongs to partition p of the events


class TopicsUnfit(Exception):
    """Topics that cannot be worked with; the message says which, and what they would have to be."""

    retriable = False


class Grown(TopicsUnfit):
    """An events topic has more partitions than its state: the cases in it are not where they were."""

    def __init__(self, topic: str, count: int, state: str, before: int) -> None:
        super().__init__(
            f"{topic} has {count} partitions and {state} has {before}: the events topic has grown. A case has to stay "
            "in its partition, and with more of them the next events of running cases go to others. Nothing is read "
            "from it any more; how to have more partitions: docs/how-to/move-to-a-new-topic.md"
        )


async def ensure(kafka: KafkaSettings, tell: Callable[[str], None] | None = None) -> int:
    """Make the topics that are missing and check the others; waits until Kafka can be reached.

    :param tell: is told in a sentence when Kafka cannot be reached
    :returns: how many partitions the events topics have
    :raises TopicsUnfit: partition counts that do not belong together, or a broker that refuses to make a topic
    """
    return await persist("looking at topics", kafka, lambda: _ensure(kafka), tell)


async def partitions(kafka: KafkaSettings) -> Mapping[str, int]:
    """The topics that are there and how many partitions they have; waits until Kafka can be reached."""

    async def asked() -> dict[str, int]:
        async with administrating(kafka) as admin:
            return await _partitions(admin)

    return await persist("looking at topics", kafka, asked)


async def _ensure(kafka: KafkaSettings) -> int:
    async with administrating(kafka) as admin:
        there = await _partitions(admin)
        events = {name: there[name] for name in kafka.events_topics if name in there}
        if len(set(events.values())) > 1:
            counts = ", ".join(f"{name} has {count}" for name, count in events.items())
            raise TopicsUnfit(
                f"events topics need the same number of partitions, so that a case's events stay together: {counts}"
            )
        state = kafka.topic(Topic.STATE)
        partitions = next(iter(events.values()), there.get(state, kafka.partitions))
        for name, count in events.items():
            if count > there.get(state, count):
                raise Grown(name, count, state, there[state])
        wanted = dict.fromkeys(kafka.events_topics, (partitions, CONFIGS[Topic.EVENTS]))
        for topic in Topic:
            if topic != Topic.EVENTS:
                count = partitions if topic in LIKE_EVENTS else 1
                wanted[kafka.topic(topic)] = (count, CONFIGS[topic])
        await _create(admin, kafka, {name: want for name, want in wanted.items() if name not in there})
        _check({name: there[name] for name in wanted if name in there}, wanted, partitions)
        return partitions


def _check(there: Mapping[str, int], wanted: Mapping[str, tuple[int, Mapping[str, str]]], partitions: int) -> None:
    for name, count in there.items():
        needed = wanted[name][0]
        if count != needed:
            raise TopicsUnfit(
                f"{name} has {count} partitions and would need {needed}"
                + (f", as many as the events topics ({partitions})" if needed == partitions else "")
            )


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    described = await admin.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}


async def _create(
    admin: AIOKafkaAdminClient, kafka: KafkaSettings, wanted: Mapping[str, tuple[int, Mapping[str, str]]]
) -> None:
    if not wanted:
        return
    new: Sequence[NewTopic] = [
        NewTopic(name, count, kafka.replication, topic_configs=dict(configs))
        for name, (count, configs) in wanted.items()
    ]
    response = await admin.create_topics(new)
    for name, code, *rest in response.topic_errors:
        error: type[KafkaError] = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another role made it just now
            message = rest[0] if rest and rest[0] else error.__name__
            raise TopicsUnfit(f"{name} is missing and {kafka.bootstrap} refuses to make it: {said(error(message))}")
    log.info("made topics", topics=sorted(wanted))
    await _until_there(admin, set(wanted))


async def _until_there(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """A topic is known to all a moment after it was made."""
    while True:
        described = await admin.describe_topics(sorted(names))
        ready = {
            topic["topic"]
            for topic in described
            if not topic["error_code"] and all(partition["leader"] >= 0 for partition in topic["partitions"])
        }
        if ready >= names:
            return
        await asyncio.sleep(0.05)
