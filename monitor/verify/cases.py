"""Live cases against their recomputation: events, published verdicts, contributions, wakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import polars as pl

from monitor.cells.grains import BUCKET_SPAN
from monitor.frames import HISTORY
from monitor.names import spoken
from monitor.policy.values import instant_text
from monitor.publication import COMPARED
from monitor.state import VERDICT_KEYS, add_up
from monitor.verify import words
from monitor.verify.findings import Difference, Figure, Findings
from monitor.verify.recompute import CaseRows
from monitor.verify.rows import alike, unlike

LOST: Final = "The event was read, but it is not in the state: it was lost on its way, or the state was damaged."
GONE: Final = "The topic does not hold this event (any more): it was deleted there, or it never was one of this topic."
OTHER: Final = "Of two events with this id the state holds the other one, or the state was damaged."
DAMAGED: Final = (
    "The events of the case are equal, and so are the rules: the state was damaged, or was made by another program."
)
FOLLOWS: Final = "It follows from what differs in the events of the case."

_CONTRIBUTION: Final = ("case_key", "bucket", "series", "measure", "bin")


@dataclass(frozen=True)
class Part:
    """What a comparison of some cases of a partition knows."""

    partition: int
    events: pl.DataFrame  # READ_EVENTS of these cases: what they are called, where each event stands
    series: pl.DataFrame  # SERIES
    findings: Findings

    def case(self, key: int, live: pl.DataFrame) -> str:
        """A case by its key."""
        for rows in (live, self.events):
            named = rows.filter(pl.col("case_key") == key)["case"]
            if len(named):
                return str(named[0])
        return f"unknown case {key:032x}"


def compare_cases(live: CaseRows, ours: CaseRows, part: Part) -> None:
    """Hold the cases of one part against each other; what differs goes into `part.findings`."""
    broken = _events(live.history, ours.history, part)
    tell = _Told(live.history, part, frozenset(broken.to_list()))
    verdicts, ours_verdicts = (rows.verdicts.select(*VERDICT_KEYS, "case", *COMPARED) for rows in (live, ours))
    turned = unlike(verdicts, ours_verdicts, VERDICT_KEYS)
    part.findings.took(Figure.VERDICT, verdicts.height, turned, tell.verdict)
    put, ours_put = (add_up(rows.contributions, _CONTRIBUTION) for rows in (live, ours))
    differing = words.labelled(unlike(put, ours_put, _CONTRIBUTION), part.series)
    part.findings.took(Figure.CONTRIBUTION, put.height, differing, tell.contribution)
    part.findings.took(Figure.WAKE, live.wakes.height, unlike(live.wakes, ours.wakes, ["case_key"]), tell.wake)


def _events(live: pl.DataFrame, ours: pl.DataFrame, part: Part) -> pl.Series:
    """Compare histories; the cases whose events differ."""
    if alike(live, ours):
        part.findings.compared[Figure.EVENT] += live.height
        return live["case_key"].clear()
    columns = [name for name in HISTORY if name not in ("case_key", "event_key")]
    differing = unlike(live, ours, ["case_key", "event_key"])
    part.findings.took(Figure.EVENT, live.height, differing, partial(_event, columns=columns, part=part))
    return differing["case_key"].unique()


def _event(row: Mapping[str, Any], *, columns: list[str], part: Part) -> Difference:
    at = part.events.filter(pl.col("event_key") == row["event_key"]).head(1).to_dicts()
    side = {
        name: row[name] if row["live"] else row[f"{name}_ours"] for name in ("case", "kind", "source", "id", "time")
    }
    subject = (
        f"case {side['case']}, event {side['id']} of {side['source']} ({side['kind']}, {instant_text(side['time'])})"
    )
    place = {name: side[name] for name in ("case", "source", "id")} | where(at)
    found = stands(at) if at else "not in the topic"
    if row["live"] and row["ours"]:
        name = next(name for name in columns if row[name] != row[f"{name}_ours"])
        shown = words.value(row[name]), words.value(row[f"{name}_ours"])
        return Difference(Figure.EVENT, part.partition, f"{subject}: {spoken(name)}", *shown, OTHER, place)
    if row["live"]:
        return Difference(Figure.EVENT, part.partition, subject, "counted", found, GONE, place)
    return Difference(Figure.EVENT, part.partition, subject, "not there", found, LOST, place)


def where(at: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: at[0][name] for name in ("topic", "offset", "index")} if at else {}


def stands(at: list[dict[str, Any]]) -> str:
    return f"counted ({at[0]['topic']}, offset {at[0]['offset']})"


@dataclass(frozen=True)
class _Told:
    """Puts rows of cases into words."""

    history: pl.DataFrame  # of the state
    part: Part
    broken: frozenset[int]  # cases whose events differ

    def verdict(self, row: Mapping[str, Any]) -> Difference:
        case = row["case"] or row["case_ours"]
        clock = f"case {case}, {spoken(row['clock'])}" + (f" (cycle {row['cycle']})" if row["cycle"] > 1 else "")
        place = {"case": case, "clock": row["clock"], "cycle": row["cycle"]}
        make = self._difference(Figure.VERDICT, row, place)
        if not (row["live"] and row["ours"]):
            outcomes = (row["outcome"] or "no verdict", row["outcome_ours"] or "no verdict")
            return make(clock, *outcomes)
        name = next(name for name in ("outcome", *COMPARED) if row[name] != row[f"{name}_ours"])
        return make(f"{clock}: {spoken(name)}", words.value(row[name]), words.value(row[f"{name}_ours"]))

    def contribution(self, row: Mapping[str, Any]) -> Difference:
        case = self.part.case(row["case_key"], self.history)
        subject = f"case {case}, what it puts into the figures: {cell_words(row)}"
        place = {"case": case, "measure": row["measure"], "labels": words.held(row)}
        shown = words.sums(row["n"], row["total"]), words.sums(row["n_ours"], row["total_ours"])
        return self._difference(Figure.CONTRIBUTION, row, place)(subject, *shown)

    def wake(self, row: Mapping[str, Any]) -> Difference:
        case = self.part.case(row["case_key"], self.history)
        shown = words.value(row["wake"]), words.value(row["wake_ours"])
        make = self._difference(Figure.WAKE, row, {"case": case})
        return make(f"case {case}, when time alone will change it", *shown)

    def _difference(
        self, figure: Figure, row: Mapping[str, Any], place: Mapping[str, Any]
    ) -> Callable[[str, str, str], Difference]:
        cause = FOLLOWS if row["case_key"] in self.broken else DAMAGED
        return lambda subject, live, ours: Difference(figure, self.part.partition, subject, live, ours, cause, place)


def cell_words(row: Mapping[str, Any]) -> str:
    """Measure, bin, bucket and labels of a row of cells: `first response met, bin 2048, bucket of …, service a`."""
    parts = [spoken(row["measure"].replace(".", " "))]
    parts += [f"bin {row['bin']}"] if row["bin"] is not None else []
    parts += [] if row["bucket"] is None else [f"bucket of {instant_text(bucket_start(row['bucket']))}"]
    return ", ".join((*parts, words.labels(row)))


def bucket_start(bucket: int) -> datetime:
    """When a bucket begins."""
    return datetime.fromtimestamp(bucket * BUCKET_SPAN.total_seconds(), UTC)
