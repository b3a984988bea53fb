"""What the clock of a broker shows: the time that it stamps a record with, in a topic of our own.

Timestamps in the events topics would not do: where a topic has it so, producers set them, and a producer cannot vouch
for the time of its own events.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from consumers.client import passing, producer, said, started
from consumers.settings import KafkaSettings
from consumers.wall import Wall
from monitor.names import Topic

log = structlog.get_logger()

ANSWER_SECONDS: Final = 20.0  # that it may take: without its clock a worker works as well, mostly
APART: Final = timedelta(minutes=1)  # from there on somebody should look after the clocks
_BY_BROKER: Final = 1  # type of a timestamp


async def compare(kafka: KafkaSettings, wall: Wall) -> None:
    """Tell the wall clock what a broker's shows, and warn where they are apart, or where it cannot be seen.

    Raises KafkaError while Kafka cannot be reached at all.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            shown = await _shown(kafka)
    except TimeoutError:
        return _unseen(kafka, f"replicas that take a record within {ANSWER_SECONDS:.0f} s")
    except KafkaError as error:
        if passing(error):
            raise
        return _unseen(kafka, f"a topic that this worker can write: {said(error)}")
    if shown is None:
        return _unseen(kafka, "message.timestamp.type=LogAppendTime")
    lead = wall.told(shown)
    if abs(lead) > APART:
        log.warning(
            "the clocks of this machine and of Kafka are apart: set them right by NTP",
            behind_seconds=round(lead.total_seconds()),
            at=kafka.bootstrap,
        )


def _unseen(kafka: KafkaSettings, needed: str) -> None:
    log.warning(
        "Kafka's clock cannot be seen: should this machine's be behind, sound events are refused as of the future",
        topic=kafka.topic(Topic.CLOCK),
        needed=needed,
    )


async def _shown(kafka: KafkaSettings) -> datetime | None:
    """None: the topic has its timestamps from whoever writes."""
    client = await started(producer(kafka))
    try:
        written = await client.send_and_wait(kafka.topic(Topic.CLOCK), b"")
    finally:
        await client.close()
    return datetime.fromtimestamp(written.timestamp / 1000, UTC) if written.timestamp_type == _BY_BROKER else None
