"""The policies in force, by way of `sqm.policy`: one publishes them, all roles follow."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers import policy_log
from consumers.client import Pauses, persist, producer, said, started
from consumers.follow import Tail
from consumers.health import RoleHealth, Status
from consumers.policy_log import InForce, PolicyLog, Record, Refused, Restatement
from consumers.settings import KafkaSettings
from monitor.names import Topic
from monitor.policy import PolicyError, PolicySet

log = structlog.get_logger()


class Policies(Protocol):
    """Where a role gets the policies in force from."""

    log: PolicyLog  # all else that the topic says

    @property
    def current(self) -> PolicySet | None: ...

    async def first(self) -> PolicySet:
        """The policies in force, as soon as there are any."""
        ...


class FixedPolicies:
    """Policies that never change."""

    def __init__(self, policies: PolicySet) -> None:
        self.current: PolicySet | None = policies
        self.log = PolicyLog()

    async def first(self) -> PolicySet:
        assert self.current is not None
        return self.current


class PolicyFollower:
    """Follows `sqm.policy`; `run` it, then `current` is what is in force (None: nothing was published yet)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._known = asyncio.Event()
        self.current: PolicySet | None = None
        self.log = PolicyLog()
        self._adopted: InForce | None = None  # in force, or found unusable
        self.read = asyncio.Event()  # the topic was read to its end once
        self.health = RoleHealth("policy follower")
        self.changed: list[Callable[[PolicySet], None]] = []  # called with each new set

    async def first(self) -> PolicySet:
        await self._known.wait()
        assert self.current is not None
        return self.current

    async def run(self) -> None:
        """Follow until cancelled."""
        pauses = Pauses(self._kafka.retry_pause_seconds)
        partition = TopicPartition(self._kafka.topic(Topic.POLICY), 0)
        while True:
            try:
                async with Tail(self._kafka, [partition]) as tail:
                    while True:
                        await self._take(tail, partition)
                        pauses.reset()
            except KafkaError as error:
                detail = f"Kafka at {self._kafka.bootstrap}: {said(error)}"
                self.health.set(Status.DISCONNECTED, detail)
                log.warning("following the policy topic failed", error=said(error))
                await asyncio.sleep(pauses.next())

    async def _take(self, tail: Tail, partition: TopicPartition) -> None:
        for record in (await tail.take()).get(partition, ()):
            self._read(record)
        in_force = self.log.in_force
        news = in_force is not None and in_force != self._adopted
        # What is found on the way to the end may be of long ago, also where the topic is read once more.
        if (news or not self.read.is_set()) and await tail.at_end(partition):
            if in_force is not None and news:
                self._adopted = in_force
                await self._adopt(in_force)
            self.read.set()
        if self.health.status != Status.HALTED:
            gone = f"Kafka at {self._kafka.bootstrap} does not answer"
            self.health.set(*((Status.RUNNING,) if tail.connected else (Status.DISCONNECTED, gone)))

    def _read(self, record: Any) -> None:
        try:
            self.log.read(record.key, record.value)
        except ValueError as error:
            self._cannot_use(error)

    async def _adopt(self, in_force: InForce) -> None:
        try:
            policies = await asyncio.to_thread(self.log.policies, in_force)
        except (PolicyError, KeyError, ValueError) as error:
            self._cannot_use(error)
            return
        self.health.set(Status.RUNNING)
        if self.current is None or self.current.digest != policies.digest:
            self.current = policies
            self._known.set()
            log.info("policies in force", policy=policies.name, digest=policies.digest[:12])
            for tell in self.changed:
                tell(policies)

    def _cannot_use(self, error: Exception) -> None:
        """A newer program published it: the set in force stays in force here."""
        detail = f"{self._kafka.topic(Topic.POLICY)} holds policies that this sqm cannot use: {error}"
        self.health.set(Status.HALTED, detail)
        log.error("unusable policies", error=str(error))


async def publish(kafka: KafkaSettings, policies: PolicySet, restatement: Restatement | None = None) -> None:
    """Put these policies in force, in one transaction; waits until Kafka can be reached."""
    written = policy_log.records(policies, datetime.now(UTC), restatement)
    await persist("publishing the policies", kafka, lambda: _write(kafka, written))


async def in_force(kafka: KafkaSettings) -> PolicySet | None:
    """The policies in force; None if none were published. The topic has to exist."""
    return (await published(kafka)).current


async def published(kafka: KafkaSettings) -> PolicyFollower:
    """All that the topic says now. It has to exist."""
    follower = PolicyFollower(kafka)
    task = asyncio.create_task(follower.run())
    try:
        await follower.read.wait()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return follower


async def publish_refused(kafka: KafkaSettings, refused: Refused | None) -> None:
    """Tell all roles what was refused (None: nothing is any more); waits until Kafka can be reached."""
    written = [policy_log.of_refused(refused)]
    await persist("telling what became of the policy files", kafka, lambda: _write(kafka, written))


async def _write(kafka: KafkaSettings, records: Sequence[Record]) -> None:
    topic = kafka.topic(Topic.POLICY)
    client = await started(producer(kafka, f"{kafka.topic_prefix}-policy"))
    try:
        async with client.transaction():
            for key, value in records:
                await client.send_and_wait(topic, value, key, partition=0)
    finally:
        await client.close()
