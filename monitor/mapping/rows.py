"""Rows of a table to columns of events, vectorised: what a `MappingDocument` means.

A `table` has a column `=NAME` (text, or dates, datetimes, numbers, flags) for each column NAME of the file that the
mapping uses, and `topic` (the file's name), `file` (its place among the files), `line` and `number` (of the row in its
file, from 1). Events come out as `monitor.events.read_columns` takes them:
text columns id, source, type, subject, sequence and data_<field>, the instant `time`, and ORIGIN columns, where
`partition` is the place of the file, `offset` the line and `index` the place of the event among those of its row.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
import xxhash

from monitor.events.fields import FIELD, LONGEST_SPAN_S, Value
from monitor.frames import ORIGIN
from monitor.mapping.model import At, Cell, EventDocument, MappingDocument
from monitor.mapping.times import instants

UNREADABLE = {
    "file": pl.String(),
    "line": pl.Int64(),
    "column": pl.String(),
    "message": pl.String(),
    "lost": pl.Boolean(),  # no event came of the row: it counts as `rows_unreadable`
}

_SEQUENCE_DIGITS = 12  # so that row numbers sort as text
_WRONG = {"row": pl.UInt32(), "column": pl.String(), "message": pl.String(), "hard": pl.Boolean()}


class Mapped(NamedTuple):
    events: pl.DataFrame  # columns of events, in the order of the rows
    unreadable: pl.DataFrame  # UNREADABLE


def mapped(table: pl.DataFrame, mapping: MappingDocument) -> Mapped:
    """The events of all rows of a table, and the rows and cells that could not be read."""
    reader = _Rows(table, mapping)
    made = [reader.events(event, index) for index, event in enumerate(mapping.events)]
    events = pl.concat(made, how="diagonal").sort("row", "index")
    return Mapped(events.drop("row"), reader.unreadable(events["row"]))


class _Rows:
    """One table in the course of being mapped."""

    def __init__(self, table: pl.DataFrame, mapping: MappingDocument) -> None:
        self.mapping = mapping
        self.table = table.with_row_index("row")
        self.cells = _as_text(table, ["", *mapping.missing])
        self.wrong: list[pl.DataFrame] = [pl.DataFrame(schema=_WRONG)]
        self.read: dict[At, pl.Series] = {}

    def events(self, event: EventDocument, index: int) -> pl.DataFrame:
        """The events that one entry of the mapping makes, with the number of their `row`."""
        places = self.table.select("row", "topic", "file", "line", "number")
        cells = self.cells.hstack(places).with_columns(
            self.times(event.at).alias("time"),
            _written(event.at).alias("written"),
            pl.col(f"={self.mapping.case}").alias("subject"),
        )
        tests = [condition.expr(pl.col(f"={column}")) for column, condition in event.when.items()]
        cells = cells.filter(tests) if tests else cells
        cells = self.without(cells, pl.col("subject").is_null(), self.mapping.case, pl.lit("is empty: no case"))
        written = pl.col("written")
        cells = self.without(cells, written.is_null(), _name(event.at), pl.lit("is empty: no event"), hard=False)
        if event.once == "first":
            cells = cells.filter(pl.col("subject").is_first_distinct())
        said = pl.format("{} is no time{}", pl.concat_str(pl.lit('"'), written, pl.lit('"')), pl.lit(self.expected()))
        cells = self.without(cells, pl.col("time").is_null(), _name(event.at), said)
        return self.columns(cells, event, index)

    def columns(self, cells: pl.DataFrame, event: EventDocument, index: int) -> pl.DataFrame:
        """The columns of events from the cells of their rows."""
        mapping = self.mapping
        sources = {**mapping.labels, **event.data}
        made = cells.select(
            "row",
            "subject",
            "time",
            pl.lit(mapping.source).alias("source"),
            pl.lit(event.type).alias("type"),
            _sequence(mapping).alias("sequence"),
            *(self.value(name, cell).alias(f"data_{name}") for name, cell in sources.items()),
            topic="topic",
            partition="file",
            offset=pl.col("line"),
            index=pl.lit(index, ORIGIN["index"]),
        )
        column = event.id or mapping.id
        given = cells[f"={column}"] if column else pl.Series([None], dtype=pl.String).new_from_index(0, made.height)
        missing = given.is_null()
        if missing.any():
            given = given.zip_with(~missing, _ids(made, sorted(sources)))
        return made.with_columns(given.alias("id"))

    def value(self, name: str, cell: Cell) -> pl.Expr:
        """The text of one field: of a promise RFC 3339 where it is a time, else what stands there."""
        if cell.column is None:
            return pl.lit(cell.value or None, pl.String)
        text = pl.col(f"={cell.column}")
        if cell.map is not None:
            others = [other or None for other in cell.map.values()]
            return text.replace_strict(list(cell.map), others, default=text, return_dtype=pl.String)
        if cell.scale is not None:
            number = text.str.strip_chars().cast(pl.Float64, strict=False) * float(cell.scale)
            return pl.coalesce(number.round(9).cast(pl.String), text)
        if FIELD[name].value is Value.INSTANT:
            at = At(column=(cell.column,))
            instant = self.times(at).alias("instant")
            return pl.coalesce(_rfc3339(pl.lit(instant).gather(pl.col("row"))), text)
        return text

    def times(self, at: At) -> pl.Series:
        """The instant that each row of the table has there; null where there is none."""
        if at not in self.read:
            found = instants(self._as_written(at.column), self.mapping.time)
            if at.plus is not None:
                seconds = self.cells[f"={at.plus}"].str.strip_chars().cast(pl.Float64, strict=False)
                sane = seconds.set(~(seconds.abs() <= LONGEST_SPAN_S).fill_null(False), None)
                found = found + (sane * 1e6).round().cast(pl.Int64).cast(pl.Duration("us"))
            self.read[at] = found
        return self.read[at]

    def _as_written(self, columns: Sequence[str]) -> pl.Series:
        """The cells that hold a time: as the file has them where they are dates, else text, joined with a space."""
        native = self.table[f"={columns[0]}"]
        if len(columns) == 1 and native.dtype.is_temporal():
            return native
        return self.cells.select(_joined(columns).alias("written")).to_series()

    def without(
        self, cells: pl.DataFrame, bad: pl.Expr, column: str, message: pl.Expr, *, hard: bool = True
    ) -> pl.DataFrame:
        """The rows that are not `bad`; the others are noted."""
        flags = cells.select(bad).to_series()
        if flags.any():
            wrong = cells.filter(flags).select(
                "row", pl.lit(column).alias("column"), message.alias("message"), pl.lit(hard).alias("hard")
            )
            self.wrong.append(wrong)
            cells = cells.filter(~flags)
        return cells

    def expected(self) -> str:
        """What a time looks like here, for messages."""
        time = self.mapping.time
        form = f" of the form {time.format}, nor ISO 8601" if time.format else " (ISO 8601)"
        return form if time.zone else f"{form}, or has no offset (the mapping names no zone)"

    def unreadable(self, made: pl.Series) -> pl.DataFrame:
        """UNREADABLE of the rows without event and of the cells that were no times."""
        found = pl.concat(self.wrong).with_columns(lost=~pl.col("row").is_in(made.unique().implode()))
        found = found.filter(pl.col("hard") | pl.col("lost")).sort("row", ~pl.col("hard"), maintain_order=True)
        found = found.filter(pl.col("hard") | pl.col("row").is_first_distinct())
        found = found.unique(["row", "column"], keep="first", maintain_order=True)
        places = self.table.select("row", "line", file="topic")
        return found.join(places, on="row", how="left", maintain_order="left").select(list(UNREADABLE))


def _as_text(table: pl.DataFrame, missing: list[str]) -> pl.DataFrame:
    """The table's cells as text, null where empty or missing."""
    names = [name for name in table.columns if name.startswith("=")]
    texts = table.select(
        pl.col(name).dt.to_string("iso:strict")
        if isinstance(table.schema[name], pl.Datetime)
        else pl.col(name).cast(pl.String)
        for name in names
    )
    return texts.select(pl.when(~pl.col(name).is_in(missing)).then(pl.col(name)).alias(name) for name in names)


def _joined(columns: Sequence[str]) -> pl.Expr:
    """Cells joined with a space; null where one of them is empty."""
    return pl.concat_str([pl.col(f"={column}") for column in columns], separator=" ")


def _written(at: At) -> pl.Expr:
    """A time as it is written; null where any part of it, or of the seconds added, is empty."""
    text = _joined(at.column)
    return text if at.plus is None else pl.concat_str(text, pl.lit(" + "), pl.col(f"={at.plus}"), pl.lit(" s"))


def _name(at: At) -> str:
    return " + ".join([" ".join(at.column), *([at.plus] if at.plus else [])])


def _sequence(mapping: MappingDocument) -> pl.Expr:
    """With a row an event, the row's number; rows of one minute keep their order."""
    if mapping.rows == "cases":
        return pl.lit(None, pl.String)
    return pl.col("number").cast(pl.String).str.zfill(_SEQUENCE_DIGITS)


def _rfc3339(instant: pl.Expr) -> pl.Expr:
    return instant.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")


def _ids(made: pl.DataFrame, fields: list[str]) -> pl.Series:
    """A hash of source, case, type, time and data of each event: the same for the same content."""
    parts = [pl.col("source"), pl.col("subject"), pl.col("type"), _rfc3339(pl.col("time"))]
    parts += [pl.concat_str(pl.lit(f"{name}="), pl.col(f"data_{name}")).fill_null("") for name in fields]
    texts = made.select(pl.concat_str(parts, separator="\0")).to_series()
    digest = xxhash.xxh3_128_hexdigest
    return pl.Series([digest(text.encode()) for text in texts], dtype=pl.String)
