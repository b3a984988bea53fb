"""Which series can be told apart: admission is taken as given, but a state does not say what was counted where."""

from collections.abc import Sequence

import polars as pl

from monitor.frames import CELLS, LABEL_COLUMNS
from monitor.names import OTHER


def unknown_admission(series: pl.DataFrame) -> pl.Series | None:
    """The numbers of series that cannot be told apart, because `limits.series` was raised after it had been reached.

    What was counted as `__other__` before would be a series of its own now. None: all can be told apart.

    :param series: SERIES, those of the state and after them any that only the recomputation made
    """
    rolled = series.filter(pl.any_horizontal(pl.col(label) == OTHER for label in LABEL_COLUMNS))["series"]
    first = rolled.min()
    if not isinstance(first, int):
        return None
    later = series.filter(pl.col("series") > first, ~pl.col("series").is_in(rolled.implode()))["series"]
    return pl.concat([rolled, later]) if len(later) else None


def renumbered(rows: pl.DataFrame, unknown: pl.Series | None) -> pl.DataFrame:
    """Rows with one number for all series that cannot be told apart."""
    if unknown is None:
        return rows
    one = pl.when(pl.col("series").is_in(unknown.implode())).then(pl.lit(unknown[0])).otherwise("series")
    return rows.with_columns(series=one.cast(CELLS["series"]))


def regrouped(rows: pl.DataFrame, unknown: pl.Series | None, by: Sequence[str]) -> pl.DataFrame:
    """The same, added up by the columns that tell rows apart (`series` among them)."""
    if unknown is None:
        return rows
    summed = renumbered(rows, unknown).group_by(by).agg(pl.col("n", "total").sum())
    return summed.filter((pl.col("n") != 0) | (pl.col("total") != 0)).select(rows.columns)
