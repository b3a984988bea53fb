"""`sqm verify`: recompute everything from the events and say whether the live state is equal, or what differs."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from api.commands.common import progress_bar
from api.commands.failures import writable
from api.commands.options import with_settings
from api.commands.replay import FILES_HELP, Mappings, gathered_from, tell_unreadable
from consumers import logs
from consumers.settings import Settings
from consumers.tables import FileError
from consumers.verify.record import Verified, recorded
from consumers.verify.run import DEFAULT_MEMORY, Options
from consumers.verify.source import FromFiles
from monitor.names import spoken
from monitor.policy.values import instant_text

DIFFERENT: Final = 1  # exit code; 0: equal, 2: it could not be done
NICENESS: Final = 10
_UNITS: Final = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?b)", re.IGNORECASE)


def parsed_size(written: str) -> int:
    """Bytes of a size such as `1GB`."""
    found = _SIZE.fullmatch(written.strip())
    if found is None:
        raise typer.BadParameter(f"{written!r} is no size: write it as 512MB or 2GB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


@with_settings("kafka", "clock", "data_dir", "log_level", "log_format", general=False)
def verify(
    settings: Settings,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help=f"The events from files that were sent, instead of the events topics: {FILES_HELP}"),
    ] = None,
    mapping: Mappings = None,
    memory: Annotated[
        int | None,
        typer.Option(
            parser=parsed_size, metavar="SIZE", show_default="1GB", help="How much memory it may take, about."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds without an answer of Kafka until it gives up.")] = 60,
    record: Annotated[
        bool, typer.Option("--record", help="Put the result on record: for /v1/ledger, metrics and the page.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with times in UTC.")] = False,
) -> None:
    """Recompute everything from the events, and compare it with the live state.

    Each partition is compared at the offsets and the instant of its state. Exit code 0: equal. 1: different; the first
    difference is named, with its likely cause. 2: it could not be done. It may run beside production: it joins no
    group, writes nothing but with --record, and yields the processor to all others.
    """
    if mapping and not files:
        raise FileError("--mapping says how rows of files become events: name the files")
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "error"})
    logs.configure(settings)
    os.nice(NICENESS)
    sources = _from_files(files, mapping or []) if files else None
    with progress_bar("verifying", "events read and folded") as progress:
        options = Options(memory or DEFAULT_MEMORY, timeout, writable(settings.data_dir), progress)
        found = asyncio.run(recorded(settings, options, sources, record=record))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)
    if found.result == "different":
        raise typer.Exit(DIFFERENT)


def _from_files(files: list[Path], mappings: list[Path]) -> FromFiles:
    from consumers.files_read import read

    gathered = gathered_from(files, mappings)
    tell_unreadable(gathered)
    return FromFiles(read(gathered, future_after=None))


def _print(found: Verified) -> None:
    console = Console(highlight=False, soft_wrap=True)
    compared = ", ".join(f"{n:,} {spoken(figure)}s" for figure, n in found.compared.items() if n)
    as_of = ", ".join(f"{number}: {instant_text(now)}" for number, now in found.now.items())
    if found.result == "equal":
        console.print("Equal.", style="bold green")
    else:
        many = "1 difference" if found.differences == 1 else f"{found.differences:,} differences"
        console.print(f"Different: {many}.", style="bold red")
        first = found.named[0]
        console.print(f"The first: {first.said}", markup=False)
        console.print(f"Likely cause: {first.cause}", markup=False)
        every = ", ".join(f"{n:,} {spoken(figure)}s" for figure, n in found.differing.items())
        console.print(f"In all: {every}", markup=False)
    took = (datetime.now(UTC) - found.at).total_seconds()
    console.print(f"{found.events:,} events read again, {found.cases:,} live cases; {took:,.0f} s.", markup=False)
    console.print(f"Compared: {compared or 'nothing'}.", markup=False)
    if as_of:
        console.print(f"Partitions as of {as_of}", markup=False)
    if found.unproven:
        console.print("Not proven:", style="bold yellow")
        for sentence in found.unproven:
            console.print(f"  {sentence}", markup=False)
