"""What `sqm.state` says of a partition at one instant; its cases lie on disk, to be taken part by part."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import polars as pl
from aiokafka import TopicPartition

from consumers.alerts_log import AlertLog
from consumers.changelog import FrameDamaged, Place
from consumers.settings import KafkaSettings
from consumers.state_log import StateLog
from consumers.verify.given import GIVEN, given
from consumers.verify.pieces import Piece, Pieces
from consumers.verify.reader import Reader
from monitor.names import Topic
from monitor.rows import part_of
from monitor.state import OF_SNAPSHOTS, SEALED_CONTRIBUTIONS, SEALED_HISTORY, SLICES, TABLES, State
from monitor.verify import CaseRows
from monitor.verify.recompute import TABLES as OF_CASES

_ALL: Final = {**TABLES, **OF_SNAPSHOTS}
CASES: Final = (*OF_CASES, SEALED_HISTORY, SEALED_CONTRIBUTIONS, "archived")  # which takes cases out of the others
SUMS: Final = frozenset(_ALL.keys() - CASES) | {"archived"}


class Live:
    """The state of a partition as of the end of its log: `sums` is all that is not of cases; cases lie on disk."""

    def __init__(self, log: StateLog, pieces: Pieces) -> None:
        self.partition = log.partition
        self.sums = State()
        self._pieces = pieces
        self._frames: list[dict[int, dict[str, Piece]]] = []  # of each, by slice, the tables of cases
        self._cut: dict[int, dict[str, Piece]] = {}  # by part
        for delta in log.frames():
            self.sums.apply({name: rows for name, rows in delta.items() if name in SUMS})
            self._frames.append(self._put(delta, "slice", lambda name: _ALL[name].slice_of()))

    def cut(self, parts: int) -> None:
        """Make cases ready to be taken by so many parts of their keys (SLICES, or a multiple)."""
        for number in range(SLICES):
            state = State()
            for frame in self._frames:
                tables = frame.get(number, {})
                state.apply({name: self._pieces.get(piece, _ALL[name].columns) for name, piece in tables.items()})
            rows = {name: getattr(state, name) for name in ("history", "contributions", "wakes")}
            held = {"verdicts": state.verdicts} | {name: found.frame() for name, found in rows.items()}
            self._cut |= self._put(held, "part", lambda _: part_of(pl.col("case_key"), parts))
        self._frames = []

    def cases(self, parts: range) -> CaseRows:
        """What it holds of the cases of those parts."""
        found = [self._cut[part] for part in parts if part in self._cut]
        tables = {
            name: [self._pieces.get(of_part[name], columns) for of_part in found if name in of_part]
            for name, columns in OF_CASES.items()
        }
        return CaseRows.of({name: pl.concat(rows) for name, rows in tables.items() if rows})

    def _put(
        self, tables: Mapping[str, pl.DataFrame], by: str, where: Callable[[str], pl.Expr]
    ) -> dict[int, dict[str, Piece]]:
        """Put tables of cases on disk, cut by the number that `where` gives each row."""
        put: dict[int, dict[str, Piece]] = {}
        for name in CASES:
            rows = tables.get(name)
            if rows is None or not rows.height:
                continue
            cut = rows.with_columns(where(name).alias(by)).partition_by(by, as_dict=True, include_key=False)
            for (number,), part in cut.items():
                put.setdefault(int(number), {})[name] = self._pieces.put(part)
        return put


async def read_live(kafka: KafkaSettings, reader: Reader, partition: int, pieces: Pieces) -> Live:
    """The state as it is committed now. Raises KafkaAway, FrameError."""
    try:
        return await _read_live(kafka, reader, partition, pieces)
    except FrameDamaged:  # or compaction took meanwhile what a slice of beyond that end holds
        return await _read_live(kafka, reader, partition, pieces)


async def _read_live(kafka: KafkaSettings, reader: Reader, partition: int, pieces: Pieces) -> Live:
    where = TopicPartition(kafka.topic(Topic.STATE), partition)
    log = StateLog(where.topic, partition)

    async def take(records: Sequence[Any]) -> None:
        await asyncio.to_thread(_take, log, records)

    _, end = await reader.bounds(where)
    await reader.read(where, end, take)
    return await asyncio.to_thread(Live, log, pieces)


async def read_alerts(kafka: KafkaSettings, reader: Reader) -> AlertLog:
    """The alerts as they are on record. Raises KafkaAway, and FrameDamaged for what no judge wrote."""
    where = TopicPartition(kafka.topic(Topic.ALERTS), 0)
    log = AlertLog()

    async def take(records: Sequence[Any]) -> None:
        for record in records:
            try:
                log.read(record.key or b"", record.value)
            except (ValueError, KeyError, TypeError) as error:
                place = Place(record.topic, record.partition, record.offset)
                raise FrameDamaged(f"{place}: this is no alert that a judge wrote ({error})") from error

    _, end = await reader.bounds(where)
    await reader.read(where, end, take)
    return log


def _take(log: StateLog, records: Sequence[Any]) -> None:
    for record in records:
        log.read(Place(log.topic, log.partition, record.offset), record.key, record.value)


async def read_given(kafka: KafkaSettings, reader: Reader, partition: int) -> tuple[pl.DataFrame, int]:
    """GIVEN in the order in which it was recorded, and where its topic begins now: more than 0 where retention took
    some of it."""
    where = TopicPartition(kafka.topic(Topic.REJECTED), partition)
    found = [pl.DataFrame(schema=GIVEN)]

    async def take(records: Sequence[Any]) -> None:
        found.append(given(records))

    _, end = await reader.bounds(where)
    begin = await reader.read(where, end, take)
    return pl.concat(found), begin
