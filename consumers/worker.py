"""The worker: a member of the consumer group over the events topics, with one `Partition` for each it is assigned."""

import asyncio
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from consumers import slots, topics
from consumers.assignment import Assignor, Held
from consumers.batches import in_batches
from consumers.broker_clock import compare
from consumers.client import HEARTBEAT_SECONDS, Pauses, consumer, persist, said, started
from consumers.follow import ANSWER_SECONDS, stopped
from consumers.health import PartitionHealth, RoleHealth, Status
from consumers.partition import MembershipLost, Partition, Shared, finished
from consumers.partition_time import Question
from consumers.policies import Policies
from consumers.restore import Copy
from consumers.settings import Settings
from consumers.standby import Standby
from consumers.wall import Wall
from monitor.names import Topic

log = structlog.get_logger()

METADATA_SECONDS: Final = 10.0  # how soon it is noticed that a topic has other partitions
ASK_SECONDS: Final = 0.25  # how often it is asked where the events topics end
THREADS: Final = max(2, os.cpu_count() or 2)
STANDBY_SESSION_SECONDS: Final = 10.0  # with warm copies it is quicker to take over than to wait for a restart


class Worker:
    """Folds events into state until it is stopped or cancelled. `health` says how it fares."""

    def __init__(self, settings: Settings, policies: Policies) -> None:
        self._settings = settings
        self._policies = policies
        self._stop = asyncio.Event()
        self._wall = Wall()
        self.health = RoleHealth("worker")

    async def run(self) -> None:
        """Work until `stop`; goes on by itself after any trouble with Kafka.

        Halts when an events topic grows. Raises TopicsUnfit, BadConnection, SlotTaken, and OSError for a data folder
        that cannot be written.
        """
        pauses = Pauses(self._settings.kafka.retry_pause_seconds)
        with slots.held(self._settings.data_dir, self._settings.worker.slot) as slot:
            while not self._stop.is_set():
                session = Session(self._settings, self._policies, self.health, slot, self._wall)
                try:
                    await self._until_stopped(session, pauses)
                except (KafkaError, MembershipLost) as error:
                    self.health.set(Status.DISCONNECTED, f"the worker joins its group anew: {said(error)}")
                    log.warning("the worker joins its group anew", error=said(error))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), pauses.next())
                except topics.Grown as error:
                    if not session.joined:  # at the start it is refused
                        raise
                    self.health.set(Status.HALTED, str(error))
                    log.error("halted", error=str(error))
                    await self._stop.wait()
        self.health.set(Status.STOPPED)

    async def _until_stopped(self, session: "Session", pauses: Pauses) -> None:
        working = asyncio.create_task(session.run(self._stop, pauses))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if session.joined:
                await asyncio.wait([working])
            elif not working.done():  # it waits for Kafka
                return
            working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.wait([working, stopping])

    def stop(self) -> None:
        """Finish the commits under way and end."""
        self._stop.set()


class Session(ConsumerRebalanceListener):
    """One membership in the group."""

    def __init__(self, settings: Settings, policies: Policies, health: RoleHealth, slot: int, wall: Wall) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._policies = policies
        self._health = health
        self._slot = slot
        self._wall = wall
        self._running: dict[int, tuple[Partition, asyncio.Task[None]]] = {}
        self._kept: dict[int, Copy] = {}
        self._letting_go = asyncio.Lock()
        self._assignor = Assignor(self._held, settings.worker.standby)
        self._standby: Standby | None = None
        self._shared: Shared | None = None
        self._count = 0  # partitions of an events topic
        self.joined = False
        self._assigned = False
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event, pauses: Pauses) -> None:
        """Be a member until `stop`, or until a failure that needs a new membership, which is raised."""
        self._health.set(Status.STARTING, f"the worker connects to Kafka at {self._kafka.bootstrap}")
        self._count = await topics.ensure(self._kafka, self._tell)
        await persist("looking at its clock", self._kafka, lambda: compare(self._kafka, self._wall), self._tell)
        async with AsyncExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(THREADS, thread_name_prefix="fold"))
            group = in_batches(await self._client(stack, group_id=self._kafka.group, **self._member()))
            asker = await self._client(stack, isolation_level="read_uncommitted")
            self._shared = Shared(self._settings, self._policies, group, asker, pool, 0, 0, self._wall)
            single = ThreadPoolExecutor(1, "standby")
            stack.callback(single.shutdown, wait=False, cancel_futures=True)
            self._standby = Standby(self._kafka, single, self._health)
            stack.push_async_callback(self._standby.close)
            stack.push_async_callback(self._stop_partitions)
            self.joined = True
            self._health.set(Status.STARTING, f"the worker joins the group {self._kafka.group}")
            group.subscribe(list(self._kafka.events_topics), listener=self)
            asking = asyncio.create_task(self._keep_asking(asker, pauses))
            stopping = asyncio.create_task(stop.wait())
            try:
                ends: list[asyncio.Future[Any]] = [asking, stopping, self._failed]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for end in (self._failed, asking):
                    if end.done():
                        end.result()
            finally:
                asking.cancel()
                stopping.cancel()
                self._failed.cancel()
                await asyncio.wait([asking, stopping])

    def _tell(self, trouble: str) -> None:
        self._health.set(Status.DISCONNECTED, trouble)

    def _member(self) -> dict[str, object]:
        worker, session = self._settings.worker, self._kafka.session_timeout_seconds
        if worker.standby:
            session = min(session, STANDBY_SESSION_SECONDS)
        options: dict[str, object] = {
            "partition_assignment_strategy": (self._assignor,),
            "session_timeout_ms": int(session * 1000),
            "rebalance_timeout_ms": int(self._kafka.session_timeout_seconds * 1000),
            "heartbeat_interval_ms": int(HEARTBEAT_SECONDS * 1000),
            "metadata_max_age_ms": int(METADATA_SECONDS * 1000),
        }
        if worker.static:
            options["group_instance_id"] = f"{worker.host}-{self._slot}"
        return options

    def _held(self) -> Held:
        assert self._standby is not None
        return Held({number: copy.log.number for number, copy in self._kept.items()}, self._standby.warm())

    async def _client(self, stack: AsyncExitStack, **options: object) -> AIOKafkaConsumer:
        client = await persist("joining", self._kafka, lambda: started(consumer(self._kafka, **options)), self._tell)
        stack.push_async_callback(stopped, client)
        return client

    # --- rebalancing: aiokafka calls these ---

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._stop_partitions()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        numbers: dict[int, set[str]] = {}
        for topic, number in assigned:
            numbers.setdefault(number, set()).add(topic)
        assert self._shared is not None
        try:
            self._refuse_growth(self._shared.consumer)
        except topics.Grown as error:
            self._fail(error)
            return
        assert self._standby is not None
        known = await self._standby.release(numbers) | self._kept
        worker = self._settings.worker
        self._shared.partitions = max(1, len(numbers))
        self._shared.share = max(worker.batch_records, worker.checkpoint_events // self._shared.partitions)
        for number in sorted(numbers):
            if numbers[number] != set(self._kafka.events_topics):
                self._fail(MembershipLost(f"partition {number} came without all of its topics: {numbers[number]}"))
                return
            health = self._health.partitions[number] = PartitionHealth(number)
            partition = Partition(number, self._shared, health, known.pop(number, None))
            task = asyncio.create_task(partition.run(), name=f"partition-{number}")
            task.add_done_callback(self._ended)
            self._running[number] = (partition, task)
        self._kept.clear()
        self._assigned = True
        if self._health.status == Status.STARTING:  # from here on each partition speaks for itself
            self._health.set(Status.RUNNING)
        log.info("partitions assigned", partitions=sorted(numbers))
        await self._standby.hold(self._assignor.copies, known)

    def _refuse_growth(self, group: AIOKafkaConsumer) -> None:
        for topic in self._kafka.events_topics:
            count = len(group.partitions_for_topic(topic) or ())
            if count > self._count:
                raise topics.Grown(topic, count, self._kafka.topic(Topic.STATE), self._count)

    async def _stop_partitions(self) -> None:
        async with self._letting_go:  # who leaves the group amid a rebalance waits for it: all read from its client
            running, self._running = self._running, {}
            for partition, _ in running.values():
                partition.stop()
            await asyncio.gather(*(finished(*each) for each in running.values()))
            self._kept = {number: p.known for number, (p, _) in running.items() if p.known is not None}
            self._health.partitions.clear()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    # --- time ---

    async def _keep_asking(self, asker: AIOKafkaConsumer, pauses: Pauses) -> None:
        """Ask where the topics end, and tell the partitions; tells by the way whether Kafka answers."""
        while True:
            assert self._shared is not None
            self._refuse_growth(self._shared.consumer)
            running = {number: partition for number, (partition, _) in self._running.items()}
            asked_at = self._wall()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    ends = await asker.end_offsets(
                        [
                            TopicPartition(topic, number)
                            for topic in self._kafka.events_topics
                            for number in running or [0]
                        ]
                    )
            except (KafkaError, TimeoutError) as error:
                detail = f"Kafka at {self._kafka.bootstrap} does not answer; the worker goes on by itself when it does"
                if self._health.status != Status.DISCONNECTED:
                    log.warning("Kafka does not answer", at=self._kafka.bootstrap, error=said(error))
                self._health.set(Status.DISCONNECTED, detail)
            else:
                if self._health.status == Status.DISCONNECTED:
                    log.info("Kafka answers again", at=self._kafka.bootstrap)
                    self._health.set(Status.STARTING)
                if self._assigned:
                    self._health.set(Status.RUNNING)
                pauses.reset()
                for number, partition in running.items():
                    by_topic = {t: ends[TopicPartition(t, number)] for t in self._kafka.events_topics}
                    partition.asked(Question(asked_at, by_topic))
            await asyncio.sleep(ASK_SECONDS)
