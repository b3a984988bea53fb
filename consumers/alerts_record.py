"""The judge's record: `sqm.alerts` written in transactions that fence whoever was judge before."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from aiokafka import TopicPartition

from consumers.alerts_log import CONTENT_TYPE, AlertLog, Entry, encode
from consumers.client import Producer, persist, producer, started
from consumers.follow import Tail
from consumers.settings import KafkaSettings
from monitor.names import Topic

log = structlog.get_logger()

AT_ONCE: Final = 10_000  # alerts: what a transaction holds has to be there before its time is over


class AlertsRecord:
    """Start it, read it back, then commit. After any error its outcome is unknown: begin with a new one."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._topic = kafka.topic(Topic.ALERTS)
        self._producer: Producer | None = None

    async def start(self) -> None:
        """Fence others; waits until Kafka can be reached. No transaction is open afterwards, nor undecided."""

        async def attempt() -> Producer:
            return await started(producer(self._kafka, f"{self._kafka.topic_prefix}-judge"))

        self._producer = await persist("taking over as judge", self._kafka, attempt)

    async def read(self) -> AlertLog:
        """All that was recorded before."""
        found = AlertLog()
        partition = TopicPartition(self._topic, 0)
        async with Tail(self._kafka, [partition]) as tail:
            while not await tail.at_end(partition):
                for record in (await tail.take()).get(partition, ()):
                    try:
                        found.read(record.key or b"", record.value)
                    except (ValueError, KeyError, TypeError) as error:
                        log.error(
                            "a record that no judge wrote", topic=self._topic, offset=record.offset, error=str(error)
                        )
        return found

    async def commit(self, entries: Mapping[str, Entry | None]) -> None:
        """Record these alerts by id, None as forgotten, so many in a transaction: each stands for itself."""
        known = list(entries.items())
        for begin in range(0, len(known), AT_ONCE):
            await self._commit(known[begin : begin + AT_ONCE])

    async def _commit(self, entries: Sequence[tuple[str, Entry | None]]) -> None:
        assert self._producer is not None
        await self._producer.begin_transaction()
        sent = [
            await self._producer.send(
                self._topic,
                key=key.encode(),
                value=None if entry is None else encode(entry),
                partition=0,
                headers=[] if entry is None else [CONTENT_TYPE],
            )
            for key, entry in entries
        ]
        # Not before each record is known to be there: a commit does not tell of those that failed.
        await asyncio.gather(*sent)
        await self._producer.commit_transaction()

    async def close(self) -> None:
        """Close; an open transaction is aborted by the broker or by the next one to start."""
        if self._producer is not None:
            await self._producer.close()
            self._producer = None
