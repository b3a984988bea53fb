"""`sqm.verified`: what the last verification found, for the ledger, metrics and the page. One key, JSON."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.client import Pauses, persist, producer, said, started
from consumers.follow import Tail
from consumers.settings import KafkaSettings, Settings
from consumers.topics import ensure
from consumers.verify.reader import KafkaAway
from consumers.verify.run import Options, Outcome, verify
from consumers.verify.source import FromFiles
from monitor.names import Topic
from monitor.verify import Difference

log = structlog.get_logger()

KEY: Final = b"newest"
Result = Literal["equal", "different", "unable"]


class Named(msgspec.Struct, frozen=True):
    """A difference in words."""

    figure: str
    partition: int | None
    said: str
    live: str
    recomputed: str
    cause: str
    place: dict[str, Any] = {}


class Verified(msgspec.Struct, frozen=True):
    """What a verification found."""

    result: Result
    at: datetime  # when it began
    seconds: float
    events: int = 0  # read again
    cases: int = 0
    compared: dict[str, int] = {}  # by figure
    differences: int = 0
    differing: dict[str, int] = {}  # by figure
    named: list[Named] = []  # the first of each figure, the one that explains most in front
    unproven: list[str] = []  # what could not be compared, in sentences
    now: dict[str, datetime] = {}  # by partition: as of when it was compared
    trouble: str = ""  # why it could not be done
    last_equal: datetime | None = None  # when the last verification began that found no difference


def verified(outcome: Outcome) -> Verified:
    """An outcome as it is recorded and printed."""
    findings = outcome.findings
    first = findings.first
    named = sorted(findings.named, key=lambda found: found is not first)
    return Verified(
        result="equal" if findings.equal else "different",
        at=outcome.began,
        seconds=round(outcome.seconds, 3),
        events=outcome.events,
        cases=outcome.cases,
        compared={str(figure): n for figure, n in findings.compared.items()},
        differences=findings.differing.total(),
        differing={str(figure): n for figure, n in findings.differing.items()},
        named=[_named(found) for found in named],
        unproven=findings.unproven,
        now={str(number): now for number, now in outcome.partitions.items()},
        last_equal=outcome.began if findings.equal else None,
    )


def unable(at: datetime, trouble: str) -> Verified:
    """What is recorded of a verification that could not be done."""
    return Verified("unable", at, (datetime.now(UTC) - at).total_seconds(), trouble=trouble)


def _named(found: Difference) -> Named:
    return Named(
        str(found.figure),
        found.partition,
        str(found),
        found.live,
        found.recomputed,
        found.cause,
        {name: value for name, value in found.place.items() if value is not None},
    )


async def recorded(settings: Settings, options: Options, files: FromFiles | None = None, *, record: bool) -> Verified:
    """Verify, and put on record what was found, if that is wanted. Raises what `verify` does."""
    began = datetime.now(UTC)
    try:
        found = verified(await verify(settings, options, files))
    except Exception as error:
        if record and not isinstance(error, KafkaAway):
            await _record(settings.kafka, unable(began, said(error)))
        raise
    return await _record(settings.kafka, found) if record else found


async def _record(kafka: KafkaSettings, found: Verified) -> Verified:
    """Put it on record, with when all was equal last; waits until Kafka can be reached."""
    await ensure(kafka)
    before = await newest(kafka)
    if found.last_equal is None and before is not None:
        found = msgspec.structs.replace(found, last_equal=before.last_equal)
    value = msgspec.json.encode(found)

    async def write() -> None:
        client = await started(producer(kafka))
        try:
            await client.send_and_wait(kafka.topic(Topic.VERIFIED), value, KEY, partition=0)
        finally:
            await client.close()

    await persist("recording what was verified", kafka, write)
    return found


async def newest(kafka: KafkaSettings) -> Verified | None:
    """What was found last. The topic has to exist."""
    follower = VerifiedFollower(kafka)
    task = asyncio.create_task(follower.run())
    try:
        await follower.read.wait()
    finally:
        task.cancel()
        await asyncio.wait([task])
    return follower.newest


class VerifiedFollower:
    """Follows the record; `run` it, then `newest` is what was found last (None: nothing was ever verified)."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self.newest: Verified | None = None
        self.read = asyncio.Event()  # to the end, once

    async def run(self) -> None:
        """Follow until cancelled."""
        pauses = Pauses(self._kafka.retry_pause_seconds)
        partition = TopicPartition(self._kafka.topic(Topic.VERIFIED), 0)
        while True:
            try:
                async with Tail(self._kafka, [partition]) as tail:
                    while True:
                        for one in (await tail.take()).get(partition, ()):
                            self._take(one)
                        if not self.read.is_set() and await tail.at_end(partition):
                            self.read.set()
                        pauses.reset()
            except KafkaError as error:
                log.warning("following what was verified failed", error=said(error))
                await asyncio.sleep(pauses.next())

    def _take(self, record: Any) -> None:
        if record.value is None:
            return
        try:
            self.newest = msgspec.json.decode(record.value, type=Verified)
        except msgspec.DecodeError as error:
            log.error("a record that no verification wrote", topic=record.topic, offset=record.offset, error=str(error))
