"""Numbers by 128-bit key in sorted arrays, merged as they grow: no more is held than their bytes."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.frames import KEY

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Lows = npt.NDArray[np.uint64]

FAN: Final = 4  # chunks of one order of size are merged when there are so many
MOST_MERGED: Final = 2**20  # rows of a table; arrays of numbers take a tenth of the time


def low_half(keys: pl.Series) -> Lows:
    """The lower halves of keys."""
    return np.asarray(keys.cast(pl.Int64, wrap_numerical=True).to_numpy().view(np.uint64))


def to_merge(heights: Sequence[int], most: int = MOST_MERGED) -> int:
    """How many of the last chunks are to become one: those of the last one's order of size, or smaller, once they are
    `FAN`; 0: none, or too much for one checkpoint to wait for."""
    sizes = [int(math.log(max(height, 1), FAN)) for height in reversed(heights)]
    alike = sum(1 for _ in itertools.takewhile(lambda size: size <= sizes[0], sizes))
    return alike if alike >= FAN and sum(heights[-alike:]) <= most else 0


class Halves(NamedTuple):
    """Keys as two arrays of the same length."""

    low: Lows
    high: Ints

    @classmethod
    def of(cls, keys: pl.Series) -> "Halves":
        return cls(low_half(keys), (keys // 2**64).cast(pl.Int64).to_numpy())

    def keys(self) -> pl.Series:
        """The keys they are halves of (KEY)."""
        halves = pl.DataFrame({"high": self.high, "low": self.low})
        whole = pl.col("high").cast(KEY) * 2**64 + pl.col("low").cast(KEY)
        return halves.select(whole.alias("key")).to_series()

    def at(self, places: Any) -> "Halves":
        return Halves(self.low[places], self.high[places])


class Part(NamedTuple):
    """Some of the keys, in the order of their lower halves, with the columns of each."""

    keys: Halves
    columns: tuple[npt.NDArray[Any], ...]

    @property
    def height(self) -> int:
        return len(self.keys.low)

    @classmethod
    def of(cls, keys: Halves, columns: Sequence[npt.NDArray[Any]]) -> "Part":
        order = np.argsort(keys.low, kind="stable")
        return cls(keys.at(order), tuple(column[order] for column in columns))

    @classmethod
    def merged(cls, parts: "Sequence[Part]") -> "Part":
        keys = Halves(*(np.concatenate(half) for half in zip(*(part.keys for part in parts), strict=True)))
        columns = [np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True)]
        return cls.of(keys, columns)

    def at(self, places: Any) -> "Part":
        return Part(self.keys.at(places), tuple(column[places] for column in self.columns))

    def places(self, wanted: Halves) -> Ints:
        """Where those keys are, which are distinct and ascend by their lower halves."""
        low, high = self.keys
        if not len(low):
            return np.empty(0, np.int64)
        start = np.searchsorted(low, wanted.low)
        hit = np.flatnonzero(low[np.minimum(start, len(low) - 1)] == wanted.low)
        many = np.searchsorted(low, wanted.low[hit], side="right") - start[hit]
        places = ranges(start[hit], many)
        same = high[places] == np.repeat(wanted.high[hit], many)  # they may agree in their lower halves only
        return np.asarray(places[same])

    def between(self, number: int, of: int) -> slice:
        """Where the keys of that part of all keys are; see `rows.part_of`."""
        size = 2**64 // of
        begin = np.searchsorted(self.keys.low, np.uint64(size * number))
        end = np.searchsorted(self.keys.low, np.uint64(size * (number + 1) - 1), side="right")
        return slice(int(begin), int(end))


def ranges(starts: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Ints:
    """So many numbers from each start on."""
    before = np.cumsum(counts, dtype=np.int64) - counts
    return np.asarray(np.arange(int(counts.sum())) + np.repeat(starts - before, counts), dtype=np.int64)


def distinct(keys: pl.Series) -> Halves:
    """Those keys once each, in the order of their lower halves."""
    halves = Halves.of(keys.unique())
    return halves.at(np.argsort(halves.low))


class Keyed:
    """Columns of numbers by key; a key may be there more than once."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    @property
    def height(self) -> int:
        return sum(part.height for part in self.parts)

    def add(self, keys: pl.Series, columns: Sequence[npt.NDArray[Any]]) -> None:
        if len(keys) == 0:
            return
        self.parts.append(Part.of(Halves.of(keys), columns))
        while some := to_merge([part.height for part in self.parts], 16 * MOST_MERGED):
            self.parts[-some:] = [Part.merged(self.parts[-some:])]

    def find(self, keys: pl.Series) -> Iterator[tuple[Part, Ints]]:
        """The parts that hold some of those keys, and where."""
        if len(keys) == 0 or not self.parts:
            return
        wanted = distinct(keys)
        for part in self.parts:
            places = part.places(wanted)
            if len(places):
                yield part, places
