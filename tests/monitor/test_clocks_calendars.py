"""Clocks, rules 7, 8 and 13: which hours a calendar has, working days, and what tickets and cycles are counted as."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.policy import PolicySet
from monitor.summary import summary
from tests.monitor.lives import check, policy, verdicts
from tests.monitor.minutes import at as minute
from tests.monitor.minutes import state_of

NIGHT = "zone: Europe/Berlin, hours: {mon-sun: ['22:00-06:00']}"
DAY = "zone: Europe/Berlin, hours: {mon-fri: ['09:00-17:00']}"
SATURDAY = f"{DAY}, exceptions: {{'2026-03-07': ['09:00-10:00']}}"
HOWE = "zone: Australia/Lord_Howe, hours: {mon-sun: ['00:00-24:00']}"
HOWE_NIGHT = "zone: Australia/Lord_Howe, hours: {mon-sun: ['22:00-06:00']}"
NEW_YORK_NIGHT = "zone: America/New_York, hours: {mon-sun: ['22:00-06:00']}"

Times = tuple[str, str, str, str]  # calendar, within, opened, due; local times, with the offset where shown twice


def due_is(calendar: str, within: str, opened: str, due: str) -> None:
    """A case opened then is due then, both on the wall clocks of the calendar's zone."""
    zone = ZoneInfo(calendar.split(",")[0].removeprefix("zone: "))

    def instant(text: str) -> str:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).isoformat()

    policies = policy(f"clock: resolution, within: {within}, calendar: c", calendars=f"{{c: {{{calendar}}}}}")
    rows = verdicts(policies, "2026-01-01T00:00+00:00", c=f"{instant(opened)} opened")
    expected = datetime.fromisoformat(instant(due)).astimezone(ZoneInfo("UTC"))
    assert rows.filter(rows["clock"] == "resolution")["due"].to_list() == [expected]


#            Mon 22       Tue 06           22       Wed 06
# Mon, Tue    |############|                |########|
@pytest.mark.parametrize(
    "times",
    [
        (NIGHT, "9h", "2026-03-02T22:00", "2026-03-03T23:00"),
        (NIGHT, "1h", "2026-03-03T05:00", "2026-03-03T06:00"),
        (NIGHT, "1h", "2026-03-03T06:00", "2026-03-03T23:00"),  # the end is not open
        # Tuesday off: Monday's shift runs to its end, Tuesday's does not begin
        (f"{NIGHT}, holidays: {{add: ['2026-03-03']}}", "9h", "2026-03-02T22:00", "2026-03-04T23:00"),
    ],
)
def test_rule_8_a_shift_over_midnight_belongs_to_the_date_it_begins_on(times: Times) -> None:
    due_is(*times)


@pytest.mark.parametrize(
    "times",
    [
        (f"{DAY}, holidays: {{add: ['2026-03-03']}}", "2h", "2026-03-02T16:00", "2026-03-04T10:00"),
        (f"{DAY}, exceptions: {{'2026-03-03': []}}", "2h", "2026-03-02T16:00", "2026-03-04T10:00"),
        (f"{DAY}, exceptions: {{'2026-03-03': ['12:00-13:00']}}", "3h", "2026-03-02T16:00", "2026-03-04T10:00"),
        (f"{DAY}, exceptions: {{'2026-03-07': ['12:00-13:00']}}", "2h", "2026-03-06T16:00", "2026-03-07T13:00"),
        (f"{NIGHT}, exceptions: {{'2026-03-03': ['10:00-12:00']}}", "11h", "2026-03-02T22:00", "2026-03-04T23:00"),
    ],
)
def test_rule_8_a_holiday_removes_and_an_exception_replaces_the_shifts_that_begin_that_day(times: Times) -> None:
    due_is(*times)


@pytest.mark.parametrize(
    "times",
    [
        (
            f"{DAY}, holidays: {{add: ['2026-03-03']}}, exceptions: {{'2026-03-03': ['10:00-11:00']}}",
            "2h",
            "2026-03-02T16:00",
            "2026-03-03T11:00",
        ),
        (
            f"{DAY}, holidays: {{add: ['2026-03-03'], remove: ['2026-03-03']}}",
            "2h",
            "2026-03-02T16:00",
            "2026-03-03T10:00",
        ),
        # Good Friday 2026-04-03 and Easter Monday are holidays of Germany; one is worked
        (f"{DAY}, holidays: {{country: DE}}", "2h", "2026-04-02T16:00", "2026-04-07T10:00"),
        (f"{DAY}, holidays: {{country: DE, remove: ['2026-04-06']}}", "2h", "2026-04-02T16:00", "2026-04-06T10:00"),
    ],
)
def test_rule_8_exceptions_beat_holidays_and_remove_beats_add(times: Times) -> None:
    due_is(*times)


def test_rule_8_shifts_that_overlap_count_once() -> None:
    twice = "zone: Europe/Berlin, hours: {mon-fri: ['09:00-13:00', '12:00-17:00', '10:00-11:00']}"
    due_is(twice, "8h", "2026-03-02T09:00", "2026-03-02T17:00")


def test_rule_8_maintenance_stops_the_clock() -> None:
    window = "maintenance: [{from: '2026-03-02T10:00:00+01:00', to: '2026-03-03T10:00:00+01:00'}]"
    due_is(f"{DAY}, {window}", "2h", "2026-03-02T09:00", "2026-03-03T11:00")


@pytest.mark.parametrize(
    "times",
    [
        # the night that lasts 9 h, and the one that lasts 7 h
        (NEW_YORK_NIGHT, "9h", "2026-10-31T22:00", "2026-11-01T06:00"),
        (NEW_YORK_NIGHT, "8h", "2026-10-31T22:00", "2026-11-01T05:00"),
        (NEW_YORK_NIGHT, "7h", "2027-03-13T22:00", "2027-03-14T06:00"),
        (NEW_YORK_NIGHT, "8h", "2027-03-13T22:00", "2027-03-14T23:00"),
        # by half an hour: 7 h 30 m and 8 h 30 m
        (HOWE_NIGHT, "7h30m", "2026-10-03T22:00", "2026-10-04T06:00"),
        (HOWE_NIGHT, "8h30m", "2026-04-04T22:00", "2026-04-05T06:00"),
        (HOWE, "24h", "2026-10-03T12:00", "2026-10-04T12:30"),
        (HOWE, "24h", "2026-04-04T12:00", "2026-04-05T11:30"),
        (HOWE, "30m", "2026-04-05T01:45+11:00", "2026-04-05T01:45+10:30"),
        # a shift that begins or ends in the gap begins or ends later by the gap
        ("zone: Australia/Lord_Howe, hours: {sun: ['02:15-04:00']}", "1h15m", "2026-10-04T01:00", "2026-10-04T04:00"),
        ("zone: Australia/Lord_Howe, hours: {sun: ['01:00-02:15']}", "1h15m", "2026-10-04T00:00", "2026-10-04T02:45"),
        ("zone: Europe/Berlin, hours: {sun: ['02:30-04:00']}", "30m", "2026-03-29T00:00", "2026-03-29T04:00"),
        # one that begins or ends at a time that occurs twice means the first
        ("zone: Australia/Lord_Howe, hours: {sun: ['01:45-03:00']}", "1h45m", "2026-04-05T00:00", "2026-04-05T03:00"),
        ("zone: Europe/Berlin, hours: {sun: ['01:00-02:30']}", "90m", "2026-10-25T00:00", "2026-10-25T02:30+02:00"),
    ],
)
def test_rule_8_a_time_in_a_gap_moves_forward_by_it_and_one_that_occurs_twice_is_the_first(times: Times) -> None:
    due_is(*times)


@pytest.mark.parametrize(
    "times",
    [
        (DAY, "1 business_days", "2026-03-02T11:00", "2026-03-03T11:00"),
        (DAY, "5 business_days", "2026-03-02T11:00", "2026-03-09T11:00"),
        (DAY, "1 business_days", "2026-03-02T17:00", "2026-03-04T09:00"),  # it starts on Tuesday
        (DAY, "1 business_days", "2026-03-07T12:00", "2026-03-10T09:00"),  # it starts on Monday
        (f"{DAY}, holidays: {{add: ['2026-03-03']}}", "1 business_days", "2026-03-02T11:00", "2026-03-04T11:00"),
        (SATURDAY, "1 business_days", "2026-03-06T11:00", "2026-03-09T09:00"),
        # a day under maintenance is a working day all the same
        (
            f"{DAY}, maintenance: [{{from: '2026-03-03T00:00:00+01:00', to: '2026-03-04T00:00:00+01:00'}}]",
            "1 business_days",
            "2026-03-02T11:00",
            "2026-03-04T09:00",
        ),
        # dates count, not shifts: 01:00 lies in the shift of the evening before
        (NIGHT, "1 business_days", "2026-03-03T01:00", "2026-03-04T01:00"),
        (DAY.replace("mon-fri", "mon-sun"), "1 business_days", "2026-03-28T11:00", "2026-03-29T11:00"),
    ],
)  # fmt: skip
def test_rule_7_working_days_end_at_the_same_time_of_day_moved_forward_to_opening_hours(times: Times) -> None:
    due_is(*times)


def conversation() -> PolicySet:
    return policy("clock: next_response, within: 10m", "clock: resolution, within: 8h", limits="{min_n: 1}")


def test_rule_13_tickets_and_cycles_are_counted_apart_and_cycles_from_1() -> None:
    life = [
        (0, "opened"), (1, "responded"), (2, "customer_replied"), (3, "responded"),
        (10, "customer_replied"), (40, "responded"), (50, "customer_replied"), (60, "resolved"),
    ]  # fmt: skip
    policies = conversation()
    counted = summary({0: state_of({"a": life}, policies, 100)}, policies, minute(100))["clocks"]
    assert {name: n for name, n in counted["next_response"].items() if n} == {"met": 1, "breached": 1, "excluded": 1}
    assert {name: n for name, n in counted["resolution"].items() if n} == {"met": 1}
    rows = verdicts(
        policies, c="10:00 opened; 10:01 responded; 10:02 customer_replied; 10:03 responded; 10:10 customer_replied"
    )
    check(rows, "next_response", "met cycle=1 started=10:02 | breached cycle=2 started=10:10")
