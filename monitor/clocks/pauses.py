"""Stretches in which clocks stand still, and what is left of time without them.

`Stretches` holds disjoint stretches [begin, end) of many cases, sorted within each. With a calendar they become
`Active` time: for case c, `active(t) = position(t) - position covered by stretches before t`. It never falls, so
elapsed time is a difference of two of its values and a due is the first instant at which it reaches a value:

    position   ---------/--------      a stretch that begins when the value is reached comes too late:
    active     ----____/----____/      only those count whose beginning lies below it
"""

from dataclasses import dataclass

import numpy as np

from monitor.calendars import NEVER, Calendar
from monitor.cases import Cases, Ints, Mask
from monitor.names import Kind
from monitor.policy.compiled import EVERY_REASON


@dataclass(frozen=True, slots=True)
class Stretches:
    """Disjoint stretches, sorted by case and beginning; `end` NEVER where none is known."""

    begin: Ints
    end: Ints
    first: Ints  # C + 1: case c has the stretches first[c] up to, not including, first[c + 1]

    @classmethod
    def of(cls, case: Ints, begin: Ints, end: Ints, cases: int) -> "Stretches":
        """Stretches from parallel arrays that are sorted by case and beginning."""
        return cls(begin, end, np.searchsorted(case, np.arange(cases + 1)))

    @classmethod
    def none(cls, cases: int) -> "Stretches":
        """No stretch in any of so many cases."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, np.zeros(cases + 1, dtype=np.int64))

    @property
    def case(self) -> Ints:
        """The case of each stretch."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def union(self, other: "Stretches") -> "Stretches":
        """What either covers. Stretches that only touch stay apart, empty ones vanish."""
        if len(self.begin) == 0 or len(other.begin) == 0:
            return self if len(other.begin) == 0 else other
        begin, end = np.concatenate((self.begin, other.begin)), np.concatenate((self.end, other.end))
        case = np.concatenate((self.case, other.case))
        begin, end, case = (values[begin < end] for values in (begin, end, case))
        case, time = np.tile(case, 2), np.concatenate((begin, end))
        step = np.repeat([1, -1], len(begin))
        order = np.lexsort((step, time, case))  # at one instant what ends comes before what begins
        step = step[order]
        depth = np.cumsum(step)
        begins = order[(depth == 1) & (step == 1)]
        ends = order[depth == 0]
        return Stretches.of(case[begins], time[begins], time[ends], len(self.first) - 1)


def paused(cases: Cases, reasons: frozenset[str]) -> Stretches:
    """The pauses for one of these reasons: from the first such `paused` to the next `resumed` (rule 3)."""
    begins = np.flatnonzero(cases.mask(Kind.PAUSED))
    if not len(reasons) or not len(begins):
        return Stretches.none(cases.height)
    if EVERY_REASON not in reasons:
        begins = begins[cases.column("reason", begins).is_in(list(reasons)).fill_null(False).to_numpy()]
    index = np.sort(np.concatenate((begins, np.flatnonzero(cases.mask(Kind.RESUMED)))))
    return _runs(cases, index, cases.mask(Kind.PAUSED)[index])


def resolved(cases: Cases) -> Stretches:
    """The time between each resolve and the reopening after it; NEVER ending for what is resolved still."""
    index = np.flatnonzero(cases.resolves | cases.reopens)
    return _runs(cases, index, cases.resolves[index])


def _runs(cases: Cases, index: Ints, on: Mask) -> Stretches:
    """Stretches from an event that switches on to the next one of the case that switches off."""
    case, time = cases.case[index], cases.time[index]
    same = case[1:] == case[:-1]
    was_on = np.zeros(len(index), dtype=bool)
    was_on[1:] = on[:-1] & same
    edges = np.flatnonzero(on != was_on)  # switches on, off, on …; a case may end switched on
    begins = edges[on[edges]]
    following = np.append(edges, -1)[np.searchsorted(edges, begins) + 1]
    ended = (following >= 0) & (case[following] == case[begins]) & ~on[following]
    end = np.where(ended, time[following], NEVER)
    return Stretches.of(case[begins], time[begins], end, cases.height)


@dataclass(frozen=True, slots=True)
class Active:
    """Time of a calendar without some stretches. All arguments and results are parallel arrays."""

    calendar: Calendar
    stretches: Stretches
    begin: Ints  # position at which each stretch begins
    length: Ints  # open time in it; 0 where it has no end
    before: Ints  # active time of its case at which it begins
    covered: Ints  # S + 1: open time in all stretches before it, over all cases

    @classmethod
    def of(cls, calendar: Calendar, stretches: Stretches) -> "Active":
        """The active time of a calendar outside of the stretches."""
        begin = calendar.position(stretches.begin)
        known = stretches.end < NEVER
        length = np.where(known, calendar.position(np.where(known, stretches.end, stretches.begin)) - begin, 0)
        covered = np.concatenate(([0], np.cumsum(length)))
        before = begin - (covered[:-1] - covered[stretches.first[stretches.case]])
        return cls(calendar, stretches, begin, length, before, covered)

    def paused(self, case: Ints, instant: Ints) -> Ints:
        """Open time that stretches of the case cover up to an instant."""
        if not len(self.begin):
            return np.zeros(len(case), dtype=np.int64)
        first, count = self._before(self.stretches.begin, case, instant)
        last = np.maximum(first + count - 1, 0)
        inside = np.where(count > 0, np.minimum(instant, self.stretches.end[last]), self.stretches.begin[last])
        of_last = self.calendar.position(inside) - self.begin[last]
        whole = self.covered[last] - self.covered[first]
        return np.where(count > 0, whole + of_last, 0)

    def at(self, case: Ints, instant: Ints) -> Ints:
        """Active time of the case at an instant."""
        position = self.calendar.position(instant)
        return position - self.paused(case, instant)

    def reached(self, case: Ints, value: Ints) -> Ints:
        """The first instant at which the active time of the case is `value`; NEVER where it stands still for ever."""
        if not len(self.begin):
            return self.calendar.instant(value)
        first, count = self._before(self.before, case, value)
        last = np.maximum(first + count - 1, 0)
        due = self.calendar.instant(value + self.covered[first + count] - self.covered[first])
        return np.where((count > 0) & (self.stretches.end[last] == NEVER), NEVER, due)

    def _before(self, keys: Ints, case: Ints, value: Ints) -> tuple[Ints, Ints]:
        """Of each row's case: the first stretch, and how many of its stretches have a key below `value`."""
        first = self.stretches.first[case]
        return first, bisect(keys, first, self.stretches.first[case + 1], value) - first


def bisect(keys: Ints, low: Ints, high: Ints, value: Ints) -> Ints:
    """For each row the first place in keys[low:high], which are sorted, whose key is at least `value`."""
    low, high = low.copy(), high.copy()
    while True:
        open_ = np.flatnonzero(low < high)
        if not len(open_):
            return low
        middle = (low[open_] + high[open_]) >> 1
        below = keys[middle] < value[open_]
        low[open_] = np.where(below, middle + 1, low[open_])
        high[open_] = np.where(below, high[open_], middle)
