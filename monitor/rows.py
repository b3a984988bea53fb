"""Rows that belong to keys, held in chunks of growing size, so that neither adding nor replacing copies all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.frames import KEY, Columns, empty, together, used
from monitor.keyed import Lows, low_half, to_merge
from monitor.sealed import Packed, Sealed, pack

Places = npt.NDArray[np.uint32]


class _Wanted(NamedTuple):
    """Distinct keys, in the order of their lower halves."""

    keys: pl.Series
    low: Lows

    @classmethod
    def of(cls, keys: pl.Series) -> "_Wanted":
        low = low_half(keys)
        order = np.argsort(low)
        ordered = low[order]
        if bool(np.any(ordered[1:] == ordered[:-1])):
            distinct = keys.unique()
            if len(distinct) < len(keys):
                return cls.of(distinct)
        return cls(keys.gather(order), ordered)


class _Chunk:
    """Some of the rows, with an index by the lower halves of their keys. Taking rows out only marks them.

    Columns that are null in every row are not held, nor given.
    """

    def __init__(self, rows: pl.DataFrame, key: str, low: Lows, place: Places) -> None:
        self._rows = rows
        self._key = rows[key]
        self._low = low  # ascending
        self._place = place  # of each in `rows`
        self._gone: npt.NDArray[np.bool_] | None = None
        self._height = rows.height

    @classmethod
    def of(cls, rows: pl.DataFrame, key: str) -> "_Chunk":
        low = low_half(rows[key])
        place = np.argsort(low).astype(np.uint32)
        return cls(used(rows, key), key, low[place], place)

    @classmethod
    def merged(cls, chunks: "Sequence[_Chunk]") -> "_Chunk":
        """All as one. The sort finds ascending runs, which it only has to merge."""
        rows = pl.concat([chunk.rows() for chunk in chunks], how="diagonal", rechunk=True)
        indexes = [chunk._index() for chunk in chunks]
        before = np.cumsum([0, *(chunk.height for chunk in chunks)], dtype=np.uint32)
        low = np.concatenate([low for low, _ in indexes])
        place = np.concatenate([place + first for (_, place), first in zip(indexes, before, strict=False)])
        order = np.argsort(low, kind="stable")
        return cls(rows, chunks[0]._key.name, low[order], place[order])

    @property
    def height(self) -> int:
        return self._height

    def rows(self) -> pl.DataFrame:
        """What is not gone."""
        return self._rows if self._gone is None else self._rows.filter(pl.Series(~self._gone))

    def where(self, condition: pl.Expr, columns: Columns) -> pl.DataFrame:
        missing = [name for name in condition.meta.root_names() if name not in self._rows.columns]
        rows = self._rows.with_columns(pl.lit(None, dtype=columns[name]).alias(name) for name in missing)
        return rows.filter(condition if self._gone is None else condition & pl.lit(pl.Series(~self._gone)))

    def least(self, column: str) -> Any:
        if column not in self._rows.columns:
            return None
        values = self._rows[column]
        return (values if self._gone is None else values.filter(pl.Series(~self._gone))).min()

    def part(self, number: int, of: int, columns: Sequence[str]) -> pl.DataFrame:
        size = 2**64 // of
        begin = np.searchsorted(self._low, np.uint64(size * number))
        end = np.searchsorted(self._low, np.uint64(size * (number + 1) - 1), side="right")
        places = np.sort(self._place[begin:end])
        rows = self._rows.select(name for name in columns if name in self._rows.columns)
        return rows[places if self._gone is None else places[~self._gone[places]]]

    def halves(self) -> Lows:
        return self._index()[0]

    def _index(self) -> tuple[Lows, Places]:
        """Lower halves, ascending, and places in `rows()`."""
        if self._gone is None:
            return self._low, self._place
        left = ~self._gone
        kept = left[self._place]
        return self._low[kept], (np.cumsum(left, dtype=np.uint32) - np.uint32(1))[self._place[kept]]

    def places(self, wanted: _Wanted) -> Places:
        """Where the rows of those keys are."""
        start = np.searchsorted(self._low, wanted.low)
        hit = np.flatnonzero(self._low[np.minimum(start, len(self._low) - 1)] == wanted.low)
        start = start[hit]
        count = np.searchsorted(self._low, wanted.low[hit], side="right") - start
        which = np.repeat(hit, count)
        offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        places = self._place[np.repeat(start, count) + offset]
        same = (self._key.gather(places) == wanted.keys.gather(which)).to_numpy()  # not only in their lower halves
        if self._gone is not None:
            same = same & ~self._gone[places]
        return np.asarray(places if bool(same.all()) else places[same])

    def gather(self, places: Places) -> pl.DataFrame:
        """The rows at those places."""
        return self._rows[places]

    def remove(self, places: Places) -> None:
        if len(places):
            self._gone = np.zeros(self._rows.height, dtype=bool) if self._gone is None else self._gone
            self._gone[places] = True
            self._height -= len(places)

    def tidied(self) -> "_Chunk":
        """The same without what is gone, where that is much of it."""
        if self._height * 2 > self._rows.height:
            return self
        return _Chunk(self.rows(), self._key.name, *self._index())


class Rows:
    """A table whose rows are found by `key` (an Int128 column that holds a good hash).

    Chunks of one order of size are merged when there are `FAN`: a row is copied O(log n) times in its life. Finding
    rows costs by how many are wanted, not by how many there are. Rows of keys that hardly change any more can be
    sealed: they take a tenth of the space then, and are found as before.
    """

    def __init__(self, columns: Columns, key: str) -> None:
        self.columns = columns
        self.key = key
        self._chunks: list[_Chunk] = []
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
        found = [chunk.gather(places) for chunk, places in hits]
        if self._sealed.height:
            found.append(self._sealed.of(keys))
        return together(found, self.columns)

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height == 0:
            return
        self._chunks.append(_Chunk.of(rows, self.key))
        while some := to_merge([chunk.height for chunk in self._chunks]):
            self._chunks[-some:] = [_Chunk.merged(self._chunks[-some:])]

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
        for chunk, places in hits:
            chunk.remove(places)
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
        found = [chunk.where(condition, self.columns) for chunk in self._chunks]
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
        rows = [empty({self.key: KEY}), *(chunk.gather(places) for chunk, places in hits)]
        return ToSeal(hits, pack(pl.concat(rows, how="diagonal"), self.key, keys))

    def seal(self, what: "ToSeal") -> None:
        """Hold those rows compressed from now on."""
        self._take_out(what.hits)
        self._sealed.add(what.packed)

    def _hits(self, keys: pl.Series) -> "_Hits":
        if len(keys) == 0 or not self._chunks:
            return []
        wanted = _Wanted.of(keys)
        found = ((chunk, chunk.places(wanted)) for chunk in self._chunks)
        return [(chunk, places) for chunk, places in found if len(places)]


_Hits = list[tuple[_Chunk, Places]]


class ToSeal(NamedTuple):
    """Rows of a table that are about to be sealed."""

    hits: _Hits
    packed: Packed


def part_of(key: pl.Expr, of: int) -> pl.Expr:
    """In which of so many parts a key lies: told by the upper bits of its lower half."""
    return (key.cast(pl.UInt64, wrap_numerical=True) // (2**64 // of)).cast(pl.Int32)
