"""A summary as tables for a terminal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.indicators import BY_ID
from monitor.names import OUTCOMES, spoken
from monitor.policy import PolicySet
from monitor.policy.values import instant_text

RUNNING_SHOWN = 10

Summary = Mapping[str, Any]


def print_summary(summary: Summary, policies: PolicySet, now: datetime) -> None:
    """The ledger, the clocks, the objectives and the total of each indicator that has a value."""
    console = Console(highlight=False)
    console.print(f"{policies.name}, as of {instant_text(now)}", style="bold", markup=False)
    console.print(_ledger(summary["ledger"]), markup=False)
    for table in (_clocks(summary["clocks"]), _slas(summary["slas"]), _indicators(summary["indicators"])):
        if table.row_count:
            console.print()
            console.print(table)


def print_running(clocks: pl.DataFrame, now: datetime) -> None:
    """How many breaches are to be expected, and the open clocks that are the likeliest to breach.

    :param clocks: with CHANCES, the likeliest first
    """
    known = clocks.filter(pl.col("chance").is_not_null())
    if not known.height:
        return
    console = Console(highlight=False)
    few = clocks.height - known.height
    more = f"; of {few:,} more too few like them are known" if few else ""
    console.print(f"\nOf {known.height:,} open clocks {known['chance'].sum():,.0f} breaches are to be expected{more}")
    listed = table("Likeliest to breach", "case", "clock", "due in", "used", "chance", "of", text=2)
    for row in known.head(RUNNING_SHOWN).iter_rows(named=True):
        due = "paused" if row["due"] is None else _span(max((row["due"] - now).total_seconds(), 0))
        figures = due, f"{row['used']:.0%}", _chance(row["chance"]), f"{row['chance_n']:,}"
        listed.add_row(escape(row["case"]), row["clock"], *figures)
    console.print()
    console.print(listed)


def _chance(chance: float) -> str:
    """Never 0 % or 100 %: nothing is certain while a clock runs."""
    return "< 1%" if chance < 0.01 else "> 99%" if chance > 0.99 else f"{chance:.0%}"


def _ledger(ledger: Summary) -> str:
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in ledger["rejected_by_reason"].items())
    rejected = f"{ledger['rejected']:,} rejected" + (f" ({reasons})" if reasons else "")
    parts = [
        f"{ledger['read']:,} events read: {ledger['counted']:,} counted, {ledger['duplicate']:,} duplicate, "
        f"{ledger['late']:,} late, {rejected}",
        f"{ledger['cases_opened']:,} cases opened: {ledger['cases_closed']:,} closed, {ledger['cases_open']:,} open; "
        f"{ledger['cases_unopened']:,} unopened, {ledger['cases_inconsistent']:,} inconsistent",
    ]
    if ledger["rows_unreadable"]:
        parts.append(f"{ledger['rows_unreadable']:,} rows unreadable")
    return "\n".join(parts)


def table(title: str, *columns: str, text: int = 1) -> Table:
    """A table without lines, the first `text` columns of which are texts."""
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0)
    )
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < text else "right", no_wrap=i >= text, overflow="fold")
    return table


def _clocks(clocks: Summary) -> Table:
    """Only outcomes that there are."""
    shown = [str(outcome) for outcome in OUTCOMES if any(counts[str(outcome)] for counts in clocks.values())]
    made = table("Clocks", "clock", *(spoken(outcome) for outcome in shown), "kept")
    for clock, counts in clocks.items():
        decided = counts["met"] + counts["breached"]
        kept = counts["met"] / decided if decided else None
        made.add_row(clock, *(f"{counts[outcome]:,}" for outcome in shown), share(kept))
    return made


def _slas(slas: list[Summary]) -> Table:
    made = table("Objectives", "id", "of", "good", "bad", "compliance", "goal", "budget left", text=2)
    for sla in slas:
        missed = sla["budget_left"] is not None and sla["budget_left"] < 0
        made.add_row(
            sla["id"],
            labels_text(sla["labels"]),
            *("-" if sla[name] is None else f"{sla[name]:,}" for name in ("good", "bad")),
            share(sla["compliance"]),
            sla["goal"],
            share(sla["budget_left"]),
            style="red" if missed else "",
        )
    return made


def _indicators(indicators: list[Summary]) -> Table:
    made = table("Indicators", "indicator", "value", "95 % interval", "n")
    for row in indicators:
        if row["labels"] or row["value"] is None:
            continue
        unit = BY_ID[row["id"]].unit
        between = "-" if row["low"] is None else f"{_value(row['low'], unit)} to {_value(row['high'], unit)}"
        made.add_row(BY_ID[row["id"]].title, _value(row["value"], unit), between, f"{row['n']:,}")
    return made


def labels_text(labels: Mapping[str, str]) -> str:
    """`service billing, tier gold`; `all` for none."""
    return ", ".join(f"{name} {value}" for name, value in labels.items()) or "all"


def share(value: float | None) -> str:
    """A ratio in per cent; a dash where there is none."""
    return "-" if value is None else f"{value:.2%}"


def _value(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{value:.2%}"
    if unit == "seconds":
        return _span(value)
    return f"{value:,.2f}"


def _span(seconds: float) -> str:
    """Two units of a span: `3d 2h`, `4m 10s`, `1.25s`."""
    if seconds < 60:
        return f"{seconds:.3g}s"
    sizes = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    place = next(i for i, (_, size) in enumerate(sizes) if seconds >= size)
    (large, size), (small, part) = sizes[place : place + 2]
    whole, rest = divmod(round(seconds / part) * part, size)
    return f"{whole:,}{large}" + (f" {rest // part}{small}" if rest else "")
