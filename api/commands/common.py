"""What commands on files share. What cannot be used at all is raised, and told by `api.cli.main`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumers.tables import FileError
from monitor.mapping import MappingDocument, load_mapping
from monitor.policy import PolicySet, default_policy, load
from monitor.verdict_rows import csv_text

UNREADABLE = 1  # exit code with --strict: rows that cannot be read

said = Console(stderr=True, highlight=False, soft_wrap=True)


def policies_of(paths: Sequence[Path]) -> PolicySet:
    """The policy in those files; the built-in one without any. Raises FileError, PolicyError."""
    return load(texts_of(paths)) if paths else default_policy()


def texts_of(paths: Sequence[Path]) -> tuple[tuple[str, str], ...]:
    """Name and content of text files. Raises FileError."""
    return tuple((str(path), text_of(path)) for path in paths)


def mapping_of(path: Path) -> MappingDocument:
    """The mapping in a file. Raises FileError, MappingError."""
    return load_mapping(str(path), text_of(path))


def text_of(path: Path) -> str:
    """A text file's content. Raises FileError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise FileError(f"{path}: is not UTF-8 text") from None


def check_output(path: Path | None, what: str, suffixes: Sequence[str]) -> None:
    """Whether `what` can be written there, before any work is done for it. Raises FileError."""
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        kinds = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise FileError(f"{path}: {what} are written as {kinds}")
    if not path.parent.is_dir():
        raise FileError(f"{path.parent}: there is no such folder")


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """Rows as Parquet or CSV, as the name says. Raises FileError."""
    try:
        if path.suffix.lower() == ".parquet":
            rows.write_parquet(path)
        else:
            write_text(path, csv_text(rows))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None


def write_text(path: Path, text: str) -> None:
    """A text file in UTF-8. Raises FileError."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None


@contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function that is told how much is done, of how much; None (no bar) where nobody watches a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=said, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
