"""Warm copies of the states of partitions that other workers fold: who takes one over need not restore it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.changelog import FrameError
from consumers.client import Pauses, said
from consumers.follow import Tail
from consumers.health import RoleHealth
from consumers.restore import Copy
from consumers.settings import KafkaSettings
from consumers.state_log import DeltaMissing, StateLog
from monitor.names import Topic
from monitor.sealing import seal

log = structlog.get_logger()

FINISH_SECONDS: Final = 1.0  # that a rebalance, in which all members rest, may wait for a copy


class Standby:
    """Follows `sqm.state` of the partitions that it was told to hold, in a thread, until closed."""

    def __init__(self, kafka: KafkaSettings, pool: Executor, health: RoleHealth) -> None:
        self._kafka = kafka
        self._pool = pool
        self._health = health
        self._copies: dict[int, Copy] = {}
        self._following: asyncio.Task[None] | None = None
        self._work: asyncio.Future[None] | None = None  # in the thread, on the copy of `_at`
        self._at = 0

    def warm(self) -> dict[int, int]:
        """The copies that could be taken over now, with the number of the last delta in each."""
        return {number: copy.log.number for number, copy in self._copies.items() if copy.log.settled}

    async def release(self, numbers: Iterable[int]) -> dict[int, Copy]:
        """Give up those of these that it holds, as they are, and rest until `hold`."""
        await self.close()
        given = {number: self._copies.pop(number) for number in numbers if number in self._copies}
        self._tell()
        return {number: copy for number, copy in given.items() if copy.log.settled}

    async def hold(self, numbers: Iterable[int], known: Mapping[int, Copy]) -> None:
        """Keep copies of these partitions from now on, and of no others; of some the state is `known`."""
        await self.close()
        copies = {number: copy for number, copy in {**self._copies, **known}.items() if copy.log.settled}
        self._copies = {number: copies.get(number) or self._cold(number) for number in numbers}
        if self._copies:
            self._tell()
            log.info("standing by", partitions=sorted(self._copies), warm=sorted(self.warm()))
            self._following = asyncio.create_task(self._follow(), name="standby")

    async def close(self) -> None:
        """Rest. What is under way in the thread is finished; a copy on which it takes long is given up."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        if self._work is not None:
            _, pending = await asyncio.wait([self._work], timeout=FINISH_SECONDS)
            if pending:
                self._copies.pop(self._at, None)
        self._following = self._work = None

    def _tell(self) -> None:
        self._health.warm = len(self.warm())

    def _cold(self, number: int) -> Copy:
        return Copy(StateLog(self._kafka.topic(Topic.STATE), number))

    async def _follow(self) -> None:
        """Goes on by itself after any trouble with Kafka."""
        pauses = Pauses(self._kafka.retry_pause_seconds)
        while True:
            try:
                await self._read(pauses)
            except OffsetOutOfRangeError as error:  # the topic was made anew, or this was away for very long
                log.warning("copies are read anew", error=said(error))
                self._copies = {number: self._cold(number) for number in self._copies}
            except KafkaError as error:
                log.warning("copies are read on", error=said(error))
            except Exception:
                log.exception("copies are read anew")
                self._copies = {number: self._cold(number) for number in self._copies}
            await asyncio.sleep(pauses.next())

    async def _read(self, pauses: Pauses) -> None:
        held = {TopicPartition(copy.log.topic, number): copy for number, copy in self._copies.items()}
        starts = {tp: copy.position for tp, copy in held.items() if copy.log.settled}
        async with Tail(self._kafka, list(held), starts) as tail:
            while True:
                batch = await tail.take()
                for tp in held:
                    if tp.partition in self._copies:
                        await self._advance(tail, tp, batch.get(tp, ()))
                pauses.reset()

    async def _advance(self, tail: Tail, tp: TopicPartition, records: Sequence[Any]) -> None:
        copy = self._copies[tp.partition]
        settle = not copy.log.settled and await tail.at_end(tp)
        if not records and not settle:
            return
        position = await tail.position(tp)
        try:
            await self._in_thread(tp.partition, records, position, settle)
        except DeltaMissing as error:
            log.info("reading a copy anew", partition=tp.partition, why=str(error))
            self._copies[tp.partition] = self._cold(tp.partition)
            await tail.rewind(tp)
        except FrameError as error:  # who folds that partition will halt
            log.error("a copy is given up", partition=tp.partition, error=str(error))
            del self._copies[tp.partition]
        else:
            self._tell()
            if settle:
                log.info("a copy is warm", partition=tp.partition, delta=copy.log.number)

    async def _in_thread(self, number: int, records: Sequence[Any], position: int, settle: bool) -> None:
        copy = self._copies[number]

        def work() -> None:
            copy.take(records, position)
            if settle:
                copy.log.settle()
            if copy.log.settled:
                seal(copy.log.state)

        self._at = number
        self._work = asyncio.get_running_loop().run_in_executor(self._pool, work)
        await asyncio.shield(self._work)
