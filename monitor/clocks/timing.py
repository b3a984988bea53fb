"""Dues and elapsed times of many rows, each under the calendar and the pauses of its own line (rules 1, 3, 7)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from monitor.calendars import NEVER
from monitor.cases import Cases, Ints
from monitor.clocks.business_days import due_in_days, span_of_days
from monitor.clocks.pauses import Active, Stretches, paused
from monitor.clocks.rules import Rules
from monitor.names import Kind


@dataclass
class Timing:
    """How time runs for each line in the cases at hand. Rows are parallel arrays: case, line (-1: none), instants.

    `gaps` are stretches in which no time runs whatever the line says, and which are no pauses (time between a
    resolve and its reopening, for total_resolution).
    """

    cases: Cases
    rules: Rules
    gaps: Stretches | None = None
    _active: dict[tuple[int, int], Active] = field(default_factory=dict)
    _pauses: Ints = field(init=False)  # as rules.pauses; where nothing was paused no line has any

    def __post_init__(self) -> None:
        pauses = self.rules.pauses
        self._pauses = pauses if self.cases.mask(Kind.PAUSED).any() else np.zeros_like(pauses)

    def active(self, calendar: int, pauses: int) -> Active:
        """Active time under one calendar and one set of reasons, by their places in `rules`."""
        if (calendar, pauses) not in self._active:
            stretches = paused(self.cases, self.rules.pause_sets[pauses])
            if self.gaps is not None:
                stretches = stretches.union(self.gaps)
            self._active[calendar, pauses] = Active.of(self.rules.calendars[calendar], stretches)
        return self._active[calendar, pauses]

    def due(self, case: Ints, line: Ints, base: Ints) -> Ints:
        """First instant at which the line's target is used up, measured from `base`; NEVER without a line or while
        a pause has no end."""
        due = np.full(len(case), NEVER, dtype=np.int64)
        for rows, active in self._groups(line):
            due[rows] = self._reached(active, case[rows], line[rows], base[rows], self.rules.within[line[rows]])
            for some, days in self._in_days(line, rows):
                due[some] = due_in_days(active, case[some], base[some], days, np.full(len(some), NEVER))
        return due

    def at_risk(self, case: Ints, line: Ints, base: Ints) -> Ints:
        """First instant at which the line's share of its target is used; NEVER where that cannot be said."""
        risk = np.full(len(case), NEVER, dtype=np.int64)
        for rows, active in self._groups(line):
            amount = self.rules.risk[line[rows]]
            risk[rows] = self._reached(active, case[rows], line[rows], base[rows], amount)
            for some, days in self._in_days(line, rows):
                span = span_of_days(active.calendar, base[some], days)
                amount = self.rules.share_of(line[some], np.zeros_like(span), span)
                risk[some] = self._reached(active, case[some], line[some], base[some], amount)
        return risk

    def due_if_stopped(self, case: Ints, line: Ints, base: Ints, stop: Ints) -> Ints:
        """`due` of a clock that stopped in time: what began after the stop did not happen, and a pause ends there."""
        due = stop.copy()
        for rows, active in self._groups(line):
            left = self.rules.within[line[rows]] - self._used(active, case[rows], base[rows], stop[rows])
            position = active.calendar.position(stop[rows])
            due[rows] = np.where(left > 0, active.calendar.instant(position + np.maximum(left, 0)), stop[rows])
            for some, days in self._in_days(line, rows):
                due[some] = due_in_days(active, case[some], base[some], days, stop[some])
        return due

    def elapsed(self, case: Ints, line: Ints, base: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Business time from `base` to `end` without pauses and gaps, and what pauses covered of it."""
        elapsed, covered = np.zeros_like(base), np.zeros_like(base)
        for rows, active in self._groups(line):
            of, start, stop = case[rows], base[rows], end[rows]
            elapsed[rows] = self._used(active, of, start, stop)
            covered[rows] = active.paused(of, stop) - active.paused(of, start)
            if self.gaps is not None:
                gaps = Active.of(active.calendar, self.gaps)
                covered[rows] -= gaps.paused(of, stop) - gaps.paused(of, start)
        return elapsed, covered

    def _reached(self, active: Active, case: Ints, line: Ints, base: Ints, amount: Ints) -> Ints:
        """When `amount` of active time has passed since `base`; NEVER without a line or with an amount of NEVER."""
        known = (line >= 0) & (amount < NEVER)
        value = active.at(case, base) + np.where(known, amount, 0)
        return np.where(known, active.reached(case, value), NEVER)

    def _in_days(self, line: Ints, rows: Ints | slice) -> Iterator[tuple[Ints, Ints]]:
        """Of these rows those with a target in working days, and how many, if there are any."""
        days = self.rules.business_days[line[rows]]
        found = np.flatnonzero(days)
        if len(found):
            yield found if isinstance(rows, slice) else rows[found], days[found]

    def _used(self, active: Active, case: Ints, base: Ints, end: Ints) -> Ints:
        return active.at(case, end) - active.at(case, base)

    def _groups(self, line: Ints) -> Iterator[tuple[Ints | slice, Active]]:
        """Rows that share a calendar and a set of reasons."""
        sets = len(self.rules.pause_sets)
        groups = self.rules.calendar * sets + self._pauses
        if not groups.any():
            yield slice(None), self.active(0, 0)
            return
        group = groups[line]
        different = np.flatnonzero(np.bincount(group)).tolist()
        for number in different:
            rows = slice(None) if len(different) == 1 else np.flatnonzero(group == number)
            yield rows, self.active(number // sets, number % sets)
