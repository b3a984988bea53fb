"""Verdicts that turn, as tables for a terminal."""

import polars as pl
from rich.console import Console
from rich.table import Table

from api.commands.tables import labels_text, table
from monitor import flips
from monitor.names import LABELS
from monitor.policy import PolicySet
from monitor.policy.values import instant_text


def print_flips(turned: pl.DataFrame, old: PolicySet, new: PolicySet, most: int) -> None:
    """How many turn by clock and by objective, and the first of them with the line that turned each.

    :param turned: FLIPS between verdicts by `old` and by `new`
    :param most: cases that are shown
    """
    console = Console(highlight=False)
    for title, counts in (
        ("By clock", flips.by_clock(turned)),
        ("By objective", flips.by_objective(turned, new.newest.slas)),
    ):
        if counts.height:
            console.print(_counts(title, counts))
            console.print()
    if turned.height:
        console.print(_cases(turned.head(most), old, new))
    if turned.height > most:
        console.print(f"… and {turned.height - most:,} more", markup=False)


def _counts(title: str, counts: pl.DataFrame) -> Table:
    made = table(title, "of", "was", "becomes", "verdicts", text=3)
    for of, was, becomes, n in counts.iter_rows():
        made.add_row(of, _words(was), _words(becomes), f"{n:,}")
    return made


def _cases(turned: pl.DataFrame, old: PolicySet, new: PolicySet) -> Table:
    made = table("Cases", "case", "clock", "was", "becomes", "due", "by", "of", text=7)
    for row in turned.iter_rows(named=True):
        dues = [instant_text(row[name]) if row[name] else "none" for name in ("old_due", "new_due")]
        made.add_row(
            row["case"],
            row["clock"] + (f" {row['cycle']}" if row["cycle"] > 1 else ""),
            _words(row["old_outcome"]),
            _words(row["new_outcome"]),
            dues[0] if dues[0] == dues[1] else f"{dues[0]} -> {dues[1]}",
            _line(new, row["new_policy"], row["new_line"])
            or f"no line; was {_line(old, row['old_policy'], row['old_line'])}",
            labels_text({label: row[label] for label in LABELS if row[label] is not None}),
        )
    return made


def _line(policies: PolicySet, version: int | None, line: int | None) -> str | None:
    """`targets[1] (first_response, priority P1)`."""
    if version is None or line is None:
        return None
    return f"targets[{line}] ({policies.at(version).targets[line].title})"


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")
