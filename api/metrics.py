"""Figures as Prometheus text, made at most once a tick by string expressions over whole frames.

A hundred thousand samples are a few columns; a Python loop over them would cost seconds. What the process knows of
itself (commits, lag, failures) lies in a private `prometheus_client` registry and is appended.
"""

import gzip
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Final

import polars as pl

from api.families import FAMILIES

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LEVEL: Final = 1  # of gzip: metrics are fetched often and over short ways


def escape(value: pl.Expr) -> pl.Expr:
    """A label value as it stands between quotes."""
    return (
        value.str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all("\n", "\\n", literal=True)
        .str.replace_all('"', '\\"', literal=True)
    )


def _pair(frame: pl.DataFrame, label: str) -> pl.Expr:
    """`,label="value"` of a column; nothing where it is null or empty, which is the same to Prometheus."""
    value = pl.col(label) if frame.schema[label] == pl.String else pl.col(label).cast(pl.String)
    column = frame.select(value.alias(label)).to_series()
    if column.str.contains(r'[\\"\n]').any():
        value = escape(value)
    filled = pl.concat_str(pl.lit(f',{label}="'), value, pl.lit('"'))
    return pl.when(value.is_null() | (value == "")).then(pl.lit("")).otherwise(filled)


def samples(name: str, frame: pl.DataFrame, labels: Sequence[str], value: str = "value") -> str:
    """One line a row of `frame`: `name{labels} value`; rows without a value have no line.

    :param labels: columns that become labels, of any type that casts to text
    """
    rows = frame.filter(pl.col(value).is_not_null())
    if not rows.height:
        return ""
    used = [label for label in labels if label in rows.columns and rows[label].null_count() < rows.height]
    number = pl.col(value).cast(pl.Float64) if rows.schema[value].is_decimal() else pl.col(value)
    if used:
        pairs = pl.concat_str([_pair(rows, label) for label in used]).str.slice(1)
        line = pl.concat_str(pl.lit(name + "{"), pairs, pl.lit("} "), number.cast(pl.String))
    else:
        line = pl.concat_str(pl.lit(name + " "), number.cast(pl.String))
    text: str = rows.select(line.alias("line")).to_series().str.join("\n").item()
    return text + "\n"


def head(name: str) -> str:
    """The HELP and TYPE lines of a family."""
    family = FAMILIES[name]
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    return f"# HELP {name} {text}\n# TYPE {name} {family.type}\n"


class Part:
    """Text of one family in the making; a family without samples leaves nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []

    def add(self, frame: pl.DataFrame, labels: Sequence[str], value: str = "value", suffix: str = "") -> "Part":
        """Samples of a frame; `suffix` is `_bucket`, `_sum` or `_count` for histograms."""
        self.lines.append(samples(self.name + suffix, frame, labels, value))
        return self

    def text(self) -> str:
        body = "".join(self.lines)
        return head(self.name) + body if body else ""


class Exposition:
    """The text of one tick: made when it is first asked for, and then served as it is.

    :param make: makes it from frames that never change, so that it is the same whenever that happens
    """

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._lock = Lock()
        self._text: bytes | None = None
        self._gzipped: bytes | None = None

    @property
    def text(self) -> bytes:
        with self._lock:
            if self._text is None:
                self._text = self._make()
            return self._text

    @property
    def gzipped(self) -> bytes:
        """The text compressed; once, however many ask."""
        text = self.text
        with self._lock:
            if self._gzipped is None:
                self._gzipped = gzip.compress(text, LEVEL, mtime=0)
            return self._gzipped


def exposition(parts: Iterable[Part]) -> bytes:
    """The text of the families in their order."""
    return "".join(part.text() for part in parts).encode()
