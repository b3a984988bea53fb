"""Whether the events topics still go on where a partition's state ends, and what is missing where they do not.

Offsets alone do not tell: a topic that was cut off or made anew may have been written on beyond the offset where
reading stands. So the state bears marks of records that were read (monitor/holes.py), and the topic has to bear
the newest of them that it still reaches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
import xxhash
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.changelog import FrameError
from monitor.frames import conform
from monitor.holes import HOLES, MARKS
from monitor.names import HoleKind
from monitor.state import State

PEEK_SECONDS: Final = 5.0

Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Hole:
    """One hole in one events topic, as it was found."""

    name: str  # by which it is accepted: topic/partition@offset, never the same for two holes
    kind: HoleKind
    topic: str
    from_offset: int
    to_offset: int
    missing: int | None
    counted: bool
    resumed_at: int
    detail: str
    from_time: datetime | None = None
    to_time: datetime | None = None


class Halt(Exception):
    """A partition cannot go on before somebody decides; the message says what happened and the ways on."""

    retriable = False

    def __init__(self, holes: Sequence[Hole]) -> None:
        told = ". ".join(dict.fromkeys(hole.detail for hole in holes))
        names = ",".join(dict.fromkeys(hole.name for hole in holes))
        super().__init__(
            f"{told}. Two ways on: {_RESTORE[holes[0].kind]}, and start the workers again; or go on with what is "
            f"there: start the workers with --accept-loss {names}, and the ledger keeps the hole for ever"
        )
        self.names = names


_RESTORE: Final = {
    HoleKind.EXPIRED: "put the topic back from a copy with the same offsets",
    HoleKind.TRUNCATED: "put the topic back from a copy with the same offsets",
    HoleKind.REPLACED: "put the topic back from a copy with the same offsets",
    HoleKind.STATE_LOST: "put the state topic back from a copy",
    HoleKind.STATE_DAMAGED: "put the state topic back from a copy, or run the sqm that wrote it",
}


def digest(record: Any) -> int:
    """What tells a record from others at its offset."""
    return xxhash.xxh3_64_intdigest(record.value or b"", seed=xxhash.xxh3_64_intdigest(record.key or b""))


def marks(newest: Mapping[str, Any]) -> pl.DataFrame:
    """MARKS of the newest record by topic."""
    rows = [(topic, record.offset, digest(record), stamp(record)) for topic, record in newest.items()]
    return pl.DataFrame(rows, schema=dict(MARKS), orient="row")


def accepted(holes: Sequence[Hole], at: datetime) -> pl.DataFrame:
    """HOLES rows of what was accepted."""
    rows = [{name: getattr(hole, name, at) for name in HOLES} for hole in holes]
    return conform(pl.DataFrame(rows, schema=dict(HOLES)), HOLES)


def stamp(record: Any) -> datetime:
    """The record's timestamp."""
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


async def gaps(client: AIOKafkaConsumer, state: State, begins: Offsets, ends: Offsets) -> list[Hole]:
    """The holes between a state and the topics.

    :param client: a consumer of nothing else, read_uncommitted; it is assigned these partitions
    """
    client.assign(list(begins))
    found = []
    for where, begin in begins.items():
        stored = state.offsets.get(where.topic)
        if stored is None:  # a topic that is new to the state
            continue
        own = state.marks.filter(pl.col("topic") == where.topic, pl.col("offset") < stored)
        if stored < begin:
            found.append(await _expired(client, where, stored, begin, own))
        elif (hole := await _cut_off(client, where, stored, begin, ends[where], own)) is not None:
            found.append(hole)
    return found


def lost(kind: HoleKind, state: TopicPartition, at: int, happened: str, begins: Offsets) -> list[Hole]:
    """The holes where the state is gone or cannot be read: what the topics still hold is counted anew.

    :param at: what tells this loss from another one: an offset
    :param happened: in a sentence
    """
    gone = [f"{where.topic} begins at offset {begin}" for where, begin in begins.items() if begin]
    left = (
        f"{', '.join(gone)}, what lies before cannot be counted again"
        if gone
        else "no record of the events topics is missing, all figures can be made anew from them"
    )
    return [
        Hole(
            name=f"{state.topic}/{state.partition}@{at}",
            kind=kind,
            topic=where.topic,
            from_offset=0,
            to_offset=begin,
            missing=begin,
            counted=True,
            resumed_at=begin,
            detail=f"{happened}; {left}",
        )
        for where, begin in begins.items()
    ]


def damaged(error: FrameError, state: TopicPartition, begins: Offsets) -> list[Hole]:
    """The holes of a state that cannot be read."""
    return lost(HoleKind.STATE_DAMAGED, state, error.offset, str(error), begins)


async def _expired(client: AIOKafkaConsumer, where: TopicPartition, stored: int, begin: int, own: pl.DataFrame) -> Hole:
    first = await _at(client, where, begin)
    since = _last_time(own)
    until = stamp(first) if first is not None else None
    span = f", those between {_said(since)} and {_said(until)}" if since and until else ""
    return Hole(
        name=_name(where, stored),
        kind=HoleKind.EXPIRED,
        topic=where.topic,
        from_offset=stored,
        to_offset=begin,
        missing=begin - stored,
        counted=False,
        resumed_at=begin,
        from_time=since,
        to_time=until,
        detail=f"{_place(where)}: the state ends at offset {stored}, the topic begins at {begin}: "
        f"{begin - stored} records are gone that were never counted{span}",
    )


async def _cut_off(
    client: AIOKafkaConsumer, where: TopicPartition, stored: int, begin: int, end: int, own: pl.DataFrame
) -> Hole | None:
    borne, differs = await _borne(client, where, own, begin, end)
    if stored <= end and differs is None:
        return None
    seen = (
        f"the state ends at offset {stored}, the topic at {end}"
        if stored > end
        else f"the record at offset {differs} is not the one that was read there"
    )
    untold = f"how many came after offset {stored} and were never counted cannot be told"
    if borne is None:
        return Hole(
            name=_name(where, stored),
            kind=HoleKind.REPLACED,
            topic=where.topic,
            from_offset=0,
            to_offset=stored,
            missing=None,
            counted=True,
            resumed_at=begin,
            to_time=_last_time(own),
            detail=f"{_place(where)}: {seen}, and none that was read is there any more: the topic was made anew or "
            f"emptied; {untold}",
        )
    after = int(borne["offset"]) + 1
    return Hole(
        name=_name(where, stored),
        kind=HoleKind.TRUNCATED,
        topic=where.topic,
        from_offset=after,
        to_offset=stored,
        missing=stored - after,
        counted=True,
        resumed_at=after,
        from_time=borne["time"],
        to_time=_last_time(own),
        detail=f"{_place(where)}: {seen}: the topic was cut off somewhere after offset {after - 1}, "
        f"at most {stored - after} counted records are gone; {untold}",
    )


async def _borne(
    client: AIOKafkaConsumer, where: TopicPartition, own: pl.DataFrame, begin: int, end: int
) -> tuple[dict[str, Any] | None, int | None]:
    """The newest mark that the topic bears, and the newest offset at which it bears something else."""
    differs = None
    reached = own.filter(pl.col("offset").is_between(begin, end, closed="left"))
    for mark in reached.reverse().iter_rows(named=True):
        record = await _at(client, where, mark["offset"])
        if record is None:  # nothing came in time
            break
        if record.offset != mark["offset"]:  # compaction may have taken it: that proves nothing
            continue
        if digest(record) == mark["digest"]:
            return mark, differs
        differs = differs if differs is not None else mark["offset"]
    return None, differs


async def _at(client: AIOKafkaConsumer, where: TopicPartition, offset: int) -> Any:
    """The first record from that offset on; None: none came in time."""
    client.seek(where, offset)
    batch = await client.getmany(where, timeout_ms=int(PEEK_SECONDS * 1000), max_records=1)
    return next(iter(batch.get(where, ())), None)


def _name(where: TopicPartition, stored: int) -> str:
    return f"{where.topic}/{where.partition}@{stored}"


def _place(where: TopicPartition) -> str:
    return f"{where.topic}, partition {where.partition}"


def _last_time(own: pl.DataFrame) -> datetime | None:
    time = own["time"].last() if own.height else None
    return time if isinstance(time, datetime) else None


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
