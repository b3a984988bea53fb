"""What the clock of a broker shows: the time that it stamps a record with, in a topic of our own.

Timestamps in the events topics would not do: where a topic has it so, producers set them, and a producer cannot vouch
for the time of its own events.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from consumers.client import producer, started
from consumers.settings import KafkaSettings
from consumers.wall import Wall
from monitor.names import Topic

log = structlog.get_logger()

APART: Final = timedelta(minutes=1)  # from there on somebody should look after the clocks
_BY_BROKER: Final = 1  # type of a timestamp


async def compare(kafka: KafkaSettings, wall: Wall) -> None:
    """Tell the wall clock what a broker's shows, and warn where they are apart. Raises KafkaError."""
    shown = await _shown(kafka)
    if shown is None:
        log.warning(
            "Kafka's clock cannot be seen: should this machine's be behind, sound events are refused as of the future",
            topic=kafka.topic(Topic.CLOCK),
            needed="message.timestamp.type=LogAppendTime",
        )
        return
    lead = wall.told(shown)
    if abs(lead) > APART:
        log.warning(
            "the clocks of this machine and of Kafka are apart: set them right by NTP",
            behind_seconds=round(lead.total_seconds()),
            at=kafka.bootstrap,
        )


async def _shown(kafka: KafkaSettings) -> datetime | None:
    """None: the topic has its timestamps from whoever writes."""
    client = await started(producer(kafka))
    try:
        written = await client.send_and_wait(kafka.topic(Topic.CLOCK), b"")
    finally:
        await client.close()
    return datetime.fromtimestamp(written.timestamp / 1000, UTC) if written.timestamp_type == _BY_BROKER else None
