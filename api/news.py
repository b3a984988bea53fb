"""What is new since the last tick: alerts that changed their state, verdicts that were published.

The replica tells of every delta and every alert as it takes them, and of those that it reads again when it begins anew;
they wait here for the next tick. News of one delta are the same in every process: which they are, and in what order.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from threading import Lock
from typing import Final, NamedTuple

import polars as pl

from api.positions import ALERTS, Mark, Position, moved
from consumers.alerts_log import Row
from monitor.frames import CONTRIBUTIONS, empty
from monitor.names import Change
from monitor.state import STATE_VERDICTS, Delta, State

FOUND: Final = {**STATE_VERDICTS, "partition": pl.Int32()}
MOST: Final = 200  # verdicts that are told of the deltas of one number, shared by the partitions
LEAST_SHARE: Final = 20  # of one delta, however many partitions there are
WAITING: Final = 20_000  # verdicts of one partition that wait to be told
_LOUDEST: Final = [Change.BREACHED, Change.CORRECTED, Change.RESTATED, Change.REOPENED, Change.AT_RISK, Change.MET]
_RANKS: Final = {change: place for place, change in enumerate(_LOUDEST)}
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Verdicts(NamedTuple):
    """Those of one delta that are told."""

    partition: int
    number: int  # of the delta
    now: datetime  # of the partition
    rows: pl.DataFrame  # FOUND, the loudest first
    omitted: int  # more than are told

    def cut(self, most: int) -> "Verdicts":
        """At most so many; a copy, so that the others can be let go."""
        if self.rows.height <= most:
            return self
        return self._replace(rows=self.rows[range(most)], omitted=self.omitted + self.rows.height - most)


class Told(NamedTuple):
    """News since the last time."""

    verdicts: list[Verdicts]  # those of a partition in the order of deltas
    alerts: list[tuple[int, Row]]  # offset and transition, in their order
    since: Position  # where they begin
    end: Position  # where they end
    torn: bool  # between those of the last time and these some are missing

    @property
    def omitted(self) -> int:
        """Published verdicts that are not told."""
        return sum(delta.omitted for delta in self.verdicts)


def published(delta: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Of a delta's verdicts those that were published with it (STATE_VERDICTS), the loudest first.

    A row of a delta may only have moved to other labels. What counts as `<clock>.<outcome>` that did not before is
    told by the case's contributions, which a delta holds as differences.
    """
    rows = delta.get("verdicts", empty(STATE_VERDICTS)).filter(
        pl.col("change").is_not_null() & pl.col("outcome").is_not_null()
    )
    if not rows.height:
        return rows
    gained = (
        delta.get("contributions", empty(CONTRIBUTIONS))
        .group_by("case_key", pl.col("measure").cast(pl.String))
        .agg(pl.col("n").sum())
        .filter(pl.col("n") > 0)
    )
    measure = pl.concat_str(pl.col("clock").cast(pl.String), pl.lit("."), pl.col("outcome").cast(pl.String))
    counted = rows.with_columns(measure=measure).join(
        gained, on=["case_key", "measure"], how="semi", maintain_order="left"
    )
    rank = pl.col("change").replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.Int32)
    return counted.select(list(STATE_VERDICTS)).sort(rank, maintain_order=True)


class News:
    """Collects between ticks; told and taken from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._next = {ALERTS: 0}  # by source: the number of the record or delta that is new
        self._since = {ALERTS: 0}  # the same, as it was the last time
        self._torn = False
        self._begun = False  # whether any were taken
        self._alerts: list[tuple[int, Row]] = []
        self._verdicts: dict[int, deque[Verdicts]] = defaultdict(deque)  # by partition
        self._rows: Counter[int] = Counter()  # of these
        self._restoring: dict[int, list[Verdicts]] = defaultdict(list)  # by partition

    def on_reread(self, partition: int | None, begin: int, end: int) -> None:
        """Deltas of a partition from `begin` to before `end` will be told of, perhaps again; None: alerts were."""
        source = ALERTS if partition is None else partition + 1
        with self._lock:
            if partition is not None:
                self._restoring[partition] = []
            known = self._next.get(source)
            if known is None:
                self._next[source] = self._since[source] = begin
            elif not begin <= known <= end:  # more was taken away than was read, or all of it began anew
                self._next[source] = self._since[source] = end if partition is None else begin
                self._torn = True
                if partition is None:
                    self._alerts = []
                else:
                    self._verdicts.pop(partition, None)
                    self._rows[partition] = 0

    def on_alert(self, offset: int, row: Row) -> None:
        """A transition; those that are known are told again when the topic is read anew."""
        with self._lock:
            if self._is_new(ALERTS, offset):
                self._alerts.append((offset, row))

    def on_history(self, partition: int, number: int, delta: Delta) -> None:
        """One of the deltas that a state is being made of: it is told once that state is there, for its labels."""
        self._restoring[partition].append(_verdicts(partition, number, delta))

    def on_restored(self, partition: int, _: State) -> None:
        """The state of the deltas that were told as history is there."""
        with self._lock:
            for verdicts in self._restoring.pop(partition, ()):
                self._hear(verdicts)

    def on_delta(self, partition: int, number: int, delta: Delta) -> None:
        """A delta was applied; a beat bears the number of the delta before it and tells nothing."""
        verdicts = _verdicts(partition, number, delta)
        with self._lock:
            self._hear(verdicts)

    def _hear(self, verdicts: Verdicts) -> None:
        if self._is_new(verdicts.partition + 1, verdicts.number) and verdicts.rows.height:
            self._lay_down(verdicts)

    def _lay_down(self, verdicts: Verdicts) -> None:
        partition = verdicts.partition
        waiting = self._verdicts[partition]
        waiting.append(verdicts)
        self._rows[partition] += verdicts.rows.height
        while self._rows[partition] > WAITING:  # a long history, or nobody takes them
            gone = waiting.popleft()
            self._rows[partition] -= gone.rows.height
            self._since[partition + 1], self._torn = gone.number + 1, self._torn or self._begun

    def _is_new(self, source: int, number: int) -> bool:
        """Whether that was not told yet; from now on it was."""
        if number < self._next.setdefault(source, number):
            return False
        self._since.setdefault(source, number)
        self._next[source] = number + 1
        return True

    def take(self, partitions: int) -> Told:
        """What came since the last time, of as many partitions."""
        share = max(LEAST_SHARE, MOST // max(partitions, 1))
        with self._lock:
            alerts, self._alerts = self._alerts, []
            verdicts = list(chain.from_iterable(self._verdicts.values()))
            self._verdicts.clear()
            self._rows.clear()
            torn, self._torn, self._begun = self._torn, False, True
            since, self._since = self._since, dict(self._next)
            end = _position(self._next, partitions)
        return Told([delta.cut(share) for delta in verdicts], alerts, _position(since, partitions), end, torn)

    def give_back(self, told: Told) -> None:
        """They could not be told: they are news still."""
        with self._lock:
            if self._torn:  # they are among what is missing
                return
            self._since |= {source: mark.number for source, mark in enumerate(told.since)}
            self._alerts[:0], self._torn = told.alerts, told.torn
            meanwhile = list(chain.from_iterable(self._verdicts.values()))
            self._verdicts.clear()
            self._rows.clear()
            for verdicts in (*told.verdicts, *meanwhile):
                self._lay_down(verdicts)


def newest(told: Told, most: int) -> Told:
    """Of a long history the last so many verdicts, and some more, as they came about."""
    deltas, since, n = in_turn(told.verdicts), told.since, 0
    for place in reversed(range(len(deltas))):
        if n >= most:
            for gone in deltas[: place + 1]:
                since = moved(since, gone.partition + 1, Mark(gone.number + 1))
            return told._replace(verdicts=deltas[place + 1 :], since=since)
        n += deltas[place].rows.height
    return told._replace(verdicts=deltas)


def in_turn(verdicts: list[Verdicts]) -> list[Verdicts]:
    """As they came about, those of each partition in their order."""
    reached: dict[int, datetime] = {}

    def at(delta: Verdicts) -> datetime:
        reached[delta.partition] = max(delta.now, reached.get(delta.partition, delta.now))
        return reached[delta.partition]

    return sorted(verdicts, key=at)


def _verdicts(partition: int, number: int, delta: Delta) -> Verdicts:
    """What a delta published, as much as is told at most."""
    rows = published(delta).with_columns(partition=pl.lit(partition, dtype=pl.Int32))
    return Verdicts(partition, number, _now(delta), rows, 0).cut(MOST)


def _now(delta: Delta) -> datetime:
    """Where the partition stood after that delta."""
    meta = delta.get("meta")
    now = None if meta is None else meta["now"].max()
    return now if isinstance(now, datetime) else _LONG_AGO


def _position(numbers: Mapping[int, int], partitions: int) -> Position:
    return tuple(Mark(numbers.get(source, 0)) for source in range(partitions + 1))
