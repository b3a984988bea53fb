"""Frozen: the holidays and zone rules that a version judges with, kept as they were when it was admitted.

A newer library of holidays or of time zones says other things about days that were judged long ago. A version that
brings its own along judges them as ever. Within `years` nothing installed is asked; before and after them there are
no holidays of countries (those that the policy names itself remain), and each zone keeps its first, or last, offset.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import starmap
from typing import Annotated, Final, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from monitor.policy.calendar_model import Calendar, Date
from monitor.policy.values import Part, Whole, instant_text, parse_instant
from monitor.zones import EPOCH, MICROSECOND, Zone

FIRST_YEAR: Final = 1970  # where a version is in force from always
YEARS_AHEAD: Final = 30  # of the year of admission: further than any due

Days = Annotated[tuple[Date, ...], Field(strict=False)]
Rules = Annotated[tuple[str, ...], Field(strict=False)]


def _parse_years(written: object) -> object:
    return tuple(written) if isinstance(written, list) else written


class Frozen(Part):
    """Holidays and zone rules as they were when the version was admitted; written by the monitor, not by hand."""

    years: Annotated[tuple[Whole, Whole], BeforeValidator(_parse_years)] = Field(description="the first and the last")
    holidays: Mapping[str, Mapping[str, Days]] = Field(
        default_factory=dict, description="by country, or by country and part: the days of each holiday"
    )
    zones: Mapping[str, Rules] = Field(
        default_factory=dict, description="by zone: its first offset from UTC, then each change and the offset from it"
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for rules in self.zones.values():
            zone_of(rules)
        return self

    def lacks(self, calendar: Calendar) -> str | None:
        """The zone or country of that calendar which is not in here."""
        region = calendar.holidays.region
        if calendar.zone not in self.zones:
            return calendar.zone
        return region if region is not None and region not in self.holidays else None

    def of(self, calendar: Calendar) -> "FrozenCalendar":
        """That calendar, with what is kept here of its zone and country."""
        named = self.holidays.get(calendar.holidays.region or "", {})
        written = {name: getattr(calendar, name) for name in Calendar.model_fields}
        return FrozenCalendar.model_construct(
            **written,
            named={day: name for name, days in named.items() for day in days},
            rules=self.zones[calendar.zone],
        )


class FrozenCalendar(Calendar):
    """A calendar that asks nothing installed."""

    named: Mapping[date, str]
    rules: tuple[str, ...]

    def holidays_of_country(self, years: range) -> Mapping[date, str]:
        return self.named if self.holidays.country is not None else {}

    def zone_rules(self, years: range) -> Zone:
        return zone_of(self.rules)


def frozen(calendars: Iterable[Calendar], effective_from: datetime | None, year: int) -> Frozen | None:
    """What the installed libraries say of these calendars' zones and countries; None for no calendars.

    :param effective_from: from when on cases are judged with them
    :param year: of the admission
    """
    wanted = list(calendars)
    if not wanted:
        return None
    # A day earlier, a shift over midnight may have begun.
    first = FIRST_YEAR if effective_from is None else min(effective_from.year, year) - 1
    years = range(first, year + YEARS_AHEAD + 1)
    regions = {calendar.holidays.region: calendar.holidays for calendar in wanted}
    return Frozen(
        years=(years[0], years[-1]),
        holidays={region: _by_name(regions[region].of_country(years)) for region in sorted(filter(None, regions))},
        zones={name: rules_text(Zone.of(name, years[0], years[-1])) for name in sorted({c.zone for c in wanted})},
    )


def rules_text(zone: Zone) -> tuple[str, ...]:
    """`("+01:00", "2026-03-29T01:00:00Z +02:00", …)`."""
    offsets = [_offset_text(int(offset)) for offset in zone.offset]
    changes = [instant_text(EPOCH + int(change) * MICROSECOND) for change in zone.change]
    return (offsets[0], *starmap("{} {}".format, zip(changes, offsets[1:], strict=True)))


def zone_of(rules: tuple[str, ...]) -> Zone:
    """The rules that `rules_text` wrote. Raises ValueError."""
    changes = [rule.partition(" ") for rule in rules[1:]]
    instants = [(parse_instant(at) - EPOCH) // MICROSECOND for at, _, _ in changes]
    offsets = [_offset(text) for text in (*rules[:1], *(text for _, _, text in changes))]
    if not offsets or sorted(instants) != instants:
        raise ValueError("the rules of a zone are its first offset, then its changes in their order")
    return Zone(np.array(instants, dtype=np.int64), np.array(offsets, dtype=np.int64))


def _by_name(days: Mapping[date, str]) -> dict[str, tuple[date, ...]]:
    named: dict[str, list[date]] = {}
    for day, name in sorted(days.items()):
        named.setdefault(name, []).append(day)
    return {name: tuple(found) for name, found in sorted(named.items())}


def _offset_text(microseconds: int) -> str:
    minutes, seconds = divmod(abs(microseconds) // 1_000_000, 60)
    rest = f":{seconds:02}" if seconds else ""
    return f"{'-' if microseconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}{rest}"


def _offset(text: str) -> int:
    try:
        sign = {"+": 1, "-": -1}[text[:1]]
        hours, minutes, seconds = map(int, (*text[1:].split(":"), "0")[:3])
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} is no offset: one is written +02:00") from None
    return sign * (timedelta(hours=hours, minutes=minutes, seconds=seconds) // MICROSECOND)
