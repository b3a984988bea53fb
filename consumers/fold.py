"""From decoded events to a checkpoint: one step of the engine, and what of it goes where. Runs in a thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
from aiokafka import TopicPartition

from consumers import changelog, holes, outputs
from consumers.batches import Record
from consumers.changelog import Kind
from consumers.committer import Checkpoint
from consumers.decode import decode
from consumers.health import PartitionHealth
from consumers.kept import Kept
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
    """Some records of a topic, decoded."""

    topic: str
    records: Kept
    position: int  # the offset after them
    read: Read
    newest_event: datetime | None
    newest_record: datetime | None  # record timestamp
    marks: pl.DataFrame  # MARKS of the last record


def chunk(
    where: TopicPartition, records: Sequence[Record], position: int, future_after: datetime, *, advancing: bool
) -> Chunk:
    """Decode what was fetched.

    :param records: in log order; may be none, where only markers of transactions were passed
    :param advancing: whether `clock.advanced` moves time on
    """
    read = decode(records, at=where, future_after=future_after)
    return Chunk(
        topic=where.topic,
        records=Kept.of(records),
        position=position,
        read=read,
        newest_event=_newest(read.events, advancing),
        newest_record=holes.stamp(records[-1]) if records else None,
        marks=holes.marks({where.topic: records[-1]} if records else {}),
    )


def _newest(events: pl.DataFrame, advancing: bool) -> datetime | None:
    if not advancing:
        events = events.filter(pl.col("kind") != EventKind.ADVANCED)
    newest = events["time"].max()
    return newest if isinstance(newest, datetime) else None


def together(chunks: Sequence[Chunk]) -> Read:
    """The events of several chunks, in their order."""
    reads = [c.read for c in chunks if len(c.records)]
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
            kept = ((c.topic, c.records) for c in chunks)
            if self.settings.verdicts == "all":
                measured = outputs.of_measured(read.events, delta, policies, now)
                changes = pl.concat([changes, measured])
            return Checkpoint(
                frames=frames,
                offsets=positions,
                records=sum(len(c.records) for c in chunks),
                verdicts=self._verdicts(changes, policies, now),
                rejected=outputs.rejected(refused, outputs.records_at(refused, kept)),
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
