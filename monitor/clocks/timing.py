"""Dues and elapsed times of many rows, each under the calendar and the pauses of its own line (rules 1, 3, 7)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from monitor.cases import Cases, Ints
from monitor.clocks.pauses import Active, Stretches, paused
from monitor.clocks.rules import NEVER, Rules


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
        return self._reach(case, line, base, self.rules.within[line])

    def at_risk(self, case: Ints, line: Ints, base: Ints) -> Ints:
        """First instant at which the line's share of its target is used; NEVER where that cannot be said."""
        return self._reach(case, line, base, self.rules.risk[line])

    def due_if_stopped(self, case: Ints, line: Ints, base: Ints, stop: Ints) -> Ints:
        """`due` of a clock that stopped in time: what began after the stop did not happen, and a pause ends there."""
        due = stop.copy()
        for rows, active in self._groups(line):
            left = self.rules.within[line[rows]] - self._used(active, case[rows], base[rows], stop[rows])
            position = active.calendar.position(stop[rows])
            due[rows] = np.where(left > 0, active.calendar.instant(position + np.maximum(left, 0)), stop[rows])
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

    def _reach(self, case: Ints, line: Ints, base: Ints, amount: Ints) -> Ints:
        instant = np.full(len(case), NEVER, dtype=np.int64)
        for rows, active in self._groups(line):
            known = (line[rows] >= 0) & (amount[rows] < NEVER)
            value = active.at(case[rows], base[rows]) + np.where(known, amount[rows], 0)
            instant[rows] = np.where(known, active.reached(case[rows], value), NEVER)
        return instant

    def _used(self, active: Active, case: Ints, base: Ints, end: Ints) -> Ints:
        return active.at(case, end) - active.at(case, base)

    def _groups(self, line: Ints) -> Iterator[tuple[Ints | slice, Active]]:
        """Rows that share a calendar and a set of reasons."""
        sets = len(self.rules.pause_sets)
        group = self.rules.calendar[line] * sets + self.rules.pauses[line]
        different = np.flatnonzero(np.bincount(group)).tolist()
        for number in different:
            rows = slice(None) if len(different) == 1 else np.flatnonzero(group == number)
            yield rows, self.active(number // sets, number % sets)
