"""Clocks, rules 1, 3, 7 and 8: how time runs, stands still and runs out."""

from datetime import timedelta

import pytest

from tests.monitor.lives import check, policy, verdicts

TWO_HOURS = policy("clock: resolution, within: 2h, pauses: [customer]")
EVERY_PAUSE = policy('clock: resolution, within: 2h, pauses: "*"')
TOTAL = policy("clock: total_resolution, within: 2h, pauses: [customer]")
OFFICE = "{office: {zone: Asia/Shanghai, hours: {mon-fri: ['09:00-12:00', '13:00-18:00']}}}"
NEW_YORK = "{all: {zone: America/New_York, hours: {mon-sun: ['00:00-24:00']}}}"
NIGHT = "{night: {zone: America/New_York, hours: {mon-sun: ['22:00-06:00']}}}"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("11:59:59.999999", "met due=12:00 elapsed=1:59:59.999999"),
        ("12:00", "met due=12:00 elapsed=2:00 decided=12:00"),
        ("12:00:00.000001", "breached due=12:00 stopped=12:00:00.000001 elapsed=2:00:00.000001 decided=12:00"),
    ],
)
def test_rule_1_a_clock_is_met_if_it_stopped_at_or_before_its_due_and_nothing_is_rounded(
    stop: str, expected: str
) -> None:
    check(verdicts(TWO_HOURS, c=f"10:00 opened; {stop} resolved"), "resolution", expected)


@pytest.mark.parametrize(
    ("now", "expected"),
    [("12:00", "at_risk due=12:00"), ("12:00:00.000001", "breached due=12:00 stopped=- decided=12:00")],
)
def test_rule_1_a_due_has_passed_once_it_lies_before_now(now: str, expected: str) -> None:
    check(verdicts(TWO_HOURS, now, c="10:00 opened"), "resolution", expected)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("12:00 cancelled", "excluded due=-"),
        ("12:00:00.000001 cancelled", "breached due=12:00 stopped=12:00:00.000001"),
    ],
)
def test_rule_1_a_due_has_passed_at_a_cancel_once_it_lies_before_it(event: str, expected: str) -> None:
    check(verdicts(TWO_HOURS, c=f"10:00 opened; {event}"), "resolution", expected)


#           10    11    12    13    14
# pause           |-----------|            2 h left run from 13:00
@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("11:00 paused reason=customer; 13:00 resumed; 14:00 resolved", "met due=14:00 elapsed=2:00 paused=2:00"),
        ("11:00 paused reason=customer; 13:00 resumed; 14:01 resolved", "breached due=14:00 elapsed=2:01"),
        ("11:00 paused reason=parts; 13:00 resumed", "breached due=12:00 paused=0:00"),
        ("11:00 paused; 13:00 resumed", "breached due=12:00"),  # no reason: listed only by "*"
        # a pause that begins at the due comes too late; a moment before it does not
        ("12:00 paused reason=customer; 13:00 resumed", "breached due=12:00"),
        ("11:59 paused reason=customer; 13:00 resumed", "breached due=13:01"),
        # the first `paused` counts, the next `resumed` ends it, whatever its reason
        (
            "10:30 paused reason=customer; 11:00 paused reason=customer; 11:30 resumed reason=parts; 12:00 resumed",
            "breached due=13:00",
        ),
        ("10:30 paused reason=parts; 11:00 paused reason=customer; 11:30 resumed", "breached due=12:30"),
        # it counts although it began before the clock
        ("09:00 paused reason=customer; 11:00 resumed", "breached due=13:00"),
        ("08:00 paused reason=customer; 09:00 resumed", "breached due=12:00"),
        # two pauses that touch
        (
            "11:00 paused reason=customer; 11:30 resumed; 11:30 paused reason=customer seq=1; 12:00 resumed",
            "breached due=13:00",
        ),
    ],
)
def test_rule_3_pauses_count_whose_reason_the_line_lists_from_the_first_to_the_next_resumed(
    life: str, expected: str
) -> None:
    check(verdicts(TWO_HOURS, c=f"10:00 opened; {life}"), "resolution", expected)


def test_rule_3_a_star_lists_every_reason_and_none() -> None:
    rows = verdicts(EVERY_PAUSE, c="10:00 opened; 10:30 paused; 11:00 resumed; 11:10 paused reason=x; 11:20 resumed")
    check(rows, "resolution", "breached due=12:40 paused=0:40")


def test_rule_3_a_paused_clock_has_no_due_and_cannot_ripen() -> None:
    rows = verdicts(TWO_HOURS, "23:00", c="10:00 opened; 11:00 paused reason=customer")
    check(rows, "resolution", "open due=- wake=- elapsed=1:00 paused=12:00")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("11:00 paused reason=customer; 15:00 resolved", "met due=16:00 stopped=15:00 elapsed=1:00 paused=4:00"),
        ("11:00 paused reason=customer; 15:00 resolved; 17:00 resumed", "met due=16:00 elapsed=1:00"),
        # what begins after the stop did not happen to the clock
        ("11:00 resolved; 11:30 paused reason=customer; 17:00 resumed", "met due=12:00"),
        # the target was used up when the pause began
        ("12:00 paused reason=customer; 12:30 resolved", "breached due=12:00"),
    ],
)
def test_rule_3_a_stop_inside_a_pause_ends_it_with_what_remained(life: str, expected: str) -> None:
    check(verdicts(TWO_HOURS, c=f"10:00 opened; {life}"), "resolution", expected)


#            10     11      12      13      14
# resolved          |---------------|
# paused                    |---------------|     counts from 13:00 to 14:00
def test_rule_3_a_pause_begun_while_resolved_counts_from_the_reopening() -> None:
    life = "10:00 opened; 11:00 resolved; 12:00 paused reason=customer; 13:00 reopened; 14:00 resumed; 15:00 resolved"
    check(verdicts(TOTAL, c=life), "total_resolution", "met due=15:00 elapsed=2:00 paused=1:00")


@pytest.mark.parametrize(
    ("calendars", "within", "life", "expected"),
    [
        (OFFICE, "4h, calendar: office", "2026-11-20T16:30+08:00 opened", "2026-11-23T03:30:00+00:00"),
        (
            OFFICE,
            "4h, calendar: office, pauses: [customer]",
            "2026-11-20T16:30+08:00 opened; "
            "2026-11-23T10:00+08:00 paused reason=customer; 2026-11-23T14:00+08:00 resumed",
            "2026-11-23T07:30:00+00:00",
        ),
        (OFFICE, "90m, calendar: office", "2026-11-20T16:30+08:00 opened", "2026-11-20T10:00:00+00:00"),
        (NEW_YORK, "24h, calendar: all", "2026-10-31T12:00-04:00 opened", "2026-11-01T16:00:00+00:00"),
        (NIGHT, "8h, calendar: night", "2026-10-31T22:00-04:00 opened", "2026-11-01T10:00:00+00:00"),
        (OFFICE, "3 business_days, calendar: office", "2026-11-20T16:30+08:00 opened", "2026-11-25T08:30:00+00:00"),
        (OFFICE, "1 business_days, calendar: office", "2026-11-20T19:00+08:00 opened", "2026-11-24T01:00:00+00:00"),
        (OFFICE, "1 business_days, calendar: office", "2026-11-19T12:30+08:00 opened", "2026-11-20T05:00:00+00:00"),
    ],
)
def test_rules_1_7_and_8_golden_dues(calendars: str, within: str, life: str, expected: str) -> None:
    policies = policy(f"clock: resolution, within: {within}", calendars=calendars)
    check(verdicts(policies, "2026-10-01T00:00+00:00", c=life), "resolution", f"open due={expected}")


#        Fri 18:00 closes            Mon 09:00            Mon 18:00     Tue 09:00
# due                                u                    pushed by 9 h
# pause         |------------------------------------------------------------|  Tue 07:00
@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("Thu 12:00 paused reason=customer; Thu 15:00 resumed", "Fri_14:00"),
        ("Thu 19:00 paused reason=customer; Thu 20:00 resumed", "Fri_11:00"),  # took no calendar time
        ("Fri 10:00 paused reason=customer; Fri 16:00 resumed", "Fri_17:00"),
        ("Fri 11:00 paused reason=customer; Fri 16:00 resumed", "Fri_11:00"),  # begins at the due
        ("Wed 10:00 paused reason=customer; Thu 12:00 resumed", "Fri_12:00"),  # counts from the opening on
        ("Thu 10:00 paused reason=customer", "-"),
    ],
)
def test_rule_7_pauses_push_working_days_on_by_the_calendar_time_they_took(life: str, expected: str) -> None:
    calendars = "{day: {zone: UTC, hours: {mon-fri: ['09:00-18:00']}}}"
    policies = policy(
        "clock: resolution, within: 1 business_days, calendar: day, pauses: [customer]", calendars=calendars
    )
    rows = verdicts(policies, "Thu 11:01", c=f"Thu 11:00 opened; {life}")
    check(rows, "resolution", f"open due={expected}")


def test_rule_7_working_days_do_not_run_out_inside_a_pause_begun_before() -> None:
    calendars = "{day: {zone: UTC, hours: {mon-fri: ['09:00-18:00']}}}"
    policies = policy(
        "clock: resolution, within: 1 business_days, calendar: day, pauses: [customer]", calendars=calendars
    )
    life = "Mon 20:00 opened; Tue 19:00 paused reason=customer; Thu 07:00 resumed"  # unpaused: Wed 09:00
    check(verdicts(policies, "Mon 20:01", c=life), "resolution", "open due=Thu_07:00")


def test_rule_1_a_due_years_away_is_found() -> None:
    policies = policy("clock: resolution, within: 20000h, calendar: office", calendars=OFFICE)  # 2,500 working days
    check(verdicts(policies, c="10:00 opened"), "resolution", "open due=2035-10-01T10:00:00+00:00")


def test_rule_1_elapsed_and_paused_of_a_running_clock_are_as_of_now() -> None:
    life = "10:00 opened; 10:30 paused reason=customer; 11:00 resumed"
    check(verdicts(TWO_HOURS, "11:15", c=life), "resolution", "open elapsed=0:45 paused=0:30 due=12:30")


def test_a_case_opened_after_now_has_used_no_time() -> None:
    check(verdicts(TWO_HOURS, "09:59", c="10:00 opened"), "resolution", "open elapsed=0:00 due=12:00")


def test_a_breach_that_no_event_decided_waits_for_the_grace() -> None:
    for now, expected in (("12:00:30", "at_risk wake=12:00:30"), ("12:00:30.000001", "breached wake=- due=12:00")):
        check(verdicts(TWO_HOURS, now, timedelta(seconds=30), c="10:00 opened"), "resolution", expected)
    check(verdicts(TWO_HOURS, "12:00:01", None, c="10:00 opened; 12:00:01 resolved"), "resolution", "breached")
    check(verdicts(TWO_HOURS, "12:00:30", None, c="10:00 opened"), "resolution", "at_risk wake=12:00:30")
