"""Producers that do not give up: idempotent and transactional in turn, some transactions aborted."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aiokafka.errors import KafkaError

from consumers.client import Producer, producer, started
from consumers.settings import KafkaSettings
from tests.faults.damage import Message
from tests.faults.load import Load, Sent, ghosts

FAST: Final = 1_000  # messages at once where nobody paces them
PAUSE: Final = 0.2  # seconds before another try


class Sending:
    """Sends a load at an even pace, and remembers what arrived."""

    def __init__(self, kafka: KafkaSettings, draw: random.Random, sent: Sent, at_once: int) -> None:
        """`at_once`: messages of one transaction."""
        self._at_once = at_once
        self._draw = draw
        self._sent = sent
        self._topic = kafka.events_topics[0]
        self._plain = _Client(kafka, None)
        self._transactional = _Client(kafka, f"{kafka.topic_prefix}-load")

    async def send(self, load: Load, rate: float, hurry: asyncio.Event) -> None:
        """All of it, so many records a second, or as fast as it goes if that is slower, or in a hurry."""
        chunks = [load.messages[at : at + self._at_once] for at in range(0, len(load.messages), self._at_once)]
        begun = asyncio.get_running_loop().time()
        for number, chunk in enumerate(chunks):
            with suppress(TimeoutError):
                async with asyncio.timeout_at(begun + number * self._at_once / rate):
                    await hurry.wait()
            if number % 2 == 0:
                await self._deliver(self._plain, chunk)
                continue
            if self._draw.random() < load.aborted:
                await self._abort(self._transactional, [*ghosts(number, load.end), *chunk])
            await self._deliver(self._transactional, chunk)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """All of these, as fast as it goes. Needs `close` at the end."""
        for at in range(0, len(messages), FAST):
            await self._deliver(self._plain, messages[at : at + FAST])

    async def close(self) -> None:
        """Close its producers."""
        for client in (self._plain, self._transactional):
            await client.close()

    async def _deliver(self, client: "_Client", chunk: Sequence[Message]) -> None:
        while True:
            try:
                await client.send(self._topic, chunk)
            except KafkaError:
                self._sent.unsure += len(chunk)
                await client.close()
                await asyncio.sleep(PAUSE)
            else:
                self._sent.messages += chunk
                return

    async def _abort(self, client: "_Client", messages: Sequence[Message]) -> None:
        try:
            await client.send(self._topic, messages, abort=True)
        except KafkaError:  # then it is aborted all the same
            await client.close()
        self._sent.aborted += 1


class _Client:
    """A producer that is started when it is needed."""

    def __init__(self, kafka: KafkaSettings, transactional_id: str | None) -> None:
        self._kafka = kafka
        self._transactional_id = transactional_id
        self._producer: Producer | None = None

    async def send(self, topic: str, messages: Sequence[Message], *, abort: bool = False) -> None:
        """Send and wait until all are there. Raises KafkaError: then nobody knows which are."""
        if self._producer is None:
            self._producer = await started(producer(self._kafka, self._transactional_id))
        client = self._producer
        if self._transactional_id is not None:
            await client.begin_transaction()
        waiting = [await client.send(topic, m.value, m.key, headers=list(m.headers)) for m in messages]
        await asyncio.gather(*waiting)
        if abort:
            await client.abort_transaction()
        elif self._transactional_id is not None:
            await client.commit_transaction()

    async def close(self) -> None:
        client, self._producer = self._producer, None
        if client is not None:
            with suppress(KafkaError):
                await client.close()
