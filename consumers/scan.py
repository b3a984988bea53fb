"""The events topics from their beginning to where they end now, read without a group and without a trace."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from consumers import topics
from consumers.client import consumer, persist, started
from consumers.follow import stopped
from consumers.settings import KafkaSettings

RECORDS: Final = 20_000  # taken at once


class RecordsGone(Exception):
    """Retention removed what was about to be read."""


Progress = Callable[[int, int], None]  # offsets passed, of all


async def scan(kafka: KafkaSettings, take: Callable[[Sequence[Any]], None], progress: Progress | None = None) -> None:
    """Give `take` all committed records of the events topics, those of each partition in their order.

    Waits until Kafka can be reached. Raises TopicsUnfit for a topic that is not there, RecordsGone.
    """
    partitions = await _partitions(kafka)
    client = await persist("reading the events again", kafka, lambda: started(consumer(kafka)))
    try:
        client.assign(partitions)
        begins, ends = await client.beginning_offsets(partitions), await client.end_offsets(partitions)
        await client.seek_to_beginning(*partitions)
        total = sum(ends[where] - begins[where] for where in partitions)
        waiting = {where for where in partitions if ends[where] > begins[where]}
        while waiting:
            try:
                batch = await client.getmany(*waiting, timeout_ms=250, max_records=RECORDS)
            except OffsetOutOfRangeError as error:
                gone = ", ".join(sorted({where.topic for where in partitions}))
                raise RecordsGone(f"{gone}: records were deleted while they were read; start again") from error
            for where, records in batch.items():
                take([record for record in records if record.offset < ends[where]])
            positions = {where: await client.position(where) for where in partitions}
            waiting = {where for where in waiting if positions[where] < ends[where]}
            if progress:
                progress(sum(min(positions[where], ends[where]) - begins[where] for where in partitions), total)
    finally:
        await stopped(client)


async def _partitions(kafka: KafkaSettings) -> list[TopicPartition]:
    there = await topics.partitions(kafka)
    missing = [topic for topic in kafka.events_topics if topic not in there]
    if missing:
        raise topics.TopicsUnfit(
            f"{kafka.bootstrap} has no topic {', '.join(missing)}: name others with --events-topics"
        )
    return [TopicPartition(topic, number) for topic in kafka.events_topics for number in range(there[topic])]
