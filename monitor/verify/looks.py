"""What burn alerts were judged on, worked out again: what the cells of a partition were when a judge looked at them.

A transition of a burn alert is on record with its grounds: how far each partition had been read, to which instant, and
under which rules. What the events of before make of an empty state at that instant is what the judge saw, whatever came
later. Only cases that could matter are folded again: those that lie in the windows, and those that went on since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

import polars as pl

from monitor.alerts.grounds import Glance, Grounds
from monitor.cells.grains import BUCKET_SPAN, TIERS, finest
from monitor.events import READ_EVENTS
from monitor.frames import CELLS, INSTANT, LABEL_COLUMNS, conform
from monitor.policy import PolicyVersion
from monitor.policy.model import Sla
from monitor.slas import PERIOD, asked, pairs_of
from monitor.slas.objectives import objective
from monitor.verify.recompute import CaseRows, Recomputed, Terms, recompute

# What the measures of burn pairs come to in the window that starts then.
WINDOWED: Final = {"start": INSTANT, **LABEL_COLUMNS, "measure": CELLS["measure"], "n": CELLS["n"]}
_TIERS: Final = {tier.name: tier for tier in TIERS}


class Told(NamedTuple):
    """A transition of a burn alert."""

    alert: dict[str, Any]  # ALERTS, as its newest transition left it
    holds: bool  # whether it began by it, or went on; else it ended
    grounds: Grounds


@dataclass(frozen=True)
class Look:
    """One look of a judge, by which at least one burn alert changed.

    :param policy: whose objectives were in force
    """

    policy: PolicyVersion
    told: tuple[Told, ...]

    @property
    def grounds(self) -> Grounds:
        """Those of each of its transitions, but for what became of the alert."""
        return self.told[0].grounds

    @property
    def now(self) -> datetime:
        """The end of its windows."""
        return self.grounds.now

    @property
    def slas(self) -> tuple[Sla, ...]:
        """The objectives that have burn pairs."""
        return tuple(sla for sla in self.policy.slas if pairs_of(sla, self.now))

    @cached_property
    def starts(self) -> list[datetime]:
        """Of all windows that burn pairs look at."""
        found = {window.start for sla in self.slas for window in asked(sla, self.now) if window.window != PERIOD}
        return sorted(found)

    @cached_property
    def measures(self) -> list[str]:
        return sorted({measure for sla in self.slas for measure in objective(sla).measures})


@dataclass
class Looks:
    """Those at one partition; `part` for each part of its cases.

    :param all: by their numbers, only those that can be worked out again
    :ivar counted: of each, WINDOWED of each part
    :ivar why: of those that turned out not to be provable, why
    """

    partition: int
    terms: Terms
    all: dict[int, Look]
    counted: dict[int, list[pl.DataFrame]] = field(default_factory=dict)
    why: dict[int, str] = field(default_factory=dict)

    def leave_out(self, until: datetime, why: str) -> None:
        """Those whose windows reach back to that instant at this partition cannot be proven."""
        for number, look in self.all.items():
            if self.partition in look.grounds.partitions and look.starts and look.starts[0] <= until:
                self.why[number] = why

    def part(
        self, events: pl.DataFrame, live: CaseRows, beyond: pl.Series, archived: pl.DataFrame, ours: Recomputed
    ) -> None:
        """Count what lay in the windows.

        :param events: READ_EVENTS in the order of the log, all that can be read of these cases
        :param beyond: keys of the cases of which more is held than can be read
        """
        if not self.all or not events.height:
            return
        held = live.history.filter(pl.col("case_key").is_in(beyond.implode()))
        earlier = conform(held.join(events, on="event_key", how="anti"), READ_EVENTS)
        for number, look in self.all.items():
            glance = look.grounds.partitions.get(self.partition)
            if glance is not None:
                cells = self._cells(look, glance, pl.concat([earlier, events]), archived, ours)
                counted = windowed(cells, ours.series, look)
                self.counted.setdefault(number, []).append(counted)

    def _cells(
        self, look: Look, glance: Glance, events: pl.DataFrame, archived: pl.DataFrame, ours: Recomputed
    ) -> pl.DataFrame:
        """CELLS as they were, of the cases that can have any in the windows."""
        spans = self.terms.spans
        seen = _before(glance)
        if glance.rules == spans.last:
            start = look.starts[0]
            in_windows = pl.col("bucket") >= int(start.timestamp()) // (BUCKET_SPAN.seconds)
            mattering = [
                events.filter((pl.col("time") >= start) | ~seen)["case_key"],
                ours.rows.contributions.filter(in_windows)["case_key"],
            ]
            events = events.filter(pl.col("case_key").is_in(pl.concat(mattering).unique().implode()))
        terms = Terms(glance.now, spans.sets[glance.rules], self.terms.grace, spans.up_to(glance.rules))
        return recompute(events.filter(seen), ours.series, terms, archived).cells


def _before(glance: Glance) -> pl.Expr:
    """Over READ_EVENTS: whether they had been read. What is only held, and lies nowhere, had been."""
    read = [(pl.col("topic") == topic) & (pl.col("offset") < end) for topic, end in glance.offsets.items()]
    return pl.any_horizontal(pl.col("topic").is_null(), *read).fill_null(False)


def windowed(cells: pl.DataFrame, series: pl.DataFrame, look: Look) -> pl.DataFrame:
    """WINDOWED of CELLS: as the windows of that look would read them from their tiers."""
    chosen = cells.filter(pl.col("bucket").is_not_null(), pl.col("measure").is_in(look.measures))
    parts = [pl.DataFrame(schema=WINDOWED)]
    for start in look.starts:
        tier = _TIERS[finest(look.now, start)]
        bucket = pl.col("bucket") // tier.step * tier.step
        inside = chosen.filter(bucket.is_between(tier.first(start), tier.last(look.now)))
        summed = inside.group_by("series", "measure").agg(pl.col("n").sum()).join(series, on="series", how="left")
        parts.append(conform(summed.with_columns(start=pl.lit(start)), WINDOWED))
    return pl.concat(parts)


def beyond_proof(look: Look, partition: int, terms: Terms, since: datetime | None, accepted: datetime | None) -> str:
    """Why that look at a partition cannot be worked out again; empty: it can be.

    :param since: what lies before it cannot be read again; None: all can
    :param accepted: when a hole was accepted last
    """
    glance, spans = look.grounds.partitions.get(partition), terms.spans
    if glance is None or not look.starts:
        return ""
    if not spans.placed:
        return "files do not say how far they had been read"
    if accepted is not None and accepted > look.grounds.wall:
        return "a hole was accepted since"
    if since is not None and look.starts[0] < since:
        return "events of its windows can no longer be read"
    unfit = [number for number in range(glance.rules + 1) if number not in spans.sets and spans.has(number)]
    if glance.rules not in spans.sets or any((spans.until(n) or look.now) >= look.starts[0] for n in unfit):
        return "rules judged then that are not on record, or that this version of sqm cannot apply"
    return ""


def provable(
    looks: Sequence[Look], partition: int, terms: Terms, since: datetime | None, accepted: datetime | None
) -> tuple[Looks, dict[int, str]]:
    """The looks at a partition that can be worked out again; and why the others cannot be, by their numbers."""
    why = {n: beyond_proof(look, partition, terms, since, accepted) for n, look in enumerate(looks)}
    can = {number: look for number, look in enumerate(looks) if not why[number]}
    return Looks(partition, terms, can), {number: told for number, told in why.items() if told}


def only_burning(look: Look) -> PolicyVersion:
    """Its version with those objectives alone that have burn pairs."""
    return replace(look.policy, document=look.policy.document.model_copy(update={"slas": look.slas}))
