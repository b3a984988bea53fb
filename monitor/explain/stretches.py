"""A clock's time, cut into stretches that count and stretches that do not, so that anybody can add it up."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

from monitor.calendars import NEVER
from monitor.explain.happened import micro
from monitor.explain.hours import Almanac, Hours
from monitor.explain.model import Pause, Stretch, Why
from monitor.zones import EPOCH, MICROSECOND

Span = tuple[int, int, str]  # [begin, end) in microseconds, and a name

_ORDINARY = (Why.COUNTED, Why.CLOSED)


def stretches(
    almanac: Almanac,
    begin: datetime,
    end: datetime,
    due: datetime | None,
    pauses: Sequence[Pause],
    gaps: Sequence[tuple[int, int]],
    *,
    stopped: bool,
) -> list[Stretch]:
    """The time from `begin` to `end`, and on to a later `due`, in order and without gaps; neighbours differ.

    :param gaps: microseconds in which a case was resolved
    :param stopped: what began after `end` did not happen: pauses and gaps end there
    """
    start, until = micro(begin), micro(end)
    last = max(until, micro(due)) if due is not None else until
    limit = until if stopped else NEVER
    still = [_span(pause, limit) for pause in pauses]
    resolved = [(b, min(e, limit), "") for b, e in gaps]
    around = almanac.hours(start, last)
    edges = {start, until, last, *(hour.start for hour in around)}
    edges |= {edge for b, e, _ in (*still, *resolved) for edge in (b, e)}
    cuts = sorted(edge for edge in edges if start <= edge <= last)
    found: list[Stretch] = []
    for one, other in pairwise(cuts):
        why, name = _why(one, around, still, resolved)
        counted = (other - one) * MICROSECOND if why == Why.COUNTED else timedelta(0)
        start_at, ahead = EPOCH + one * MICROSECOND, one >= until
        if found and (found[-1].why, found[-1].name, found[-1].ahead) == (why, name, ahead):
            same = found.pop()
            start_at, counted = same.start, same.counted + counted
        found.append(Stretch(start_at, EPOCH + other * MICROSECOND, why, name, ahead, counted))
    return found


def overlapping(pauses: Sequence[Pause], begin: datetime, end: datetime | None) -> list[Pause]:
    """Of pauses in their order those that touch the time after `begin` and before `end` (None: for ever)."""
    first = bisect_right(pauses, begin, key=lambda pause: pause.end or datetime.max.replace(tzinfo=UTC))
    last = len(pauses) if end is None else bisect_left(pauses, end, key=lambda pause: pause.start)
    return list(pauses[first:last])


def _span(pause: Pause, limit: int) -> Span:
    end = NEVER if pause.end is None else micro(pause.end)
    return micro(pause.start), min(end, limit), pause.reason or ""


def _why(at: int, around: Sequence[Hours], still: Sequence[Span], resolved: Sequence[Span]) -> tuple[Why, str]:
    """What decides: a case that is resolved has no time at all, closed hours do not count, paused or not."""
    if _on(resolved, at) is not None:
        return Why.RESOLVED, ""
    hour = around[bisect_right(around, at, key=lambda one: one.start) - 1]
    pause = _on(still, at)
    if hour.why != Why.COUNTED or pause is None:
        return hour.why, hour.name
    return Why.PAUSED, pause


def _on(spans: Sequence[Span], at: int) -> str | None:
    """The name of the span in which an instant lies; spans are sorted and disjoint."""
    place = bisect_right(spans, at, key=lambda one: one[0]) - 1
    return spans[place][2] if place >= 0 and at < spans[place][1] else None


def collapsed(found: Sequence[Stretch], zone: ZoneInfo) -> list[Stretch]:
    """The same time with ordinary days that have as much counted time each, one after the other, as one stretch."""

    def day(one: Stretch) -> object:
        return one.start.astimezone(zone).date(), one.ahead

    days = [list(group) for _, group in groupby(found, key=day)]
    made: list[Stretch] = []
    for same, group in groupby(days, key=_ordinary):
        parts = list(group)
        if same is None or len(parts) < 3:
            made += [one for part in parts for one in part]
        else:
            pieces = [one for part in parts for one in part]
            counted = sum((one.counted for one in pieces), timedelta(0))
            made.append(
                replace(pieces[0], end=pieces[-1].end, why=Why.COUNTED, name="", counted=counted, days=len(parts))
            )
    return made


def _ordinary(day: Sequence[Stretch]) -> timedelta | None:
    """The counted time of a day on which nothing but hours matters, and some of them count."""
    if any(one.why not in _ORDINARY or one.name for one in day):
        return None
    return sum((one.counted for one in day), timedelta(0)) or None
