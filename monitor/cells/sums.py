"""Integer sums by key that are cheap to change a little and to read often."""

import numpy as np
import polars as pl

from monitor.frames import CELLS, MEASURE

_BIN_BITS, _MEASURE_BITS = 16, 8
SERIES_SHIFT = _BIN_BITS + _MEASURE_BITS
_NO_BIN = -(2**15)  # stands for a null bin; no bin of monitor/cells/bins.py is that low

KEYED = {"key": pl.Int64(), "n": pl.Int64(), "total": pl.Int64()}


def packed(*, bins: bool = True) -> pl.Expr:
    """(series, measure, bin) of CELLS rows as one Int64 that sorts alike; without `bins` the bin is as if null."""
    measure: pl.Expr = pl.col("measure").to_physical().cast(pl.Int64) * 2**_BIN_BITS
    key: pl.Expr = pl.col("series").cast(pl.Int64) * 2**SERIES_SHIFT + measure
    return key + (pl.col("bin").cast(pl.Int64).fill_null(_NO_BIN) - _NO_BIN) if bins else key


def without_bin() -> pl.Expr:
    """The `key` column with its bin taken off."""
    key: pl.Expr = pl.col("key") - pl.col("key") % 2**_BIN_BITS
    return key


def with_series(series: pl.Expr) -> pl.Expr:
    """The `key` column with another series in the place of its own."""
    key: pl.Expr = series.cast(pl.Int64) * 2**SERIES_SHIFT + pl.col("key") % 2**SERIES_SHIFT
    return key


def series_of_key() -> pl.Expr:
    series: pl.Expr = pl.col("key") // 2**SERIES_SHIFT
    return series.cast(pl.UInt32)


def measure_of_key() -> pl.Expr:
    measure: pl.Expr = pl.col("key") // 2**_BIN_BITS % 2**_MEASURE_BITS
    return measure.cast(pl.UInt8)


def unpacked(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with `key` as rows with `series`, `measure`, `bin` (the other columns before and after as they are)."""
    key = rows["key"].to_numpy()
    bins = (key & (2**_BIN_BITS - 1)) + _NO_BIN
    parts = pl.DataFrame(
        {
            "series": (key >> SERIES_SHIFT).astype(np.uint32),
            "measure": ((key >> _BIN_BITS) & (2**_MEASURE_BITS - 1)).astype(np.uint8),
            "bin": bins.astype(np.int16),
        }
    ).select(
        "series",
        pl.col("measure").cat.to(MEASURE),
        pl.when(pl.col("bin") != _NO_BIN).then("bin").alias("bin"),
    )
    before, after = rows.drop("key", "n", "total"), rows.select("n", "total")
    return pl.concat([part for part in (before, parts, after) if part.width], how="horizontal")


UNPACKED = {name: CELLS[name] for name in ("series", "measure", "bin", "n", "total")}


def added_up(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows once a key, sorted by it, and none that adds up to nothing.

    :param rows: KEYED, but for the order
    """
    # Sorting one integer takes a half to a quarter of the time of grouping by it.
    key = rows["key"].to_numpy()
    order = np.argsort(key)
    key = key[order]
    heads = np.flatnonzero(np.diff(key, prepend=key[:1] - 1))
    n, total = (np.add.reduceat(rows[name].to_numpy()[order], heads) if len(heads) else key for name in ("n", "total"))
    some = (n != 0) | (total != 0)
    return pl.DataFrame({"key": key[heads[some]], "n": n[some], "total": total[some]})


class Sums:
    """`n` and `total` by key, held as sorted arrays: adding d rows to k costs d·log k, unless keys are new.

    Added rows wait until somebody reads, so that many small additions cost no more than one.
    """

    def __init__(self) -> None:
        self._keys = np.empty(0, dtype=np.int64)
        self._n = np.empty(0, dtype=np.int64)
        self._total = np.empty(0, dtype=np.int64)
        self._waiting: list[pl.DataFrame] = []
        self._waiting_height = 0

    def add(self, rows: pl.DataFrame, sign: int = 1) -> None:
        """Add rows with `key`, `n` and `total` (in any number a key); `sign` -1 takes them away again."""
        if rows.height == 0:
            return
        if sign < 0:
            rows = rows.with_columns(-pl.col("n", "total"))
        self._waiting.append(rows.select("key", "n", "total"))
        self._waiting_height += rows.height
        if self._waiting_height > max(2**16, self._keys.size):
            self._settle()

    def frame(self) -> pl.DataFrame:
        """One row a key (KEYED, sorted by key); keys that add up to nothing are left out."""
        self._settle()
        # Polars does not copy an array: without a copy, later additions would change frames already handed out.
        rows = pl.DataFrame({"key": self._keys, "n": self._n.copy(), "total": self._total.copy()})
        return rows.filter((pl.col("n") != 0) | (pl.col("total") != 0))

    def _settle(self) -> None:
        if not self._waiting:
            return
        rows = added_up(pl.concat(self._waiting))
        self._waiting, self._waiting_height = [], 0
        keys, n, total = (rows[name].to_numpy() for name in ("key", "n", "total"))
        places = np.searchsorted(self._keys, keys)
        inside = np.minimum(places, max(self._keys.size - 1, 0))
        known = self._keys[inside] == keys if self._keys.size else np.zeros(keys.size, dtype=bool)
        self._n[places[known]] += n[known]
        self._total[places[known]] += total[known]
        new = ~known
        if new.any():
            self._keys = np.insert(self._keys, places[new], keys[new])
            self._n = np.insert(self._n, places[new], n[new])
            self._total = np.insert(self._total, places[new], total[new])
            self._tidy()

    def _tidy(self) -> None:
        """Forget keys that add up to nothing once they are many."""
        alive = (self._n != 0) | (self._total != 0)
        if alive.sum() * 2 < alive.size:
            self._keys, self._n, self._total = self._keys[alive], self._n[alive], self._total[alive]
