"""What `sqm replay --compare` shows and writes: an old policy and a new one side by side."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
from rich.console import Console
from rich.text import Text

from api.commands.common import write_rows, write_text
from api.commands.tables import labels_text, share, table
from monitor.events.faults import clipped
from monitor.names import LABELS, spoken
from monitor.policy.values import instant_text, percent
from monitor.whatif import Comparison

MOST_ROWS: Final = 20  # of a sheet that a terminal shows; files have all
SUFFIXES: Final = (".csv", ".parquet", ".html")
_SIDES: Final = ("before", "after")
_FLIPS: Final = "Flips"
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0 0 2rem; } caption { font-weight: 600; text-align: left; padding: .4rem 0; }
th, td { border-top: 1px solid #ddd; padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
"""


class Sheet(NamedTuple):
    """A table as words; the first `text` columns are no figures."""

    title: str
    columns: Sequence[str]
    text: int
    rows: Sequence[Sequence[str]]


def sheets(comparison: Comparison) -> list[Sheet]:
    """Objectives, clocks by label as far as they differ, how many verdicts flip, and each that does."""
    made = (_objectives(comparison.objectives), _clocks(comparison.by_label))
    return [*(sheet for sheet in made if sheet.rows), *flip_sheets(comparison.flips)]


def flip_sheets(flips: pl.DataFrame) -> list[Sheet]:
    """How many verdicts flip, and each that does.

    :param flips: of `whatif.flip_rows`
    """
    return [turns("Verdicts that flip", "clock", flips), _flips(flips)] if flips.height else [_flips(flips)]


def turns(title: str, of: str, flips: pl.DataFrame) -> Sheet:
    """How many flip in the same way, by a column of `flips`."""
    keys = (of, "old_outcome", "new_outcome")
    counts = flips.group_by(keys).len().sort(keys)
    rows = [(one, spoken(old), spoken(new), f"{n:,}") for one, old, new, n in counts.iter_rows()]
    return Sheet(title, (of, "before", "after", "n"), 3, rows)


def print_comparison(comparison: Comparison, title: str, written: Path | None) -> None:
    """All sheets on the terminal; `written`: where the flips have been written to."""
    console = Console(highlight=False)
    console.print(title, style="bold", markup=False)
    print_sheets(sheets(comparison), console, written)


def print_sheets(shown: Sequence[Sheet], console: Console, written: Path | None) -> None:
    """The beginning of each sheet, and where all of it is."""
    for sheet in shown:
        made = table(sheet.title, *sheet.columns, text=sheet.text)
        for row in sheet.rows[:MOST_ROWS]:
            made.add_row(*map(Text, row))
        console.print()
        console.print(made if sheet.rows else "No verdict flips.")
        if (more := len(sheet.rows) - MOST_ROWS) > 0:
            there = written is not None and (sheet.title == _FLIPS or written.suffix.lower() == ".html")
            console.print(f"… and {more:,} more: {written if there else '--flips FILE.html'} has all", markup=False)


def write_flips(path: Path, flips: pl.DataFrame, shown: Sequence[Sheet], title: str) -> None:
    """All flips, one a row; as .html the sheets. Raises FileError.

    :param flips: of `whatif.flip_rows`
    """
    if path.suffix.lower() == ".html":
        write_text(path, "\n".join(_page(shown, title)))
    else:
        write_rows(path, flips)


def _objectives(rows: pl.DataFrame) -> Sheet:
    return Sheet(
        "Objectives",
        ("id", "of", "goal", "before", "after", "budget left before", "after"),
        3,
        [
            (
                row["sla"],
                row["labels"] or "all",
                " -> ".join(
                    dict.fromkeys(
                        percent(Decimal(goal)) for side in _SIDES if (goal := row[f"goal_{side}"]) is not None
                    )
                ),
                *(share(row[f"{name}_{side}"]) for name in ("compliance", "budget_left") for side in _SIDES),
            )
            for row in rows.iter_rows(named=True)
        ],
    )


def _clocks(rows: pl.DataFrame) -> Sheet:
    """The totals, and the values of labels for which something differs."""
    differs = pl.any_horizontal(pl.col(f"{name}_before") != pl.col(f"{name}_after") for name in ("met", "breached"))
    return Sheet(
        "Clocks over all that was read",
        ("clock", "of", "met before", "kept", "met after", "kept"),
        2,
        [
            (
                row["clock"],
                "all" if row["label"] is None else f"{row['label']} {row['value']}",
                *(text for side in _SIDES for text in (_met(row, side), share(row[f"compliance_{side}"]))),
            )
            for row in rows.filter(differs | pl.col("label").is_null()).iter_rows(named=True)
        ],
    )


def _met(row: Mapping[str, Any], side: str) -> str:
    met, breached = row[f"met_{side}"], row[f"breached_{side}"]
    return f"{met:,} of {met + breached:,}"


def _flips(rows: pl.DataFrame) -> Sheet:
    return Sheet(
        _FLIPS,
        ("case", "clock", "of", "before", "after", "line that flips it"),
        6,
        [
            (
                clipped(row["case"]),
                row["clock"] + (f" {row['cycle']}" if row["clock"] == "next_response" else ""),
                labels_text({label: row[label] for label in LABELS if row.get(label) is not None}),
                _side(row, "old"),
                _side(row, "new"),
                row["new_line"] or f"no line fits; before: {row['old_line']}",
            )
            for row in rows.iter_rows(named=True)
        ],
    )


def _side(row: Mapping[str, Any], side: str) -> str:
    due = row[f"{side}_due"]
    return spoken(row[f"{side}_outcome"]) + (f", due {instant_text(due)}" if due is not None else "")


def _page(shown: Sequence[Sheet], title: str) -> Iterator[str]:
    """One HTML page that needs nothing else."""
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
    for sheet in shown:
        kinds = ["" if i < sheet.text else ' class="n"' for i in range(len(sheet.columns))]
        yield f"<table><caption>{escape(sheet.title)}</caption><thead><tr>"
        yield "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, sheet.columns, strict=True))
        yield "</tr></thead><tbody>"
        for row in sheet.rows:
            cells = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
            yield f"<tr>{cells}</tr>"
        yield "</tbody></table>"
    yield "</body></html>"
