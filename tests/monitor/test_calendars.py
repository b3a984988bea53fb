"""Calendars: positions of business time and back, over shifts, holidays, maintenance and changes of the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.calendars import NEVER, Always, Office, calendar_of
from monitor.policy import ALWAYS, load
from monitor.zones import EPOCH, MICROSECOND, Zone

HOUR = 3_600_000_000
OFFICE = {"zone": "Asia/Shanghai", "hours": {"mon-fri": ["09:00-12:00", "13:00-18:00"]}}
NIGHT = {"zone": "America/New_York", "hours": {"mon-sun": ["22:00-06:00"]}}
BERLIN = {"zone": "Europe/Berlin", "hours": {"mon-sun": ["01:00-04:00"]}}


def office(written: dict[str, Any]) -> Office:
    text = {"policy": "p", "labels": ["service"], "calendars": {"c": written}, "targets": [], "limits": {}}
    calendar = calendar_of(load([("p.yaml", str(text).replace("'", '"'))]).newest.calendars["c"])
    assert isinstance(calendar, Office)
    return calendar


def us(*texts: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([(datetime.fromisoformat(t) - EPOCH) // MICROSECOND for t in texts], dtype=np.int64)


def text(instant: int) -> str | None:
    return None if instant == NEVER else (EPOCH + timedelta(microseconds=int(instant))).isoformat(timespec="minutes")


#         09        12  13        18            09
# open    |#########|   |#########|             |####
@pytest.mark.parametrize(
    ("calendar", "start", "hours", "due"),
    [
        (OFFICE, "2026-11-20T16:30+08:00", 4, "2026-11-23T11:30+08:00"),
        (OFFICE, "2026-11-20T16:30+08:00", 1.5, "2026-11-20T18:00+08:00"),  # not the next opening
        (OFFICE, "2026-11-20T12:30+08:00", 5, "2026-11-20T18:00+08:00"),
        (OFFICE, "2026-11-21T12:30+08:00", 1, "2026-11-23T10:00+08:00"),
        (OFFICE, "2026-11-20T18:00+08:00", 1, "2026-11-23T10:00+08:00"),  # the end is not open
        (NIGHT, "2026-10-31T22:00-04:00", 8, "2026-11-01T05:00-05:00"),
        (NIGHT, "2026-10-31T22:00-04:00", 9, "2026-11-01T06:00-05:00"),  # that shift lasts 9 h
        (NIGHT, "2027-03-13T22:00-05:00", 7, "2027-03-14T06:00-04:00"),  # this one 7 h
        (BERLIN, "2026-03-29T00:30+01:00", 2, "2026-03-29T04:00+02:00"),
        (BERLIN, "2026-10-25T00:30+02:00", 4, "2026-10-25T04:00+01:00"),
        ({**BERLIN, "hours": {"sun": ["02:15-02:45"]}}, "2026-03-29T00:00+01:00", 0.5, "2026-03-29T03:45+02:00"),
        ({**BERLIN, "hours": {"sun": ["02:15-02:45"]}}, "2026-10-25T00:00+02:00", 0.5, "2026-10-25T02:45+02:00"),
        # overlaps count once; a shift over midnight belongs to the day it begins on
        (
            {"zone": "UTC", "hours": {"mon": ["09:00-12:00", "11:00-13:00"]}},
            "2026-03-02T00:00Z",
            4,
            "2026-03-02T13:00Z",
        ),
        ({**NIGHT, "holidays": {"add": ["2026-03-02"]}}, "2026-03-02T00:00-05:00", 7, "2026-03-03T23:00-05:00"),
        (
            {**NIGHT, "exceptions": {"2026-03-02": ["12:00-13:00"]}},
            "2026-03-02T06:00-05:00",
            2,
            "2026-03-03T23:00-05:00",
        ),
        (
            {**OFFICE, "holidays": {"country": "CN", "add": ["2026-12-24"], "remove": ["2026-12-24"]}},
            "2026-12-23T17:00+08:00",
            2,
            "2026-12-24T10:00+08:00",
        ),
        (
            {**OFFICE, "holidays": {"country": "CN"}, "exceptions": {"2026-10-01": ["10:00-11:00"]}},
            "2026-10-01T09:00+08:00",
            1,
            "2026-10-01T11:00+08:00",
        ),
        (
            {**OFFICE, "maintenance": [{"from": "2026-11-23T02:00:00Z", "to": "2026-11-23T03:00:00Z"}]},
            "2026-11-23T09:00+08:00",
            2,
            "2026-11-23T12:00+08:00",
        ),
    ],
)
def test_dues_of_calendars(calendar: dict[str, Any], start: str, hours: float, due: str) -> None:
    table = office(calendar)
    found = table.instant(table.position(us(start)) + int(hours * HOUR))
    assert text(found[0]) == datetime.fromisoformat(due).astimezone(UTC).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("calendar", "start", "days", "due"),
    [
        (OFFICE, "2026-11-20T16:30+08:00", 3, "2026-11-25T16:30+08:00"),
        (OFFICE, "2026-11-20T18:00+08:00", 1, "2026-11-24T09:00+08:00"),  # the start moves to Monday 09:00
        (OFFICE, "2026-11-20T12:15+08:00", 1, "2026-11-23T13:00+08:00"),
        (
            {**OFFICE, "exceptions": {"2026-11-23": ["10:00-11:00"]}},
            "2026-11-20T16:30+08:00",
            1,
            "2026-11-24T09:00+08:00",
        ),
        ({**OFFICE, "holidays": {"add": ["2026-11-23"]}}, "2026-11-20T16:30+08:00", 1, "2026-11-24T16:30+08:00"),
        # maintenance makes no day a day off
        (
            {**OFFICE, "maintenance": [{"from": "2026-11-22T16:00:00Z", "to": "2026-11-23T16:00:00Z"}]},
            "2026-11-20T16:30+08:00",
            1,
            "2026-11-24T09:00+08:00",
        ),
        (NIGHT, "2026-11-02T23:00-05:00", 1, "2026-11-03T23:00-05:00"),
        (BERLIN, "2026-03-28T02:30+01:00", 1, "2026-03-29T03:30+02:00"),  # 02:30 does not occur
        (BERLIN, "2026-10-24T02:30+02:00", 1, "2026-10-25T02:30+02:00"),  # it occurs twice: the first
        (OFFICE, "2026-11-20T16:30+08:00", 2500, "2036-06-20T16:30+08:00"),
    ],
)
def test_working_days_keep_the_time_of_day(calendar: dict[str, Any], start: str, days: int, due: str) -> None:
    found = office(calendar).days_later(us(start), np.array([days]))
    assert text(found[0]) == datetime.fromisoformat(due).astimezone(UTC).isoformat(timespec="minutes")


def test_only_a_calendar_open_all_the_time_in_utc_is_the_identity() -> None:
    assert isinstance(calendar_of(ALWAYS), Always)
    table = office({"zone": "America/New_York", "hours": {"mon-sun": ["00:00-24:00"]}})
    start = us("2026-10-31T12:00-04:00")
    assert text(table.instant(table.position(start) + 24 * HOUR)[0]) == "2026-11-01T16:00+00:00"


def test_positions_stay_the_same_while_the_table_grows() -> None:
    table, seen = office(OFFICE), us("2020-01-01T00:00Z", "2026-11-20T09:30+08:00")
    before = table.position(seen)
    for far in ("1955-01-03T10:00+08:00", "2093-01-05T10:00+08:00"):
        assert text(table.instant(table.position(us(far)) + HOUR)[0]) is not None
        assert (table.position(seen) == before).all()


def test_beyond_what_calendars_know_nothing_is_open_and_nothing_falls_due() -> None:
    table = office(OFFICE)
    assert table.position(us("2300-01-01T00:00Z")) == table.position(us("2999-01-01T00:00Z"))
    assert table.instant(table.position(us("2190-01-01T00:00Z")) + 10**6 * HOUR).tolist() == [NEVER]
    assert table.days_later(us("2026-01-01T00:00Z"), np.array([10**6])).tolist() == [NEVER]
    assert table.position(us("0001-01-01T00:00Z")) <= table.position(us("1900-01-10T00:00Z"))


@given(st.integers(us("2025-01-01T00:00Z")[0], us("2027-12-31T00:00Z")[0]), st.integers(1, 300 * HOUR))
def test_a_due_is_the_first_instant_that_reaches_its_position(start: int, span: int) -> None:
    for table in TABLES:
        position = table.position(np.array([start])) + span
        due = table.instant(position)
        assert table.position(due) == position
        assert table.position(due - 1) == position - 1


TABLES = [office(written) for written in (OFFICE, NIGHT, BERLIN)]
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "UTC")


@pytest.mark.parametrize("name", ZONES)
def test_zones_convert_as_zoneinfo_does(name: str) -> None:
    from zoneinfo import ZoneInfo

    zone, rules = Zone.of(name, 2025, 2027), ZoneInfo(name)
    minutes = np.arange(us("2025-01-01T00:00Z")[0], us("2027-12-31T00:00Z")[0], 17 * 60_000_000 * 5)
    for instant, local, back in zip(minutes[::7], zone.local(minutes)[::7], zone.utc(minutes)[::7], strict=True):
        moment = EPOCH + timedelta(microseconds=int(instant))
        shown = moment.astimezone(rules).replace(tzinfo=UTC)
        assert EPOCH + timedelta(microseconds=int(local)) == shown
        assert EPOCH + timedelta(microseconds=int(back)) == moment.replace(tzinfo=rules).astimezone(UTC)
