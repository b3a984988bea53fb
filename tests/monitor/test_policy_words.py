"""Worked examples of `sqm check`: an ordinary case, one over days off, one over the next change of the clocks."""

from datetime import date, timedelta

import pytest

from monitor.policy.words import in_plain_words
from tests.monitor.lives import policy

MONDAY = date(2026, 11, 16)
BERLIN = "zone: Europe/Berlin, hours: {mon-fri: ['09:00-17:00']}"


def examples(within: str, calendar: str | None = None, day: date = MONDAY) -> list[str]:
    """What is said of one target after its promise, a line an example."""
    line = f"clock: resolution, within: {within}" + (", calendar: c" if calendar else "")
    policies = policy(line, calendars=f"{{c: {{{calendar}}}}}" if calendar else "{}")
    lines = in_plain_words(policies, day)
    first = next(i for i, said in enumerate(lines) if "every case: resolved" in said)
    end = lines.index("", first)
    return [lines[first].split(": ", 2)[2], *map(str.strip, lines[first + 1 : end])]


@pytest.mark.parametrize(
    ("within", "calendar", "expected"),
    [
        (
            "15m",
            None,
            ["Sat 10:00 -> due Sat 10:15", "the same on weekends and holidays", "UTC does not change its clocks"],
        ),
        (
            "24h",
            "zone: America/New_York, hours: {mon-sun: ['00:00-24:00']}",
            [
                "Sat 10:00 -> due Sun 10:00 (America/New_York)",
                "the same on weekends and holidays",
                "over the clock change of Sun 2027-03-14: Sat 2027-03-13 14:00 -05:00 -> "
                "due Sun 2027-03-14 15:00 -04:00",
            ],
        ),
        # Christmas 2026 is a Friday and a Saturday; in 2027 the clocks change on Easter Sunday
        (
            "4h",
            f"{BERLIN}, holidays: {{country: DE}}",
            [
                "Mon 10:00 -> due Mon 14:00 (Europe/Berlin)",
                "over the weekend: Fri 15:30 -> due Mon 11:30",
                "over Fri 2026-12-25, Christmas Day: Thu 2026-12-24 15:30 -> due Mon 2026-12-28 11:30",
                "over the clock change of Sun 2027-03-28: Thu 2027-03-25 15:00 +01:00 -> "
                "due Tue 2027-03-30 11:00 +02:00",
            ],
        ),
        (
            "2 business_days",
            f"{BERLIN}, exceptions: {{'2026-11-25': [], '2026-11-28': ['09:00-12:00']}}",
            [
                "Mon 10:00 -> due Wed 10:00 (Europe/Berlin)",
                "over the weekend: Fri 15:30 -> due Tue 15:30",
                "over Wed 2026-11-25, a day off: Tue 2026-11-24 15:30 -> due Fri 2026-11-27 15:30",
                "over the clock change of Sun 2027-03-28: Fri 2027-03-26 15:30 +01:00 -> "
                "due Tue 2027-03-30 15:30 +02:00",
            ],
        ),
        (
            "4h",
            "zone: America/New_York, hours: {mon-sun: ['22:00-06:00']}",
            [
                "Mon 23:00 -> due Tue 03:00 (America/New_York)",
                "open on every day",
                "over the clock change of Sun 2027-03-14: Sun 2027-03-14 00:00 -05:00 -> "
                "due Sun 2027-03-14 05:00 -04:00",
            ],
        ),
        (
            "30m",
            "zone: Australia/Lord_Howe, hours: {mon-sun: ['00:00-24:00']}",
            [
                "Sat 10:00 -> due Sat 10:30 (Australia/Lord_Howe)",
                "the same on weekends and holidays",
                "over the clock change of Sun 2027-04-04: Sun 2027-04-04 01:45 +11:00 -> "
                "due Sun 2027-04-04 01:45 +10:30",
            ],
        ),
        # half of it ago a shift began and the one before ended: the case is opened when its clock can run
        (
            "16h",
            BERLIN,
            [
                "Mon 10:00 -> due Wed 10:00 (Europe/Berlin)",
                "over the weekend: Fri 15:30 -> due Tue 15:30",
                "over the clock change of Sun 2027-03-28: Fri 2027-03-26 09:00 +01:00 -> "
                "due Mon 2027-03-29 17:00 +02:00",
            ],
        ),
        # a week of which one short day is open
        (
            "45s",
            "zone: Asia/Tokyo, hours: {wed: ['09:00-09:30']}",
            [
                "Wed 09:15 -> due Wed 09:15:45 (Asia/Tokyo)",
                "over the weekend: Wed 2026-11-18 09:29:38 -> due Wed 2026-11-25 09:00:23",
                "Asia/Tokyo does not change its clocks",
            ],
        ),
        (
            "1 business_days",
            BERLIN.replace("fri", "thu"),
            [
                "Mon 10:00 -> due Tue 10:00 (Europe/Berlin)",
                "over the weekend: Thu 15:30 -> due Mon 15:30",
                "over the clock change of Sun 2027-03-28: Thu 2027-03-25 15:30 +01:00 -> "
                "due Mon 2027-03-29 15:30 +02:00",
            ],
        ),
    ],
)
def test_each_target_has_an_ordinary_example_one_over_days_off_and_one_over_the_next_clock_change(
    within: str, calendar: str | None, expected: list[str]
) -> None:
    assert examples(within, calendar) == expected


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        (BERLIN, "48 hours of c hours"),
        ("zone: Europe/Berlin, hours: {mon-sun: ['00:00-24:00']}", "2 days round the clock"),
    ],
)
def test_days_are_told_as_hours_where_a_calendar_closes(calendar: str, said: str) -> None:
    policies = policy("clock: resolution, within: 2d, calendar: c", calendars=f"{{c: {{{calendar}}}}}")
    assert any(f"resolved within {said}" in line for line in in_plain_words(policies, MONDAY))


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ("15000h", "Mon 2026-11-16 10:00 -> due Mon 2034-01-23 10:00 (Europe/Berlin)"),  # 375 weeks
        ("36500d", "Mon 10:00 -> never due: its calendar does not open for so long (Europe/Berlin)"),
    ],
)
def test_a_due_years_away_is_told_with_its_date_and_one_beyond_all_calendars_as_such(
    within: str, expected: str
) -> None:
    assert examples(within, BERLIN)[0] == expected


@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 4, 6), date(2026, 10, 22), date(2026, 12, 22), MONDAY])
@pytest.mark.parametrize("more", range(7))
def test_the_same_policy_has_the_same_ordinary_examples_on_whatever_day_it_is_checked(day: date, more: int) -> None:
    said = examples("3 business_days", f"{BERLIN}, holidays: {{country: DE}}", day + timedelta(days=more))
    assert said[:2] == ["Mon 10:00 -> due Thu 10:00 (Europe/Berlin)", "over the weekend: Fri 15:30 -> due Wed 15:30"]


def test_a_promise_needs_no_example() -> None:
    lines = in_plain_words(policy("clock: promise"), MONDAY)
    assert "  1. every case: promise kept by the case's own due_at" in lines


def test_a_bound_of_a_ratio_is_told_in_percent() -> None:
    sla = "{id: csat, measure: {indicator: csat_top2_ratio, at_least: 85%}, goal: 90%, period: 30d}"
    lines = in_plain_words(policy(slas=f"[{sla}]"), MONDAY)
    assert any("at least 85% over any 30 days" in line for line in lines), lines
