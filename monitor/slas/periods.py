"""The periods that objectives are judged over: rolling ones, and calendar ones of a zone."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from monitor.policy.durations import format_span
from monitor.policy.model import CalendarPeriod

_DST = timedelta(hours=1)
# The greatest lengths, daylight saving apart, and with it. Burn windows follow from the latter, so that they are the
# same all year; those of a day are whole minutes however long that day is.
USUAL: Final = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=31),
    "quarter": timedelta(days=92),
}
LONGEST: Final = {unit: length + (_DST if unit != "day" else timedelta(0)) for unit, length in USUAL.items()}


class Bounds(NamedTuple):
    """One period as it stands at an instant."""

    start: datetime  # UTC
    length: timedelta  # the whole period's real length, its rest included
    longest: timedelta  # the greatest length of any such period


def bounds(period: timedelta | CalendarPeriod, now: datetime) -> Bounds:
    """The period that `now` lies in: the last `period` before it, or the calendar one that began before it.

    A calendar period begins at 00:00 in its zone: moved forward by a gap of daylight saving, the first of two.
    """
    if isinstance(period, timedelta):
        return Bounds(now - period, period, period)
    zone = ZoneInfo(period.zone)
    first = _first_day(now.astimezone(zone).date(), period.calendar)
    start, end = (_midnight(day, zone) for day in (first, _next(first, period.calendar)))
    return Bounds(start, end - start, LONGEST[period.calendar])


def in_words(period: timedelta | CalendarPeriod) -> str:
    """For people: `30-day`, `6-hour`, `monthly`."""
    if isinstance(period, CalendarPeriod):
        return {"day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly"}[period.calendar]
    days, rest = divmod(period, timedelta(days=1))
    hours, odd = divmod(period, timedelta(hours=1))
    if not rest:
        return f"{days}-day"
    return format_span(period) if odd else f"{hours}-hour"


def _first_day(day: date, unit: str) -> date:
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    month = day.month if unit == "month" else day.month - (day.month - 1) % 3
    return day.replace(month=month, day=1)


def _next(first: date, unit: str) -> date:
    if unit in ("day", "week"):
        return first + timedelta(days=1 if unit == "day" else 7)
    years, month = divmod(first.month - 1 + (1 if unit == "month" else 3), 12)
    return first.replace(year=first.year + years, month=month + 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
