"""Compares the product's verdicts with the reference's, column by column."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from monitor.clocks import derive
from monitor.names import LABELS
from tests.reference.clocks import TICK, verdicts
from tests.reference.draw import MINUTES, World

INSTANTS = ("started", "due", "stopped", "decided", "wake")
SPANS = ("target", "elapsed", "paused")


def expected(world: World) -> list[dict[str, object]]:
    """The reference's rows, in microseconds since the world's start."""
    return [
        {"case": str(number), **row}
        for number, events in enumerate(world.cases)
        if events
        for row in verdicts(events, world.versions, world.now, world.grace, world.last, world.graces)
    ]


def found(world: World, history: pl.DataFrame | None = None) -> list[dict[str, object]]:
    """The product's rows in the same form."""
    grace = None if world.grace is None else world.grace * timedelta(minutes=MINUTES)
    frame = derive(world.history() if history is None else history, world.policies, world.at(world.now), grace)
    rows = []
    for row in frame.drop("case_key").iter_rows(named=True):
        labels = {label: row.pop(label) for label in LABELS}
        row["labels"] = {label: value for label, value in labels.items() if value is not None}
        for name in INSTANTS:
            row[name] = None if row[name] is None else (row[name] - world.start) // timedelta(microseconds=1)
        for name in SPANS:
            row[name] = None if row[name] is None else row[name] // timedelta(microseconds=1)
        rows.append(row)
    return rows


def disagreement(world: World) -> str | None:
    """The first difference in words, or None."""
    ours, theirs = (sorted(rows, key=_key) for rows in (found(world), expected(world)))
    if list(map(_key, ours)) != list(map(_key, theirs)):
        return f"rows differ:\n{list(map(_key, ours))}\n{list(map(_key, theirs))}"
    for one, other in zip(ours, theirs, strict=True):
        different = {name: (one[name], other[name]) for name in other if one[name] != other[name]}
        if different:
            lines = [f"{_key(one)}: (product, reference) {_shown(different)}", f"now {world.now}, grace {world.grace}"]
            lines += [world.policy, *map(repr, sorted(world.cases[int(str(one["case"]))], key=lambda e: e.at))]
            return "\n".join([*lines, f"product   {_shown(one)}", f"reference {_shown(other)}"])
    return None


def _key(row: dict[str, object]) -> tuple[str, str, int]:
    return str(row["case"]), str(row["clock"]), int(str(row["cycle"]))


def _shown(row: Mapping[str, object]) -> dict[str, object]:
    """Microseconds as ticks."""

    def shown(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(shown, value))
        return value / TICK if isinstance(value, int) and abs(value) > 1000 else value

    return {name: shown(value) for name, value in row.items()}
