"""The hours of one calendar between two instants, and why it is closed where it is."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

from monitor.calendars import YEARS, Ints, Table, table_of
from monitor.explain.model import Why
from monitor.policy import Calendar
from monitor.policy.calendar_model import Holidays
from monitor.zones import EPOCH, MICROSECOND

_DAY = timedelta(days=1) // MICROSECOND


@dataclass(frozen=True, slots=True)
class Hours:
    """A stretch [start, end) in microseconds in which the calendar is open (`counted`) or closed for one reason."""

    start: int
    end: int
    why: Why
    name: str  # of the holiday or exception

    @property
    def counts(self) -> bool:
        return self.why == Why.COUNTED


class Almanac:
    """What a calendar says of any time; its tables are made once for the years that are asked about."""

    def __init__(self, written: Calendar) -> None:
        self.written = written
        self._known: dict[tuple[int, int], _Tables] = {}

    def hours(self, start: int, end: int) -> list[Hours]:
        """The calendar from `start` to `end`, in order and without gaps. Microseconds since 1970."""
        if end <= start:
            return []
        if self.written.always_open:
            return [Hours(start, end, Why.COUNTED, "")]
        tables = self._tables(start, end)
        edges = tables.edges(start, end)
        flags = zip(*(_covers(table, edges[:-1]).tolist() for table in tables.three), strict=True)
        found: list[Hours] = []
        for (begin, stop), (is_open, worked, usual) in zip(pairwise(edges.tolist()), flags, strict=True):
            why, name = tables.reason(begin, is_open, worked, usual)
            if found and (found[-1].why, found[-1].name) == (why, name):
                begin = found.pop().start
            found.append(Hours(begin, stop, why, name))
        return found

    def shifts(self, start: int, end: int) -> list[tuple[int, timedelta, timedelta]]:
        """Where the zone's offset changes in [start, end): instant, offset before and after."""
        if self.written.zone == "UTC":
            return []
        zone = self._tables(start, end).actual.zone
        spans = [timedelta(microseconds=offset) for offset in zone.offset.tolist()]
        return [(at, spans[i], spans[i + 1]) for i, at in enumerate(zone.change.tolist()) if start <= at < end]

    def working_days(self, start: int, days: int) -> list[date]:
        """The dates of so many working days after the one on which `start`, moved to opening hours, lies (rule 7)."""
        if self.written.always_open:
            return []
        table = self._tables(start, start + (3 * days + 60) * _DAY).actual
        following = np.append(table.start, start)[np.searchsorted(table.end, start, side="right")]
        local = int(table.zone.local(np.maximum(np.array([following]), start))[0])
        first = int(np.searchsorted(table.working, local // _DAY * _DAY, side="right"))
        return [(EPOCH + int(day) * MICROSECOND).date() for day in table.working[first : first + days]]

    def _tables(self, start: int, end: int) -> "_Tables":
        years = _years(start, end)
        if years not in self._known:
            self._known[years] = _Tables(self.written, years)
        return self._known[years]


class _Tables:
    """A calendar as it is, without its maintenance, and without anything but its weekly hours."""

    def __init__(self, written: Calendar, years: tuple[int, int]) -> None:
        plain = written.model_copy(update={"holidays": Holidays(), "exceptions": {}, "maintenance": ()})
        working = written.model_copy(update={"maintenance": ()})
        self.actual = table_of(written, years)
        self.three = (self.actual, table_of(working, years), table_of(plain, years))
        self._written, self._zone = written, self.actual.zone
        self._days_off = written.days_off(date(years[0], 1, 1), date(years[1], 12, 31))
        self._midnights = self._special_midnights()

    def edges(self, start: int, end: int) -> Ints:
        """Where something may change, from `start` to `end`, both included."""
        cuts = [_within(edge, start, end) for table in self.three for edge in (table.start, table.end)]
        return np.unique(np.concatenate([[start, end], *cuts, _within(self._midnights, start, end)]))

    def reason(self, begin: int, is_open: bool, worked: bool, usual: bool) -> tuple[Why, str]:
        """Why a stretch counts or not: whether it is open, with maintenance away, and on an ordinary day."""
        if is_open:
            return Why.COUNTED, "" if usual else self._opening(begin)
        if worked:
            return Why.MAINTENANCE, ""
        return self._closing(begin) if usual else (Why.CLOSED, "")

    def _closing(self, instant: int) -> tuple[Why, str]:
        """Why an instant is closed that would be open: by the day whose shift it would be in."""
        for day in self._around(instant):
            if day in self._written.exceptions:
                return Why.EXCEPTION, day.isoformat()
            if day in self._days_off:
                return Why.HOLIDAY, self._days_off[day]
        return Why.CLOSED, ""

    def _opening(self, instant: int) -> str:
        """The exception that opens an instant that would be closed."""
        days = [day for day in self._around(instant) if day in self._written.exceptions]
        return f"exception {days[0]}" if days else ""

    def _around(self, instant: int) -> tuple[date, date]:
        """The local date, and the one before, whose shift may reach over midnight."""
        local = EPOCH + int(self._zone.local(np.array([instant]))[0]) * MICROSECOND
        return local.date(), local.date() - timedelta(days=1)

    def _special_midnights(self) -> Ints:
        """Where special days and the days after them begin: one reason may give way to another."""
        days = {*self._days_off, *self._written.exceptions}
        days |= {day + timedelta(days=1) for day in days}
        since = sorted(day.toordinal() - EPOCH.date().toordinal() for day in days)
        return np.sort(self._zone.utc(np.array(since, dtype=np.int64) * _DAY))


def _within(edges: Ints, start: int, end: int) -> Ints:
    """Of sorted instants those from `start` to `end`."""
    return edges[np.searchsorted(edges, start) : np.searchsorted(edges, end, side="right")]


def _covers(table: Table, instants: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the calendar is open at each instant."""
    if not len(table.start):
        return np.zeros(len(instants), dtype=bool)
    row = np.searchsorted(table.start, instants, side="right") - 1
    return np.asarray((row >= 0) & (instants < table.end[np.maximum(row, 0)]))


def _years(start: int, end: int) -> tuple[int, int]:
    """The years that a table needs to tell of these instants, within what calendars know."""
    first, last = ((EPOCH + at * MICROSECOND).year for at in (start, end))
    return min(max(first - 1, YEARS[0]), YEARS[1]), max(min(last + 1, YEARS[1]), YEARS[0])
