"""Indicators as the API shows them: the frame of `monitor.indicators` with what its registry says of each."""

from typing import Any, Final

import polars as pl

from api.cursors import Order
from api.lists import Item
from api.shapes import labels_of
from monitor.indicators import BY_ID, REGISTRY
from monitor.names import LABELS

TOTAL: Final = "total"
ORDER: Final = Order(("place", "by_place", "of"), (False, False, False))

DIMENSIONS: Final = tuple(dict.fromkeys(indicator.dimension for indicator in REGISTRY))

_PLACES: Final = {indicator.id: place for place, indicator in enumerate(REGISTRY)}


def placed(indicators: pl.DataFrame) -> pl.DataFrame:
    """The frame with what it is ordered and filtered by: `place` in the registry, `by` (a label or "total"), `of`."""
    by = pl.coalesce(*(pl.when(pl.col(label).is_not_null()).then(pl.lit(label)) for label in LABELS), pl.lit(TOTAL))
    ranks = {name: rank for rank, name in enumerate((TOTAL, *LABELS))}
    return indicators.with_columns(
        place=pl.col("id").replace_strict(_PLACES, return_dtype=pl.Int32), by=by, of=pl.coalesce(*LABELS, pl.lit(""))
    ).with_columns(by_place=pl.col("by").replace_strict(ranks, return_dtype=pl.Int32))


def indicator_items(rows: pl.DataFrame, min_n: int) -> list[Item]:
    """One dict a row, as `/v1/indicators` shows it."""
    return [_item(row, min_n) for row in rows.to_dicts()]


def _item(row: dict[str, Any], min_n: int) -> Item:
    indicator = BY_ID[row["id"]]
    return {
        "id": indicator.id,
        "title": indicator.title,
        "dimension": indicator.dimension,
        "unit": indicator.unit,
        "better": indicator.better,
        "window": row["window"],
        "labels": labels_of(row),
        "value": row["value"],
        "low": row["low"],
        "high": row["high"],
        "n": row["n"],
        "min_n": min_n,
    }
