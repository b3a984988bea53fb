"""Paging by cursor: opaque, stable while rows come and go.

A cursor holds the sort key of the last row that was given out, not a row number: rows that arrive before it do
not push others onto the next page twice, rows that vanish do not hide any. It is bound to its request (resource,
order and filters), so that one taken from another request is refused and not silently wrong.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from api.problems import Problem

MOST: Final = 1000  # rows a page
DEFAULT: Final = 100

Key = tuple[str | int | float | bool | None, ...]


class Order(NamedTuple):
    """Columns that order a resource, the last ones telling every two rows apart."""

    columns: tuple[str, ...]
    descending: tuple[bool, ...]


class Page(NamedTuple):
    rows: pl.DataFrame
    next: str | None


def binding(resource: str, filters: Mapping[str, Any]) -> int:
    """A number for the request that a cursor belongs to."""
    text = json.dumps([resource, filters], sort_keys=True, default=str)
    return zlib.crc32(text.encode())


def encode(bound: int, key: Key) -> str:
    """The cursor that stands behind the row of that key."""
    text = json.dumps([bound, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, bound: int) -> Key:
    """The key in `cursor`; `Problem("bad-cursor")` if it is damaged or of another request."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as exc:
        raise _damaged() from exc
    if not isinstance(parts, list) or not all(p is None or isinstance(p, str | int | float) for p in parts):
        raise _damaged()
    if not parts or parts[0] != bound:
        raise Problem("bad-cursor", "the cursor belongs to a request with other filters or another order")
    return tuple(parts[1:])


def _damaged() -> Problem:
    return Problem("bad-cursor", "the cursor is damaged: pass `next` as it was given")


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, datetime):
        return int(value.timestamp()) * 1_000_000 + value.microsecond
    return value if isinstance(value, str | int | float) or value is None else str(value)


def _comparable(frame: pl.DataFrame, column: str) -> pl.Expr:
    """The column in the type that a cursor carries: instants as µs since 1970, categories as text."""
    dtype = frame.schema[column]
    if dtype.is_temporal():
        return pl.col(column).dt.epoch("us")
    if dtype.is_numeric() or dtype == pl.String:
        return pl.col(column)
    return pl.col(column).cast(pl.String)


def _after(frame: pl.DataFrame, order: Order, key: Sequence[Any]) -> pl.Expr:
    """True for the rows that come behind `key`: the tuple comparison, column by column; null sorts last."""
    behind = pl.lit(False)
    equal = pl.lit(True)
    for column, descending, value in zip(order.columns, order.descending, key, strict=True):
        there = _comparable(frame, column)
        if value is None:
            further, same = pl.lit(False), there.is_null()
        else:
            bound = pl.lit(value)
            further = there.is_null() | ((there < bound) if descending else (there > bound)).fill_null(False)
            same = (there == bound).fill_null(False)
        behind = behind | (equal & further)
        equal = equal & same
    return behind


def _first(frame: pl.DataFrame, order: Order, count: int) -> pl.DataFrame:
    """Rows among which the first `count` in that order are: by the first column alone, since sorting all is dear."""
    column = _comparable(frame, order.columns[0])
    values = frame.select(column.alias("value")).to_series().drop_nulls()
    if len(values) < count:
        return frame
    if order.descending[0]:
        return frame.filter(column >= values.top_k(count).min())
    return frame.filter(column <= values.bottom_k(count).max())


def page(frame: pl.DataFrame, order: Order, *, limit: int, cursor: str | None, bound: int) -> Page:
    """The first `limit` rows of `frame` behind `cursor`, in that order, and the cursor behind them."""
    if cursor is not None:
        key = decode(cursor, bound)
        try:
            frame = frame.filter(_after(frame, order, key))
        except (ValueError, pl.exceptions.PolarsError) as exc:  # a forged key of the wrong length or types
            raise _damaged() from exc
    frame = _first(frame, order, limit + 1) if frame.height > 4 * limit else frame
    keys = [_comparable(frame, column) for column in order.columns]
    frame = frame.sort(keys, descending=list(order.descending), nulls_last=True, maintain_order=True)
    rows = frame.head(limit)
    if frame.height <= limit:
        return Page(rows, None)
    last = rows.row(-1, named=True)
    return Page(rows, encode(bound, tuple(_plain(last[column]) for column in order.columns)))
