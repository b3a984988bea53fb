"""From the assignment of a partition to where its reading goes on: restore, hold against the topics, accept holes.

Nothing is passed over: where the topics do not go on where the state ends, the partition halts, unless the setting
`accept_loss` names this very hole. What was accepted is written to the state before anything else is read.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers import changelog, holes
from consumers.changelog import FrameError, Kind, Place
from consumers.client import consumer, started
from consumers.committer import Checkpoint, Committer
from consumers.follow import stopped
from consumers.holes import Halt, Hole, Offsets
from consumers.partition_time import Question
from consumers.restore import Copy, restored, scanned
from consumers.settings import Settings
from consumers.state_log import Slice, StateLog
from monitor.names import HoleKind, Topic
from monitor.state import OFFSETS, SLICES, Delta

log = structlog.get_logger()

_HALT_KEY: Final = changelog.key(Kind.HALT, 0)
_DELTA_KEY: Final = re.compile(rb"delta/(\d+)/\d+")


@dataclass(frozen=True)
class Resumed:
    """Where to go on."""

    log: StateLog
    position: int  # in sqm.state, up to where it was read
    starts: Offsets
    first: Question  # where the topics ended, so that time is known from the first commit on


@dataclass(frozen=True)
class Resume:
    """See the module. `run` it with a committer that has started, so that nobody else writes.

    :param group: tells the offsets that the consumer group committed
    :param asker: answers where topics begin and end, uncommitted records included
    """

    settings: Settings
    number: int
    group: AIOKafkaConsumer
    asker: AIOKafkaConsumer
    wall: Callable[[], datetime]

    async def run(self, committer: Committer, known: Copy | None) -> Resumed:
        """Raises Halt, KafkaError.

        :param known: the state as it was before, or a warm copy
        """
        kafka = self.settings.kafka
        topics = [TopicPartition(topic, self.number) for topic in kafka.events_topics]
        error: FrameError | None = None
        try:
            copy = await self._restored(known)
        except FrameError as damage:
            copy, error = Copy(StateLog(kafka.topic(Topic.STATE), self.number)), damage
        found = copy.log
        asked_at = self.wall()
        begins, ends = await self.asker.beginning_offsets(topics), await self.asker.end_offsets(topics)
        missing = await self._missing(found, error, begins, ends)
        if missing:
            await self._accept(found, missing, committer)
        if found.halted is not None:
            await committer.commit(Checkpoint([(_HALT_KEY, None)], {}))
            found.halted = None
        starts = {where: found.state.offsets.get(where.topic, begins[where]) for where in topics}
        await self._compare(starts)
        self._warn_of_leftovers(found.topic, {hole.name for hole in missing})
        return Resumed(
            found, copy.position, starts, Question(asked_at, {where.topic: end for where, end in ends.items()})
        )

    async def _restored(self, known: Copy | None) -> Copy:
        if known is not None:
            state = TopicPartition(known.log.topic, self.number)
            if (await self.asker.end_offsets([state]))[state] == known.position:
                log.info("restored", partition=self.number, delta=known.log.number, records=0, warm=True)
                return known
        return await restored(self.settings.kafka, self.number, known)

    async def _missing(self, found: StateLog, error: FrameError | None, begins: Offsets, ends: Offsets) -> list[Hole]:
        state = TopicPartition(found.topic, self.number)
        if error is not None:
            return holes.damaged(error, state, begins)
        if not found.state.offsets:
            return await self._lost(state, begins)
        peek = await started(consumer(self.settings.kafka, isolation_level="read_uncommitted"))
        try:
            return await holes.gaps(peek, found.state, begins, ends)
        finally:
            await stopped(peek)

    async def _lost(self, state: TopicPartition, begins: Offsets) -> list[Hole]:
        """A state of nothing is well at the first start only. What is committed with it tells of others."""
        kafka = self.settings.kafka
        happened = f"{state.topic}, partition {state.partition} is empty, but"
        for where in begins:
            committed = await self.group.committed(where)
            if committed is not None:
                told = f"{happened} the group {kafka.group} has read {where.topic} up to offset {committed}"
                return holes.lost(HoleKind.STATE_LOST, state, committed, told, begins)
        others = [TopicPartition(kafka.topic(which), self.number) for which in (Topic.VERDICTS, Topic.REJECTED)]
        for where in others:
            if end := await self._committed_in(where):
                told = f"{happened} {where.topic} holds what was made with it, up to offset {end}"
                return holes.lost(HoleKind.STATE_LOST, state, end, told, begins)
        return []

    async def _committed_in(self, where: TopicPartition) -> int:
        """Where the topic ends, if any record is committed there; 0: only transactions that were given up."""
        client = await started(consumer(self.settings.kafka))
        try:
            client.assign([where])
            await client.seek_to_beginning(where)
            end = (await client.end_offsets([where]))[where]
            while await client.position(where) < end:
                if await client.getmany(timeout_ms=250, max_records=1):
                    return int(end)
            return 0
        finally:
            await stopped(client)

    async def _accept(self, found: StateLog, missing: Sequence[Hole], committer: Committer) -> None:
        """Write down that these holes are there, and where reading goes on. Raises Halt where nobody said so."""
        if not {hole.name for hole in missing} <= set(self.settings.worker.accept_loss):
            halt = Halt(missing)
            if found.halted != str(halt):
                await committer.commit(Checkpoint(_note(str(halt)), {}))
            raise halt
        offsets = {hole.topic: hole.resumed_at for hole in missing}
        delta: Delta = {
            "holes": holes.accepted(missing, self.wall()),
            "offsets": pl.DataFrame(list(offsets.items()), schema=dict(OFFSETS), orient="row"),
        }
        found.state.apply(delta)
        anew = missing[0].kind in (HoleKind.STATE_LOST, HoleKind.STATE_DAMAGED)
        frames = await self._anew(found) if anew else _next(found, delta)
        await committer.commit(Checkpoint(frames, offsets))
        for hole in missing:
            log.warning("a hole was accepted", hole=hole.name, kind=hole.kind, missing=hole.missing, what=hole.detail)

    async def _anew(self, found: StateLog) -> list[tuple[bytes, bytes | None]]:
        """All slices of the new state, under a number that no delta had, and tombstones for all that was there.

        Where the topic is gone nothing tells how far numbers had come; ids of verdict events are made of them. So it
        goes on with the milliseconds since 1970: there are fewer commits than those.
        """
        there: set[bytes] = set()
        top = 0

        def take(place: Place, key: bytes, value: bytes | None) -> None:
            nonlocal top
            if value is None:
                there.discard(key)
                return
            there.add(key)
            top = max(top, _number(place, key, value))

        await scanned(self.settings.kafka, self.number, take)
        found.number, found.settled = max(top + 1, int(self.wall().timestamp() * 1000)), True
        written: list[tuple[bytes, bytes | None]] = []
        for number in range(SLICES):
            parts = changelog.encode(found.state.slice(number), Kind.SLICE, found.number, slice_number=number)
            found.slices[number] = Slice(found.number, len(parts), sum(len(value) for _, value in parts))
            written += parts
        return [*((key, None) for key in sorted(there - {key for key, _ in written})), *written]

    def _warn_of_leftovers(self, state: str, accepted: set[str]) -> None:
        own = {f"{topic}/{self.number}" for topic in (*self.settings.kafka.events_topics, state)}
        for name in self.settings.worker.accept_loss:
            if name not in accepted and name.partition("@")[0] in own:
                log.warning("accept_loss names what is no hole (any more): take it out", hole=name)

    async def _compare(self, starts: Offsets) -> None:
        """The group's own offsets are for others to look at."""
        for where, offset in starts.items():
            committed = await self.group.committed(where)
            if committed is not None and committed != offset:
                log.warning("group offset disagrees with the state", at=str(where), group=committed, state=offset)


def _note(detail: str) -> list[tuple[bytes, bytes | None]]:
    """For those who read the state elsewhere: why it stands still."""
    table = pl.DataFrame({"detail": [detail]}, schema=dict(changelog.HALT_COLUMNS))
    return [*changelog.encode({changelog.HALT: table}, Kind.HALT, 0)]


def _next(found: StateLog, delta: Delta) -> list[tuple[bytes, bytes | None]]:
    found.number += 1
    records = changelog.encode(delta, Kind.DELTA, found.number)
    found.deltas[found.number] = len(records)
    return [*records]


def _number(place: Place, key: bytes, value: bytes) -> int:
    """The number of the delta that a record belongs to, also of one that is damaged, as far as that can be told."""
    named = _DELTA_KEY.fullmatch(key)
    try:
        return max(int(named[1]) if named else 0, changelog.header(value, place).number)
    except FrameError:
        return int(named[1]) if named else 0
