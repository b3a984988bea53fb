"""Some rows of a table by key, held in as little as their values need.

Rows lie in the order in which they came, of a large chunk those of a key where its first one lies. Those of a key that
lie together are a run; keys are held once a run.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.frames import Columns, conform, used
from monitor.keyed import Halves, Ints, Lows, Mask, Part, ranges

NARROWED: Final = 2**17  # rows from which on it is worth looking how narrow their columns may be
FEW: Final = 255  # different texts of a column that are held as a byte each
_SAMPLE: Final = 4_096
_PLACE: Final = "place"


class Chunk:
    """See the module. Taking rows out only marks their runs.

    Columns that are null in every row are not held, nor given.

    :param columns: those of the table; `key` is one of them
    """

    def __init__(self, rows: pl.DataFrame, runs: Part, columns: Columns, key: str) -> None:
        self._rows = rows  # without their keys
        self._runs = runs  # where each begins in `rows`, and how many rows it has
        self._columns = columns
        self._key = key
        self._gone: Mask | None = None  # rows
        self.height = rows.height

    @classmethod
    def of(cls, rows: pl.DataFrame, columns: Columns, key: str) -> "Chunk":
        """Hold these rows, at least one."""
        runs = rows[key].rle().struct.unnest()
        counts = runs["len"].to_numpy()
        starts = np.cumsum(counts, dtype=np.uint32) - counts
        rest = rows.drop(key)
        rest = used(rest, rest.columns[0])
        rest = _narrow(rest) if rest.height >= NARROWED else rest
        return cls(rest, Part.of(Halves.of(runs["value"]), [starts, counts]), columns, key)

    @classmethod
    def merged(cls, chunks: "Sequence[Chunk]") -> "Chunk":
        """All as one."""
        before = np.cumsum([0, *(chunk.height for chunk in chunks)], dtype=np.uint32)
        runs = Part.merged([chunk._runs_from(first) for chunk, first in zip(chunks, before, strict=False)])
        rows = pl.concat([chunk._wide(chunk._left()) for chunk in chunks], how="diagonal", rechunk=True)
        if rows.height >= NARROWED:
            rows, runs = _gathered(_narrow(rows), runs)
        return cls(rows, runs, chunks[0]._columns, chunks[0]._key)

    def tidied(self) -> "Chunk":
        """The same without what is gone, where that is much of it."""
        return self if self.height * 2 > self._rows.height else Chunk.merged([self])

    # --- reading ---

    def rows(self) -> pl.DataFrame:
        """What is not gone."""
        places = np.arange(self._rows.height) if self._gone is None else np.flatnonzero(~self._gone)
        return self._keyed(self._keys(places), self._left())

    def find(self, wanted: Halves) -> Ints:
        """The runs of those keys, which are distinct and ascend by their lower halves."""
        return self._not_gone(self._runs.places(wanted))

    def gather(self, runs: Ints) -> pl.DataFrame:
        """The rows of those runs."""
        return self._of(runs, self._rows)

    def part(self, number: int, of: int, columns: Sequence[str]) -> pl.DataFrame:
        """Those columns of a part of all keys, in the order in which the rows came; see `Rows.part`."""
        wanted = self._rows.select(name for name in columns if name in self._rows.columns)
        return self._of(self._in_order(self._runs.between(number, of)), wanted)

    def where(self, condition: pl.Expr) -> pl.DataFrame:
        """The rows that fulfil a condition."""
        asked = {name: self._columns[name] for name in condition.meta.root_names()}
        rows = self._rows.select(pl.int_range(pl.len()).alias(_PLACE), *(n for n in asked if n in self._rows.columns))
        if self._key in asked:
            rows = rows.with_columns(self._keys(np.arange(rows.height)))
        condition = condition if self._gone is None else condition & pl.lit(self._there())
        places = conform(rows, {_PLACE: pl.Int64(), **asked}).filter(condition)[_PLACE].to_numpy()
        return self._keyed(self._keys(places), self._rows[places])

    def least(self, column: str) -> Any:
        """The least value of a column; None: it has none."""
        if column not in self._rows.columns:
            return None
        values = self._wide(self._rows.select(column)).to_series()
        return (values if self._gone is None else values.filter(self._there())).min()

    def halves(self) -> Lows:
        """The lower halves of the keys, ascending."""
        return self._runs.keys.low[self._not_gone(np.arange(self._runs.height))]

    def remove(self, runs: Ints) -> None:
        """Take out those runs, none of which is gone."""
        if len(runs):
            starts, counts = (column[runs] for column in self._runs.columns)
            self._gone = np.zeros(self._rows.height, dtype=bool) if self._gone is None else self._gone
            self._gone[ranges(starts, counts)] = True
            self.height -= int(counts.sum())

    # --- how it lies ---

    def _there(self) -> pl.Series:
        """Of each row whether it is not gone; some are."""
        assert self._gone is not None
        return pl.Series(~self._gone)

    def _left(self) -> pl.DataFrame:
        """The rows that are not gone, without their keys."""
        return self._rows if self._gone is None else self._rows.filter(self._there())

    def _not_gone(self, runs: Ints) -> Ints:
        return runs if self._gone is None else runs[~self._gone[self._runs.columns[0][runs]]]

    def _in_order(self, within: slice) -> Ints:
        """Those runs that are not gone, as they lie."""
        runs = self._not_gone(np.arange(self._runs.height)[within])
        return runs[np.argsort(self._runs.columns[0][runs])]

    def _runs_from(self, first: np.uint32) -> Part:
        """The runs that are not gone, where the rows of others are taken out and this chunk begins there."""
        if self._gone is None:
            starts, counts = self._runs.columns
            return Part(self._runs.keys, (starts + first, counts))
        runs = self._in_order(slice(None))
        counts = self._runs.columns[1][runs]
        starts = np.cumsum(counts, dtype=np.uint32) - counts + first
        return Part(self._runs.keys.at(runs), (starts, counts))

    def _keys(self, places: Ints) -> pl.Series:
        """The keys of the rows at those places."""
        order, begins = self._lie
        if len(places) * 8 < self._rows.height:
            runs = order[np.searchsorted(begins, places, side="right") - 1]
        else:
            runs = np.repeat(order, self._runs.columns[1][order])[places]
        return self._runs.keys.at(runs).keys().alias(self._key)

    @cached_property
    def _lie(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """The runs in the order in which they lie, and where each of these begins; of tables that nobody asks for rows
        by condition it is never made."""
        starts = self._runs.columns[0]
        order = np.argsort(starts).astype(np.uint32)
        return order, starts[order]

    def _of(self, runs: Ints, rows: pl.DataFrame) -> pl.DataFrame:
        """What `rows`, which are parallel to all that are held, have of those runs."""
        starts, counts = (column[runs] for column in self._runs.columns)
        keys = self._runs.keys.at(runs).keys().alias(self._key).gather(np.repeat(np.arange(len(runs)), counts))
        return self._keyed(keys, rows[ranges(starts, counts)]) if rows.width else keys.to_frame()

    def _keyed(self, keys: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with their keys, as the table has them."""
        return self._wide(rows).with_columns(keys)

    def _wide(self, rows: pl.DataFrame) -> pl.DataFrame:
        narrow = [column for column in rows if column.dtype != self._columns[column.name]]
        return rows.with_columns(column.cast(self._columns[column.name]) for column in narrow) if narrow else rows


def _gathered(rows: pl.DataFrame, runs: Part) -> tuple[pl.DataFrame, Part]:
    """The rows of each key together, where its first one lay: what came together goes on lying together."""
    starts, counts = runs.columns
    low, high = runs.keys
    same = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
    if not bool(same.any()):
        return rows, runs
    firsts = np.flatnonzero(np.concatenate([[True], ~same]))
    order = np.argsort(starts[firsts])  # of the keys
    rank = np.empty(len(firsts), dtype=np.int64)
    rank[order] = np.arange(len(firsts))
    lie = np.argsort(np.repeat(rank, np.diff(firsts, append=len(low))), kind="stable")  # of the runs
    together = np.add.reduceat(counts, firsts, dtype=np.uint32)[order]
    begins = np.cumsum(together, dtype=np.uint32) - together
    keys = runs.keys.at(firsts[order])
    return rows[ranges(starts[lie], counts[lie])], Part.of(keys, (begins, together))


def _narrow(rows: pl.DataFrame) -> pl.DataFrame:
    """Integers in as few bytes as their values need, few different texts as one byte."""
    return rows.with_columns(_narrowed(column) for column in rows if column.dtype.is_integer() or _repeats(column))


def _repeats(column: pl.Series) -> bool:
    """Whether it seems so; who looks at all texts of a column does so for hardly any in vain."""
    if column.dtype != pl.String:
        return False
    some = column.drop_nulls().head(_SAMPLE)
    return some.n_unique() * 4 < len(some)


def _narrowed(column: pl.Series) -> pl.Series:
    if column.dtype.is_integer():
        return column.shrink_dtype()
    texts = column.drop_nulls().unique()
    return column.cast(pl.Enum(texts)) if len(texts) <= FEW else column
