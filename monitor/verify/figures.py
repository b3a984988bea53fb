"""The sums of a partition against their recomputation: cells of every tier, first publications, the ledger, time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import polars as pl

from monitor.alerts.claims import imbalances
from monitor.cells.grains import ALL_TIME, BUCKET_SPAN, TIERS
from monitor.frames import CELLS
from monitor.names import spoken
from monitor.verify import words
from monitor.verify.cases import bucket_start, cell_words
from monitor.verify.findings import Difference, Figure, Findings
from monitor.verify.rows import unlike
from monitor.verify.spans import UNKNOWN, Spans

# Counters that are a function of the events and of the decisions of arrival. `corrected` and `overflowed` count how
# often something happened on the way, which nobody can work out again.
COUNTERS: Final = ("read", "counted", "duplicate", "conflicting", "late", "rejected")

DAMAGED: Final = (
    "No event is missing and no case differs: the sums in the state were damaged, or were added up wrongly."
)
FOLLOWS: Final = "It follows from what differs in events or cases."
BOOKS: Final = "An event was lost or counted twice on its way into the state, or the state was damaged."

OUT_OF_REACH: Final = "what they hold beside is out of reach"
UNRECORDED: Final = "by which rules measured events and archived cases were judged then is not on record"
FOREIGN: Final = "measured events and archived cases were judged then by rules that this version of sqm cannot apply"

_CELL: Final = ("tier", *(name for name in CELLS if name not in ("n", "total")))
_FINEST: Final = {name: place for place, name in enumerate((*(tier.name for tier in TIERS), ALL_TIME))}


@dataclass(frozen=True)
class Reach:
    """How far back sums can be recomputed.

    :param since: cells of buckets that begin before it may hold what cannot be read again, or what was judged by rules
        that nobody can apply again, and so may the sums of all time; None: all can be recomputed
    :param why: what they may hold
    """

    since: datetime | None = None
    why: str = OUT_OF_REACH

    def after(self, instant: datetime, why: str | None = None) -> "Reach":
        """Not further back than that."""
        return Reach(instant if self.since is None else max(instant, self.since), why or self.why)

    def less(self, spans: Spans, doubtful: Iterable[int], now: datetime) -> "Reach":
        """Not as far back as what those rules judged, by their numbers."""
        reach = self
        for number in sorted(doubtful):
            reach = reach.after(spans.until(number) or now, UNRECORDED if number == UNKNOWN else FOREIGN)
        return reach

    def proves(self) -> pl.Expr:
        """Over rows with `tier` and `bucket`: whether a difference there is one."""
        if self.since is None:
            return pl.lit(True)
        first = -((bucket_start(0) - self.since) // BUCKET_SPAN)
        return (pl.col("tier") != ALL_TIME) & (pl.col("bucket") >= first).fill_null(False)


def compare_cells(
    live: pl.DataFrame, ours: pl.DataFrame, series: pl.DataFrame, partition: int, reach: Reach, findings: Findings
) -> None:
    """Hold TIER_ROWS against each other, series for series.

    :param series: SERIES, also those that only the recomputation has
    """
    both = unlike(live, ours, _CELL)
    proven = both.filter(reach.proves())
    if lost := both.height - proven.height:
        findings.unproven.append(
            f"partition {partition}: {lost:,} sums of before {words.value(reach.since)}, and of all time, differ and "
            f"cannot be proven: {reach.why}"
        )
    order = pl.col("tier").replace_strict(_FINEST, default=len(_FINEST), return_dtype=pl.UInt8)
    ordered = proven.sort(order, "bucket", maintain_order=True)
    told = words.labelled(ordered.rename({"tier": "grain"}), series)  # a label is called tier, too
    findings.took(Figure.CELL, live.height, told, partial(_cell, partition=partition, follows=not findings.equal))


def _cell(row: Mapping[str, Any], *, partition: int, follows: bool) -> Difference:
    spans = "since ever" if row["grain"] == ALL_TIME else f"cells of {row['grain']}"
    start = None if row["bucket"] is None else words.value(bucket_start(row["bucket"]))
    place = {"grain": row["grain"], "bucket": start, "measure": row["measure"], "labels": words.held(row)}
    shown = words.sums(row["n"], row["total"]), words.sums(row["n_ours"], row["total_ours"])
    cause = FOLLOWS if follows else DAMAGED
    return Difference(Figure.CELL, partition, f"{cell_words(row)} ({spans})", *shown, cause, place)


def compare_published(
    live: pl.DataFrame,
    measured: pl.DataFrame,
    answers: int,
    series: pl.DataFrame,
    partition: int,
    findings: Findings,
) -> None:
    """First publications are never taken back, so they are a function of the events only from below: those of measured
    events are all there, by series and bin, and in all there are as many as were answered.

    :param live, measured: PUBLISHED
    :param answers: how many cases were answered
    """
    both = unlike(live, measured, ("series", "bin")).filter(pl.col("ours"))
    short = words.labelled(both.filter(pl.col("n").fill_null(0) < pl.col("n_ours")), series)
    findings.took(Figure.RESPONSE_TIME, live.height, short, partial(_published, partition=partition))
    there, least = int(live["n"].sum()), int(measured["n"].sum()) + answers
    if there < least and not short.height:
        subject = "response times as first published, in all"
        shown = words.value(there), f"at least {words.value(least)}"
        findings.found(Figure.RESPONSE_TIME, 1, [Difference(Figure.RESPONSE_TIME, partition, subject, *shown, BOOKS)])


def _published(row: Mapping[str, Any], *, partition: int) -> Difference:
    subject = f"response times as first published, bin {row['bin']}, {words.labels(row)}"
    shown = words.sums(row["n"], row["total"]), f"at least {words.sums(row['n_ours'], row['total_ours'])}"
    place = {"bin": row["bin"], "labels": words.held(row)}
    return Difference(Figure.RESPONSE_TIME, partition, subject, *shown, BOOKS, place)


def compare_ledger(live: Mapping[str, int], ours: Mapping[str, int], partition: int, findings: Findings) -> None:
    """Hold counters against each other; those that depend on the way are left out.

    :param ours: those of COUNTERS that could be worked out again; with `rejected` also `rejected.<reason>`, where one
        that never happened may be absent
    """
    names = [name for name in COUNTERS if name in ours]
    if "rejected" in ours:
        names += sorted({name for name in (*live, *ours) if name.startswith("rejected.")})
    wrong = [
        Difference(
            Figure.LEDGER,
            partition,
            f"events {spoken(name.replace('.', ' '))}",
            words.value(live.get(name, 0)),
            words.value(ours.get(name, 0)),
            BOOKS,
            {"counter": name},
        )
        for name in names
        if live.get(name, 0) != ours.get(name, 0)
    ]
    findings.compared[Figure.LEDGER] += len(names)
    if wrong:
        findings.found(Figure.LEDGER, len(wrong), wrong)


def check_books(books: Mapping[str, int], partition: int, findings: Findings) -> None:
    """Whether the ledger of the state balances by itself.

    :param books: its counters, and `cases_opened`, `cases_closed`, `cases_open`
    """
    wrong = list(_unbalanced(books, partition))
    if wrong:
        findings.found(Figure.LEDGER, len(wrong), wrong)


def _unbalanced(books: Mapping[str, int], partition: int) -> Iterator[Difference]:
    for whole, found in imbalances(books):
        cause = "The books of the state do not balance: " + found + "."
        subject = f"the balance of {spoken(whole)}"
        yield Difference(Figure.LEDGER, partition, subject, words.value(books.get(whole, 0)), found, cause)


def compare_newest(live: datetime | None, ours: datetime | None, partition: int, findings: Findings) -> None:
    """The time of the newest event."""
    findings.compared[Figure.TIME] += 1
    if live != ours:
        shown = words.value(live), words.value(ours)
        subject = "the time of the newest event"
        findings.found(Figure.TIME, 1, [Difference(Figure.TIME, partition, subject, *shown, BOOKS)])
