"""Publishes the simulated services: what is missing of their history at once, then what happens as it happens."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers import topics
from consumers.client import Pauses, Producer, consumer, passing, persist, producer, started
from consumers.settings import Settings
from consumers.simulate.encode import ENCODINGS, Record, history, with_partitions
from consumers.simulate.plan import Plan, instant
from consumers.simulate.services import SERVICES
from consumers.simulate.stream import Stream

TICK = 0.25  # seconds
FIRST_INCIDENT = timedelta(seconds=60)  # after somebody began to watch
INCIDENT_EVERY = timedelta(minutes=12)
FORESIGHT = timedelta(seconds=5)  # an incident is settled that long before it begins
IN_FLIGHT = 500  # records handed to the producer at a time

Told = Callable[[int, int], None]  # how many events of how many are sent


class NotOurs(Exception):
    """The events topic holds events of which nothing is known here."""

    retriable = False


class _Made(NamedTuple):
    stream: Stream  # taken from up to now
    since: datetime | None  # up to when everything was sent before; None: nothing was
    records: list[Record]
    events: int


class Publisher:
    """The simulated services of one data folder on one cluster."""

    def __init__(self, settings: Settings, seed: int = 1) -> None:
        self._kafka = settings.kafka
        self._topic = settings.kafka.events_topics[0]
        self._seed = seed
        self._path = marker(settings.data_dir)
        self._partitions = 0
        self._producer: Producer | None = None
        self._stream: Stream | None = None

    async def catch_up(self, told: Told = lambda done, of: None) -> int:
        """Publish what happened up to now: 30 days in an empty topic, else since the last run. Answers how much."""
        now = _now()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # What will most likely be sent is made while Kafka is still starting.
        making = asyncio.create_task(asyncio.to_thread(self._made, now, self._kafka.partitions, afresh=False))
        self._partitions = await topics.ensure(self._kafka)
        empty = await persist("looking at the events", self._kafka, self._is_empty)
        if not empty and not self._path.exists():
            raise NotOurs(
                f"{self._topic} at {self._kafka.bootstrap} already holds events, and {self._path} that would say "
                "how to go on is missing: name another SQM_KAFKA__TOPIC_PREFIX for the simulated services"
            )
        made = await making
        if self._partitions != self._kafka.partitions or (empty and made.since is not None):
            made = await asyncio.to_thread(self._made, now, self._partitions, afresh=empty)
        self._stream = made.stream
        self._stream.plan.save(self._path, made.since or instant(made.stream.plan.origin))
        await self._deliver(made.records, made.events, told, as_of_then=True)
        self._stream.plan.save(self._path, now)
        return made.events

    def _made(self, now: datetime, partitions: int, *, afresh: bool) -> "_Made":
        """The records up to `now`, following on what the data folder says was sent."""
        plan, since = Plan.begin(self._seed, now), None
        if self._path.exists() and not afresh:
            plan, since = Plan.load(self._path)
            plan = plan.resume(since, now)
        stream = Stream(plan, since)
        missing = with_partitions(stream.take(now), partitions)
        return _Made(stream, since, list(history(missing)), missing.height)

    async def go_on(self) -> None:
        """Publish what happens, as it happens, until cancelled."""
        assert self._stream is not None, "catch_up comes first"
        taken, upcoming = _now(), _now() + FIRST_INCIDENT
        try:
            while True:
                await asyncio.sleep(TICK)
                now = _now()
                if upcoming <= now + FORESIGHT:
                    upcoming = max(upcoming, taken + timedelta(seconds=1))
                    self._stream.plan = self._stream.plan.with_incident(upcoming)
                    upcoming += INCIDENT_EVERY
                events = self._stream.take(now)
                await self._deliver(live(with_partitions(events, self._partitions)), events.height)
                taken = now
                self._stream.plan.save(self._path, taken)
        finally:
            if self._producer is not None:
                await self._producer.close()

    async def _is_empty(self) -> bool:
        reader = await started(consumer(self._kafka))
        try:
            partitions = [TopicPartition(self._topic, p) for p in range(self._partitions)]
            return not any((await reader.end_offsets(partitions)).values())
        finally:
            await reader.stop()

    async def _deliver(
        self,
        records: Iterable[Record],
        total: int,
        told: Told = lambda done, of: None,
        *,
        as_of_then: bool = False,
    ) -> None:
        """Send all, and know that they arrived. What was in doubt is sent again: ids tell the second apart."""
        done, waiting, pauses = 0, iter(records), Pauses(self._kafka.retry_pause_seconds)
        while chunk := [record for record, _ in zip(waiting, range(IN_FLIGHT), strict=False)]:
            while True:
                try:
                    await self._send(chunk, as_of_then)
                    break
                except KafkaError as error:
                    if not passing(error):
                        raise
                    await self._forget_producer()
                    await asyncio.sleep(pauses.next())
            done += sum(record.events for record in chunk)
            told(done, total)

    async def _send(self, chunk: list[Record], as_of_then: bool) -> None:
        if self._producer is None:
            self._producer = await persist(
                "publishing", self._kafka, lambda: started(producer(self._kafka, linger_ms=5))
            )
        sent = [
            await self._producer.send(
                self._topic,
                record.value,
                key=record.key,
                partition=record.partition,
                headers=record.headers,
                timestamp_ms=int(record.newest.timestamp() * 1000) if as_of_then else None,
            )
            for record in chunk
        ]
        await asyncio.gather(*sent)

    async def _fresh_producer(self) -> Producer:
        return await started(producer(self._kafka, linger_ms=5))

    async def _forget_producer(self) -> None:
        if self._producer is not None:
            await self._producer.abandon()
            self._producer = None


def live(events: pl.DataFrame) -> Iterator[Record]:
    """Each service's events in the encoding it publishes in."""
    for service in SERVICES:
        mine = events.filter(pl.col("source") == service.source)
        if mine.height:
            yield from ENCODINGS[service.encoding](mine)


def _now() -> datetime:
    return datetime.now(UTC)


def marker(data_dir: Path) -> Path:
    """Where a data folder keeps how far its simulated services are."""
    return data_dir / "simulator.json"
