"""A timeline for a terminal: times in the zone of each clock's calendar, with their offset."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from monitor.explain.wording import instant, span
from monitor.names import spoken

Item = Mapping[str, Any]


def print_timeline(found: Item) -> None:
    """The notes of the case, then each clock: what moved it, its time piece by piece, and what pauses changed."""
    console = Console(highlight=False)
    timeline = found["timeline"]
    console.print(f"{found['case']}, as of {found['now']}", style="bold", markup=False)
    for note in timeline["notes"]:
        console.print(note, markup=False)
    if not timeline["clocks"] and timeline["policy"] is not None:  # without a policy the notes say why
        console.print("No clock has a target for it.", markup=False)
    for clock in timeline["clocks"]:
        console.print()
        _print_clock(console, clock)


def _print_clock(console: Console, clock: Item) -> None:
    cycle = f" {clock['cycle']}" if clock["clock"] == "next_response" else ""
    console.print(f"{spoken(clock['clock'])}{cycle}: {clock['words']}", style="bold", markup=False)
    zone = ZoneInfo(clock["zone"])
    entries = _table()
    for entry in clock["entries"]:
        style = "dim" if entry["move"] == "ignored" else ""
        entries.add_row(instant(_time(entry["at"]), zone), Text(entry["words"]), style=style)
    console.print(Padding(entries, (0, 0, 0, 2), expand=False))
    for ahead, group in groupby(clock["stretches"], key=lambda stretch: bool(stretch["ahead"])):
        stretches = list(group)
        heading = "and on to the due:" if ahead else f"its time, by the {clock['calendar']} calendar ({clock['zone']}):"
        console.print(f"  {heading}", markup=False)
        console.print(Padding(_stretches(stretches, zone), (0, 0, 0, 4), expand=False))
        console.print(f"    {_sum(stretches, ahead=ahead)}", markup=False)
    for other in clock["without_pauses"]:
        console.print(f"  {other['words']}", markup=False)


def _stretches(stretches: Sequence[Item], zone: ZoneInfo) -> Table:
    table = _table("right")
    for stretch in stretches:
        start, end = _time(stretch["start"]), _time(stretch["end"])
        counts = stretch["why"] == "counted"
        length = _span(stretch["counted_seconds"]) if counts else _span(stretch["seconds"], days=True)
        said = f"{instant(start, zone)} to {instant(end, zone, start)}"
        table.add_row(said, length, Text(stretch["words"]), style="" if counts else "dim")
    return table


def _sum(stretches: Sequence[Item], *, ahead: bool) -> str:
    counted = [stretch["counted_seconds"] for stretch in stretches if stretch["counted_seconds"]]
    paused = [stretch["seconds"] for stretch in stretches if stretch["why"] == "paused"]
    terms = " + ".join(map(_span, counted)) + " = " if len(counted) > 1 else ""
    said = f"{terms}{_span(sum(counted))} {'left' if ahead else 'used'}"
    return f"{said}, {_span(sum(paused))} paused" if paused else said


def _table(*justify: JustifyMethod) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for side in justify:
        table.add_column(no_wrap=True, justify=side)
    table.add_column(overflow="fold")
    return table


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _span(seconds: float, *, days: bool = False) -> str:
    return span(timedelta(seconds=round(seconds, 3)), days=days)
