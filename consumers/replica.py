"""A copy of the state of all partitions, and of the alerts: what the judge and the API read.

It follows `sqm.state` and `sqm.alerts`. First everything there is gets read, then each delta is applied as it is
committed, in the event loop. So who reads the states in the loop, without awaiting in between, sees them whole; who
reads them in a thread does so within `reading()`, which keeps deltas waiting.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import RLock
from typing import Any, Final

import polars as pl
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers import topics
from consumers.alerts_log import AlertLog, Row
from consumers.changelog import FrameError, Place
from consumers.client import Pauses, said
from consumers.follow import Tail
from consumers.health import RoleHealth, Status
from consumers.settings import Settings
from consumers.state_log import DeltaMissing, StateLog
from monitor.names import Topic
from monitor.sealing import prepared
from monitor.state import Delta, State

log = structlog.get_logger()

RATE_SPAN: Final = timedelta(seconds=10)
LOCK_SECONDS: Final = 0.002

OnDelta = Callable[[int, int, Delta], object]  # partition, number of the delta, its tables
OnRestored = Callable[[int, State], object]
OnAlert = Callable[[int, Row], object]  # offset, transition
OnReread = Callable[[int | None, int, int], object]  # partition, or None for alerts; numbers from, to before


@dataclass
class Rate:
    """Events a second over the last seconds, by when they became visible here."""

    _counts: deque[tuple[datetime, int]] = field(default_factory=deque)

    def add(self, n: int, at: datetime) -> None:
        self._counts.append((at, n))
        self._forget(at)

    def per_second(self, at: datetime) -> float:
        self._forget(at)
        return sum(n for _, n in self._counts) / RATE_SPAN.total_seconds()

    def _forget(self, at: datetime) -> None:
        while self._counts and self._counts[0][0] <= at - RATE_SPAN:
            self._counts.popleft()


class Replica:
    """See the module. `run` it; callbacks are called in the event loop, those of history in a thread."""

    def __init__(self, settings: Settings, *, alerts: bool = True) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._with_alerts = alerts
        self._lock = RLock()
        self._logs: dict[int, StateLog] = {}
        self._partitions: int | None = None
        self._alerts_read = not alerts
        self._current = asyncio.Event()
        self.states: dict[int, State] = {}  # by partition; only those that were restored
        self.alert_log = AlertLog()
        self.rate = Rate()
        self.health = RoleHealth("replica")
        self.on_delta: list[OnDelta] = []  # tables of each applied delta or beat
        self.on_history: list[OnDelta] = []  # each delta of those that a state is made of, before it is
        self.on_restored: list[OnRestored] = []  # a partition's state was made anew
        self.on_alert: list[OnAlert] = []  # each transition, from the beginning of the topic
        self.on_reread: list[OnReread] = []  # deltas that history is about to tell, alerts that were told

    @property
    def caught_up(self) -> bool:
        """Whether all that was there when it began is in `states` and `alerts`."""
        return self._partitions is not None and len(self.states) == self._partitions and self._alerts_read

    @property
    def halts(self) -> dict[int, str]:
        """Why partitions stand still, as their workers said, by partition."""
        return {number: known.halted for number, known in self._logs.items() if known.halted is not None}

    @property
    def alerts(self) -> pl.DataFrame:
        """ALERTS: all that are remembered, each as its newest transition left it."""
        return self.alert_log.alerts

    async def until_caught_up(self) -> None:
        await self._current.wait()

    @contextmanager
    def reading(self) -> Iterator[Mapping[int, State]]:
        """The states, unchanged meanwhile. Hold it for milliseconds only."""
        with self._lock:
            yield self.states

    async def run(self) -> None:
        """Follow until cancelled; goes on by itself after any trouble with Kafka. Raises what `topics.ensure` does."""
        pauses = Pauses(self._kafka.retry_pause_seconds)
        self.health.set(Status.RESTORING, f"the state is being restored from Kafka at {self._kafka.bootstrap}")
        while True:
            try:
                await self._follow(pauses)
            except KafkaError as error:
                self.health.set(Status.DISCONNECTED, f"Kafka at {self._kafka.bootstrap}: {said(error)}")
                log.warning("the replica begins anew", error=said(error))
                await asyncio.sleep(pauses.next())

    async def _follow(self, pauses: Pauses) -> None:
        self._partitions = await topics.ensure(
            self._kafka, lambda trouble: self.health.set(Status.DISCONNECTED, trouble)
        )
        where = [TopicPartition(self._kafka.topic(Topic.STATE), number) for number in range(self._partitions)]
        alerts = TopicPartition(self._kafka.topic(Topic.ALERTS), 0)
        self._logs = {number: StateLog(tp.topic, number) for number, tp in enumerate(where)}
        self.alert_log, self._alerts_read = AlertLog(), not self._with_alerts
        async with Tail(self._kafka, [*where, alerts] if self._with_alerts else where) as tail:
            halted: dict[int, str] = {}
            while True:
                batch = await tail.take()
                for record in batch.get(alerts, ()):
                    self._take_alert(record)
                if self._with_alerts and not self._alerts_read and await tail.at_end(alerts):
                    self._reread(None, 0, await tail.position(alerts))
                    self._alerts_read = True
                for tp in where:
                    records = batch.get(tp, ())
                    if tp.partition not in halted:
                        await self._take(tail, tp, records, halted)
                    elif any((record.key or b"").startswith(b"slice/") for record in records):
                        # Once all slices were written anew, nothing of what is damaged is needed any more.
                        del halted[tp.partition]
                        await self._again(tail, tp)
                self._report(tail, halted)
                pauses.reset()

    async def _take(self, tail: Tail, tp: TopicPartition, records: Sequence[Any], halted: dict[int, str]) -> None:
        known = self._logs[tp.partition]
        settle = not known.settled and await tail.at_end(tp)
        if not records and not settle:
            return
        try:
            for record in records:
                await self._read(known, record)
            if known.settled and (sealing := await asyncio.to_thread(prepared, known.state)) is not None:
                await self._alone(sealing.do)
            if settle:
                self._reread(known.partition, known.held_by_all + 1, known.top + 1)
                await asyncio.to_thread(known.settle, partial(self._history, known.partition))
                self._restored(known)
        except DeltaMissing as error:
            # Compaction was faster than this reader: what it took away is in the slices.
            log.info("reading a partition's state anew", partition=tp.partition, why=str(error))
            await self._again(tail, tp)
        except FrameError as error:
            log.error("halted", partition=tp.partition, error=str(error))
            halted[tp.partition] = known.halted or str(error)

    async def _again(self, tail: Tail, tp: TopicPartition) -> None:
        """Read a partition's state from its beginning."""
        self._logs[tp.partition] = StateLog(tp.topic, tp.partition)
        await tail.rewind(tp)

    async def _read(self, known: StateLog, record: Any) -> None:
        place = Place(record.topic, record.partition, record.offset)

        def read() -> None:
            delta = known.read(place, record.key, record.value)
            if delta is not None:
                self._count(delta)
                for tell in self.on_delta:
                    tell(known.partition, known.number, delta)

        await self._alone(read)
        await asyncio.sleep(0)

    async def _alone(self, change: Callable[[], None]) -> None:
        """Change the states while no thread reads them."""
        while not self._lock.acquire(blocking=False):  # noqa: ASYNC110 - a thread is reading; the loop goes on
            await asyncio.sleep(LOCK_SECONDS)
        try:
            change()
        finally:
            self._lock.release()

    def _reread(self, partition: int | None, begin: int, end: int) -> None:
        for tell in self.on_reread:
            tell(partition, begin, end)

    def _history(self, partition: int, number: int, delta: Delta) -> None:
        for tell in self.on_history:
            tell(partition, number, delta)

    def _restored(self, known: StateLog) -> None:
        self.states[known.partition] = known.state
        for tell in self.on_restored:
            tell(known.partition, known.state)

    def _count(self, delta: Delta) -> None:
        ledger = delta.get("ledger")
        if ledger is not None:
            read = sum(n for counter, n in ledger.iter_rows() if counter == "read")
            self.rate.add(read, datetime.now(UTC))

    def _take_alert(self, record: Any) -> None:
        try:
            told = self.alert_log.read(record.key or b"", record.value)
        except ValueError as error:  # msgspec's errors are among them
            log.error("a record of the alerts topic that no judge wrote", offset=record.offset, error=str(error))
            return
        if told is not None:
            for tell in self.on_alert:
                tell(record.offset, told)

    def _report(self, tail: Tail, halted: Mapping[int, str]) -> None:
        if halted:
            self.health.set(Status.HALTED, next(iter(halted.values())))
        elif not tail.connected:
            detail = f"Kafka at {self._kafka.bootstrap} does not answer; figures are as of the last answer"
            self.health.set(Status.DISCONNECTED, detail)
        elif self.caught_up:
            self.health.set(Status.RUNNING)
            self._current.set()
