"""Rows that belong to keys, held in chunks of growing size, so that neither adding nor replacing copies all."""

from datetime import datetime
from typing import NamedTuple

import numpy as np
import polars as pl

from monitor.chunk import Chunk
from monitor.frames import KEY, Columns, empty, together
from monitor.keyed import Ints, Lows, distinct, to_merge
from monitor.sealed import Packed, Sealed, pack


class Rows:
    """A table whose rows are found by `key` (an Int128 column that holds a good hash).

    Chunks of one order of size are merged when there are `FAN`: a row is copied O(log n) times in its life. Finding
    rows costs by how many are wanted, not by how many there are. Rows of keys that hardly change any more can be
    sealed: they take a tenth of the space then, and are found as before.
    """

    def __init__(self, columns: Columns, key: str) -> None:
        self.columns = columns
        self.key = key
        self._chunks: list[Chunk] = []
        self._sealed = Sealed(columns, key)

    @property
    def height(self) -> int:
        return self.height_unsealed + self._sealed.height

    @property
    def height_unsealed(self) -> int:
        return sum(chunk.height for chunk in self._chunks)

    def frame(self) -> pl.DataFrame:
        """All rows."""
        return together([*(chunk.rows() for chunk in self._chunks), *self._sealed.frames()], self.columns)

    def of(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of those keys."""
        return self._found(self._hits(keys), keys)

    def _found(self, hits: "_Hits", keys: pl.Series) -> pl.DataFrame:
        found = [chunk.gather(runs) for chunk, runs in hits]
        if self._sealed.height:
            found.append(self._sealed.of(keys))
        return together(found, self.columns)

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height == 0:
            return
        self._chunks.append(Chunk.of(rows, self.columns, self.key))
        while some := to_merge([chunk.height for chunk in self._chunks]):
            self._chunks[-some:] = [Chunk.merged(self._chunks[-some:])]

    def remove(self, keys: pl.Series) -> None:
        """Take out all rows of those keys."""
        self._take_out(self._hits(keys))
        self._sealed.remove(keys)

    def take(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of those keys, which are taken out."""
        hits = self._hits(keys)
        taken = self._found(hits, keys)
        self._take_out(hits)
        self._sealed.remove(keys)
        return taken

    def _take_out(self, hits: "_Hits") -> None:
        for chunk, runs in hits:
            chunk.remove(runs)
        self._chunks = [chunk.tidied() for chunk in self._chunks if chunk.height]

    def replace(self, keys: pl.Series, rows: pl.DataFrame) -> None:
        """Put `rows` in the place of all rows of those keys."""
        self.remove(keys)
        self.add(rows)

    def least(self, column: str) -> object | None:
        """The least value of a column over all rows that are not sealed; None where there is none."""
        values = [value for chunk in self._chunks if (value := chunk.least(column)) is not None]
        return min(values) if values else None

    def where(self, condition: pl.Expr) -> pl.DataFrame:
        """The rows that fulfil a condition."""
        found = [chunk.where(condition) for chunk in self._chunks]
        found += [frame.filter(condition) for frame in self._sealed.frames()]
        return together(found, self.columns)

    def part(self, number: int, of: int) -> pl.DataFrame:
        """The rows of one part of all keys, of so many (a power of two from 4 on) of the same size; see `part_of`."""
        return pl.concat([self.unsealed(number, of), self._sealed.part(number, of)])

    def halves(self) -> Lows:
        """The lower halves of all keys, each once, ascending."""
        found = [np.zeros(0, dtype=np.uint64), *(chunk.halves() for chunk in self._chunks), *self._sealed.halves()]
        halves = np.sort(np.concatenate(found), kind="stable")  # which finds ascending runs, and only merges them
        return halves[np.diff(halves, prepend=halves[0] + 1) != 0] if len(halves) else halves

    def keys_before(self, number: int, of: int, instant: datetime) -> pl.Series:
        """The keys of such a part that have a row whose `time` lies before an instant."""
        rows = [
            self.unsealed(number, of, self.key, "time"),
            self._sealed.part(number, of, instant).select(self.key, "time"),
        ]
        return pl.concat(rows).filter(pl.col("time") < instant)[self.key].unique()

    # --- sealing ---
    def unsealed(self, number: int, of: int, *columns: str) -> pl.DataFrame:
        """As `part`, without what is sealed.

        :param columns: those that are wanted; none: all
        """
        wanted = {name: self.columns[name] for name in columns or self.columns}
        return together([chunk.part(number, of, list(wanted)) for chunk in self._chunks], wanted)

    def blocks(self, number: int, of: int) -> pl.DataFrame:
        """What is sealed of such a part, as it lies (SEALED), for `put`."""
        return self._sealed.blocks(number, of)

    def put(self, blocks: pl.DataFrame) -> None:
        """Add what `blocks` gave."""
        self._sealed.put(blocks)

    def to_seal(self, keys: pl.Series) -> "ToSeal":
        """All rows of those keys, compressed, for `seal`; until then the table must not change, but can be read.

        :param keys: distinct; rows of keys that stand together here will lie together
        """
        hits = self._hits(keys)
        rows = [empty({self.key: KEY}), *(chunk.gather(runs) for chunk, runs in hits)]
        return ToSeal(hits, pack(pl.concat(rows, how="diagonal"), self.key, keys))

    def seal(self, what: "ToSeal") -> None:
        """Hold those rows compressed from now on."""
        self._take_out(what.hits)
        self._sealed.add(what.packed)

    def _hits(self, keys: pl.Series) -> "_Hits":
        if len(keys) == 0 or not self._chunks:
            return []
        wanted = distinct(keys)
        found = ((chunk, chunk.find(wanted)) for chunk in self._chunks)
        return [(chunk, runs) for chunk, runs in found if len(runs)]


_Hits = list[tuple[Chunk, Ints]]


class ToSeal(NamedTuple):
    """Rows of a table that are about to be sealed."""

    hits: _Hits
    packed: Packed


def part_of(key: pl.Expr, of: int) -> pl.Expr:
    """In which of so many parts a key lies: told by the upper bits of its lower half."""
    return (key.cast(pl.UInt64, wrap_numerical=True) // (2**64 // of)).cast(pl.Int32)
