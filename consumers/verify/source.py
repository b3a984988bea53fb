"""The events that a state was made of, as they can be read again: one partition at a time, onto disk."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import polars as pl
from aiokafka import TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from consumers.decode import decode
from consumers.settings import KafkaSettings
from consumers.verify.given import BY_ID, taken
from consumers.verify.reader import Reader
from consumers.verify.spill import Spill
from monitor.events import Read
from monitor.names import Kind
from monitor.verify import Arrived

Advance = Callable[[int], None]  # so many records more were read


@dataclass
class Brought:
    """What one partition brought."""

    events: int = 0
    read: int | None = None  # what the ledger counts as read; None: nothing says
    refused: Counter[str] = field(default_factory=Counter)
    newest: datetime | None = None
    first_records: dict[str, datetime] = field(default_factory=dict)  # timestamps of the oldest records, by topic
    begins: dict[str, int] = field(default_factory=dict)  # where the topics begin
    ends: dict[str, int] = field(default_factory=dict)  # where they end, or where the state has read them to

    @property
    def arrived(self) -> Arrived:
        return Arrived(self.read, self.refused, self.newest)


class Source(Protocol):
    """Where events come from."""

    @property
    def topics(self) -> Sequence[str]: ...

    @property
    def placed(self) -> bool:
        """Whether its events say where they stood in the events topics."""
        ...

    async def expected(self, partitions: Iterable[int]) -> int:
        """About how many records those partitions have."""
        ...

    async def bring(
        self, partition: int, offsets: Mapping[str, int], decided: pl.DataFrame, spill: Spill, advance: Advance
    ) -> Brought:
        """Put the events of a partition of before `offsets` into `spill`; `decided`: GIVEN."""
        ...


@dataclass
class FromTopics:
    """The events topics themselves."""

    kafka: KafkaSettings
    reader: Reader
    placed: bool = True

    @property
    def topics(self) -> Sequence[str]:
        return self.kafka.events_topics

    async def expected(self, partitions: Iterable[int]) -> int:
        """As `Source`."""
        where = [TopicPartition(topic, number) for topic in self.topics for number in partitions]
        bounds = [await self.reader.bounds(each) for each in where]
        return sum(end - begin for begin, end in bounds)

    async def bring(
        self, partition: int, offsets: Mapping[str, int], decided: pl.DataFrame, spill: Spill, advance: Advance
    ) -> Brought:
        """As `Source`. Raises KafkaAway, RecordsGone."""
        brought = Brought(read=0)
        for topic in self.topics:
            where = TopicPartition(topic, partition)
            begin, end = await self.reader.bounds(where)
            stop = offsets.get(topic, begin)
            brought.ends[topic] = min(end, stop)

            async def take(records: Sequence[Any], topic: str = topic) -> None:
                if records:
                    stamp = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
                    brought.first_records.setdefault(topic, stamp)
                    await asyncio.to_thread(_take, records, decided, spill, brought)
                    advance(len(records))

            # Retention may have moved on since the bounds were asked for.
            brought.begins[topic] = await self.reader.read(where, min(end, stop), take)
        return brought


def _take(records: Sequence[Any], decided: pl.DataFrame, spill: Spill, brought: Brought) -> None:
    found = taken(decode(records, future_after=None), decided)
    brought.events += found.events.height
    brought.read = (brought.read or 0) + found.read
    brought.refused.update(found.refused)
    brought.newest = max((at for at in (brought.newest, found.newest) if at is not None), default=None)
    if found.events.height:
        spill.add(found.events)


@dataclass(frozen=True)
class FromFiles:
    """Files that were sent, in the order of times in which `sqm send` does it."""

    read: Read

    def over(self, partitions: int) -> "_Files":
        """As they lie in so many partitions: each case where `sqm send` puts it."""
        events = self.read.events.filter(pl.col("kind") != str(Kind.ADVANCED))
        every, choose = list(range(partitions)), DefaultPartitioner()
        cases = events["case"].unique()
        chosen = pl.Series([choose(case.encode(), every, every) for case in cases.to_list()], dtype=pl.Int32)
        lying = pl.col("case").replace_strict(cases, chosen, return_dtype=pl.Int32)
        return _Files(events.with_columns(partition=lying))


@dataclass(frozen=True)
class _Files:
    """Nothing says how far they were read, nor in what order what cannot be read of them came: so what was read and
    refused is not counted. What was refused on arrival is known by its id: of twins it was the last ones."""

    events: pl.DataFrame  # READ_EVENTS
    topics: Sequence[str] = ("files",)
    placed: bool = False

    async def expected(self, partitions: Iterable[int]) -> int:
        """As `Source`."""
        return self.events.filter(pl.col("partition").is_in(list(partitions))).height

    async def bring(
        self, partition: int, offsets: Mapping[str, int], decided: pl.DataFrame, spill: Spill, advance: Advance
    ) -> Brought:
        """As `Source`."""
        mine = self.events.filter(pl.col("partition") == partition)
        refused = decided.group_by(BY_ID).agg(refused=pl.len())
        from_the_end = pl.int_range(pl.len(), 0, -1).over(BY_ID)
        told = mine.join(refused, on=list(BY_ID), how="left", maintain_order="left").with_columns(place=from_the_end)
        left = told.filter(pl.col("place") > pl.col("refused").fill_null(0)).select(mine.columns)
        if left.height:
            spill.add(left)
        advance(mine.height)
        return Brought(events=left.height)
