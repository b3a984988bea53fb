"""Values of frames as people read them."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from monitor.frames import LABEL_COLUMNS
from monitor.names import spoken
from monitor.policy.values import instant_text

NOTHING = "nothing"


def value(found: Any) -> str:
    """A value of a column."""
    if found is None:
        return "none"
    if isinstance(found, datetime):
        return instant_text(found)
    if isinstance(found, timedelta):
        return f"{found.total_seconds():g} s"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return f"{found:,}" if isinstance(found, int) else str(found)


def sums(n: int | None, total: int | None) -> str:
    """`n` and `total` of cells; values are held in thousandths."""
    if n is None:
        return NOTHING
    return f"{n:,}" + (f" (their values {(total or 0) / 1000:,.10g} in all)" if total else "")


def labels(row: Mapping[str, Any]) -> str:
    """`service billing, tier gold`; `no labels` where there are none."""
    given = [f"{spoken(label)} {json.dumps(row[label]) if ' ' in row[label] else row[label]}" for label in held(row)]
    return ", ".join(given) or "no labels"


def held(row: Mapping[str, Any]) -> dict[str, str]:
    """The labels that have a value."""
    return {label: row[label] for label in LABEL_COLUMNS if row.get(label) is not None}


def labelled(rows: pl.DataFrame, series: pl.DataFrame, column: str = "series") -> pl.DataFrame:
    """Rows with the labels of their series."""
    return rows.join(series.rename({"series": column}), on=column, how="left", maintain_order="left")
