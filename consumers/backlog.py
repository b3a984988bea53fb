"""How far the workers are behind, wherever they run, and when they will have caught up.

Seen from outside: where the events topics end, held against the offsets in the states. A partition is behind when it
has not reached an end of some seconds ago; when it will have, its lag and how that shrank lately tell. Where they do
not, no time is named.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers import topics
from consumers.client import consumer, persist, said, started
from consumers.follow import ANSWER_SECONDS, ASK_SECONDS, stopped
from consumers.replica import Replica
from consumers.settings import KafkaSettings

log = structlog.get_logger()

BEHIND: Final = timedelta(seconds=5)  # an end that was not reached within that
SPAN: Final = timedelta(seconds=60)  # over which the lag is seen to shrink
LEAST: Final = timedelta(seconds=10)  # before which nothing is said of how long it takes
MOST: Final = timedelta(days=1)  # more than that is no estimate


class Left(NamedTuple):
    """What is left to catch up with."""

    records: int  # offsets between what was committed and the ends
    partitions: int  # that are behind
    stuck: int  # of these, those whose lag does not shrink
    time: timedelta | None  # None: it cannot be told

    def __str__(self) -> str:
        records = f"{self.records:,} records"
        if self.stuck:
            which = "the partition" if self.partitions == 1 else f"{self.stuck} of {self.partitions} partitions behind"
            return f"behind by {records}, and {which} {'does' if self.stuck == 1 else 'do'} not catch up"
        if self.time is None:
            return f"catching up, {records} left"
        return f"catching up, {_rounded(self.time)} left ({records})"


class _Sample(NamedTuple):
    at: datetime
    position: int
    end: int

    @property
    def lag(self) -> int:
        return max(0, self.end - self.position)


@dataclass
class Backlog:
    """Samples of the last minute."""

    _samples: dict[TopicPartition, deque[_Sample]] = field(default_factory=dict)

    def add(self, at: datetime, positions: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        """How far the states were and where the topics ended at that instant; a topic that is unread stands at 0."""
        for where, end in ends.items():
            samples = self._samples.setdefault(where, deque())
            samples.append(_Sample(at, positions.get(where, 0), end))
            while len(samples) > 2 and samples[1].at <= at - SPAN:
                samples.popleft()

    def left(self) -> Left | None:
        """None: all partitions keep up, as far as it is known."""
        behind = [samples for samples in self._samples.values() if _is_behind(samples)]
        if not behind:
            return None
        times = [_time(samples) for samples in behind]
        known = [time for time in times if time is not None]
        stuck = sum(time == timedelta.max for time in known)
        longest = max(known) if len(known) == len(behind) else None
        records = sum(samples[-1].lag for samples in behind)
        return Left(records, len(behind), stuck, longest if longest is not None and longest <= MOST else None)


def _is_behind(samples: deque[_Sample]) -> bool:
    last = samples[-1]
    old = [sample for sample in samples if sample.at <= last.at - BEHIND]
    return bool(old) and last.position < old[-1].end


def _time(samples: deque[_Sample]) -> timedelta | None:
    """When the lag will be gone if it goes on shrinking so; max: it does not shrink; None: too early to tell."""
    first, last = samples[0], samples[-1]
    if last.at - first.at < LEAST:
        return None
    shrunk = first.lag - last.lag
    if shrunk <= 0:
        return timedelta.max
    seconds = last.lag * (last.at - first.at).total_seconds() / shrunk
    return timedelta(seconds=min(seconds, 2 * MOST.total_seconds()))


def _rounded(time: timedelta) -> str:
    seconds = time.total_seconds()
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 2 * 3600 else f"{round(seconds / 3600)} h"


async def follow(
    kafka: KafkaSettings, replica: Replica, backlog: Backlog, wall: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Sample until cancelled. Raises what `topics.ensure` does."""
    count = await topics.ensure(kafka)
    where = [TopicPartition(topic, number) for topic in kafka.events_topics for number in range(count)]

    async def start() -> AIOKafkaConsumer:
        return await started(consumer(kafka, isolation_level="read_uncommitted"))

    client = await persist("asking where the events end", kafka, start)
    try:
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    begins, ends = await client.beginning_offsets(where), await client.end_offsets(where)
            except (KafkaError, TimeoutError) as error:  # the replica tells that Kafka is away
                log.debug("the ends of the events topics are unknown", error=said(error))
            else:
                read = {(number, topic): at for number, s in replica.states.items() for topic, at in s.offsets.items()}
                positions = {tp: read.get((tp.partition, tp.topic), begins[tp]) for tp in where}
                if replica.caught_up:
                    backlog.add(wall(), positions, ends)
            await asyncio.sleep(ASK_SECONDS)
    finally:
        await stopped(client)
