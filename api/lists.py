"""Paging over items that are few enough to be dicts: the same cursors as over frames."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from api import cursors
from api.cursors import Key, Order

Item = dict[str, Any]


def page_items(
    items: Sequence[Item],
    key: Callable[[Item], Key],
    *,
    resource: str,
    filters: dict[str, Any],
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """{"items", "next"} of the items in the order of `key` (parts of one type or null, unique as a whole)."""
    bound = cursors.binding(resource, filters)
    keys = [key(item) for item in items]
    width = len(keys[0]) if keys else 0
    if not width:
        if cursor is not None:
            cursors.decode(cursor, bound)
        return {"items": [], "next": None}
    columns = [f"k{i}" for i in range(width)]
    frame = pl.DataFrame(keys, schema=columns, orient="row", infer_schema_length=None).with_row_index("at")
    order = Order(tuple(columns), (False,) * width)
    page = cursors.page(frame, order, limit=limit, cursor=cursor, bound=bound)
    return {"items": [items[i] for i in page.rows["at"]], "next": page.next}
