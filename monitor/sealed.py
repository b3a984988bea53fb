"""Rows that will hardly be asked for again, compressed in blocks, and found by key like others.

A block holds the rows of some keys. An index says in which block those of a key are, so that reading them
unpacks that block only, and asking for keys that are not there unpacks nothing. Rows that are taken out stay in
their block, which goes when none is left in it.
"""

import io
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.frames import INSTANT, KEY, Columns, conform, earliest, empty, together, used
from monitor.keyed import Ints, Keyed, Lows, Part, low_half, ranges

BLOCK_KEYS: Final = 170  # more would take a little less space, and longer to find one in
_GONE: Final = np.iinfo(np.uint32).max  # in the place of a block's number
_LEVEL: Final = 1  # 3 would take a fortieth less space, and half as long again


class Packed(NamedTuple):
    """Rows in blocks."""

    blocks: list[bytes]
    counts: Ints  # of keys in each block
    keys: pl.Series  # block by block
    rows: npt.NDArray[np.uint32]  # of each key
    starts: npt.NDArray[np.uint32]  # where these begin in the block
    oldest: list[datetime | None]  # the least `time` of each block; None: the rows have none


def pack(rows: pl.DataFrame, key: str, order: pl.Series) -> Packed:
    """Put rows into blocks, those of each key together.

    :param order: their keys, distinct, and in which order they are to lie
    """
    rows, keys, many = _by_key(used(rows, key), key, order)
    ends = np.cumsum(many)
    firsts = np.arange(0, len(keys), BLOCK_KEYS)  # the first key of each block
    begins = (ends - many)[firsts]
    parts = [rows[begin:end] for begin, end in pairwise([*begins.tolist(), rows.height])]
    oldest = [earliest(part["time"]) if "time" in part.columns else None for part in parts]
    counts = np.diff(np.append(firsts, len(keys)))
    starts = ends - many - np.repeat(begins, counts)
    blocks = [_packed(part) for part in parts]
    return Packed(blocks, counts, keys, many.astype(np.uint32), starts.astype(np.uint32), oldest)


# A block as it lies, with the keys that are left in it, how many rows each has and where these begin.
SEALED: Final[Columns] = {
    "block": pl.Binary(),
    "oldest": INSTANT,
    "keys": pl.List(KEY),
    "rows": pl.List(pl.UInt32()),
    "starts": pl.List(pl.UInt32()),
}


class Sealed:
    """See the module.

    :param columns: of the rows; `key` is one of them
    """

    def __init__(self, columns: Columns, key: str) -> None:
        self.columns = columns
        self.key = key
        self._blocks: dict[int, bytes] = {}
        self._left: dict[int, int] = {}  # how many keys are left in each block
        self._oldest: dict[int, datetime | None] = {}
        self._number = 0
        self._index = Keyed()  # number of the block, number of rows in it, and where they begin
        self._keys = 0  # in the index that are not gone
        self.height = 0
        self.size = 0  # bytes of all blocks

    def add(self, packed: Packed) -> None:
        """Take over rows: all that there are of their keys, but for what is sealed already."""
        numbers = range(self._number, self._number + len(packed.blocks))
        self._blocks |= dict(zip(numbers, packed.blocks, strict=True))
        self._left |= dict(zip(numbers, packed.counts.tolist(), strict=True))
        self._oldest |= dict(zip(numbers, packed.oldest, strict=True))
        self._number += len(numbers)
        block = np.repeat(numbers, packed.counts).astype(np.uint32)
        self._index.add(packed.keys, [block, packed.rows, packed.starts])
        self._keys += len(packed.keys)
        self.size += sum(map(len, packed.blocks))
        self.height += int(packed.rows.sum())

    def of(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of those keys."""
        return self._rows(part.at(places) for part, places in self._index.find(keys))

    def remove(self, keys: pl.Series) -> None:
        """Take out all rows of those keys."""
        for part, places in self._index.find(keys):
            self._remove(part, places)
        if self._index.height > 2 * self._keys:
            self._index.parts = [left for part in self._index.parts if (left := _left_in(part)).height]

    @property
    def index_height(self) -> int:
        """How many keys the index holds, at most twice as many as there are."""
        return self._index.height

    def part(self, number: int, of: int, before: datetime | None = None) -> pl.DataFrame:
        """As `Rows.part`.

        :param before: only blocks that hold a row of a `time` before; None: all
        """
        parts = (part.at(part.between(number, of)) for part in self._index.parts)
        if before is not None:
            old = [block for block, oldest in self._oldest.items() if oldest is not None and oldest < before]
            parts = (part.at(np.isin(part.columns[0], old)) for part in parts)
        return self._rows(parts)

    def blocks(self, number: int, of: int) -> pl.DataFrame:
        """The blocks of a part of all keys, for `put` (SEALED): nothing is unpacked. See `Rows.part`."""
        parts = (_left_in(part.at(part.between(number, of))) for part in self._index.parts)
        index = [
            pl.DataFrame(dict(zip(("number", "rows", "starts"), part.columns, strict=True), keys=part.keys.keys()))
            for part in parts
            if part.height
        ]
        if not index:
            return empty(SEALED)
        lists = pl.concat(index).group_by("number").agg(pl.all())
        numbers = lists["number"].to_list()
        block = pl.Series([self._blocks[number] for number in numbers], dtype=pl.Binary)
        oldest = pl.Series([self._oldest[number] for number in numbers], dtype=INSTANT)
        return lists.with_columns(block=block, oldest=oldest).select(list(SEALED))

    def put(self, blocks: pl.DataFrame) -> None:
        """Take over what `blocks` gave."""
        keys, rows, starts = (blocks[name].explode() for name in ("keys", "rows", "starts"))
        counts = blocks["keys"].list.len().to_numpy().astype(np.int64)
        oldest = blocks["oldest"].to_list()
        self.add(Packed(blocks["block"].to_list(), counts, keys, rows.to_numpy(), starts.to_numpy(), oldest))

    def frames(self) -> Iterator[pl.DataFrame]:
        """All rows, a few blocks at a time."""
        for number in range(16):
            yield self.part(number, 16)

    def halves(self) -> Iterator[Lows]:
        """The lower halves of all keys, in ascending arrays."""
        return (_left_in(part).keys.low for part in self._index.parts)

    def _remove(self, part: Part, places: Ints) -> None:
        block, rows, _ = part.columns
        gone = places[block[places] != _GONE]
        self.height -= int(rows[gone].sum())
        self._keys -= len(gone)
        for number, count in zip(*(c.tolist() for c in np.unique(block[gone], return_counts=True)), strict=True):
            self._left[number] -= count
            if not self._left[number]:
                self.size -= len(self._blocks.pop(number))
                del self._left[number], self._oldest[number]
        block[gone] = _GONE

    def _rows(self, parts: Any) -> pl.DataFrame:
        found = []
        for part in filter(lambda part: part.height, map(_left_in, parts)):
            block, rows, starts = part.columns
            order = np.argsort(block, kind="stable")
            numbers, firsts = np.unique(block[order], return_index=True)
            for number, keys in zip(numbers.tolist(), np.split(order, firsts[1:]), strict=True):
                found.append(_unpacked(self._blocks[number])[ranges(starts[keys], rows[keys])])
        # Once for all blocks: for each it would take longer than unpacking them.
        try:
            return together(found, self.columns)
        except pl.exceptions.SchemaError:  # some were sealed before a name or a type was added
            return together([conform(rows, self.columns) for rows in found], self.columns)


def _by_key(rows: pl.DataFrame, key: str, order: pl.Series) -> tuple[pl.DataFrame, pl.Series, Ints]:
    """The rows with those of each key together, the keys as they lie, and how many rows each has."""
    if rows.height:
        wanted = low_half(order)
        by_low = np.argsort(wanted)
        rank = by_low[np.searchsorted(wanted[by_low], low_half(rows[key]))]
        rows = rows[np.argsort(rank, kind="stable")]
    runs = rows[key].rle().struct.unnest()
    if runs["value"].n_unique() < runs.height:  # keys that agree in their lower halves lie mixed
        rows = rows.sort(key)
        runs = rows[key].rle().struct.unnest()
    return rows, runs["value"], runs["len"].cast(pl.Int64).to_numpy()


def _left_in(part: Part) -> Part:
    return part.at(part.columns[0] != _GONE)


def _packed(rows: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    rows.write_ipc_stream(stream)
    return bytes(cramjam.zstd.compress(stream.getbuffer(), _LEVEL))


def _unpacked(packed: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(bytes(cramjam.zstd.decompress(packed))))
