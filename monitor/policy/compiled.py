"""A policy ready for use: its versions in order, and for each the lines that judge a case.

`PolicySet` is what every other room takes; it is made by `monitor.policy.load` and never changes.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import polars as pl

from monitor.names import Clock
from monitor.policy.calendar_model import ALWAYS, Calendar
from monitor.policy.conditions import Condition, fits, in_words
from monitor.policy.durations import BusinessDays, format_span
from monitor.policy.judging import judging_text
from monitor.policy.model import (
    Feed,
    Limits,
    OnChange,
    Perception,
    PolicyDocument,
    Receiver,
    Sla,
    TargetDocument,
)
from monitor.policy.problems import Problem

EVERY_REASON = "*"

# What decides verdicts; the rest of a version may change as long as it is the newest.
JUDGING = ("policy", "effective_from", "labels", "targets")
JUDGING_LIMITS = ("grace", "reopen")
_FACTS_LIMITS = ("short_abandon", "reopen")  # of the newest version: they hold for cases of every version


@dataclass(frozen=True, slots=True)
class TargetLine:
    """One line of `targets`: what is promised for one clock to the cases that fit it.

    Exactly one of `within` and `business_days` is set, except for the promise clock, which has neither.
    """

    number: int  # place among the version's lines, from 0
    clock: Clock
    when: tuple[tuple[str, Condition], ...]
    within: timedelta | None
    business_days: int | None
    calendar: str
    at_risk: Decimal | None  # share of the target used from which an open clock is at risk; None: never
    bots_answer: bool
    pauses: frozenset[str]  # reasons that stop this clock
    on_change: OnChange

    def fits(self) -> pl.Expr:
        """Boolean expression over the label columns and `complaint`: whether the case is meant; never null."""
        return fits(dict(self.when))

    @property
    def every_pause(self) -> bool:
        """Whether every pause stops this clock, whatever its reason (also one without)."""
        return EVERY_REASON in self.pauses

    @property
    def title(self) -> str:
        """Short name for people: `first_response, priority P1`."""
        return ", ".join(part for part in (str(self.clock), in_words(dict(self.when))) if part)


@dataclass(frozen=True)
class PolicyVersion:
    """One version: judges the cases opened from `effective_from` until the next version's."""

    number: int  # place among the set's versions by effective_from, from 0
    document: PolicyDocument
    targets: tuple[TargetLine, ...]
    file: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.document.policy

    @property
    def effective_from(self) -> datetime | None:
        """None: always in force before the versions that have one."""
        return self.document.effective_from

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that become series for its cases."""
        return self.document.labels

    @property
    def limits(self) -> Limits:
        """Bounds and horizons."""
        return self.document.limits

    @property
    def grace(self) -> timedelta:
        """How long after its due a breach that no event decided is published."""
        return self.document.limits.grace

    @property
    def slas(self) -> tuple[Sla, ...]:
        """Objectives; those of the newest version are in force."""
        return self.document.slas

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Sources that should not fall silent."""
        return self.document.feeds

    @property
    def perception(self) -> Perception | None:
        """Survey items and weights."""
        return self.document.perception

    @property
    def notify(self) -> Mapping[str, Receiver]:
        """Receivers of alerts by name."""
        return self.document.notify

    @cached_property
    def calendars(self) -> Mapping[str, Calendar]:
        """All calendars by name, `always` among them; those of targets as they were frozen."""
        frozen, judging = self.document.frozen, self.document.judging_calendars()
        kept = {} if frozen is None else {name: frozen.of(calendar) for name, calendar in judging.items()}
        return {"always": ALWAYS, **self.document.calendars, **kept}

    @cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that its lines name, in the order of `names.CLOCKS`."""
        named = {line.clock for line in self.targets}
        return tuple(clock for clock in Clock if clock in named)

    def lines(self, clock: Clock) -> tuple[TargetLine, ...]:
        """The lines of one clock, in their order."""
        return tuple(line for line in self.targets if line.clock == clock)

    def line_of(self, clock: Clock) -> pl.Expr:
        """Int16 expression over labels and `complaint`: number of the first line that fits, null where none."""
        choices = [pl.when(line.fits()).then(pl.lit(line.number, pl.Int16)) for line in self.lines(clock)]
        return pl.coalesce([*choices, pl.lit(None, pl.Int16)])

    @cached_property
    def digest(self) -> str:
        """sha256 of its canonical JSON (values left at their defaults apart)."""
        return _sha256(_canonical(self.document.model_dump_json(exclude_defaults=True)))

    @cached_property
    def judging(self) -> Mapping[str, Any]:
        """What of the writing decides verdicts and is frozen once it has judged a case (SEMANTICS, Clocks 6)."""
        written = self.document.model_dump(mode="json", exclude_defaults=True)
        kept = {name: written.get(name) for name in JUDGING}
        used = self.document.judging_calendars()
        kept["calendars"] = {name: text for name, text in written.get("calendars", {}).items() if name in used}
        kept["limits"] = {name: format_span(getattr(self.limits, name)) for name in JUDGING_LIMITS}
        return kept

    @cached_property
    def judging_digest(self) -> str:
        """sha256 of all that decides verdicts, frozen holidays and zone rules among it."""
        frozen = self.document.frozen
        kept = {**self.judging, "frozen": frozen and frozen.model_dump(mode="json")}
        return _sha256(json.dumps(kept, sort_keys=True, ensure_ascii=False))

    def dump(self) -> str:
        """The version as one document that `load` reads back to the same digest."""
        text = self.document.model_dump_json(exclude_none=True)
        # What YAML 1.1 takes for a line break, or does not let through, is escaped.
        return re.sub(
            r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]", _escaped, text
        )


@dataclass(frozen=True)
class PolicySet:
    """All versions of one policy, ordered by `effective_from` (the one without comes first)."""

    versions: tuple[PolicyVersion, ...]
    hints: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.newest.name

    @property
    def newest(self) -> PolicyVersion:
        """The last version: its SLAs, alerts, feeds and receivers are in force."""
        return self.versions[-1]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels of any version: the newest's, then what only others list."""
        every = [label for version in reversed(self.versions) for label in version.labels]
        return tuple(dict.fromkeys(every))

    @cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """The clocks that any version names, in the order of `names.CLOCKS`."""
        named = {clock for version in self.versions for clock in version.clocks}
        return tuple(clock for clock in Clock if clock in named)

    @cached_property
    def digest(self) -> str:
        """sha256 over the digests of the versions in their order."""
        return _sha256("\n".join(version.digest for version in self.versions))

    @cached_property
    def judging(self) -> str:
        """What decides figures, for the state to keep: see `monitor.policy.judging`."""
        newest = self.newest
        limits = [format_span(getattr(newest.limits, name)) for name in _FACTS_LIMITS]
        return judging_text(
            _sha256(json.dumps([newest.labels, limits])),
            [(version.effective_from, version.judging_digest) for version in self.versions],
        )

    def version_of(self, opened: pl.Expr) -> pl.Expr:
        """Int16 expression: number of the version in force at `opened` (inclusive), -1 before all; null stays.

        Named as `opened` is.
        """
        starts = [v.effective_from for v in self.versions if v.effective_from is not None]
        before = len(self.versions) - len(starts) - 1
        known = opened.is_not_null()
        number = known.cast(pl.Int16) * pl.lit(before, pl.Int16)
        for start in starts:
            number = number + (opened >= pl.lit(start)).cast(pl.Int16)
        return pl.when(known).then(number)

    def version_at(self, opened: datetime) -> PolicyVersion | None:
        """The version in force at an instant; None before all."""
        found = [v for v in self.versions if v.effective_from is None or v.effective_from <= opened]
        return found[-1] if found else None

    def at(self, number: int) -> PolicyVersion:
        """The version with that number."""
        return self.versions[number]

    def line_of(self, clock: Clock, version: pl.Expr) -> pl.Expr:
        """Int16 expression: the first fitting line of `clock` in the version of number `version`, or null."""
        choices = [pl.when(version == v.number).then(v.line_of(clock)) for v in self.versions]
        return pl.coalesce([*choices, pl.lit(None, pl.Int16)])

    def dump(self) -> list[str]:
        """One document a version, for the policy topic; `load` reads them back to an equal set."""
        return [version.dump() for version in self.versions]


def compiled_line(number: int, written: TargetDocument) -> TargetLine:
    """A line of the document with its place and its target taken apart."""
    within = written.within
    return TargetLine(
        number=number,
        clock=written.clock,
        when=tuple(written.when.items()),
        within=within if isinstance(within, timedelta) else None,
        business_days=within.days if isinstance(within, BusinessDays) else None,
        calendar=written.calendar,
        at_risk=written.at_risk or None,
        bots_answer=written.bots_answer,
        pauses=frozenset(written.pauses),
        on_change=written.on_change,
    )


def compiled(read: Sequence[tuple[str, PolicyDocument]], hints: Sequence[Problem] = ()) -> PolicySet:
    """The set of versions from (file, document) pairs in any order."""
    always = datetime.min.replace(tzinfo=UTC)
    ordered = sorted(read, key=lambda r: r[1].effective_from or always)
    versions = [
        PolicyVersion(
            number=number,
            document=document,
            targets=tuple(compiled_line(i, written) for i, written in enumerate(document.targets)),
            file=file,
        )
        for number, (file, document) in enumerate(ordered)
    ]
    return PolicySet(tuple(versions), tuple(hints))


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
