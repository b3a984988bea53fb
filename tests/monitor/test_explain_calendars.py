"""How explanations tell time by calendars and zones: what counted, what did not and why."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.explain import Move, Why, collapsed
from monitor.names import Clock
from tests.monitor.lives import policy
from tests.monitor.stories import explained, office, story, told


def test_time_is_told_by_the_day_with_the_holiday_the_exception_and_the_maintenance_by_name() -> None:
    found = story(office("clock: resolution, within: 40h"), "Sat 14:00", "Tue 09:30 opened; Sat 11:00 resolved")
    said = [(f"{one.start:%a %H:%M}", str(one.why), one.name, one.counted) for one in found.stretches if not one.ahead]
    named = [row for row in said if row[1] not in ("closed", "counted")]
    assert named == [
        ("Tue 09:30", "maintenance", "", timedelta(0)),
        ("Thu 08:00", "holiday", "", timedelta(0)),
        ("Thu 12:00", "holiday", "", timedelta(0)),
        ("Fri 08:00", "exception", "2026-03-06", timedelta(0)),
        ("Fri 12:00", "exception", "2026-03-06", timedelta(0)),
    ]
    assert said[-1] == ("Sat 09:00", "counted", "exception 2026-03-07", timedelta(hours=2))
    assert sum((one[3] for one in said), timedelta(0)) == found.verdict["elapsed"] == timedelta(hours=16)


def test_maintenance_stops_the_clock_in_hours_that_would_be_open() -> None:
    found = story(office("clock: resolution, within: 4h"), "Tue 15:00", "Tue 08:30 opened; Tue 10:30 resolved")
    said = [(f"{one.start:%H:%M}", one.why, one.length) for one in found.stretches if not one.ahead]
    half = timedelta(minutes=30)
    assert said == [("08:30", Why.COUNTED, half), ("09:00", Why.MAINTENANCE, 2 * half), ("10:00", Why.COUNTED, half)]


def test_holidays_of_a_country_are_named() -> None:
    life = "2026-04-02T08:00:00+00:00 opened; 2026-04-07T08:00:00+00:00 resolved"
    found = story(office("clock: resolution, within: 40h"), "2026-04-08T08:00:00+00:00", life)
    assert {one.name for one in found.stretches if one.why == Why.HOLIDAY} == {"Good Friday", "Easter Monday"}


def test_business_days_are_named_one_by_one_and_pauses_push_the_due_on() -> None:
    policies = office("clock: resolution, within: 3 business_days, pauses: '*'")
    life = "Mon 09:30 opened; Tue 12:00 paused reason=parts; Tue 14:00 resumed"
    assert told(story(policies, "Wed 12:00", life)) == [
        "10:30 opened: line 1 (every case), 3 business days by the office calendar: Tue 2026-03-03, Wed 2026-03-04, "
        "Sat 2026-03-07: due Sat 10:30",
        "13:00 paused for parts: no due while paused",
        "15:00 resumed, after 2 h paused for parts (2 h of office hours): due Mon 09:30",
        "13:00 now open: due Mon 09:30",
    ]


def test_a_pause_that_begins_at_the_due_while_resolved_before_it_leaves_no_due() -> None:
    """The case was resolved when the due came, so that time stood still before the pause began.

    resolved   Tue 18:00 |-------------------| Wed 10:00 (Berlin)
    paused                       Wed 09:00 |--------------->
    due                          Wed 09:00
    """
    policies = office("clock: total_resolution, within: 2 business_days, pauses: '*'")
    life = "Mon 07:00 opened; Tue 17:00 resolved; Wed 08:00 paused reason=parts; Wed 09:00 reopened"
    found = told(story(policies, "Wed 10:00", life, Clock.TOTAL_RESOLUTION))
    assert found[0].endswith("Tue 2026-03-03, Wed 2026-03-04: due Wed 09:00")
    assert found[-2:] == ["10:00 reopened: no due while paused", "11:00 now at risk: no due while paused"]


def test_a_change_of_the_clocks_while_a_clock_runs_is_told() -> None:
    life = "2026-03-28T12:00:00+00:00 opened"
    found = story(office("clock: resolution, within: 40h"), "2026-03-30T12:00:00+00:00", life)
    shifts = [entry for entry in found.entries if entry.move == Move.SHIFTED]
    assert [(f"{entry.at:%d %H:%M}", entry.words) for entry in shifts] == [
        ("29 01:00", "the clocks of Europe/Berlin go forward by 1 h, to +02:00")
    ]


def test_each_clock_is_told_in_the_zone_of_its_own_calendar() -> None:
    calendars = (
        "{sh: {zone: Asia/Shanghai, hours: {mon-fri: ['09:00-18:00']}}, "
        "ny: {zone: America/New_York, hours: {mon-fri: ['09:00-17:00']}}}"
    )
    policies = policy(
        "clock: first_response, within: 4h, calendar: sh",
        "clock: resolution, within: 40h, calendar: ny",
        "clock: total_resolution, within: 40h",
        calendars=calendars,
    )
    found = explained(policies, "2026-03-09T14:00:00+00:00", "Fri 14:00 opened")
    assert [(one.clock, one.zone) for one in found.stories] == [
        (Clock.FIRST_RESPONSE, "Asia/Shanghai"),
        (Clock.RESOLUTION, "America/New_York"),
        (Clock.TOTAL_RESOLUTION, "Asia/Shanghai"),
    ]
    assert found.notes[0].startswith("It was opened Fri 2026-03-06 22:00 +08:00")
    shifts = {one.clock: [entry.words for entry in one.entries if entry.move == Move.SHIFTED] for one in found.stories}
    assert shifts[Clock.RESOLUTION] == ["the clocks of America/New_York go forward by 1 h, to -04:00"]


def test_ordinary_days_of_equal_length_can_be_told_as_one() -> None:
    found = story(
        office("clock: resolution, within: 80h"), "2026-03-20T16:00:00+00:00", "2026-03-09T08:00:00+00:00 opened"
    )
    whole = collapsed(found.stretches, ZoneInfo(found.zone))
    assert len(whole) < len(found.stretches)
    assert [(one.days, one.counted) for one in whole if one.days > 1] == [
        (9, timedelta(hours=72))
    ]  # the last day is not over
    assert sum((one.counted for one in whole), timedelta(0)) == sum(
        (one.counted for one in found.stretches), timedelta(0)
    )
