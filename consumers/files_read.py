"""Files of events, and of rows that a mapping makes events of, to one `Read` in the order of times.

Origin of an event: `topic` is the path, `partition` the place of the file among those given, `offset` the line (of a
Parquet file the row) and `index` the place among the events of that row.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from consumers.tables import FileError, Table, read_bytes, read_csv, read_parquet
from monitor.events import NOTHING, Read, read_columns, read_json
from monitor.frames import ORIGIN
from monitor.mapping import UNREADABLE, MappingDocument, columns_of, mapped
from monitor.mapping.json_events import event_bytes

Progress = Callable[[int, int], None]  # bytes done, of all

IN_TIME = ("time", "partition", "offset", "index")
CSV, PARQUET, NDJSON = (".csv", ".csv.gz"), (".parquet", ".pq"), (".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz")


class Source(NamedTuple):
    """A file and how its rows become events; a file of CloudEvents needs no mapping."""

    path: Path
    mapping: MappingDocument | None


class Columns(NamedTuple):
    """Events that a mapping made, as columns."""

    frame: pl.DataFrame


class Lines(NamedTuple):
    """CloudEvents as they stand, one a line."""

    values: list[bytes]
    origin: pl.DataFrame


class Gathered(NamedTuple):
    """What files hold, not yet read as events."""

    parts: list[Columns | Lines]
    unreadable: pl.DataFrame  # UNREADABLE

    @property
    def rows_unreadable(self) -> int:
        """Rows of tables from which no event could be made."""
        return self.unreadable.filter("lost").select("file", "line").unique().height


def is_events_file(path: Path) -> bool:
    """Whether a file holds CloudEvents, one a line, and so needs no mapping. Raises FileError for an unknown kind."""
    name = path.name.lower()
    if not name.endswith((*CSV, *PARQUET, *NDJSON)):
        kinds = "CSV (.csv, .csv.gz), Parquet (.parquet) or CloudEvents one a line (.ndjson, .jsonl)"
        raise FileError(f"{path}: the kind of a file is told by its name: {kinds}")
    return name.endswith(NDJSON)


def sources(paths: Sequence[Path], mappings: Sequence[MappingDocument]) -> list[Source]:
    """Which mapping is for which file: one for all of them, or one for each in their order.

    Files of CloudEvents need none, but may be counted. Raises FileError if the numbers do not fit.
    """
    events = [is_events_file(path) for path in paths]
    tables = len(paths) - sum(events)
    if len(mappings) == 1:
        return [Source(path, None if ready else mappings[0]) for path, ready in zip(paths, events, strict=True)]
    if len(mappings) == len(paths):
        return [Source(p, None if e else m) for p, e, m in zip(paths, events, mappings, strict=True)]
    if len(mappings) == tables:
        left = iter(mappings)
        return [Source(path, None if ready else next(left)) for path, ready in zip(paths, events, strict=True)]
    if not mappings:
        first = next(path for path, ready in zip(paths, events, strict=True) if not ready)
        raise FileError(f"{first}: rows become events by a mapping: name one with --mapping")
    raise FileError(f"{len(mappings)} mappings for {tables} files of rows: give one for all, or one for each")


def gather(given: Sequence[Source], progress: Progress | None = None) -> Gathered:
    """Read all files. Raises FileError.

    Files of one mapping are mapped together, so that `once: first` sees a case across them.
    """
    sizes = [_size(source.path) for source in given]
    parts: list[Columns | Lines] = []
    tables: dict[int, list[pl.DataFrame]] = {}
    unreadable = [pl.DataFrame(schema=UNREADABLE)]
    for number, (path, mapping) in enumerate(given):
        if mapping is None:
            parts.append(_lines(path, number))
        else:
            table = _table(path, mapping)
            place = pl.lit(number, ORIGIN["partition"]).alias("file")
            tables.setdefault(id(mapping), []).append(table.rows.with_columns(place))
            unreadable.append(table.unreadable)
        if progress:
            progress(sum(sizes[: number + 1]), sum(sizes))
    for mapping in {id(m): m for _, m in given if m is not None}.values():
        made = mapped(pl.concat(tables[id(mapping)], how="vertical_relaxed"), mapping)
        parts.append(Columns(made.events))
        unreadable.append(made.unreadable)
    order = {str(source.path): number for number, source in enumerate(given)}
    found = pl.concat(unreadable)
    return Gathered(parts, found.sort(pl.col("file").replace_strict(order, return_dtype=pl.Int64), "line"))


def read(gathered: Gathered, *, future_after: datetime | None) -> Read:
    """The events of all files in the order of their times (then of file and line), and what was refused."""
    reads = [_read(part, future_after) for part in gathered.parts]
    if not reads:
        return NOTHING
    events = pl.concat([r.events for r in reads]).sort(IN_TIME)
    return Read(events, pl.concat([r.refused for r in reads]), sum(r.read for r in reads))


def _read(part: Columns | Lines, future_after: datetime | None) -> Read:
    if isinstance(part, Lines):
        return read_json(part.values, part.origin, future_after=future_after)
    return read_columns(part.frame, future_after=future_after)


def as_lines(part: Columns | Lines) -> Lines:
    """A part as CloudEvents in JSON: what `send` publishes."""
    if isinstance(part, Lines):
        return part
    return Lines(event_bytes(part.frame), part.frame.select(list(ORIGIN)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None


def _table(path: Path, mapping: MappingDocument) -> Table:
    wanted = list(columns_of(mapping))
    return read_parquet(path, wanted) if path.name.lower().endswith(PARQUET) else read_csv(path, wanted)


def _lines(path: Path, number: int) -> Lines:
    lines = [(at, line) for at, line in enumerate(read_bytes(path).split(b"\n"), start=1) if line.strip()]
    origin = pl.DataFrame({"offset": [at for at, _ in lines]}, schema={"offset": ORIGIN["offset"]}).with_columns(
        topic=pl.lit(str(path)), partition=pl.lit(number, ORIGIN["partition"]), index=pl.lit(0, ORIGIN["index"])
    )
    return Lines([line.rstrip(b"\r") for _, line in lines], origin.select(list(ORIGIN)))
