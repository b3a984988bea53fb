"""One partition's transactional producer: everything of a checkpoint becomes visible at once, or nothing does."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition

from consumers.client import Producer, persist, producer, started
from consumers.outputs import Message
from consumers.settings import KafkaSettings
from monitor.names import Topic

_MARKER: Final = 1  # a committed transaction ends with one record of its own in each partition


@dataclass(frozen=True)
class Checkpoint:
    """What one transaction holds."""

    frames: Sequence[tuple[bytes, bytes | None]]  # key and value of records of sqm.state; None: a tombstone
    offsets: Mapping[str, int]  # next offset by events topic
    verdicts: Sequence[Message] = field(default_factory=list)
    rejected: Sequence[Message] = field(default_factory=list)
    records: int = 0  # read from the events topics


class Committer:
    """Commits the checkpoints of one partition. Starting it fences whoever did before."""

    def __init__(self, kafka: KafkaSettings, partition: int) -> None:
        self._kafka = kafka
        self._partition = partition
        self._producer: Producer | None = None
        self.state_end: int | None = None  # where sqm.state ends after the newest own commit

    async def start(self) -> None:
        """Fence others; waits until Kafka can be reached. No transaction is open afterwards, nor undecided."""
        name = f"{self._kafka.group}-{self._kafka.topic_prefix}-{self._partition}"

        async def attempt() -> Producer:
            return await started(producer(self._kafka, name))

        self._producer = await persist(f"taking over partition {self._partition}", self._kafka, attempt)

    async def commit(self, checkpoint: Checkpoint) -> None:
        """One transaction. Any error leaves its outcome unknown: begin anew from what the log says."""
        client = self._started()
        state = [Message(key, value, []) for key, value in checkpoint.frames]
        await client.begin_transaction()
        sent = await asyncio.gather(
            self._send(Topic.STATE, state),
            self._send(Topic.VERDICTS, checkpoint.verdicts),
            self._send(Topic.REJECTED, checkpoint.rejected),
            self._send_offsets(checkpoint.offsets),
        )
        # Not before each record is known to be there: a commit does not tell of those that failed.
        await client.commit_transaction()
        self.state_end = sent[0] + _MARKER if sent[0] is not None else self.state_end

    async def close(self) -> None:
        """Close; an open transaction is aborted by the broker or by the next one to start."""
        if self._producer is not None:
            await self._producer.close()
            self._producer = None

    def _started(self) -> Producer:
        assert self._producer is not None
        return self._producer

    async def _send_offsets(self, offsets: Mapping[str, int]) -> None:
        if offsets:
            at = {TopicPartition(topic, self._partition): offset for topic, offset in offsets.items()}
            await self._started().send_offsets_to_transaction(at, self._kafka.group)

    async def _send(self, which: Topic, messages: Sequence[Message]) -> int | None:
        """Send and wait until all are there; the offset after the last one."""
        if not messages:
            return None
        client, topic = self._started(), self._kafka.topic(which)
        results, batch, count = [], client.create_batch(), 0
        for key, value, headers in messages:
            if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:  # it is full
                results.append(await client.send_batch(batch, topic, partition=self._partition))
                batch, count = client.create_batch(), 0
                batch.append(timestamp=None, key=key, value=value, headers=headers)
            count += 1
        results.append(await client.send_batch(batch, topic, partition=self._partition))
        written = await asyncio.gather(*results)
        return int(written[-1].offset) + count
