"""What is new since the last tick: alerts that changed their state, verdicts that were published.

The replica tells of every delta and every alert as it takes them, and of those that it reads again when it begins anew;
they wait here for the next tick. News of one delta are the same in every process: which they are, and in what order.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import accumulate, chain
from operator import itemgetter
from threading import Lock
from typing import Final, NamedTuple

import polars as pl

from api.positions import ALERTS, Mark, Position
from consumers.alerts_log import Row
from monitor.frames import CONTRIBUTIONS, empty
from monitor.names import Change
from monitor.state import STATE_VERDICTS, Delta, State

FOUND: Final = {**STATE_VERDICTS, "partition": pl.Int32()}
MOST: Final = 200  # verdicts that are told of the deltas of one number, shared by the partitions
LEAST_SHARE: Final = 20  # of one delta, however many partitions there are
WAITING: Final = 20_000  # alerts, or verdicts of one partition, that wait to be told
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
        self._taken: Told | None = None  # until they were told
        self._alerts: deque[tuple[int, Row]] = deque()
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
                    self._alerts.clear()
                else:
                    self._verdicts.pop(partition, None)
                    self._rows[partition] = 0

    def on_alert(self, offset: int, row: Row) -> None:
        """A transition; those that are known are told again when the topic is read anew."""
        with self._lock:
            if self._is_new(ALERTS, offset):
                self._alerts.append((offset, row))
                if len(self._alerts) > WAITING:
                    self._let_go(ALERTS, self._alerts.popleft()[0])

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
            self._let_go(partition + 1, gone.number)

    def _let_go(self, source: int, number: int) -> None:
        self._since[source] = number + 1
        self._torn |= self._begun

    def _is_new(self, source: int, number: int) -> bool:
        """Whether that was not told yet; from now on it was."""
        if number < self._next.setdefault(source, number):
            return False
        self._since.setdefault(source, number)
        self._next[source] = number + 1
        return True

    def take(self, partitions: int) -> Told:
        """What came since the last time, of as many partitions; say `done` or `give_back` afterwards."""
        share = max(LEAST_SHARE, MOST // max(partitions, 1))
        with self._lock:
            told = [delta.cut(share) for delta in chain.from_iterable(self._verdicts.values())]
            if not self._begun:
                told = self._newest(told)
            since, end = _position(self._since, partitions), _position(self._next, partitions)
            self._taken = Told(told, list(self._alerts), since, end, self._torn)
            self._clear()
            self._since, self._torn, self._begun = dict(self._next), False, True
            return self._taken

    def _newest(self, history: list[Verdicts]) -> list[Verdicts]:
        """Of a history no more than is kept, whichever partitions it is of."""
        times = in_turn((delta.partition, delta.now) for delta in history)
        turns = [delta for _, delta in sorted(zip(times, history, strict=True), key=itemgetter(0))]
        rows = list(accumulate(delta.rows.height for delta in reversed(turns)))
        gone = len(turns) - sum(n <= WAITING for n in rows)
        for delta in turns[:gone]:
            self._let_go(delta.partition + 1, delta.number)
        return turns[gone:]

    def done(self) -> None:
        """What was taken was told."""
        self._taken = None

    def give_back(self) -> None:
        """What was taken, if any was, could not be told: it is news still."""
        with self._lock:
            told, self._taken = self._taken, None
            if told is None or self._torn:  # they are among what is missing
                return
            alerts, verdicts = list(self._alerts), list(chain.from_iterable(self._verdicts.values()))
            self._clear()
            self._since |= {source: mark.number for source, mark in enumerate(told.since)}
            self._torn = told.torn
            self._alerts += [*told.alerts, *alerts]
            for delta in (*told.verdicts, *verdicts):
                self._lay_down(delta)

    def _clear(self) -> None:
        self._alerts.clear()
        self._verdicts.clear()
        self._rows.clear()


def in_turn(times: Iterable[tuple[int, datetime]]) -> list[datetime]:
    """When each of several things happened: one of a source never before another of that source.

    :param times: sources and times
    """
    reached: dict[int, datetime] = {}
    for_each = []
    for source, at in times:
        reached[source] = max(at, reached.get(source, at))
        for_each.append(reached[source])
    return for_each


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
