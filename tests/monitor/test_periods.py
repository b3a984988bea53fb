"""Periods of objectives.

rolling   |<---------- 30 d ---------->| now
calendar  |<-- so far -->| now         |        the month of Berlin began at 22:00 or 23:00 UTC
"""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.policy.model import CalendarPeriod
from monitor.slas.periods import LONGEST, bounds, in_words

BERLIN, BEIRUT = "Europe/Berlin", "Asia/Beirut"

TABLE = [
    # unit, zone, now, start, hours of the whole period
    ("day", "UTC", "2026-11-20T13:00", "2026-11-20T00:00", 24),
    ("day", BERLIN, "2026-03-29T12:00", "2026-03-28T23:00", 23),
    ("day", BERLIN, "2026-10-25T12:00", "2026-10-24T22:00", 25),
    ("day", BERLIN, "2026-10-24T22:00", "2026-10-24T22:00", 25),  # midnight itself begins the day
    ("day", BERLIN, "2026-10-24T21:59", "2026-10-23T22:00", 24),
    ("day", BEIRUT, "2026-03-29T12:00", "2026-03-28T22:00", 23),  # 00:00 is skipped there: 01:00
    ("week", BERLIN, "2026-11-22T12:00", "2026-11-15T23:00", 7 * 24),
    ("week", BERLIN, "2026-10-25T12:00", "2026-10-18T22:00", 7 * 24 + 1),
    ("month", BERLIN, "2026-10-31T12:00", "2026-09-30T22:00", 31 * 24 + 1),
    ("month", "UTC", "2026-02-28T23:59", "2026-02-01T00:00", 28 * 24),
    ("month", "UTC", "2028-02-10T00:00", "2028-02-01T00:00", 29 * 24),
    ("month", "UTC", "2026-12-31T00:00", "2026-12-01T00:00", 31 * 24),
    ("quarter", "UTC", "2026-12-31T00:00", "2026-10-01T00:00", 92 * 24),
    ("quarter", "UTC", "2026-01-01T00:00", "2026-01-01T00:00", 90 * 24),
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("unit", "zone", "now", "start", "hours"), TABLE)
def test_a_calendar_period_has_its_real_length_in_its_zone(
    unit: str, zone: str, now: str, start: str, hours: int
) -> None:
    period = bounds(CalendarPeriod.model_validate({"calendar": unit, "zone": zone}), at(now))
    assert period.start == at(start)
    assert period.length == timedelta(hours=hours)
    assert period.length <= period.longest + timedelta(hours=unit == "day")
    assert period.longest == LONGEST[unit]


def test_a_rolling_period_ends_now() -> None:
    now = at("2026-11-20T13:00")
    month = timedelta(days=30)
    assert bounds(month, now) == (now - month, month, month)


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (timedelta(days=30), "30-day"),
        (timedelta(hours=6), "6-hour"),
        (timedelta(minutes=90), "1h30m"),
        (CalendarPeriod(calendar="month"), "monthly"),
    ],
)
def test_a_period_has_a_name_for_people(period: timedelta | CalendarPeriod, words: str) -> None:
    assert in_words(period) == words
