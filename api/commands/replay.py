"""`sqm replay`: the figures of files, by the very engine of the live monitor."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from api.commands.common import UNREADABLE, mapping_of, policies_of, progress_bar, said
from api.commands.tables import print_summary
from consumers.files_read import Gathered, gather, sources
from consumers.replay import Replayed, verdicts
from consumers.replay import replay as replayed
from consumers.settings import load
from consumers.tables import FileError
from monitor.policy import PolicySet
from monitor.policy.values import parse_instant
from monitor.verdict_rows import csv_text

MOST_SHOWN = 10  # unreadable rows and refused events that are named; the rest is counted

Files = Annotated[
    list[Path], typer.Argument(help="CSV, CSV.gz or Parquet with a mapping, or CloudEvents one a line (.ndjson).")
]
Mappings = Annotated[
    list[Path] | None, typer.Option("--mapping", help="How rows become events: one for all files, or one for each.")
]


def _instant(written: str) -> datetime:
    try:
        return parse_instant(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def replay(
    files: Files,
    mapping: Mappings = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="Policy files; default: SQM_POLICY, else the built-in one.")
    ] = None,
    now: Annotated[
        datetime | None, typer.Option(parser=_instant, help="Instant of the figures; default: the newest event's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, as /v1/summary answers.")] = False,
    verdicts_to: Annotated[
        Path | None, typer.Option("--verdicts", help="Write a row for each verdict: .csv or .parquet.")
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if any row cannot be read.")] = False,
) -> None:
    """Judge the events of files in one batch, without Kafka."""
    _check_output(verdicts_to)
    policies = policies_of(policy or load().policy)
    gathered = gathered_from(files, mapping or [])
    result = replayed(gathered, policies, now=now, wall=datetime.now(UTC))
    tell_unreadable(gathered)
    _tell_refused(result.read.refused)
    if verdicts_to is not None:
        _write(verdicts_to, verdicts(result, policies))
    _print(result, policies, as_json=as_json)
    if strict and gathered.unreadable.height:
        raise typer.Exit(UNREADABLE)


def gathered_from(files: list[Path], mappings: list[Path]) -> Gathered:
    """What the files hold, with a progress bar. Raises FileError, MappingError."""
    read = {path: mapping_of(path) for path in mappings}
    with progress_bar("reading", "bytes") as progress:
        return gather(sources(files, [read[path] for path in mappings]), progress)


def tell_unreadable(gathered: Gathered) -> None:
    """Name the rows and cells that could not be read, on standard error."""
    rows = gathered.unreadable
    if not rows.height:
        return
    cells = rows.filter(~pl.col("lost")).height
    said.print(f"warning: {_unread(gathered.rows_unreadable, cells)}", style="yellow", markup=False)
    for file, line, column, message, _ in rows.head(MOST_SHOWN).iter_rows():
        said.print(f"  {file}:{line}: {column}: {message}", markup=False)
    if rows.height > MOST_SHOWN:
        said.print(f"  … and {rows.height - MOST_SHOWN} more", markup=False)


def _tell_refused(refused: pl.DataFrame) -> None:
    """Name the events that were refused, and why, on standard error."""
    if not refused.height:
        return
    said.print(f"warning: {refused.height:,} of the events are refused", style="yellow", markup=False)
    rows = refused.sort("partition", "offset", "index").head(MOST_SHOWN)
    for file, line, field, message in rows.select("topic", "offset", "field", "message").iter_rows():
        said.print(": ".join(part for part in (f"  {file}:{line}", field, message) if part), markup=False)
    if refused.height > MOST_SHOWN:
        said.print(f"  … and {refused.height - MOST_SHOWN:,} more", markup=False)


def _unread(rows: int, cells: int) -> str:
    parts = [f"{n:,} {what}{'s' if n > 1 else ''}" for n, what in ((rows, "row"), (cells, "cell")) if n]
    return f"{' and '.join(parts)} cannot be read; {'the rest counts' if cells else 'the others count'}"


def _check_output(path: Path | None) -> None:
    if path is not None and path.suffix.lower() not in (".csv", ".parquet"):
        raise FileError(f"{path}: verdicts are written as .csv or .parquet")
    if path is not None and not path.parent.is_dir():
        raise FileError(f"{path.parent}: there is no such folder")


def _write(path: Path, rows: pl.DataFrame) -> None:
    try:
        if path.suffix.lower() == ".csv":
            path.write_text(csv_text(rows), encoding="utf-8", newline="")
        else:
            rows.write_parquet(path)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None


def _print(result: Replayed, policies: PolicySet, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.summary, ensure_ascii=False, allow_nan=False))
    else:
        print_summary(result.summary, policies, result.now)
