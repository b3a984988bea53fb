"""One partition of `sqm.state` as far as it was read, and the state that its frames make.

The log is read from its beginning with `read`, then `settle` makes the state; from then on `read` applies what
comes. Compaction takes frames away in the meantime, so that a slice may be there twice (the newer one counts) or
in pieces (it does not count), and deltas that every slice holds may be there or not. What is needed and missing
is damage, never passed over; a damaged record that another one of its key replaced is not needed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

import polars as pl

from consumers import changelog
from consumers.changelog import READING, FrameDamaged, FrameError, Header, Kind, Place
from monitor.state import SLICES, VERDICT_KEYS, Delta, State, only_slices

ALL_SLICES: Final = frozenset(range(SLICES))
Look = Callable[[int, Mapping[str, pl.DataFrame]], None]  # number of a delta, its tables

_REMOVING: Final = frozenset({"archived", "holes"})  # tables that take rows of earlier deltas out of other tables


class DeltaMissing(FrameDamaged):
    """The next delta is not the one that follows: what lies between was read too late, or lost."""

    retriable = True


@dataclass(frozen=True)
class Slice:
    """A slice as it stands in the log."""

    number: int  # of the last delta in it
    parts: int
    size: int  # bytes


@dataclass(frozen=True)
class _Frame:
    head: Header
    values: list[bytes]
    place: Place  # of its last part

    def tables(self) -> dict[str, pl.DataFrame]:
        return changelog.decode(self.values, self.place)


class StateLog:
    """See the module. `state` and `number` (of the last delta in it) count once settled."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.state = State()
        self.number = 0
        self.newest: dict[str, datetime] = {}  # newest event time by events topic
        self.slices: dict[int, Slice] = {}
        self.deltas: dict[int, int] = {}  # parts of each delta that is not tombstoned
        self.settled = False
        self.halted: str | None = None  # why its worker does not go on
        self._end = 0  # offset after the last record that was read
        self._damage: dict[bytes, FrameError] = {}  # by key; until settled
        self._parts: dict[tuple[Kind, int, int], list[bytes]] = {}
        self._waiting: dict[int, _Frame] = {}
        self._newest_slices: dict[int, _Frame] = {}
        self._beat: _Frame | None = None

    def read(self, place: Place, key: bytes | None, value: bytes | None) -> Delta | None:
        """Take the next record. Once settled: the tables that it applied, if any.

        Raises FrameDamaged, NewerFormat; DeltaMissing where deltas were passed over.
        """
        key = key or b""
        self._end = place.offset + 1
        self._damage.pop(key, None)
        if value is None:
            self._forget(key)
            return None
        try:
            head = changelog.header(value, place)
        except FrameError as error:
            if self.settled:
                raise
            self._damage[key] = error  # `settle` raises it, unless it is replaced further on
            return None
        frame = self._collect(head, value, place)
        if frame is None:
            return None
        if frame.head.kind == Kind.SLICE:
            if self.settled and frame.head.number > self.number:  # the state was begun anew
                raise DeltaMissing(f"{place}: a snapshot of delta {frame.head.number} came after delta {self.number}")
            self._take_slice(frame)
            return None
        if frame.head.kind == Kind.HALT:
            self.halted = str(frame.tables()[changelog.HALT]["detail"][0])
            return None
        if frame.head.kind == Kind.DELTA:
            self.deltas[frame.head.number] = frame.head.parts
        if self.settled:
            return self._follow(frame)
        if frame.head.kind == Kind.BEAT:
            self._beat = frame
        else:
            self._waiting[frame.head.number] = frame
        return None

    def settle(self, look: Look | None = None) -> None:
        """Make the state of all that was read. Raises FrameDamaged, NewerFormat.

        :param look: is shown each of the deltas that are not in all slices, in their order
        """
        for tables in self.frames(look):
            self._apply(tables)
        self.number, self.settled = self.top, True
        self._waiting, self._newest_slices, self._beat, self._parts = {}, {}, None, {}

    def frames(self, look: Look | None = None) -> Iterator[Delta]:
        """All that was read and is not settled, as deltas: applied in their order they make the state.

        Raises FrameDamaged, NewerFormat.
        """
        for error in self._damage.values():
            raise error
        least, top = self.held_by_all, self.top
        missing = [n for n in range(least + 1, top + 1) if n not in self._waiting]
        if missing:
            raise FrameDamaged(
                f"{self.topic}, partition {self.partition}: delta {missing[0]} of {top} is missing, and no snapshot "
                f"holds it ({len(missing)} missing in all): the state cannot be restored from what is there",
                self._end,
            )
        self.state = State()  # should a frame fail, it can be tried again
        for frame in self._newest_slices.values():
            yield frame.tables()
        for lacking, group in groupby(range(least + 1, top + 1), self._slices_before):
            for deltas in _runs(self._seen(n, look) for n in group):
                yield _cut(together(deltas), lacking)
        if self._beat is not None and self._beat.head.number == top:
            yield self._beat.tables()

    @property
    def held_by_all(self) -> int:
        """Number of the last delta that every slice holds: deltas up to it are not needed."""
        return min((self.slices[i].number if i in self.slices else 0) for i in range(SLICES))

    @property
    def top(self) -> int:
        """Number of the last delta that was read; until settled."""
        top = max([self.held_by_all, *self._waiting, *(s.number for s in self.slices.values())])
        return top if self._beat is None else max(top, self._beat.head.number)

    def _seen(self, number: int, look: Look | None) -> Mapping[str, pl.DataFrame]:
        tables = self._waiting[number].tables()
        if look is not None:
            look(number, tables)
        return tables

    def _slices_before(self, number: int) -> frozenset[int]:
        """The slices that lack that delta."""
        return frozenset(i for i in ALL_SLICES if i not in self.slices or self.slices[i].number < number)

    def _collect(self, head: Header, value: bytes, place: Place) -> _Frame | None:
        parts = self._parts.setdefault(head.frame, [])
        if head.part == 0:
            parts.clear()
        if head.part != len(parts):  # compaction took the beginning: a newer one follows, or `settle` will tell
            del self._parts[head.frame]
            return None
        parts.append(value)
        if len(parts) < head.parts:
            return None
        return _Frame(head, self._parts.pop(head.frame), place)

    def _take_slice(self, frame: _Frame) -> None:
        head = frame.head
        self.slices[head.slice] = Slice(head.number, head.parts, sum(map(len, frame.values)))
        if self.settled:
            return
        self._newest_slices[head.slice] = frame
        least = self.held_by_all
        self._waiting = {n: f for n, f in self._waiting.items() if n > least}

    def _forget(self, key: bytes) -> None:
        kind, _, rest = key.partition(b"/")
        if kind == b"halt":
            self.halted = None
        if kind == b"delta":
            number = int(rest.partition(b"/")[0])
            self.deltas.pop(number, None)
            # Until settled, a slice further on may still be unread that makes up for it: the check is `settle`'s.
            self._waiting.pop(number, None)

    def _follow(self, frame: _Frame) -> Delta | None:
        head = frame.head
        if head.kind == Kind.BEAT:
            return self._apply(frame.tables()) if head.number == self.number else None
        if head.number <= self.number:
            return None
        if head.number > self.number + 1:
            raise DeltaMissing(f"{frame.place}: delta {head.number} came after delta {self.number}")
        applied = self._apply(frame.tables())
        self.number = head.number
        return applied

    def _apply(self, tables: Mapping[str, pl.DataFrame]) -> Delta:
        delta = dict(tables)
        reading = delta.pop(READING, None)
        if reading is not None:
            self.newest.update(dict(reading.drop_nulls().iter_rows()))
        self.state.apply(delta)
        return delta


def _cut(tables: Delta, wanted: frozenset[int]) -> Delta:
    """What of those tables lies in the wanted slices; time goes with slice 0, as the offsets do."""
    reading = tables.pop(READING, None)
    cut = only_slices(tables, wanted)
    if reading is not None and 0 in wanted:
        cut[READING] = reading
    return cut


def _runs(deltas: Iterable[Mapping[str, pl.DataFrame]]) -> Iterator[Sequence[Mapping[str, pl.DataFrame]]]:
    """Runs of deltas that may be taken together: what takes away rows of others stands alone, in its place."""
    for removes, group in groupby(deltas, lambda delta: not _REMOVING.isdisjoint(delta)):
        run = list(group)
        yield from ([delta] for delta in run) if removes else [run]


def together(deltas: Sequence[Mapping[str, pl.DataFrame]]) -> Delta:
    """Several consecutive deltas, none of which archives cases or accepts holes, as one that has the same effect."""
    if len(deltas) == 1:
        return dict(deltas[0])
    names: Iterable[str] = dict.fromkeys(name for delta in deltas for name in delta)
    merged = {name: pl.concat([delta[name] for delta in deltas if name in delta]) for name in names}
    if "verdicts" in merged:
        merged["verdicts"] = merged["verdicts"].unique(VERDICT_KEYS, keep="last", maintain_order=True)
    if "wakes" in merged:
        # A delta has a wake of each case that it touched, and replaces all contributions of these.
        touched = _numbered(deltas, "wakes").unique("case_key", keep="last", maintain_order=True)
        merged["wakes"] = touched.drop("delta")
        if "contributions" in merged:
            made = _numbered(deltas, "contributions")
            merged["contributions"] = made.join(
                touched, on=["case_key", "delta"], how="semi", maintain_order="left"
            ).drop("delta")
    return merged


def _numbered(deltas: Sequence[Mapping[str, pl.DataFrame]], name: str) -> pl.DataFrame:
    return pl.concat([delta[name].with_columns(delta=n) for n, delta in enumerate(deltas) if name in delta])


def reading_table(newest: Mapping[str, datetime]) -> Delta:
    """What a frame says of how far time had come on each events topic."""
    return {READING: pl.DataFrame(list(newest.items()), schema=dict(changelog.READING_COLUMNS), orient="row")}
