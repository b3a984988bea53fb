"""Calendars: business time as a position that stands still while closed.

A calendar maps an instant to its position, the open microseconds since a fixed instant, and a position back to the
FIRST instant that reaches it (18:00, not the next opening). Spans of business time are differences of positions;
all arithmetic of clocks is done on them.

    open      |####|      |####|  |####|
    position  /    ‾‾‾‾‾‾‾/    ‾‾‾/
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from monitor.policy.calendar_model import DAYS
from monitor.policy.calendar_model import Calendar as WrittenCalendar
from monitor.zones import EPOCH, MICROSECOND, Zone

Ints = npt.NDArray[np.int64]

NEVER: Final = np.iinfo(np.int64).max  # an instant that does not come
DAY: Final = 24 * 3600 * 1_000_000
YEARS: Final = (1900, 2200)  # beyond them a calendar with hours is closed
_FIRST_YEARS: Final = (2012, 2036)  # what a table covers before it is asked for more
_ANCHOR: Final = date(2020, 1, 1)  # positions are counted from it, so that a longer table gives the same ones


class Calendar(Protocol):
    """Instants are microseconds since 1970-01-01T00:00Z."""

    def position(self, instants: Ints) -> Ints:
        """Open time up to each instant; never falls, stands still while closed."""
        ...

    def instant(self, positions: Ints) -> Ints:
        """The first instant at which each position is reached; NEVER where it is not."""
        ...

    def days_later(self, instants: Ints, days: Ints) -> Ints:
        """Each instant moved to opening hours, then to the same time of day that many working days later, then
        forward to opening hours (rule 7); NEVER where there are not so many."""
        ...


class Always:
    """Open all the time, days as in UTC: a position is the instant itself."""

    def position(self, instants: Ints) -> Ints:
        return instants

    def instant(self, positions: Ints) -> Ints:
        return positions

    def days_later(self, instants: Ints, days: Ints) -> Ints:
        return instants + days * DAY


@dataclass(frozen=True, slots=True)
class Table:
    """Open stretches [start, end) of some years, disjoint and sorted, with the position at each start."""

    years: tuple[int, int]
    start: Ints
    end: Ints
    position: Ints
    zone: Zone
    working: Ints  # local midnights of the days on which a shift begins

    @property
    def span(self) -> tuple[int, int]:
        """The instants it knows about: from, to (not included)."""
        return _midnight(date(self.years[0], 1, 1)) + DAY, _midnight(date(self.years[1], 12, 31)) - DAY

    def at(self, instants: Ints) -> Ints:
        """Positions of instants."""
        if not len(self.start):
            return np.zeros_like(instants)
        row = np.maximum(np.searchsorted(self.start, instants, side="right") - 1, 0)
        start = self.start[row]
        return self.position[row] + np.clip(instants, start, self.end[row]) - start


class Office:
    """Opening hours of a calendar of the policy. Its table grows to the years that are asked for."""

    def __init__(self, written: WrittenCalendar) -> None:
        self._written = written
        self._table = table_of(written, _FIRST_YEARS)

    def position(self, instants: Ints) -> Ints:
        if not len(instants):
            return instants
        return self._covering(int(instants.min()), int(instants.max())).at(instants)

    def instant(self, positions: Ints) -> Ints:
        if not len(positions):
            return positions
        table = self._reaching(int(positions.max()))
        ends = table.position + (table.end - table.start)
        at = np.searchsorted(ends, positions, side="left")
        found = np.full(len(positions), NEVER, dtype=np.int64)
        known = at < len(ends)
        found[known] = table.start[at[known]] + positions[known] - table.position[at[known]]
        return found

    def days_later(self, instants: Ints, days: Ints) -> Ints:
        if not len(instants):
            return instants
        latest = int(instants.max()) + int(days.max()) * DAY
        while True:
            table = self._covering(int(instants.min()), latest)
            due = _days_later(table, instants, days)
            if due.max() < table.span[1] or table.years[1] == YEARS[1]:
                return due
            latest = 2 * table.span[1] - table.span[0]

    def _covering(self, first: int, last: int) -> Table:
        """The table, grown where these instants lie beyond it (as far as YEARS)."""
        table, years = self._table, self._table.years
        wanted = (
            years[0] if first >= table.span[0] else max(min(_year(first) - 2, years[0]), YEARS[0]),
            years[1] if last < table.span[1] else min(max(_year(last) + 5, years[1]), YEARS[1]),
        )
        if wanted != years:
            self._table = table_of(self._written, wanted)
        return self._table

    def _reaching(self, position: int) -> Table:
        """The table, grown until it reaches the position or can grow no more."""
        table = self._table
        while table.years[1] < YEARS[1] and (not len(table.end) or _last_position(table) < position):
            table = self._covering(table.span[0], 2 * table.span[1] - table.span[0])
        return table


def calendar_of(written: WrittenCalendar) -> Calendar:
    """The table of a calendar of the policy."""
    return Always() if written.always_open and written.zone == "UTC" else Office(written)


def table_of(written: WrittenCalendar, years: tuple[int, int]) -> Table:
    """The open stretches of a calendar from the first day of one year to the last of another."""
    zone = written.zone_rules(range(years[0], years[1] + 1))
    first, last = date(years[0], 1, 1), date(years[1], 12, 31)
    local_start, local_end = _shifts(written, first, last)
    working = np.unique(local_start // DAY) * DAY
    start, end = _merged(zone.utc(local_start), zone.utc(local_end))
    for span in written.maintenance:
        start, end = _without(start, end, (span.start - EPOCH) // MICROSECOND, (span.end - EPOCH) // MICROSECOND)
    position = np.concatenate(([0], np.cumsum(end - start)))[: len(start)]
    table = Table(years, start, end, position, zone, working)
    return replace(table, position=position - table.at(zone.utc(np.array([_midnight(_ANCHOR)]))))


def _shifts(written: WrittenCalendar, first: date, last: date) -> tuple[Ints, Ints]:
    """Begin and end of every shift in local time."""
    days = np.arange(_midnight(first), _midnight(last) + 1, DAY)
    weekday = (days // DAY + 3) % 7  # 1970-01-01 was a Thursday
    closed = written.days_off(first, last)
    special = {day for day in (*closed, *written.exceptions) if first <= day <= last}
    usual = ~np.isin(days, [_midnight(day) for day in special])
    begins, ends = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for number, name in enumerate(DAYS):
        midnights = days[usual & (weekday == number)]
        for shift in written.hours[name]:
            begins.append(midnights + shift.start // MICROSECOND)
            ends.append(midnights + shift.end // MICROSECOND)
    for day in sorted(special):
        for shift in written.shifts(day, closed):
            begins.append(np.array([_midnight(day) + shift.start // MICROSECOND]))
            ends.append(np.array([_midnight(day) + shift.end // MICROSECOND]))
    return np.concatenate(begins), np.concatenate(ends)


def _merged(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Sorted, disjoint stretches that cover the same; those turned around by a change of the clocks are dropped."""
    real = end > start
    order = np.argsort(start[real], kind="stable")
    start, reach = start[real][order], np.maximum.accumulate(end[real][order])
    apart = np.ones(len(start), dtype=bool)
    apart[1:] = start[1:] > reach[:-1]
    return start[apart], reach[np.append(apart[1:], True)[: len(start)]]


def _without(start: Ints, end: Ints, begin: int, stop: int) -> tuple[Ints, Ints]:
    """The stretches without [begin, stop)."""
    starts = np.concatenate((start, np.maximum(start, stop)))
    ends = np.concatenate((np.minimum(end, begin), end))
    real = ends > starts
    order = np.argsort(starts[real], kind="stable")
    return starts[real][order], ends[real][order]


def _days_later(table: Table, instants: Ints, days: Ints) -> Ints:
    opened = _opening(table, instants)
    known = opened < NEVER
    local = table.zone.local(np.where(known, opened, 0))
    midnight = local // DAY * DAY
    at = np.searchsorted(table.working, midnight, side="right") + days - 1
    known &= at < len(table.working)
    day = table.working[np.where(known, at, 0)] if len(table.working) else midnight
    due = _opening(table, table.zone.utc(day + (local - midnight)))
    return np.where(known, due, NEVER)


def _opening(table: Table, instants: Ints) -> Ints:
    """Each instant if it is open, else the next opening; NEVER if there is none."""
    following: Ints = np.append(table.start, NEVER)[np.searchsorted(table.end, instants, side="right")]
    return np.maximum(following, instants)


def _last_position(table: Table) -> int:
    return int(table.position[-1] + table.end[-1] - table.start[-1])


def _midnight(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY


def _year(instant: int) -> int:
    """The year of an instant, within what a date can hold."""
    days = instant // DAY + date(1970, 1, 1).toordinal()
    return date.fromordinal(min(max(days, 1), date.max.toordinal())).year
