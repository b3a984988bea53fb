"""Worked examples of a target: an ordinary case, one over a weekend, one over a holiday, one over a clock change."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from monitor import calendars
from monitor.calendars import NEVER, Ints
from monitor.names import Clock
from monitor.policy.calendar_model import DAY, DAYS, Calendar, Shift
from monitor.policy.compiled import PolicyVersion, TargetLine
from monitor.zones import EPOCH, MICROSECOND, offset_text

_ORDINARY: Final = 35  # days among which the ordinary example is looked for
_YEAR: Final = 366  # days within which the next holiday and the next change of the clocks are looked for
_REACHING: Final = timedelta(minutes=90)  # how long before closing a case opens whose clock is to reach beyond it
_NEAR: Final = timedelta(days=6)  # a span that weekdays alone can tell
_ALWAYS_AT: Final = timedelta(hours=10)  # of a Saturday: the ordinary example round the clock


def examples(version: PolicyVersion, line: TargetLine, day: date) -> list[str]:
    """The examples of one line from `day` on in words, the ordinary one first; none of a promise.

    What cannot be shown (open every day, a zone that does not change its clocks) is said instead.
    """
    if line.clock == Clock.PROMISE:
        return []
    written = version.calendars[line.calendar]
    work = _Work(written, calendars.calendar_of(written), line, day)
    if written.always_open:
        days_off = ["the same on weekends and holidays"]
    else:
        days_off = [said for said in (work.over_weekend(), work.over_holiday()) if said] or ["open on every day"]
    change = work.over_change() or f"{written.zone} does not change its clocks"
    return [work.ordinary(), *days_off, change]


@dataclass(frozen=True)
class _Work:
    """One line and its calendar, in both forms."""

    written: Calendar
    open_time: calendars.Calendar
    line: TargetLine
    day: date

    def ordinary(self) -> str:
        """The case of the next weeks, opened within the day's first hours, whose clock takes the least wall time."""
        if self.written.always_open:
            saturday = self.day + timedelta(days=(DAYS.index("sat") - self.day.weekday()) % 7)
            starts = [self._instant(saturday, _ALWAYS_AT)]
        else:
            firsts = [(day, shifts[0]) for day, shifts in self._usual() if shifts]
            starts = [self._instant(day, s.start + min(DAY / 24, (s.end - s.start) / 2)) for day, s in firsts]
        dues = self._dues(np.array(starts, dtype=np.int64))
        shortest = int(np.argmin(np.where(dues < NEVER, dues - starts, NEVER)))
        zone = "" if self.written.zone == "UTC" and self.written.always_open else f" ({self.written.zone})"
        return self._said(starts[shortest], int(dues[shortest])) + zone

    def over_weekend(self) -> str | None:
        """From the last shift before a day of the week that is closed; of the next weeks the first usual one."""
        hours = self.written.hours
        before = [
            (day, today[-1]) for day, today in self._usual() if today and not hours[DAYS[(day.weekday() + 1) % 7]]
        ]
        if not before:
            return None
        starts = [self._before_end(day, shift) for day, shift in before]
        dues = self._dues(np.array(starts, dtype=np.int64))
        spans = (dues - starts).tolist()
        usual = spans.index(Counter(spans).most_common(1)[0][0])
        return f"over the weekend: {self._said(starts[usual], int(dues[usual]))}"

    def over_holiday(self) -> str | None:
        """From the last shift before the next holiday, or the next day closed by exception, that would be worked."""
        closed = self.written.days_off(self.day, self.day + timedelta(days=_YEAR))
        for n in range(1, _YEAR):
            off = self.day + timedelta(days=n)
            name = closed.get(off) or "a day off"
            if self.written.shifts(off, closed) or not self.written.hours[DAYS[off.weekday()]]:
                continue
            for back in range(1, n + 1):
                before = off - timedelta(days=back)
                if shifts := self.written.shifts(before, closed):
                    said = self._case(self._before_end(before, shifts[-1]), dates=True)
                    return f"over {off.strftime('%a %Y-%m-%d')}, {name}: {said}"
        return None

    def over_change(self) -> str | None:
        """A case whose target spans the zone's next change of the clocks."""
        zone = self.written.zone_rules(range(self.day.year, self.day.year + 3))
        after = self._instant(self.day, timedelta(0))
        change = next((int(c) for c in zone.change if after < c <= after + _YEAR * calendars.DAY), None)
        if change is None:
            return None
        half = _whole(min(self._target() / 2, DAY))
        at = self.open_time.position(np.array([change], dtype=np.int64)) - half // MICROSECOND
        opened = int(self.open_time.instant(at + 1)[0]) - 1  # at the end of a shift: when the next one begins
        said = self._case(opened, dates=True)
        return f"over the clock change of {self._local(change).strftime('%a %Y-%m-%d')}: {said}"

    def _usual(self) -> list[tuple[date, tuple[Shift, ...]]]:
        """The days of the next weeks with the shifts of their weekday, all Mondays first.

        So the same policy has the same example on whatever day it is checked.
        """
        days = sorted((self.day + timedelta(days=n) for n in range(_ORDINARY)), key=date.weekday)
        return [(day, self.written.hours[DAYS[day.weekday()]]) for day in days]

    def _before_end(self, day: date, shift: Shift) -> int:
        """So shortly before the end of a shift that the clock of a case goes on after it."""
        ahead = _whole(min(_REACHING, self._target() / 2, shift.end - shift.start))
        return self._instant(day, shift.end) - ahead // MICROSECOND

    def _target(self) -> timedelta:
        return 2 * _REACHING if self.line.within is None else self.line.within

    def _dues(self, starts: Ints) -> Ints:
        if self.line.within is not None:
            return self.open_time.instant(self.open_time.position(starts) + self.line.within // MICROSECOND)
        return self.open_time.days_later(starts, np.full(len(starts), self.line.business_days, dtype=np.int64))

    def _case(self, start: int, *, dates: bool) -> str:
        return self._said(start, int(self._dues(np.array([start], dtype=np.int64))[0]), dates=dates)

    def _said(self, start: int, due: int, *, dates: bool = False) -> str:
        """`Fri 16:30 -> due Mon 11:30`; with dates where weekdays do not tell."""
        began = self._local(start)
        if due == NEVER:
            return f"{_told(began, dates)} -> never due: its calendar does not open for so long"
        end = self._local(due)
        dates = dates or end - began >= _NEAR
        shifted = dates and began.utcoffset() != end.utcoffset()
        return f"{_told(began, dates, offset=shifted)} -> due {_told(end, dates, offset=shifted)}"

    def _instant(self, day: date, clock: timedelta) -> int:
        """Microseconds of a local time of day, which may pass 24 h."""
        local = datetime(day.year, day.month, day.day) + clock  # noqa: DTZ001 - the zone's rules follow
        return (local.replace(tzinfo=self.written.tz) - EPOCH) // MICROSECOND

    def _local(self, instant: int) -> datetime:
        return (EPOCH + instant * MICROSECOND).astimezone(self.written.tz)


def _told(local: datetime, dates: bool, *, offset: bool = False) -> str:
    seconds = ":%S" if local.second else ""
    told = local.strftime(("%a %Y-%m-%d %H:%M" if dates else "%a %H:%M") + seconds)
    return f"{told} {offset_text(local)}" if offset else told


def _whole(span: timedelta) -> timedelta:
    """Whole minutes, of less than one whole seconds: times that are easy to check."""
    unit = timedelta(minutes=1) if span >= timedelta(minutes=1) else timedelta(seconds=1)
    return span // unit * unit
