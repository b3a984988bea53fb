"""Reading whole partitions from their beginning, and on as they grow."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.client import PATIENCE, consumer, persist, started
from consumers.settings import KafkaSettings

ASK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0  # a broker that takes longer to say where a topic ends counts as away

Batch = Mapping[TopicPartition, Sequence[Any]]


class Tail:
    """Committed records of some partitions, which have to exist. Use as a context manager."""

    def __init__(
        self,
        kafka: KafkaSettings,
        partitions: Sequence[TopicPartition],
        starts: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        """`starts`: where to begin with some of them, in place of their beginning."""
        self._kafka = kafka
        self._starts = starts or {}
        self.partitions = tuple(partitions)
        self._ends: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._asking: asyncio.Task[None] | None = None
        self.answered: datetime | None = None  # when Kafka was last asked where the topics end, and answered
        self.connected = False

    async def __aenter__(self) -> Self:
        topics = ", ".join(sorted({partition.topic for partition in self.partitions}))
        await persist(f"following {topics}", self._kafka, self._start)
        self._asking = asyncio.create_task(self._keep_asking())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connected = False
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        if self._consumer is not None:
            await stopped(self._consumer)

    async def take(self, timeout_seconds: float = 0.25) -> Batch:
        """What has come; empty if nothing does in time. Raises KafkaError: then begin anew."""
        assert self._consumer is not None
        batch: Batch = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000))
        return batch

    async def at_end(self, partition: TopicPartition) -> bool:
        """Whether all that is there now was taken.

        An answer from before would not do: what compaction took away meanwhile is made up for by what came since,
        and where a transaction ended then is in the midst of what was taken, if more came.
        """
        assert self._consumer is not None
        position = await self._consumer.position(partition)
        if position < self._ends[partition]:
            return False
        try:
            await self._ask([partition])
        except (KafkaError, TimeoutError):
            self.connected = False
            return False
        return bool(position >= self._ends[partition])

    async def position(self, partition: TopicPartition) -> int:
        """The offset of what is taken next."""
        assert self._consumer is not None
        return int(await self._consumer.position(partition))

    async def rewind(self, partition: TopicPartition) -> None:
        """Take that partition from its beginning again."""
        assert self._consumer is not None
        await self._consumer.seek_to_beginning(partition)
        self._ends |= await self._consumer.end_offsets([partition])

    async def _start(self) -> None:
        self._consumer = await started(consumer(self._kafka))
        try:
            self._consumer.assign(self.partitions)
            await self._consumer.seek_to_beginning(*(tp for tp in self.partitions if tp not in self._starts))
            for partition, start in self._starts.items():
                self._consumer.seek(partition, start)
            await self._ask(self.partitions)
        except BaseException:
            await stopped(self._consumer)
            raise

    async def _ask(self, partitions: Sequence[TopicPartition]) -> None:
        assert self._consumer is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            self._ends |= await self._consumer.end_offsets(partitions)
        self.answered, self.connected = datetime.now(UTC), True

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            try:
                await self._ask(self.partitions)
            except (KafkaError, TimeoutError):
                self.connected = False


async def stopped(client: AIOKafkaConsumer) -> None:
    """Stop a consumer within a few seconds, also while its broker is away."""
    task = asyncio.ensure_future(client.stop())
    _, pending = await asyncio.wait([task], timeout=PATIENCE)
    for task in pending:
        task.cancel()
        await asyncio.wait([task])
