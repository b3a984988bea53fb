"""Events on disk, cut into parts by case: written once while they are decoded, read part by part.

Reading and decoding cost most of a verification. So the log is read once, however many parts it takes to keep within
a memory budget.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from consumers.verify.pieces import Piece, Pieces
from monitor.events import READ_EVENTS
from monitor.frames import empty
from monitor.rows import part_of

_FLUSH_ROWS: Final = 100_000


@dataclass
class Spill:
    """READ_EVENTS, put in any order of cases and taken out by parts of their keys.

    :param parts: how many parts there are; a power of two from 2 on
    """

    pieces: Pieces
    parts: int
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _waiting_rows: int = 0
    _held: list[tuple[int, Piece]] = field(default_factory=list)  # part, piece

    def add(self, events: pl.DataFrame) -> None:
        """Take some more events, each of a case."""
        self._waiting.append(events)
        self._waiting_rows += events.height
        if self._waiting_rows >= _FLUSH_ROWS:
            self._flush()

    def groups(self, rows: int) -> list[range]:
        """Stretches of parts that hold about so many events at most, but at least one part each."""
        self._flush()
        heights = [0] * self.parts
        for part, piece in self._held:
            heights[part] += piece.rows
        groups, first, held = [], 0, 0
        for part, height in enumerate(heights):
            if held and held + height > rows:
                groups.append(range(first, part))
                first, held = part, 0
            held += height
        return [*groups, range(first, self.parts)]

    def take(self, parts: range) -> pl.DataFrame:
        """The events of those parts, those of a part in the order in which they were added."""
        return self._read(piece for part, piece in self._held if part in parts)

    def find(self, keys: pl.Series) -> pl.DataFrame:
        """Events by their keys; all is read for it."""
        chosen = pl.col("event_key").is_in(keys.implode())
        found = [rows for _, piece in self._held if (rows := self._read([piece]).filter(chosen)).height]
        return pl.concat(found) if found else empty(READ_EVENTS)

    def _flush(self) -> None:
        if not self._waiting_rows:
            return
        rows = pl.concat(self._waiting).with_columns(part=part_of(pl.col("case_key"), self.parts))
        self._waiting, self._waiting_rows = [], 0
        for (part,), events in rows.partition_by("part", as_dict=True, include_key=False).items():
            self._held.append((int(part), self.pieces.put(events)))

    def _read(self, pieces: Iterable[Piece]) -> pl.DataFrame:
        read = [self.pieces.get(piece, READ_EVENTS) for piece in pieces]
        return pl.concat(read, rechunk=True) if read else empty(READ_EVENTS)
