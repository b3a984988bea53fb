"""The lines of all versions of a policy as arrays, so that a line's properties are one indexing away.

Lines of all versions are numbered through from 0 ("global" numbers). Every array has one entry more, at the end,
which is what number -1, "no line" or "no version", finds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.calendars import NEVER, Calendar, calendar_of
from monitor.names import CLOCKS, Clock
from monitor.policy import ALWAYS, OnChange, PolicySet, TargetLine
from monitor.zones import EPOCH, MICROSECOND

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

LONG_AGO: Final = np.iinfo(np.int64).min
_ALWAYS_JUDGED: Final = (Clock.FIRST_RESPONSE, Clock.RESOLUTION)  # their times are indicators without any target
_UNNAMED: Final = [clock in _ALWAYS_JUDGED for clock in CLOCKS]

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class Rules:
    """Per version (V + 1 entries, the last: before every version) and per line (L + 1 entries)."""

    policies: PolicySet
    effective: Ints  # V: microseconds; LONG_AGO for a version without `effective_from`
    first_line: Ints  # V + 1: global number of the version's first line
    grace: Ints  # V + 1
    named: Mask  # V + 1 x 6: which clocks get rows
    within: Ints  # L + 1: microseconds of the line's calendar; 0 for business_days and promise
    business_days: Ints  # L + 1: 0 for none
    share: tuple[Decimal | None, ...]  # L: at_risk as a share of the target; None: never
    risk: Ints  # L + 1: elapsed time from which a clock is at risk; NEVER; for `within` only
    calendar: Ints  # L + 1: place in `calendars`
    calendars: tuple[Calendar, ...]  # the first is always open
    pauses: Ints  # L + 1: place in `pause_sets`
    pause_sets: tuple[frozenset[str], ...]  # the first is empty
    bots: Mask  # L + 1: an answer of a bot counts
    keep: Mask  # L + 1: on_change
    restart: Mask  # L + 1: on_change

    def version_of(self, opened: Ints) -> Ints:
        """Number of the version in force at each instant, -1 before all."""
        return np.searchsorted(self.effective, opened, side="right") - 1

    def share_of(self, line: Ints, start: Ints, due: Ints) -> Ints:
        """The instant at which the line's at-risk share of the time from `start` to `due` has passed, or NEVER."""
        instant = np.full(len(line), NEVER, dtype=np.int64)
        for number in np.flatnonzero(np.bincount(line[line >= 0])).tolist():
            share = self.share[number]
            if share is not None:
                part, whole = share.as_integer_ratio()
                rows = np.flatnonzero((line == number) & (due < NEVER))
                full, rest = np.divmod(due[rows] - start[rows], whole)
                instant[rows] = start[rows] + full * part - (-rest * part) // whole  # rounded up
        return instant

    def choose(self, labels: pl.DataFrame, version: Ints, clocks: Sequence[Clock]) -> Mapping[Clock, Ints]:
        """For each clock the global number of the first line that fits each row of labels and `complaint`, or -1."""
        chosen = {clock: np.full(labels.height, -1, dtype=np.int64) for clock in clocks}
        for number in np.flatnonzero(np.bincount(version[version >= 0])).tolist():
            judged = self.policies.at(number)
            rows = np.flatnonzero(version == number)
            part = labels if len(rows) == labels.height else labels.select(pl.all().gather(rows))
            # With a column beside it: alone, an expression of literals has a row for each chunk of the frame.
            lines = part.select(
                "complaint", *(judged.line_of(clock).cast(pl.Int64).fill_null(-1).alias(clock) for clock in clocks)
            )
            for clock in clocks:
                local = lines[clock].to_numpy()
                chosen[clock][rows] = np.where(local < 0, -1, local + self.first_line[number])
        return chosen


def microseconds(instant: datetime) -> int:
    """Since 1970-01-01T00:00Z, exactly."""
    return (instant - EPOCH) // MICROSECOND


def rules_of(policies: PolicySet) -> Rules:
    """The arrays of a policy; made once for each digest."""
    if policies.digest not in _made:
        if len(_made) >= 16:
            _made.pop(next(iter(_made)))
        _made[policies.digest] = _compile(policies)
    return _made[policies.digest]


_made: dict[str, Rules] = {}  # by digest of the policy: a table of a pure function


def _compile(policies: PolicySet) -> Rules:
    versions = policies.versions
    lines = [line for version in versions for line in version.targets]
    calendar, calendars = _number(
        [ALWAYS, *(v.calendars[line.calendar] for v in versions for line in v.targets)], calendar_of
    )
    pauses, pause_sets = _number([frozenset[str](), *(line.pauses for line in lines)], lambda reasons: reasons)
    return Rules(
        policies=policies,
        effective=np.array(
            [LONG_AGO if v.effective_from is None else microseconds(v.effective_from) for v in versions]
        ),
        first_line=np.cumsum([0, *(len(v.targets) for v in versions)]),
        grace=np.array([*(v.grace // MICROSECOND for v in versions), 0]),
        named=np.array([[c in v.clocks or c in _ALWAYS_JUDGED for c in CLOCKS] for v in versions] + [_UNNAMED]),
        within=np.array([*(0 if ln.within is None else ln.within // MICROSECOND for ln in lines), 0]),
        business_days=np.array([*(line.business_days or 0 for line in lines), 0]),
        share=tuple(line.at_risk for line in lines),
        risk=np.array([*(_risk(line) for line in lines), NEVER]),
        calendar=np.array([*calendar[1:], 0]),
        calendars=tuple(calendars),
        pauses=np.array([*pauses[1:], 0]),
        pause_sets=tuple(pause_sets),
        bots=np.array([*(line.bots_answer for line in lines), False]),
        keep=np.array([*(line.on_change == OnChange.KEEP for line in lines), False]),
        restart=np.array([*(line.on_change == OnChange.RESTART for line in lines), False]),
    )


def _risk(line: TargetLine) -> int:
    if line.at_risk is None or line.within is None:
        return NEVER
    return ceil(line.at_risk * (line.within // MICROSECOND))


def _number(values: Sequence[V], make: Callable[[V], T]) -> tuple[list[int], list[T]]:
    """The place of each value among the different ones, and what `make` makes of these."""
    found: list[V] = []
    places = []
    for value in values:
        if value not in found:
            found.append(value)
        places.append(found.index(value))
    return places, [make(value) for value in found]
