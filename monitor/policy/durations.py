"""Spans as people write them (`90s 15m 4h 2d 1h30m`, `3 business_days`) and back to text."""

import re
from dataclasses import dataclass
from datetime import timedelta

LONGEST = timedelta(days=36_500)

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,12})s)?")
_BUSINESS_DAYS = re.compile(r"(\d{1,5})\s*business_days?")
_LONG_UNIT = re.compile(r"(\d+)\s*(s|sec|second|m|min|minute|h|hr|hour|d|day)s?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class BusinessDays:
    """A target of `days` working days of its calendar."""

    days: int

    def __str__(self) -> str:
        """As it is written: `3 business_days`."""
        return f"{self.days} business_day{'s' if self.days != 1 else ''}"


def parse_span(written: object) -> timedelta:
    """The span of a text such as `1h30m`; units go from large to small, each at most once.

    Raises ValueError with what to write instead, above all for a bare number.
    """
    if isinstance(written, timedelta):
        return written
    text = written.strip() if isinstance(written, str) else str(written)
    found = _SPAN.fullmatch(text)
    if not text or found is None:
        raise ValueError(_what_to_write(text))
    amounts = [int(n or 0) for n in found.groups()]
    seconds = sum(n * size for n, size in zip(amounts, _UNITS.values(), strict=True))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text} is longer than {format_span(LONGEST)}")
    return timedelta(seconds=seconds)


def parse_target(written: object) -> timedelta | BusinessDays:
    """The target of a clock: a span, or a number of business days. Raises ValueError as `parse_span`."""
    if isinstance(written, BusinessDays):
        return written
    found = _BUSINESS_DAYS.fullmatch(written.strip()) if isinstance(written, str) else None
    if found is None:
        return parse_span(written)
    return BusinessDays(int(found[1]))


def format_span(span: timedelta) -> str:
    """The shortest text that `parse_span` reads as `span`: whole seconds, largest units first."""
    left = int(span.total_seconds())
    parts = []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def in_words(target: timedelta | BusinessDays, *, days: bool = True) -> str:
    """A target for people: `1 hour 30 minutes`, `3 business days`, `2 days` (without `days`: `48 hours`)."""
    if isinstance(target, BusinessDays):
        return f"{target.days} business day{'s' if target.days != 1 else ''}"
    names = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
    parts = re.findall(r"(\d+)([dhms])", format_span(target) if days else _in_hours(target))
    return " ".join(f"{n} {names[u]}{'s' if n != '1' else ''}" for n, u in parts)


def _in_hours(span: timedelta) -> str:
    hours, rest = divmod(span, timedelta(hours=1))
    return (f"{hours}h" if hours else "") + (format_span(rest) if rest else "")


def _what_to_write(text: str) -> str:
    if re.fullmatch(r"\d+", text):
        return f"a bare number has no unit: write {text}m or {text}s"
    if re.fullmatch(r"\d*\.\d+", text):
        return f"a bare number has no unit: write {_whole(text)}m or {_whole(text)}s"
    if found := _LONG_UNIT.fullmatch(text):
        return f"{text!r} is not a span: write {found[1]}{found[2][0].lower()}"
    return f"{text!r} is not a span: write one like 90s, 15m, 4h, 2d or 1h30m"


def _whole(text: str) -> str:
    return text.split(".")[0] or "1"
