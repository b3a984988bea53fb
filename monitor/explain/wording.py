"""Spans, instants and target lines as explanations name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from monitor.explain.hours import Almanac
from monitor.explain.model import Stretch, Why
from monitor.names import Clock
from monitor.policy import PolicyVersion, TargetLine, words
from monitor.policy.conditions import FAMILIES, KIND, in_words
from monitor.zones import offset_text

_WEEK = timedelta(days=6)


@dataclass(frozen=True)
class Scene:
    """The place at which a clock is told of: the zone of its office, or of the case's where it runs round the clock."""

    home: Almanac

    @cached_property
    def zone(self) -> ZoneInfo:
        return self.home.written.tz

    def at(self, value: datetime, near: datetime | None = None) -> str:
        """An instant in the zone, as short as it is clear next to `near`."""
        return instant(value, self.zone, near)

    def both(self, one: datetime, other: datetime, near: datetime) -> tuple[str, str]:
        """Two instants, both with their day unless both lie on that of `near`."""
        dates = {value.astimezone(self.zone).date() for value in (one, other, near)}
        return instant(one, self.zone, near, day=len(dates) > 1), instant(other, self.zone, near, day=len(dates) > 1)


def span(value: timedelta, *, days: bool = False) -> str:
    """Hours, minutes and seconds, exactly: `2 h 10 m`, `49 h`, `5.25 s`; with `days`, from 48 h on, `2 d 1 h`."""
    total = abs(value) // timedelta(microseconds=1)
    hours, rest = divmod(total, 3_600_000_000)
    whole, hours = divmod(hours, 24) if days and hours >= 48 else (0, hours)
    minutes, rest = divmod(rest, 60_000_000)
    seconds = f"{rest / 1e6:.6f}".rstrip("0").rstrip(".")
    parts = [
        f"{whole} d" if whole else "",
        f"{hours} h" if hours else "",
        f"{minutes} m" if minutes else "",
        f"{seconds} s" if rest else "",
    ]
    return ("-" if value < timedelta(0) else "") + (" ".join(filter(None, parts)) or "0 m")


def instant(value: datetime, zone: ZoneInfo, near: datetime | None = None, *, day: bool = False) -> str:
    """Local time, as short as it is clear next to `near`: `12:00`, `Tue 12:00` (with `day` at least so long),
    `Tue 2026-03-10 12:00 +01:00`."""
    local = value.astimezone(zone)
    clock = local.strftime("%H:%M")
    if local.second or local.microsecond:
        clock += f":{local:%S.%f}".rstrip("0").rstrip(".")
    offset = f" {offset_text(local)}"
    if near is None:
        return f"{local:%a %Y-%m-%d} {clock}{offset}"
    beside = near.astimezone(zone)
    if local.utcoffset() == beside.utcoffset():
        offset = ""
    if local.date() == beside.date() and not day:
        return clock + offset
    return f"{local:%a} {clock}{offset}" if abs(value - near) < _WEEK else f"{local:%a %Y-%m-%d} {clock}{offset}"


def named(line: TargetLine) -> str:
    """`line 2 (priority P1)`: numbers as `sqm check` counts them."""
    return f"line {line.number + 1} ({in_words(dict(line.when)) or 'every case'})"


def promised(version: PolicyVersion, line: TargetLine) -> str:
    """`4 h of office hours`, `3 business days by the office calendar`, `15 m round the clock`."""
    return words.promised(version, line, span)


def misfit(line: TargetLine, labels: Mapping[str, str | None], complaint: bool) -> str | None:
    """The first condition that a case does not fulfil, and what it is instead; None: the line fits."""
    for label, condition in line.when:
        value = FAMILIES[0 if complaint else 1] if label == KIND else labels.get(label)
        if not condition.holds(value):
            return f"wants {in_words({label: condition})}, it is {value or 'absent'}"
    return None


def fitting(
    version: PolicyVersion, clock: Clock, labels: Mapping[str, str | None], complaint: bool
) -> TargetLine | None:
    """The first line of a clock that fits."""
    return next((line for line in version.lines(clock) if misfit(line, labels, complaint) is None), None)


def for_reason(reason: str | None) -> str:
    """` for customer`, behind `paused`."""
    return f" for {reason}" if reason else " for no stated reason"


def changed(before: dict[str, str | None], after: dict[str, str | None]) -> str:
    """`priority P3 -> P1, tier gold -> absent`; empty if nothing changed."""
    different = [label for label in after if before.get(label) != after[label]]
    return ", ".join(f"{label} {before.get(label) or 'absent'} -> {after[label] or 'absent'}" for label in different)


def stretch_in_words(stretch: Stretch, calendar: str) -> str:
    """Why a stretch counts or does not: `counts`, `closed: Good Friday`, `paused for customer`."""
    if stretch.days > 1:
        return f"{stretch.days} days that count {span(stretch.counted / stretch.days)} each"
    if stretch.why == Why.COUNTED:
        return f"counts ({stretch.name})" if stretch.name else "counts"
    if stretch.why == Why.PAUSED:
        return f"paused{for_reason(stretch.name or None)}"
    if stretch.why == Why.RESOLVED:
        return "resolved"
    closed = {Why.CLOSED: f"outside {calendar} hours", Why.MAINTENANCE: "maintenance"}
    if stretch.why == Why.HOLIDAY and not stretch.name:
        return "closed: day off"
    return f"closed: {closed.get(stretch.why) or f'{stretch.why} {stretch.name}'}"
