"""Committed records of partitions, from where they begin up to given offsets; gives up while Kafka stays away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.client import consumer, persist, said, started
from consumers.follow import stopped
from consumers.scan import RECORDS, RecordsGone
from consumers.settings import KafkaSettings

T = TypeVar("T")
_READ_AHEAD: Final = 4 * 1024 * 1024


class KafkaAway(Exception):
    """Kafka did not answer for as long as it was waited for."""

    retriable = True


class Reader:
    """Use as a context manager.

    :param patience: seconds without an answer, or without progress, until KafkaAway is raised
    """

    def __init__(self, kafka: KafkaSettings, patience: float) -> None:
        self._kafka = kafka
        self._patience = patience
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        def attempt() -> Awaitable[AIOKafkaConsumer]:
            return started(consumer(self._kafka, max_partition_fetch_bytes=_READ_AHEAD))

        self._consumer = await self.patiently(persist("verifying", self._kafka, attempt))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            await stopped(self._consumer)

    async def patiently(self, asking: Awaitable[T]) -> T:
        """An answer of Kafka. Raises KafkaAway."""
        try:
            async with asyncio.timeout(self._patience):
                return await asking
        except (TimeoutError, KafkaError) as error:
            why = f": {said(error)}" if isinstance(error, KafkaError) else ""
            raise KafkaAway(f"Kafka at {self._kafka.bootstrap} did not answer for {self._patience:g} s{why}") from error

    async def bounds(self, where: TopicPartition) -> tuple[int, int]:
        """Where a partition begins, and where it ends now (open transactions are not part of it)."""
        assert self._consumer is not None
        begin = (await self.patiently(self._consumer.beginning_offsets([where])))[where]
        end = (await self.patiently(self._consumer.end_offsets([where])))[where]
        return int(begin), int(end)

    async def read(self, where: TopicPartition, end: int, take: Callable[[Sequence[Any]], Awaitable[None]]) -> int:
        """Give `take` all records of before `end`, in their order; where they begin. Raises KafkaAway, RecordsGone."""
        client = self._consumer
        assert client is not None
        client.assign([where])
        await self.patiently(client.seek_to_beginning(where))
        begin = position = int(await self.patiently(client.position(where)))
        while position < end:
            try:
                records, position = await self.patiently(self._more(where, position))
            except KafkaAway as error:
                if isinstance(error.__cause__, OffsetOutOfRangeError):
                    gone = f"{where.topic}: records were deleted while they were read; start again"
                    raise RecordsGone(gone) from error
                raise
            await take([record for record in records if record.offset < end])
        return begin

    async def _more(self, where: TopicPartition, position: int) -> tuple[Sequence[Any], int]:
        """The next records, and the position after them; waits until it moves."""
        client = self._consumer
        assert client is not None
        while True:
            records = (await client.getmany(where, timeout_ms=250, max_records=RECORDS)).get(where, [])
            reached = await client.position(where)
            if records or reached > position:
                return records, reached
