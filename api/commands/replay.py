"""`sqm replay`: the figures of files or of the events topics, by the very engine of the live monitor."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import polars as pl
import typer

from api.commands import whatif
from api.commands.common import (
    UNREADABLE,
    check_output,
    mapping_of,
    policies_of,
    progress_bar,
    said,
    write_rows,
)
from api.commands.options import with_settings
from api.commands.tables import print_running, print_summary
from consumers.files_read import Gathered, gather, read, sources
from consumers.replay import Replayed, fold, running, verdicts
from consumers.settings import Settings
from consumers.tables import FileError
from monitor.events import Read
from monitor.policy import PolicySet
from monitor.policy.reasons import unlisted_reasons
from monitor.policy.values import instant_text, parse_instant
from monitor.verdict_rows import verdict_rows
from monitor.whatif import Comparison, Side, as_rows
from monitor.whatif import compare as compared

MOST_SHOWN = 10  # unreadable rows and refused events that are named; the rest is counted

FILES_HELP = "CSV, CSV.gz or Parquet with a mapping, or CloudEvents one a line (.ndjson)."
Files = Annotated[list[Path], typer.Argument(help=FILES_HELP)]
Mappings = Annotated[
    list[Path] | None, typer.Option("--mapping", help="How rows become events: one for all files, or one for each.")
]


def parsed_instant(written: str) -> datetime:
    try:
        return parse_instant(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@with_settings("kafka", general=False)
def replay(
    settings: Settings,
    files: Annotated[list[Path] | None, typer.Argument(help=f"{FILES_HELP} Or --from-kafka.")] = None,
    mapping: Mappings = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="Policy files; default: SQM_POLICY, else the built-in one.")
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(help="Policy files to compare with: the old ones, before --policy.")
    ] = None,
    now: Annotated[
        datetime | None,
        typer.Option(parser=parsed_instant, help="Instant of the figures; default: the newest event's."),
    ] = None,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Read the events topics, from their beginning to their end of now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, as /v1/summary answers.")] = False,
    verdicts_to: Annotated[
        Path | None, typer.Option("--verdicts", help="Write a row for each verdict: .csv or .parquet.")
    ] = None,
    flips_to: Annotated[
        Path | None,
        typer.Option("--flips", help="With --compare: write each verdict that flips: .csv, .parquet or .html."),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if any row cannot be read.")] = False,
) -> None:
    """Judge events in one batch: those of files, without Kafka, or those of the events topics.

    With --compare it is judged twice, and what the new policy would change is shown.
    """
    check_output(verdicts_to, "verdicts", (".csv", ".parquet"))
    check_output(flips_to, "flips", whatif.SUFFIXES)
    _check_source(files, mapping, from_kafka, compare, flips_to)
    policies = policies_of(policy or settings.policy)
    before = policies_of(compare) if compare else None
    wall = datetime.now(UTC)
    source = (
        _from_kafka(settings, policies, wall) if from_kafka else _from_files(files or [], mapping or [], policies, wall)
    )
    result = fold(source.events, policies, now=now, wall=wall, rows_unreadable=source.rows_unreadable)
    _tell_refused(result.read.refused)
    _tell_unlisted(result, policies)
    judged = verdicts(result, policies) if verdicts_to is not None or before is not None else None
    if judged is not None and verdicts_to is not None:
        write_rows(verdicts_to, verdict_rows(judged, policies))
    if judged is not None and before is not None:
        old = fold(source.events, before, now=result.now, wall=wall, rows_unreadable=source.rows_unreadable)
        comparison = compared(Side(before, old.summary, verdicts(old, before)), Side(policies, result.summary, judged))
        _tell_comparison(comparison, result, policies, flips_to, as_json=as_json)
    else:
        _print(result, policies, as_json=as_json)
    if strict and source.unreadable:
        raise typer.Exit(UNREADABLE)


class _Source(NamedTuple):
    events: Read
    rows_unreadable: int
    unreadable: bool  # any row or cell


def _check_source(
    files: list[Path] | None,
    mapping: list[Path] | None,
    from_kafka: bool,
    compare: list[Path] | None,
    flips_to: Path | None,
) -> None:
    if from_kafka and (files or mapping):
        raise FileError("events come from files or --from-kafka, not from both")
    if not from_kafka and not files:
        raise FileError("name files of events, or --from-kafka")
    if flips_to is not None and not compare:
        raise FileError(f"{flips_to}: what flips shows only beside another policy: name it with --compare")


def _from_files(files: list[Path], mappings: list[Path], policies: PolicySet, wall: datetime) -> _Source:
    gathered = gathered_from(files, mappings)
    events = read(gathered, future_after=wall + policies.newest.limits.future_skew)
    tell_unreadable(gathered)
    return _Source(events, gathered.rows_unreadable, gathered.unreadable.height > 0)


def _from_kafka(settings: Settings, policies: PolicySet, wall: datetime) -> _Source:
    from consumers import logs
    from consumers.events_log import read_events

    async def all_events() -> Read:
        with progress_bar("reading", "records") as progress:
            skew = policies.newest.limits.future_skew
            return await read_events(settings.kafka, future_after=wall + skew, progress=progress)

    logs.configure(settings)
    return _Source(asyncio.run(all_events()), 0, False)


def _tell_comparison(
    comparison: Comparison, result: Replayed, policies: PolicySet, flips_to: Path | None, *, as_json: bool
) -> None:
    title = f"{policies.name}, as of {instant_text(result.now)}: another policy before and after"
    if flips_to is not None:
        whatif.write_flips(flips_to, comparison.flips, whatif.sheets(comparison), title)
    if as_json:
        _print_json({**result.summary, "compared": as_rows(comparison)})
    else:
        whatif.print_comparison(comparison, title, flips_to)


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


def _tell_unlisted(result: Replayed, policies: PolicySet) -> None:
    """Name the reasons of pauses that stop no clock, on standard error."""
    hints = unlisted_reasons(result.read.events, policies)
    for hint in hints[:MOST_SHOWN]:
        said.print(f"hint: {hint}", style="yellow", markup=False)
    if len(hints) > MOST_SHOWN:
        said.print(f"  … and {len(hints) - MOST_SHOWN:,} more reasons", markup=False)


def _print(result: Replayed, policies: PolicySet, *, as_json: bool) -> None:
    if as_json:
        _print_json(result.summary)
    else:
        print_summary(result.summary, policies, result.now)
        print_running(running(result, policies), result.now)


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))
