"""Follows `<prefix>.rejected`: the newest refused events, so that a producing team can help itself.

Only what the headers say is kept, never a record's content: it may hold what should not be shown.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from api.lists import Item
from api.shapes import instant
from consumers import client
from consumers.follow import stopped
from consumers.settings import KafkaSettings
from monitor.names import REFUSALS, Refusal, Topic

log = structlog.get_logger(__name__)

KEPT: Final = 5_000
_WORDS: Final = ("field", "message", "source", "id", "type", "case")
_LONGEST: Final = 1_000  # characters of a header that are shown


class Rejected:
    """The newest refused events of all partitions."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept: deque[Item] = deque(maxlen=kept)

    def add(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records of the topic."""
        self._kept.extend(_item(record) for record in records)

    def newest(self) -> list[Item]:
        """The latest first; `number` orders those of one millisecond."""
        return sorted(self._kept, key=rejected_order)

    def groups(self) -> list[dict[str, Any]]:
        """How many of them came from one source for one reason, the most first."""
        counts = Counter((item["source"], item["reason"]) for item in self._kept)
        return [{"source": source, "reason": reason, "n": n} for (source, reason), n in counts.most_common()]


def rejected_order(item: Item) -> tuple[int, int, int]:
    """Sort key: the latest first; place in the topic tells those of one millisecond apart."""
    return (-item["millisecond"], -item["place"], item["slot"])


def _item(record: ConsumerRecord) -> Item:
    own = ((name.removeprefix("sqm-"), value) for name, value in record.headers if name.startswith("sqm-") and value)
    headers = {name: value.decode("utf-8", "replace")[:_LONGEST] for name, value in own}
    reason = headers.get("reason", "")
    return {
        "reason": reason if reason in REFUSALS else Refusal.DAMAGED_RECORD,
        **{name: headers.get(name) for name in _WORDS},
        "topic": headers.get("topic", record.topic),
        "partition": _whole(headers.get("partition"), record.partition),
        "offset": _whole(headers.get("offset"), record.offset),
        "index": _whole(headers.get("index"), None),
        "at": instant(_utc(record.timestamp)),
        "millisecond": record.timestamp,
        "place": record.offset,
        "slot": record.partition,
    }


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _whole(text: str | None, otherwise: int | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else otherwise


async def follow(kafka: KafkaSettings, rejected: Rejected) -> None:
    """Keep `rejected` up to date until cancelled: from some way before the end of the topic, then as records come.

    While Kafka is away it is tried again with growing pauses; what was kept stays.
    """
    topic = kafka.topic(Topic.REJECTED)
    places: dict[TopicPartition, int] = {}
    while True:
        consumer = await client.persist("following refused events", kafka, lambda: _started(kafka))
        try:
            await _begin(consumer, await _partitions(kafka, topic), topic, places)
            while True:
                got = await consumer.getmany(timeout_ms=1_000, max_records=KEPT)
                for partition, records in got.items():
                    rejected.add(records)
                    places[partition] = records[-1].offset + 1
        except KafkaError as error:
            log.warning("refused events cannot be read", topic=topic, error=client.said(error))
        finally:
            await stopped(consumer)


async def _started(kafka: KafkaSettings) -> AIOKafkaConsumer:
    return await client.started(client.consumer(kafka, auto_offset_reset="earliest"))


async def _begin(
    consumer: AIOKafkaConsumer, numbers: Sequence[int], topic: str, places: dict[TopicPartition, int]
) -> None:
    """Assign all partitions of the topic, each from where it was read to, at first from near its end."""
    partitions = [TopicPartition(topic, number) for number in numbers]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    firsts = await consumer.beginning_offsets(partitions)
    for partition in partitions:
        near_end = max(firsts[partition], ends[partition] - KEPT)
        # A place past the end is of a topic that was made anew.
        place = places.get(partition, near_end)
        consumer.seek(partition, place if firsts[partition] <= place <= ends[partition] else near_end)


async def _partitions(kafka: KafkaSettings, topic: str) -> list[int]:
    """The partitions of a topic, once it exists: asking for one by name could create it."""
    while True:
        async with client.administrating(kafka) as admin:
            for described in await admin.describe_topics():
                if described["topic"] == topic and not described["error_code"]:
                    return sorted(partition["partition"] for partition in described["partitions"])
        await asyncio.sleep(1.0)
