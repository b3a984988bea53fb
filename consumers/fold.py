"""From decoded events to a checkpoint: one step of the engine, and what of it goes where. Runs in a thread."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from consumers import changelog, holes, outputs
from consumers.changelog import Kind
from consumers.committer import Checkpoint
from consumers.decode import decode
from consumers.health import PartitionHealth
from consumers.settings import Settings
from consumers.snapshots import Snapshots
from consumers.state_log import StateLog, reading_table
from monitor import engine
from monitor.events import NOTHING, Read
from monitor.frames import empty
from monitor.holes import MARKS
from monitor.names import Kind as EventKind
from monitor.policy import PolicySet
from monitor.sealing import seal
from monitor.state import Delta

BEFORE_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)  # `now` where only refused events were read so far


@dataclass(frozen=True)
class Chunk:
    """What one fetch brought, decoded."""

    read: Read
    records: Sequence[Any]  # ConsumerRecords, each topic's in log order
    positions: Mapping[str, int]  # next offset by topic
    newest_event: Mapping[str, datetime]  # by topic
    newest_record: Mapping[str, datetime]  # by topic: record timestamps
    marks: pl.DataFrame  # MARKS of the last record of each topic


def chunk(
    records: Mapping[str, Sequence[Any]], positions: Mapping[str, int], future_after: datetime, *, advancing: bool
) -> Chunk:
    """Decode what was fetched.

    :param records: ConsumerRecords by topic, in log order
    :param advancing: whether `clock.advanced` moves time on
    """
    every = [record for of_topic in records.values() for record in of_topic]
    read = decode(every, future_after=future_after) if every else NOTHING
    last = {topic: of_topic[-1] for topic, of_topic in records.items() if of_topic}
    return Chunk(
        read=read,
        records=every,
        positions=positions,
        newest_event=_newest(read.events, list(records), advancing),
        newest_record={topic: holes.stamp(record) for topic, record in last.items()},
        marks=holes.marks(last),
    )


def _newest(events: pl.DataFrame, topics: Sequence[str], advancing: bool) -> dict[str, datetime]:
    if not advancing:
        events = events.filter(pl.col("kind") != EventKind.ADVANCED)
    if len(topics) > 1:
        return dict(events.group_by("topic").agg(pl.col("time").max()).iter_rows())
    newest = events["time"].max()
    return {topics[0]: newest} if isinstance(newest, datetime) else {}


def together(chunks: Sequence[Chunk]) -> Read:
    """The events of several chunks, in their order."""
    reads = [c.read for c in chunks if c.records]
    if len(reads) < 2:
        return reads[0] if reads else NOTHING
    return Read(
        pl.concat([read.events for read in reads]),
        pl.concat([read.refused for read in reads]),
        sum(read.read for read in reads),
    )


@dataclass
class Folder:
    """Makes the checkpoints of one partition and moves its state on."""

    settings: Settings
    log: StateLog
    health: PartitionHealth
    snapshots: Snapshots = field(init=False)

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.settings.worker.snapshot_deltas)

    def fold(
        self,
        chunks: Sequence[Chunk],
        now: datetime | None,
        newest_events: Mapping[str, datetime],
        positions: Mapping[str, int],
        policies: PolicySet,
    ) -> Checkpoint:
        """Step, apply, and write down what is to be committed. The state moves on at once: if the commit fails, it
        has to be given up."""
        read = together(chunks)
        follows_events = self.settings.clock == "event"
        now = now or BEFORE_TIME
        with self.health.timed("step"):
            delta, changes, late = engine.step(
                self.log.state,
                read,
                now,
                policies,
                grace=timedelta(0) if follows_events else None,
                offsets=positions,
                forgets=not follows_events,
            )
        marks = pl.concat([c.marks for c in chunks]) if chunks else empty(MARKS)
        if marks.height:
            delta["marks"] = marks.unique("topic", keep="last", maintain_order=True)
        with self.health.timed("apply"):
            self.log.state.apply(delta)
            seal(self.log.state)
        with self.health.timed("encode"):
            frames = self._frames(delta, newest_events)
        with self.health.timed("outputs"):
            refused = pl.concat([read.refused, late])
            records = itertools.chain.from_iterable(c.records for c in chunks)
            if self.settings.verdicts == "all":
                measured = outputs.of_measured(read.events, delta, policies, now)
                changes = pl.concat([changes, measured])
            return Checkpoint(
                frames=frames,
                offsets=positions,
                records=sum(len(c.records) for c in chunks),
                verdicts=self._verdicts(changes, policies, now),
                rejected=outputs.rejected(refused, outputs.records_at(refused, records)),
            )

    def _frames(self, delta: Delta, newest_events: Mapping[str, datetime]) -> list[tuple[bytes, bytes | None]]:
        log = self.log
        log.newest = dict(newest_events)
        tables = delta | (reading_table(newest_events) if newest_events else {})
        if delta.keys() <= {"offsets", "meta"}:  # nothing but time went on
            return [*changelog.encode(tables, Kind.BEAT, log.number)]
        log.number += 1
        records = changelog.encode(tables, Kind.DELTA, log.number)
        log.deltas[log.number] = len(records)
        size = sum(len(value) for _, value in records)
        return [*records, *self.snapshots.written(log, size)]

    def _verdicts(self, changes: pl.DataFrame, policies: PolicySet, now: datetime) -> list[outputs.Message]:
        prefix = self.settings.kafka.topic_prefix
        return outputs.verdicts(
            changes,
            policies,
            source=prefix,
            first_id=f"{prefix}-{self.log.partition}-{self.log.number}",
            now=now,
            everything=self.settings.verdicts == "all",
        )
