"""Tables in files (CSV, CSV.gz, Parquet) to frames for `monitor.mapping`, with the line of every row.

CSV is read by polars where its bytes are beyond doubt (RFC 4180, a full number of cells in every row), and row by
row by `csv` where they are not: then each row that cannot be read is named with its line and column, and the others
count.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from monitor.mapping import UNREADABLE

_COMMA, _QUOTE, _NEWLINE, _RETURN = b',"\n\r'
_CELL = re.compile(r'(?:"(?:[^"]|"")*"|[^",][^,]*|)(?:,|$)', re.DOTALL)


class FileError(Exception):
    """A file that cannot be read at all; the message names it and what is wrong."""

    retriable = False


class Table(NamedTuple):
    rows: pl.DataFrame  # `=NAME` for each wanted column, topic, line, number (of the row, from 1)
    unreadable: pl.DataFrame  # UNREADABLE


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked if it is gzip (whatever it is called). Raises FileError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: gzip data that cannot be unpacked: {error}") from None


def read_parquet(path: Path, wanted: Sequence[str]) -> Table:
    """The wanted columns of a Parquet file. Raises FileError, also for a column it does not have."""
    try:
        names = list(pl.read_parquet_schema(path))
        require(path, names, wanted)
        frame = pl.read_parquet(path, columns=list(wanted))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except PolarsError as error:
        raise FileError(f"{path}: not a Parquet file that can be read: {error}") from None
    for name, dtype in frame.schema.items():
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise FileError(f"{path}: column {name!r} holds {dtype}, not single values")
    numbers = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True)
    return Table(_labelled(path, frame, numbers, numbers), pl.DataFrame(schema=UNREADABLE))


def read_csv(path: Path, wanted: Sequence[str]) -> Table:
    """The wanted columns of a CSV file as text. Raises FileError, also for a column it does not have."""
    raw = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    header = _header(path, raw)
    require(path, header, wanted)
    frame = _read_plainly(raw, header, wanted)
    if frame is None:
        return _read_patiently(path, raw, header, wanted)
    numbers = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True)
    return Table(_labelled(path, frame.drop("line"), frame["line"], numbers), pl.DataFrame(schema=UNREADABLE))


def require(path: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises FileError if a wanted column is not among `names`, or is there twice."""
    for name in wanted:
        if (count := list(names).count(name)) != 1:
            raise ColumnError(path, name, list(names), count)


class ColumnError(FileError):
    """A column that the mapping names is not in the file, or is there twice."""

    def __init__(self, path: Path, column: str, names: list[str], count: int) -> None:
        self.column, self.names = column, names
        said = f"there are {', '.join(names)}" if count == 0 else f"is there {count} times"
        super().__init__(f"{path}: no column {column!r}: {said}" if count == 0 else f"{path}: column {column!r} {said}")


def _header(path: Path, raw: bytes) -> list[str]:
    """The names of the columns."""
    start = io.StringIO(raw[:1_048_576].decode("utf-8", "replace"), newline="")
    for names in csv.reader(start):
        if names:
            return names
    raise FileError(f"{path}: is empty: the first line of a CSV file names its columns")


def _read_plainly(raw: bytes, header: Sequence[str], wanted: Sequence[str]) -> pl.DataFrame | None:
    """The wanted cells, and the `line` of each row, if the file is beyond doubt, else None."""
    raw = raw.rstrip(b"\r\n")
    form = _form(raw)
    if form is None or len(header) == 1:
        return None
    names = [str(i) for i in range(len(header))]
    try:
        frame = pl.read_csv(
            raw,
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            columns=sorted({header.index(name) for name in wanted}),
            empty_string_is_null=False,
            truncate_ragged_lines=False,
            raise_if_empty=False,
        )
    except PolarsError:
        return None  # a row with too many cells, bytes that are no text
    if frame.height != len(form.lines):
        return None
    cells = frame.select(pl.Series("line", form.lines), *(pl.col(str(header.index(n))).alias(n) for n in wanted))
    rows = cells.filter(pl.Series(~form.blank))
    # None has too many commas, so with this sum none has too few.
    return None if form.commas != rows.height * (len(header) - 1) else rows[1:]


class _Form(NamedTuple):
    """What can be said of CSV without reading its cells."""

    lines: npt.NDArray[np.int64]  # on which each row begins, from 1
    blank: npt.NDArray[np.bool_]  # rows that are blank lines
    commas: int  # between cells


def _form(raw: bytes) -> _Form | None:
    """The form of CSV that ends with its last row; None unless every quote encloses a cell or is doubled within one."""
    if raw.count(b"\r") != raw.count(b"\r\n"):
        return None
    data = np.frombuffer(raw + b"\n", np.uint8)
    quotes = data == _QUOTE
    if quotes.any():
        inside = (np.cumsum(quotes, dtype=np.uint8) & 1).astype(np.bool_)  # counts modulo 256: the last bit is right
        if inside[-1] or not _quotes_are_plain(data, np.flatnonzero(quotes)):
            return None
    else:
        inside = quotes
    ends = np.flatnonzero((data == _NEWLINE) & ~inside)
    starts = np.concatenate(([0], ends[:-1] + 1))
    breaks = np.flatnonzero(data == _NEWLINE)
    return _Form(
        lines=np.searchsorted(breaks, starts) + 1,
        blank=(starts == ends) | ((data[starts] == _RETURN) & (starts + 1 == ends)),
        commas=int(((data == _COMMA) & ~inside).sum()),
    )


def _quotes_are_plain(data: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp]) -> bool:
    opening, closing = quotes[::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    opens = np.isin(before, (_COMMA, _NEWLINE, _QUOTE)) | (opening == 0)
    closes = np.isin(data[closing + 1], (_COMMA, _NEWLINE, _RETURN, _QUOTE))
    return bool(opens.all() and closes.all())


def _labelled(path: Path, frame: pl.DataFrame, line: pl.Series, number: pl.Series) -> pl.DataFrame:
    cells = frame.select(pl.all().name.prefix("="))
    return cells.with_columns(line.alias("line"), number.alias("number"), topic=pl.lit(str(path)))


class _Wrong(NamedTuple):
    column: str
    message: str


def _read_patiently(path: Path, raw: bytes, header: Sequence[str], wanted: Sequence[str]) -> Table:
    """Row by row, naming those that cannot be read."""
    places = [header.index(name) for name in wanted]
    cells: list[list[str]] = [[] for _ in wanted]
    lines: list[int] = []
    numbers: list[int] = []
    bad: list[tuple[str, int, str, str, bool]] = []
    for number, (line, row) in enumerate(_rows(raw.decode("utf-8", "surrogateescape"), header)):
        if number == 0:
            continue  # the header
        wrong = row if isinstance(row, _Wrong) else _undecodable(row, header, places)
        if wrong:
            bad.append((str(path), line, *wrong, True))
            continue
        for column, place in zip(cells, places, strict=True):
            column.append(row[place])
        lines.append(line)
        numbers.append(number)
    frame = pl.DataFrame({n: pl.Series(c, dtype=pl.String) for n, c in zip(wanted, cells, strict=True)})
    placed = _labelled(path, frame, pl.Series(lines, dtype=pl.Int64), pl.Series(numbers, dtype=pl.Int64))
    return Table(placed, pl.DataFrame(bad, schema=UNREADABLE, orient="row"))


def _rows(text: str, header: Sequence[str]) -> Iterator[tuple[int, list[str] | _Wrong]]:
    """The line on which each row begins, and its cells or what is wrong with it; blank lines are no rows.

    Where a quote is wrong, only the line on which that row begins is given up: reading goes on with the next.
    """
    lines = list(io.StringIO(text, newline=""))
    start = 0
    while start < len(lines):
        start = yield from _until_broken(lines, start, header)


def _until_broken(
    lines: Sequence[str], start: int, header: Sequence[str]
) -> Generator[tuple[int, list[str] | _Wrong], None, int]:
    """Rows from line `start` (from 0) on; returns the line to go on with."""
    reader = csv.reader((lines[i] for i in range(start, len(lines))), strict=True)
    while True:
        first = start + reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return len(lines)
        except csv.Error as error:
            yield first + 1, _Wrong(_broken_column(lines[first], header), f"cannot be read: {error}")
            return first + 1
        if len(row) == len(header):
            yield first + 1, row
        elif row:
            yield first + 1, _miscounted(row, header)
            if start + reader.line_num > first + 1:  # over several lines: by a quote that should not be there
                return first + 1


def _miscounted(row: Sequence[str], header: Sequence[str]) -> _Wrong:
    column = header[min(len(row), len(header) - 1)]
    return _Wrong(column, f"the row has {len(row)} cells, the header {len(header)}")


def _broken_column(line: str, header: Sequence[str]) -> str:
    """The column of the first cell of a line that is not a whole one."""
    end = 0
    for name in header:
        found = _CELL.match(line.rstrip("\r\n"), end)
        if found is None:
            return name
        end = found.end()
    return header[-1]


def _undecodable(row: Sequence[str], header: Sequence[str], places: Sequence[int]) -> _Wrong | None:
    for place in places:
        if any("\ud800" <= sign <= "\udfff" for sign in row[place]):
            return _Wrong(header[place], "is not UTF-8")
    return None
