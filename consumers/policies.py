"""The policies in force, by way of `sqm.policy`: one publishes them, all roles follow.

| key | value |
|---|---|
| `version/<digest>` | one version of a policy, as a document |
| `set` | which versions are in force, by digest, and the digest of the whole |

A version's record never changes, so that what once judged a case stays known.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.client import Pauses, persist, producer, said, started
from consumers.follow import Tail
from consumers.health import RoleHealth, Status
from consumers.settings import KafkaSettings
from monitor.names import Topic
from monitor.policy import PolicyError, PolicySet, load

log = structlog.get_logger()

SET_KEY: Final = b"set"
VERSION_KEY: Final = b"version/"


class Policies(Protocol):
    """Where a role gets the policies in force from."""

    @property
    def current(self) -> PolicySet | None: ...

    async def first(self) -> PolicySet:
        """The policies in force, as soon as there are any."""
        ...


class FixedPolicies:
    """Policies that never change."""

    def __init__(self, policies: PolicySet) -> None:
        self.current: PolicySet | None = policies

    async def first(self) -> PolicySet:
        assert self.current is not None
        return self.current


class PolicyFollower:
    """Follows `sqm.policy`; `run` it, then `current` is what is in force (None: nothing was published yet)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._versions: dict[str, str] = {}
        self._known = asyncio.Event()
        self.current: PolicySet | None = None
        self.read = asyncio.Event()  # the topic was read to its end once
        self.health = RoleHealth("policy follower")
        self.changed: list[Callable[[PolicySet], None]] = []  # called with each new set

    async def first(self) -> PolicySet:
        await self._known.wait()
        await self.read.wait()  # until then it may be one that was in force long ago
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
        if not self.read.is_set() and await tail.at_end(partition):
            self.read.set()
        if self.health.status != Status.HALTED:
            gone = f"Kafka at {self._kafka.bootstrap} does not answer"
            self.health.set(*((Status.RUNNING,) if tail.connected else (Status.DISCONNECTED, gone)))

    def _read(self, record: Any) -> None:
        if record.value is None or record.key is None:
            return
        if record.key.startswith(VERSION_KEY):
            self._versions[record.key.removeprefix(VERSION_KEY).decode()] = record.value.decode()
        elif record.key == SET_KEY:
            self._adopt(json.loads(record.value))

    def _adopt(self, content: dict[str, Any]) -> None:
        try:
            policies = load([(f"version {digest[:12]}", self._versions[digest]) for digest in content["versions"]])
            if policies.digest != content["digest"]:
                raise ValueError(f"read back as {policies.digest}, published as {content['digest']}")
        except (PolicyError, KeyError, ValueError) as error:
            # A newer program published it: the set in force stays in force here.
            detail = f"{self._kafka.topic(Topic.POLICY)} holds policies that this sqm cannot use: {error}"
            self.health.set(Status.HALTED, detail)
            log.error("unusable policies", error=str(error))
            return
        self.health.set(Status.RUNNING)
        if self.current is None or self.current.digest != policies.digest:
            self.current = policies
            self._known.set()
            log.info("policies in force", policy=policies.name, digest=policies.digest[:12])
            for tell in self.changed:
                tell(policies)


async def publish(kafka: KafkaSettings, policies: PolicySet) -> None:
    """Put these policies in force, in one transaction; waits until Kafka can be reached."""
    await persist("publishing the policies", kafka, lambda: _publish(kafka, policies))


async def publish_if_new(kafka: KafkaSettings, policies: PolicySet) -> bool:
    """Put these policies in force unless they are; whether that was needed."""
    current = await in_force(kafka)
    if current is not None and current.digest == policies.digest:
        return False
    await publish(kafka, policies)
    return True


async def in_force(kafka: KafkaSettings) -> PolicySet | None:
    """The policies in force; None if none were published. The topic has to exist."""
    follower = PolicyFollower(kafka)
    task = asyncio.create_task(follower.run())
    try:
        await follower.read.wait()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return follower.current


async def _publish(kafka: KafkaSettings, policies: PolicySet) -> None:
    topic = kafka.topic(Topic.POLICY)
    digests = [version.digest for version in policies.versions]
    content = {
        "policy": policies.name,
        "versions": digests,
        "digest": policies.digest,
        "published": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    client = await started(producer(kafka, f"{kafka.topic_prefix}-policy"))
    try:
        async with client.transaction():
            for digest, text in zip(digests, policies.dump(), strict=True):
                await client.send_and_wait(topic, text.encode(), VERSION_KEY + digest.encode(), partition=0)
            await client.send_and_wait(topic, json.dumps(content).encode(), SET_KEY, partition=0)
    finally:
        await client.close()
