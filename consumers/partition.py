"""One partition of the events topics, from its assignment to its revocation.

    take over (fence) -> restore -> seek -> [ fetch, decode ] -> [ step, apply, encode ] -> [ commit ]
                                             reading: always      folding: once a         committing: one,
                                             a little ahead       checkpoint              while the next is folded

After any failed commit, or one of unknown outcome, the state is thrown away and made again from `sqm.state`, so that
what was folded upon it goes with it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, IllegalStateError, KafkaError, OffsetOutOfRangeError, ProducerFenced

from consumers.batches import Record, fetched
from consumers.client import Pauses, said
from consumers.committer import Checkpoint, Committer
from consumers.fold import Chunk, Folder, chunk
from consumers.health import PartitionHealth, Status
from consumers.holes import Halt
from consumers.partition_time import PartitionTime, Question
from consumers.policies import Policies
from consumers.restore import Copy
from consumers.resume import Resume, Resumed
from consumers.settings import Settings
from consumers.wall import Wall
from monitor.engine import outdated
from monitor.names import Topic

log = structlog.get_logger()

FINISH_SECONDS: Final = 10.0  # what a commit under way may take when the partition is revoked
# Times as long between two commits while there is a backlog, at most: a fold of 80,000 events costs less than two
# thirds of four of 20,000.
BEHIND: Final = 3
BEAT_SHARE: Final = 0.05  # seconds between two beats for each partition of the worker


class EndFell(Exception):
    """An events topic ends before where it ended: what is left of it is found out when beginning anew."""

    retriable = True


class Unreadable(Exception):
    """A batch of an events topic is damaged; the message says where."""

    retriable = False


class MembershipLost(Exception):
    """Another worker took the partition over, or the group is in trouble: join it anew."""

    retriable = True


class Folded(NamedTuple):
    """What is to be committed, and how the partition stands then."""

    checkpoint: Checkpoint
    now: datetime | None
    current: bool


@dataclass
class Shared:
    """What the partitions of one worker have in common."""

    settings: Settings
    policies: Policies
    consumer: AIOKafkaConsumer
    asker: AIOKafkaConsumer  # answers where topics begin and end, uncommitted records included
    pool: Executor
    share: int  # records that one partition may fold at once
    partitions: int
    wall: Wall

    async def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.pool, work, *arguments)


class Partition:
    """See the module.

    :param known: its state as it was before, or a warm copy; only what `sqm.state` holds beyond it is read
    :ivar known: at the end: the state that it gave up in good order
    """

    def __init__(self, number: int, shared: Shared, health: PartitionHealth, known: Copy | None = None) -> None:
        self.number = number
        self.health = health
        self.known = known
        self.working = False  # whether there may be a commit under way
        self._shared = shared
        self._kafka = shared.settings.kafka
        self._topics = [TopicPartition(topic, number) for topic in self._kafka.events_topics]
        self._stopping = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._chunks: list[Chunk] = []
        self._read_to: dict[str, int] = {}  # the next offset, by topic
        self._committed: dict[str, int] = {}  # the same of what is committed
        self._folded: asyncio.Queue[Folded] = asyncio.Queue()  # never more than one
        self._time: PartitionTime | None = None
        self._asked: Question | None = None
        self._fell: EndFell | None = None

    async def run(self) -> None:
        """Work until stopped. Raises MembershipLost; other failures are tried again, or halt this partition."""
        pauses = Pauses(self._kafka.retry_pause_seconds)
        while not self._stopping:
            try:
                await self._live(pauses)
            except (Halt, Unreadable) as error:
                self._ail(Status.HALTED, str(error))
                log.error("halted", partition=self.number, error=str(error))
                return
            except (ProducerFenced, MembershipLost) as error:
                if self._stopping:
                    return
                raise MembershipLost(f"partition {self.number} was taken over: {said(error)}") from error
            except (KafkaError, EndFell) as error:
                self._ail(Status.RESTORING, f"partition {self.number} begins anew: {said(error)}")
                log.warning("partition begins anew", partition=self.number, error=repr(error))
            except Exception as error:
                self._ail(Status.FAILING, f"partition {self.number} fails again and again: {error!r}")
                log.exception("partition begins anew", partition=self.number)
            if not self._stopping:
                await asyncio.sleep(pauses.next())

    def stop(self) -> None:
        """Finish the commit under way, if any, and end."""
        self._stopping = True
        self._wake.set()

    def asked(self, question: Question) -> None:
        """The ends of the topics, by topic, were asked for."""
        if self._time is None:
            return
        self._look_for_fallen_ends(question)
        self._time.asked(question)
        self.health.lag = self._lag()

    def _lag(self) -> int:
        ends = self._asked.ends if self._asked is not None else {}
        return sum(max(0, end - self._committed.get(topic, end)) for topic, end in ends.items())

    def _look_for_fallen_ends(self, question: Question) -> None:
        before, self._asked = self._asked, question
        if before is None or question.at <= before.at:  # answers may overtake one another
            return
        for topic, end in question.ends.items():
            if end < before.ends.get(topic, end):
                was = before.ends[topic]
                self._fell = EndFell(f"{topic}, partition {self.number} ended at offset {was} and ends at {end} now")
                self._wake.set()

    def _ail(self, status: Status, detail: str) -> None:
        self.health.status, self.health.detail, self.health.current = status, detail, False

    # --- one life: from taking over to the first failure ---

    async def _live(self, pauses: Pauses) -> None:
        committer = Committer(self._kafka, self.number)
        try:
            await committer.start()
            resumed = await self._resume(committer)
            self.known = Copy(resumed.log, committer.state_end or resumed.position)
            await self._know_policies()
            self._begin(resumed)
            pauses.reset()
            self.known, self.working = None, True
            await self._work(Folder(self._shared.settings, resumed.log, self.health), committer)
            self.known = Copy(resumed.log, committer.state_end or resumed.position)
        finally:
            self._time, self._chunks, self._read_to, self.working = None, [], {}, False
            await committer.close()

    async def _resume(self, committer: Committer) -> Resumed:
        """The state, and the consumer set to read on from where it ends."""
        shared = self._shared
        known, self.known = self.known, None
        self.health.status = Status.RESTORING
        resume = Resume(shared.settings, self.number, shared.consumer, shared.asker, shared.wall)
        resumed = await resume.run(committer, known)
        try:
            for where, offset in resumed.starts.items():
                shared.consumer.seek(where, offset)
        except IllegalStateError as error:
            raise MembershipLost(said(error)) from error
        return resumed

    async def _know_policies(self) -> None:
        if self._shared.policies.current is None:
            topic = self._kafka.topic(Topic.POLICY)
            self._ail(Status.STARTING, f"waiting for policies on {topic}: a judge, or sqm run, publishes them")
        await self._shared.policies.first()

    def _begin(self, resumed: Resumed) -> None:
        state = resumed.log.state
        positions = {where.topic: offset for where, offset in resumed.starts.items()}
        self._time = PartitionTime(
            positions, self._shared.settings.clock == "event", now=state.now, newest=resumed.log.newest
        )
        self._time.asked(resumed.first)
        self._asked, self._fell = resumed.first, None
        self._committed, self._folded = dict(positions), asyncio.Queue()
        self._room.set()
        self._wake.clear()
        self.health.status, self.health.detail, self.health.now = Status.RUNNING, "", state.now

    async def _work(self, folder: Folder, committer: Committer) -> None:
        committing = asyncio.create_task(self._commit(committer))
        folding = asyncio.create_task(self._fold(folder))
        reading = asyncio.create_task(self._read())
        tasks = (committing, folding, reading)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # raises what ended it
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- reading ---

    async def _read(self) -> None:
        """Fetch and decode, at most twice as far ahead as is folded at once."""
        consumer = self._shared.consumer
        positions: dict[TopicPartition, int] = {}
        while True:
            await self._room.wait()
            try:
                found = await fetched(consumer, *self._topics, timeout_ms=250)
                reached = {where: await consumer.position(where) for where in self._topics}
            except OffsetOutOfRangeError:
                raise  # what is missing is found out when beginning anew
            except CorruptRecordException as error:
                raise await self._damaged(error) from error
            except (KafkaError, IllegalStateError) as error:
                raise MembershipLost(said(error)) from error
            for where in self._topics:
                if reached[where] != positions.get(where):
                    await self._take(where, found.get(where, []), reached[where])
            positions = reached

    async def _take(self, where: TopicPartition, records: Sequence[Record], reached: int) -> None:
        """Decode what was fetched of a topic, so much at once."""
        shared = self._shared
        at_once = shared.settings.worker.batch_records
        policies = await shared.policies.first()
        advancing = shared.settings.clock == "event"
        for begin in range(0, max(len(records), 1), at_once):
            piece = records[begin : begin + at_once]
            position = piece[-1].offset + 1 if begin + at_once < len(records) else reached
            future_after = self._latest() + policies.newest.limits.future_skew
            with self.health.timed("decode"):
                decoded = await shared.in_thread(
                    partial(chunk, where, piece, position, future_after, advancing=advancing)
                )
            self._chunks.append(decoded)  # the list may be another than before the decoding
            self._read_to[where.topic] = position
            self.health.records += len(piece)
        if self._waiting() >= shared.share:
            self._room.clear()
            self._wake.set()

    async def _damaged(self, error: CorruptRecordException) -> Unreadable:
        """What to say of a batch that cannot be read; what was fetched together with it cannot be either."""
        damaged = [where for where in self._topics if str(where) in str(error)] or self._topics
        places = [
            f"{w.topic}, partition {w.partition}, offset {await self._shared.consumer.position(w)} or after it"
            for w in damaged
        ]
        return Unreadable(
            f"{' or '.join(places)}: Kafka gives a damaged batch, its checksum does not fit its bytes; "
            "bring it back from another replica of the topic"
        )

    def _latest(self) -> datetime:
        """The latest that it may be: by the clocks that were seen, and by what this partition has known before."""
        known = self._time.now if self._time is not None else None
        wall = self._shared.wall.latest()
        return wall if known is None else max(wall, known)

    # --- folding ---

    async def _fold(self, folder: Folder) -> None:
        """Once a checkpoint, until stopped; ends when all is committed."""
        interval = self._shared.settings.worker.checkpoint_seconds
        clock = asyncio.get_running_loop().time
        # Partitions take turns, so that not all of them step at once.
        due = clock() + interval * (self.number % self._shared.partitions) / self._shared.partitions
        beaten = 0.0
        while not self._stopping:
            latest = due + (BEHIND - 1) * interval
            while not await self._woken(due) and due < latest and self._more_to_read():
                due += interval
            self._wake.clear()
            if self._fell is not None:
                raise self._fell
            due = clock() + interval
            if self._stopping:
                break
            beat = clock() - beaten >= max(interval, BEAT_SHARE * self._shared.partitions) * 0.9
            folded = await self._checkpoint(folder, beat=beat)
            if folded is not None:
                await self._folded.join()
                self._folded.put_nowait(folded)
                beaten = clock()
        await self._folded.join()

    async def _woken(self, due: float) -> bool:
        """Whether there is something to do before it is due."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._wake.wait()
        return self._wake.is_set()

    def _more_to_read(self) -> bool:
        """Whether much was read and there is more: soon it will be here, and can be folded at once."""
        much = self._waiting() >= self._shared.settings.worker.batch_records
        ends = self._asked.ends if self._asked is not None else {}
        return much and any(end > self._read_to.get(topic, end) for topic, end in ends.items())

    def _waiting(self) -> int:
        """Records that are decoded and not folded."""
        return sum(len(c.records) for c in self._chunks)

    async def _checkpoint(self, folder: Folder, *, beat: bool) -> Folded | None:
        """Fold what was read, and what ripened; None: there is nothing to commit."""
        time = self._time
        assert time is not None
        chunks, self._chunks = self._chunks, []
        self._room.set()
        state = folder.log.state
        positions = {where.topic: state.offsets[where.topic] for where in self._topics if where.topic in state.offsets}
        for c in chunks:
            positions[c.topic] = c.position
            time.folded(c.topic, c.position, c.newest_event, c.newest_record)
        now = time.advance()
        policies = await self._shared.policies.first()
        ripe = now is not None and state.next_wake is not None and state.next_wake < now
        new_rules = outdated(state, policies) is not None
        moved = now != state.now or any(state.offsets.get(topic) != at for topic, at in positions.items())
        if not (any(len(c.records) for c in chunks) or ripe or new_rules or (moved and beat)):
            self._chunks[:0] = chunks  # positions alone, as after an aborted transaction: they go with the next beat
            return None
        current = time.current
        checkpoint: Checkpoint = await self._shared.in_thread(
            folder.fold, chunks, now, time.newest_events, positions, policies
        )
        return Folded(checkpoint, now, current)

    # --- committing ---

    async def _commit(self, committer: Committer) -> None:
        health = self.health
        while True:
            folded = await self._folded.get()
            with health.timed("commit"):
                await committer.commit(folded.checkpoint)
            self._committed |= folded.checkpoint.offsets
            health.now, health.current, health.lag = folded.now, folded.current, self._lag()
            health.last_commit = self._shared.wall()
            health.committed += folded.checkpoint.records
            self._folded.task_done()


async def finished(partition: Partition, task: "asyncio.Task[None]") -> None:
    """Wait until a stopped partition has ended; cancel it where there is nothing to finish, or it takes too long."""
    _, pending = await asyncio.wait([task], timeout=FINISH_SECONDS if partition.working else 0)
    if pending:
        task.cancel()
        await asyncio.wait([task])
