"""Working calendars as they are written: zone, weekly hours, holidays, exceptions, maintenance."""

import re
import warnings
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Annotated, NamedTuple, Self
from zoneinfo import ZoneInfo

import holidays as holiday_rules
from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from monitor import zones
from monitor.policy.values import Instant, Part, Zone, frozen_names, unknown

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")  # in the order of date.weekday()
DAY = timedelta(days=1)
_LANGUAGE = "en_US"  # of the names of holidays, where they are known in it

_TIME = r"([01]?\d|2[0-4]):([0-5]\d)"
_SHIFT = re.compile(rf"{_TIME}\s*-\s*{_TIME}")


class Shift(NamedTuple):
    """Open time [start, end) of a day, counted on the clock from its local midnight; `end` may pass 24 h."""

    start: timedelta
    end: timedelta


def parse_shift(written: object) -> Shift:
    """`09:00-12:00`, `22:00-06:00` (over midnight) or `00:00-24:00`. Raises ValueError."""
    found = _SHIFT.fullmatch(written.strip()) if isinstance(written, str) else None
    if found is None:
        raise ValueError(f"{written!r} is not a pair of times: write one like 09:00-17:30")
    hours_1, minutes_1, hours_2, minutes_2 = map(int, found.groups())
    start = timedelta(hours=hours_1, minutes=minutes_1)
    end = timedelta(hours=hours_2, minutes=minutes_2)
    if start >= DAY or end > DAY:
        raise ValueError(f"{written!r} goes beyond the day: times run from 00:00 to 24:00")
    if start == end:
        raise ValueError(f"{written!r} is empty: write 00:00-24:00 for a whole day, [] for a closed one")
    return Shift(start, end if end > start else end + DAY)


def parse_shifts(written: object) -> tuple[Shift, ...]:
    """The shifts that begin on one day, sorted: a list, or one alone. Raises ValueError."""
    if isinstance(written, tuple):
        return written
    if not isinstance(written, list):
        written = [written]
    return tuple(sorted(map(parse_shift, written)))


def shift_text(shift: Shift) -> str:
    """As it is written: `22:00-06:00`."""
    end = shift.end if shift.end <= DAY else shift.end - DAY
    return "-".join(
        f"{int(t.total_seconds()) // 3600:02}:{int(t.total_seconds()) // 60 % 60:02}" for t in (shift.start, end)
    )


def parse_week(written: object) -> dict[str, tuple[Shift, ...]]:
    """Hours by day, from keys such as `mon`, `mon-fri` or `sat, sun`: every day is a key. Raises ValueError."""
    if not isinstance(written, Mapping):
        raise ValueError('write days and their hours, such as mon-fri: ["09:00-17:00"]')
    week: dict[str, tuple[Shift, ...]] = {}
    for key, hours in written.items():
        shifts = parse_shifts(hours)
        for day in _days(key):
            if week.setdefault(day, shifts) is not shifts:
                raise ValueError(f"{day} is given twice")
    return {day: week.get(day, ()) for day in DAYS}


def _days(key: str) -> list[str]:
    found: list[str] = []
    for part in key.lower().split(","):
        first, _, last = (word.strip() for word in part.partition("-"))
        for word in (first, last or first):
            if word not in DAYS:
                raise ValueError(f"{word!r} is no day: write {', '.join(DAYS)}, or a range such as mon-fri")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found += [DAYS[i % 7] for i in range(start, end + 1 + (7 if end < start else 0))]
    return found


def _parse_date(written: object) -> date:
    if isinstance(written, date):
        return written
    try:
        return date.fromisoformat(written if isinstance(written, str) else "")
    except ValueError:
        raise ValueError(f"{written!r} is no date: write one like 2026-12-24") from None


def _week_text(week: Mapping[str, tuple[Shift, ...]]) -> dict[str, list[str]]:
    return {day: [shift_text(shift) for shift in shifts] for day, shifts in week.items()}


@cache
def _countries() -> Mapping[str, list[str]]:
    return holiday_rules.list_supported_countries(include_aliases=True)


_SHIFT_SCHEMA = {"type": "string", "pattern": f"^{_TIME}\\s*-\\s*{_TIME}$"}
_SHIFTS_SCHEMA = {"anyOf": [_SHIFT_SCHEMA, {"type": "array", "items": _SHIFT_SCHEMA}]}
_DAY_NAMES = "|".join(DAYS)

Date = Annotated[
    date,
    PlainValidator(_parse_date),
    PlainSerializer(date.isoformat),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Shifts = Annotated[
    tuple[Shift, ...],
    PlainValidator(parse_shifts),
    PlainSerializer(lambda shifts: [shift_text(s) for s in shifts]),
    WithJsonSchema(_SHIFTS_SCHEMA),
]
Week = Annotated[
    Mapping[str, tuple[Shift, ...]],
    PlainValidator(parse_week),
    PlainSerializer(_week_text),
    WithJsonSchema(
        {
            "type": "object",
            "patternProperties": {f"^({_DAY_NAMES})([-,]\\s*({_DAY_NAMES}))*$": _SHIFTS_SCHEMA},
            "additionalProperties": False,
        }
    ),
]


class Holidays(Part):
    """Days without shifts: those of a country (or of one of its states), more or fewer by hand."""

    country: str | None = Field(default=None, description="ISO 3166 code of a country, such as DE")
    subdivision: str | None = Field(default=None, description="state or province, such as BY")
    add: tuple[Date, ...] = Field(default=(), strict=False, description="further days off")
    remove: tuple[Date, ...] = Field(default=(), strict=False, description="worked all the same; wins over `add`")

    @model_validator(mode="after")
    def _known(self, info: ValidationInfo) -> Self:
        if self.country is None:
            if self.subdivision:
                raise ValueError("a subdivision needs its country")
            return self
        if self.region in frozen_names(info, "holidays"):
            return self
        parts = _countries().get(self.country)
        if parts is None:
            raise unknown(self.country, _countries(), "has no known holidays: write an ISO code such as DE, CN or US")
        if self.subdivision and self.subdivision not in parts:
            raise ValueError(f"{self.country} has no subdivision {self.subdivision!r}: {', '.join(parts)}")
        return self

    @property
    def region(self) -> str | None:
        """The country, or its part: `DE`, `DE-BY`."""
        return f"{self.country}-{self.subdivision}" if self.subdivision else self.country

    def of_country(self, years: range) -> Mapping[date, str]:
        """The country's holidays in those years, with their names, as the installed library has them."""
        if self.country is None:
            return {}
        with warnings.catch_warnings():  # that it does not know those of every year
            warnings.simplefilter("ignore", UserWarning)
            found = holiday_rules.country_holidays(self.country, self.subdivision, years=years, language=_LANGUAGE)
        return dict(found)


class Maintenance(Part):
    """A span [from, to) in which no clock of this calendar runs."""

    start: Instant = Field(alias="from")
    end: Instant = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError("`to` must lie after `from`")
        return self


class Calendar(Part):
    """When a clock runs. A shift belongs to the local date it begins on; exceptions replace a day's shifts."""

    zone: Zone = Field(description="IANA time zone of all local times")
    hours: Week = Field(description="shifts that begin on each day of the week")
    holidays: Holidays = Field(default_factory=lambda: Holidays())
    exceptions: Mapping[Date, Shifts] = Field(
        default_factory=dict, description="shifts of single dates, instead of all else on that day"
    )
    maintenance: tuple[Maintenance, ...] = Field(default=(), strict=False)

    @property
    def tz(self) -> ZoneInfo:
        """The zone's rules."""
        return ZoneInfo(self.zone)

    @property
    def always_open(self) -> bool:
        """Whether calendar time is wall time."""
        whole = (Shift(timedelta(0), DAY),)
        plain = not (self.exceptions or self.maintenance or self.holidays.add or self.holidays.country)
        return plain and all(shifts == whole for shifts in self.hours.values())

    def holidays_of_country(self, years: range) -> Mapping[date, str]:
        """Those of `holidays.country`, with their names."""
        return self.holidays.of_country(years)

    def zone_rules(self, years: range) -> zones.Zone:
        """When the zone's offset changes, in those years at least."""
        return zones.Zone.of(self.zone, years[0], years[-1])

    def days_off(self, first: date, last: date) -> Mapping[date, str]:
        """The holidays from `first` to `last`, both included, with their names; a day that `add` alone names has none.

        They are days without shifts, unless `exceptions` has them.
        """
        days = dict.fromkeys(self.holidays.add, "")
        days |= self.holidays_of_country(range(first.year, last.year + 1))
        removed = set(self.holidays.remove)
        return {day: name for day, name in days.items() if first <= day <= last and day not in removed}

    def shifts(self, day: date, days_off: Mapping[date, str]) -> tuple[Shift, ...]:
        """The shifts that begin on a local date, `days_off` being as `days_off` tells them."""
        if day in self.exceptions:
            return self.exceptions[day]
        return () if day in days_off else self.hours[DAYS[day.weekday()]]


ALWAYS = Calendar.model_validate({"zone": "UTC", "hours": {"mon-sun": ["00:00-24:00"]}})
