"""The promise clock: against the due_at of the case, whatever pauses, calendars and on_change say."""

import pytest

from tests.monitor.lives import check, policy, verdicts

PROMISE = policy("clock: promise")
SOME = policy("clock: promise, when: {priority: P1}, at_risk: 0.5")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:00 opened due=12:00; 12:00 resolved", "met due=12:00 decided=12:00 elapsed=2:00 target=- line=0"),
        ("10:00 opened due=12:00; 12:00:00.000001 resolved", "breached due=12:00 decided=12:00"),
        ("10:00 opened due=12:00", "breached due=12:00 stopped=-"),
        ("10:00 opened due=23:30", "at_risk due=23:30"),
        ("10:00 opened; 11:00 resolved", "no_target elapsed=1:00 stopped=11:00"),
        ("10:00 opened due=12:00; 11:00 paused reason=customer; 15:00 resumed; 15:30 resolved", "breached paused=0:00"),
        # the latest given before the one before it passed
        ("10:00 opened due=12:00; 11:00 updated due=14:00; 13:00 resolved", "met due=14:00"),
        ("10:00 opened due=12:00; 12:00 updated due=14:00; 13:00 resolved", "met due=14:00"),
        ("10:00 opened due=12:00; 12:30 updated due=14:00; 13:00 resolved", "breached due=12:00"),
        ("10:00 opened due=14:00; 11:00 updated due=12:00; 13:00 resolved", "breached due=12:00"),
        ("10:00 opened due=12:00; 11:00 updated due=11:30; 11:15 updated due=14:00; 13:00 resolved", "met due=14:00"),
        (
            "10:00 opened due=12:00; 11:00 updated due=11:30; 11:45 updated due=14:00; 13:00 resolved",
            "breached due=11:30",
        ),
        # given late, given too late, given when already past
        ("10:00 opened; 11:00 updated due=12:00; 11:30 resolved", "met due=12:00 started=10:00"),
        ("10:00 opened; 11:00 resolved; 11:30 updated due=12:00", "no_target"),
        ("10:00 opened due=09:00; 11:00 resolved", "breached due=10:00 on_arrival=true decided=10:00"),
        ("10:00 opened; 11:00 updated due=09:00; 11:00 resolved seq=1", "breached due=11:00 on_arrival=true"),
        ("10:00 opened; 11:00 updated due=11:00; 11:00 resolved seq=1", "met due=11:00 on_arrival=false"),
        # up to the opening only the last one counts
        ("09:00 updated due=09:30; 10:00 opened due=12:00; 11:00 resolved", "met due=12:00"),
        ("09:00 updated due=12:00; 10:00 opened; 11:00 resolved", "met due=12:00"),
        # ends of a case
        ("10:00 opened due=12:00; 12:30 cancelled", "breached due=12:00 stopped=12:30 cut=true"),
        ("10:00 opened due=12:00; 11:30 cancelled", "excluded decided=11:30"),
        ("09:00 resolved; 10:00 opened due=12:00", "inconsistent started=10:00"),
        ("09:00 resolved; 10:00 opened", "no_target stopped=-"),
    ],
)
def test_a_promise_is_kept_or_broken_by_the_wall_clock(life: str, expected: str) -> None:
    check(verdicts(PROMISE, c=life), "promise", expected)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:00 opened due=12:00", "no_target"),
        ("10:00 opened due=12:00 priority=P1; 11:00 updated priority=P2; 13:00 resolved", "excluded decided=11:00"),
        ("10:00 opened due=12:00; 11:00 updated priority=P1; 11:30 resolved", "met due=12:00"),
        # moved away and back: what passed meanwhile is a breach at the return, a new promise does not heal it
        (
            "10:00 opened due=12:00 priority=P1; 11:00 updated priority=P2; 13:00 updated priority=P1",
            "breached due=13:00",
        ),
        (
            "10:00 opened due=12:00 priority=P1; 11:00 updated priority=P2; 12:30 updated due=15:00; "
            "13:00 updated priority=P1; 14:00 resolved",
            "breached due=13:00 on_arrival=true",
        ),
    ],
)
def test_a_promise_counts_only_while_a_line_fits(life: str, expected: str) -> None:
    check(verdicts(SOME, c=life), "promise", expected)


@pytest.mark.parametrize(("now", "expected"), [("11:00", "open wake=11:00"), ("11:00:00.000001", "at_risk wake=12:00")])
def test_a_promise_is_at_risk_by_wall_time_since_the_opening(now: str, expected: str) -> None:
    check(verdicts(SOME, now, c="10:00 opened due=12:00 priority=P1"), "promise", expected)
