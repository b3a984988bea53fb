"""128-bit keys that are remembered for a time, and little else of each: no more than their bytes are held.

Sorted arrays of growing size, merged like the chunks of `monitor/rows.py`. Keys of before `kept_from` are as good as
gone, whether their bytes still lie there or not, so that what is found never depends on when these were dropped.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.frames import INSTANT, KEY, Columns, empty
from monitor.rows import halves, to_merge

_NEVER: Final = 0  # seconds since 1970
_TIDY_SHARE: Final = 8  # of the time held, that has to be over before its keys are dropped

Lows = npt.NDArray[np.uint64]


class _Chunk(NamedTuple):
    low: Lows  # lower halves of the keys, ascending
    high: npt.NDArray[np.int64]
    second: npt.NDArray[np.uint32]  # since 1970
    others: tuple[npt.NDArray[Any], ...]  # the columns beside key and time

    @classmethod
    def of(cls, low: Lows, high: Any, second: Any, others: Sequence[Any]) -> "_Chunk":
        order = np.argsort(low, kind="stable")
        return cls(low[order], high[order], second[order], tuple(column[order] for column in others))

    @classmethod
    def merged(cls, chunks: "Sequence[_Chunk]") -> "_Chunk":
        others = [np.concatenate(columns) for columns in zip(*(chunk.others for chunk in chunks), strict=True)]
        low, high, second = (np.concatenate(parts) for parts in list(zip(*chunks, strict=True))[:3])
        return cls.of(low, high, second, others)

    def where(self, kept: Any) -> "_Chunk":
        return _Chunk(self.low[kept], self.high[kept], self.second[kept], tuple(column[kept] for column in self.others))


class Ids:
    """See the module.

    :param columns: `key`, a column of INSTANTs (kept to the second below), and any of numbers
    """

    def __init__(self, columns: Columns, key: str) -> None:
        self.columns = columns
        self.key = key
        self._time = next(name for name, dtype in columns.items() if dtype == INSTANT)
        self._others = [name for name in columns if name not in (key, self._time)]
        self._chunks: list[_Chunk] = []
        self._kept_from = _NEVER
        self._tidied = _NEVER

    @property
    def height(self) -> int:
        """How many lie there, some of which may be as good as gone."""
        return sum(len(chunk.low) for chunk in self._chunks)

    @property
    def kept_from(self) -> datetime | None:
        """What lies before is forgotten; None: nothing is."""
        return datetime.fromtimestamp(self._kept_from, UTC) if self._kept_from else None

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height == 0:
            return
        low, high = halves(rows[self.key])
        seconds = (rows[self._time].to_physical().to_numpy() // 1_000_000).astype(np.uint32)
        self._chunks.append(_Chunk.of(low, high, seconds, [rows[name].to_numpy() for name in self._others]))
        while some := to_merge([len(chunk.low) for chunk in self._chunks]):
            self._chunks[-some:] = [_Chunk.merged(self._chunks[-some:])]

    def of(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of those keys that are not forgotten."""
        if len(keys) == 0 or not self._chunks:
            return empty(self.columns)
        low, high = halves(keys.unique())
        order = np.argsort(low)
        low, high = low[order], high[order]
        hits = (chunk.where(_places(chunk, low, high)) for chunk in self._chunks)
        return pl.concat([empty(self.columns), *(self._frame(hit.where(self._known(hit))) for hit in hits)])

    def frame(self) -> pl.DataFrame:
        """All rows that are not forgotten."""
        return pl.concat([empty(self.columns), *(self._frame(c.where(self._known(c))) for c in self._chunks)])

    def part(self, number: int, of: int) -> pl.DataFrame:
        """As `Rows.part`."""
        size = 2**64 // of
        parts = [empty(self.columns)]
        for chunk in self._chunks:
            begin = np.searchsorted(chunk.low, np.uint64(size * number))
            end = np.searchsorted(chunk.low, np.uint64(size * (number + 1) - 1), side="right")
            within = chunk.where(slice(begin, end))
            parts.append(self._frame(within.where(self._known(within))))
        return pl.concat(parts)

    def forget(self, before: datetime) -> None:
        """Forget what lies before; never fewer than were forgotten already."""
        self._kept_from = max(self._kept_from, int(before.timestamp()))
        newest = max((int(chunk.second.max()) for chunk in self._chunks), default=_NEVER)
        if (self._kept_from - self._tidied) * _TIDY_SHARE < newest - self._kept_from:
            return
        self._tidied = self._kept_from
        kept = (chunk.where(self._known(chunk)) for chunk in self._chunks)
        self._chunks = [chunk for chunk in kept if len(chunk.low)]

    def newest(self, count: int) -> datetime | None:
        """The second in which the oldest of the `count` newest lies; None if there are no more than that."""
        seconds = np.concatenate([np.empty(0, np.uint32), *(chunk.second for chunk in self._chunks)])
        if len(seconds) <= count:
            return None
        return datetime.fromtimestamp(int(np.partition(seconds, -count)[-count]), UTC)

    def _known(self, chunk: _Chunk) -> npt.NDArray[np.bool_]:
        return np.asarray(chunk.second >= self._kept_from)

    def _frame(self, chunk: _Chunk) -> pl.DataFrame:
        key = pl.DataFrame({"high": chunk.high, "low": chunk.low}).select(
            pl.col("high").cast(KEY) * 2**64 + pl.col("low").cast(KEY)
        )
        columns: dict[str, pl.Series] = {
            self.key: key.to_series(),
            self._time: (pl.Series(chunk.second).cast(pl.Int64) * 1_000_000).cast(INSTANT),
        }
        columns |= {name: pl.Series(column) for name, column in zip(self._others, chunk.others, strict=True)}
        return pl.DataFrame([columns[name].alias(name) for name in self.columns])


def _places(chunk: _Chunk, low: Lows, high: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where those keys are, which are distinct and ascend by their lower halves."""
    start = np.searchsorted(chunk.low, low)
    hit = np.flatnonzero(chunk.low[np.minimum(start, len(chunk.low) - 1)] == low)
    start = start[hit]
    many = np.searchsorted(chunk.low, low[hit], side="right") - start
    found = []
    for further in range(int(many.max(initial=0))):  # more than one where lower halves agree
        places = (start + further)[further < many]
        found.append(places[chunk.high[places] == high[hit[further < many]]])
    return np.concatenate([np.empty(0, np.int64), *found])
