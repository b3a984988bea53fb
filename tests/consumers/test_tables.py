"""CSV and Parquet files: rows with their lines, and what cannot be read named by line and column."""

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.tables import FileError, read_csv, read_parquet

WANTED = ["a", "b", "c"]


def read(
    folder: Path, raw: bytes, wanted: list[str] = WANTED
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """(line, number, cells…) of each row, and (line, column, message) of each that cannot be read."""
    path = folder / "t.csv"
    path.write_bytes(raw)
    table = read_csv(path, wanted)
    rows = table.rows.select("line", "number", *(f"={name}" for name in wanted)).rows()
    assert set(table.unreadable["lost"]) <= {True}
    return rows, table.unreadable.select("line", "column", "message").rows()


@pytest.mark.parametrize(
    ("raw", "rows"),
    [
        (b"a,b,c\n1,2,3\n4,5,6\n", [(2, 1, "1", "2", "3"), (3, 2, "4", "5", "6")]),
        (b"a,b,c\r\n1,2,3\r\n4,5,6", [(2, 1, "1", "2", "3"), (3, 2, "4", "5", "6")]),
        (b"a,b,c\r1,2,3\r4,5,6", [(2, 1, "1", "2", "3"), (3, 2, "4", "5", "6")]),
        (b"\xef\xbb\xbfa,b,c\n1,,\n", [(2, 1, "1", "", "")]),
        (b"c,x,b,a\n1,2,3,4\n", [(2, 1, "4", "3", "1")]),
        (b"a,b,c\n\n1,2,3\n\n\n4,5,6\n", [(3, 1, "1", "2", "3"), (6, 2, "4", "5", "6")]),
        (b'a,b,c\n1,"2\n2",3\n4,5,6\n', [(2, 1, "1", "2\n2", "3"), (4, 2, "4", "5", "6")]),
        (b'a,b,c\n"1,1","say ""x""",""\n', [(2, 1, "1,1", 'say "x"', "")]),
        (b'"a","b\n",c\n1,2,3\n', None),
        (b'a,b,c\n5" pipe,2,3\n', [(2, 1, '5" pipe', "2", "3")]),
        ("a,b,c\nü,愛,😀\n".encode(), [(2, 1, "ü", "愛", "😀")]),
        (b"a,b,c\n", []),
    ],
)
def test_rows_are_read_with_the_line_on_which_they_begin(
    tmp_path: Path, raw: bytes, rows: list[tuple[object, ...]] | None
) -> None:
    if rows is None:
        with pytest.raises(FileError, match="no column 'b'"):
            read(tmp_path, raw)
        return
    assert read(tmp_path, raw) == (rows, [])


@pytest.mark.parametrize(
    ("raw", "lines", "line", "column", "message"),
    [
        (b"a,b,c\n1,2,3\n4,5\n7,8,9\n", [2, 4], 3, "c", "the row has 2 cells, the header 3"),
        (b"a,b,c\n1,2,3\n4,5,6,7\n7,8,9\n", [2, 4], 3, "c", "the row has 4 cells, the header 3"),
        (b"a,b,c\n1,2,3\n4,\xff,6\n7,8,9\n", [2, 4], 3, "b", "is not UTF-8"),
        (b'a,b,c\n1,2,3\n4,"5"x,6\n7,8,9\n', [2, 4], 3, "b", "cannot be read: "),
        (b'a,b,c\n1,2,3\n4,5,"6\n7,8,9\n', [2, 4], 3, "c", "cannot be read: "),
        (b'a,b,c\n1,2,3\n4,"5,6\n7,8,9\n1,2,"3"\n', [2, 4, 5], 3, "b", "cannot be read: "),
        (b"a,b,c\n1,2,3\nfull stop\n7,8,9\n", [2, 4], 3, "b", "the row has 1 cells"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_count(
    tmp_path: Path, raw: bytes, lines: list[int], line: int, column: str, message: str
) -> None:
    rows, unreadable = read(tmp_path, raw)
    assert [row[0] for row in rows] == lines
    ((at, where, said),) = unreadable
    assert (at, where) == (line, column)
    assert message in str(said)


def test_a_quote_that_never_ends_takes_one_line_with_it(tmp_path: Path) -> None:
    many = b"".join(b"%d,x,y\n" % i for i in range(20_000))
    rows, unreadable = read(tmp_path, b'a,b,c\n"1,2,3\n' + many)
    assert len(rows) == 20_000
    assert [(line, column) for line, column, _ in unreadable] == [(2, "a")]


def test_bytes_that_are_no_text_matter_only_in_columns_that_are_used(tmp_path: Path) -> None:
    rows, unreadable = read(tmp_path, b"a,b,c,x\n1,2,3,\xff\n")
    assert (rows, unreadable) == ([(2, 1, "1", "2", "3")], [])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n1,2\n", "no column 'c': there are a, b"),
        (b"a,b,c,b\n", "column 'b' is there 2 times"),
        (b"\x1f\x8bnot gzip", "gzip"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, raw: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message) as refused:
        read(tmp_path, raw)
    assert str(tmp_path / "t.csv") in str(refused.value)


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a,b,c\n1,2,3\n"))[0] == [(2, 1, "1", "2", "3")]


CELLS = st.text(st.sampled_from('a1 ,"\n\r;ü'), max_size=4)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_a_program_wrote_is_read_back(
    tmp_path: Path, rows: list[tuple[str, str, str]], end: str, quoted: bool
) -> None:
    out = io.StringIO(newline="")
    quoted |= any("\r" in cell for row in rows for cell in row)
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(WANTED)
    lines = []
    for row in rows:
        lines.append(len(io.StringIO(out.getvalue(), newline="").readlines()) + 1)
        writer.writerow(row)
    found, unreadable = read(tmp_path, out.getvalue().encode())
    assert unreadable == []
    assert found == [(line, i + 1, *row) for i, (line, row) in enumerate(zip(lines, rows, strict=True))]


def test_parquet_keeps_types_and_counts_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    frame = pl.DataFrame({"a": [1, 2], "b": [datetime(2026, 1, 1, tzinfo=UTC), None], "c": ["x", ""], "d": [[1], [2]]})
    frame.write_parquet(path)
    table = read_parquet(path, WANTED)
    assert table.rows.select("line", "=a", "=c").rows() == [(1, 1, "x"), (2, 2, "")]
    assert table.rows.schema["=b"] == pl.Datetime("us", "UTC")
    with pytest.raises(FileError, match=r"column 'd' holds List\(Int64\)"):
        read_parquet(path, ["a", "d"])
    with pytest.raises(FileError, match="no column 'e'"):
        read_parquet(path, ["e"])


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(FileError, match=r"t\.parquet: not a Parquet file"):
        read_parquet(path, ["a"])
    with pytest.raises(FileError, match=r"none\.parquet"):
        read_parquet(tmp_path / "none.parquet", ["a"])
