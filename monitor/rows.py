"""Rows that belong to keys, held in chunks of growing size, so that neither adding nor replacing copies all."""

import polars as pl

from monitor.frames import Columns, empty


class Rows:
    """A table whose rows are found by `key` (an Int128 column).

    Chunks are merged when a later one has grown to half of the one before it: a row is copied O(log n) times in
    its life. Taking rows out rewrites only the chunks that hold them, which are mostly the newest.

    """

    def __init__(self, columns: Columns, key: str) -> None:
        self.columns = columns
        self.key = key
        self._chunks: list[pl.DataFrame] = []

    @property
    def height(self) -> int:
        return sum(chunk.height for chunk in self._chunks)

    def frame(self) -> pl.DataFrame:
        """All rows, in the order in which they were added (no copy of their data)."""
        if not self._chunks:
            return empty(self.columns)
        return pl.concat(self._chunks)

    def of(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of those keys."""
        found = [rows for _, rows in self._hits(keys)]
        return pl.concat(found) if found else empty(self.columns)

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height == 0:
            return
        self._chunks.append(rows)
        while len(self._chunks) > 1 and self._chunks[-1].height * 2 >= self._chunks[-2].height:
            last, before = self._chunks.pop(), self._chunks.pop()
            self._chunks.append(pl.concat([before, last], rechunk=True))

    def remove(self, keys: pl.Series) -> None:
        """Take out all rows of those keys."""
        wanted = keys.implode()
        for index, _ in self._hits(keys):
            chunk = self._chunks[index]
            self._chunks[index] = chunk.filter(~pl.col(self.key).is_in(wanted))
        self._chunks = [chunk for chunk in self._chunks if chunk.height]

    def replace(self, keys: pl.Series, rows: pl.DataFrame) -> None:
        """Put `rows` in the place of all rows of those keys."""
        self.remove(keys)
        self.add(rows)

    def least(self, column: str) -> object | None:
        """The least value of a column over all rows; None where there is none."""
        values = [value for chunk in self._chunks if (value := chunk[column].min()) is not None]
        return min(values) if values else None

    def where(self, condition: pl.Expr) -> pl.DataFrame:
        """The rows that fulfil a condition."""
        found = [rows for chunk in self._chunks if (rows := chunk.filter(condition)).height]
        return pl.concat(found) if found else empty(self.columns)

    def _hits(self, keys: pl.Series) -> list[tuple[int, pl.DataFrame]]:
        if len(keys) == 0:
            return []
        wanted = keys.implode()
        found = ((i, c.filter(pl.col(self.key).is_in(wanted))) for i, c in enumerate(self._chunks))
        return [(index, rows) for index, rows in found if rows.height]
