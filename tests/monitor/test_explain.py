"""What explanations say: one sentence for each thing that moved a clock."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.explain import Explanation, Move, Story, Why, collapsed, explain
from monitor.names import Clock, Outcome
from monitor.policy import PolicySet, load
from tests.monitor.lives import at, history, policy

RESOLUTION = "clock: resolution, within: 4h, pauses: [customer]"
OFFICE = """
policy: test
labels: [priority]
calendars:
  office:
    zone: Europe/Berlin
    hours: {mon-fri: ["09:00-12:00", "13:00-18:00"]}
    holidays: {country: DE, add: [2026-03-05]}
    exceptions: {2026-03-07: ["10:00-12:00"], 2026-03-06: []}
    maintenance: [{from: 2026-03-03T09:00:00Z, to: 2026-03-03T10:00:00Z}]
targets:
"""


def office(*lines: str) -> PolicySet:
    return load([("p.yaml", OFFICE + "".join(f"  - {{{line}, calendar: office}}\n" for line in lines))])


def explained(policies: PolicySet, now: str, life: str, grace: timedelta | None = timedelta(0)) -> Explanation:
    return explain(history(c=life), policies, at(now), grace)


def story(policies: PolicySet, now: str, life: str, clock: Clock = Clock.RESOLUTION, cycle: int = 1) -> Story:
    found = explained(policies, now, life).stories
    return next(one for one in found if (one.clock, one.cycle) == (clock, cycle))


def told(story: Story) -> list[str]:
    """`10:00 paused for …` for each entry."""
    zone = ZoneInfo(story.zone)
    return [f"{entry.at.astimezone(zone):%H:%M} {entry.words}" for entry in story.entries]


def test_a_timeline_tells_pauses_with_what_is_used_and_what_is_due() -> None:
    life = "09:00 opened; 10:00 paused reason=customer; 12:00 resumed; 14:30 resolved"
    assert told(story(policy(RESOLUTION), "20:00", life)) == [
        "09:00 opened: line 1 (every case), 4 h round the clock: 0 m of 4 h used, due 13:00",
        "10:00 paused for customer: 1 h of 4 h used, no due while paused",
        "12:00 resumed, after 2 h paused for customer: 1 h of 4 h used, due 15:00",
        "14:12 80% of the target is used: at risk from here on",
        "14:30 resolved: met, 3 h 30 m of 4 h used, due 15:00",
    ]


RAISED = "clock: resolution, when: {{priority: P1}}, within: 2h, on_change: {}"
P3 = "clock: resolution, when: {priority: P3}, within: 3h"


@pytest.mark.parametrize(
    ("on_change", "when", "said"),
    [
        (
            "retroactive",
            "11:00",
            "priority P3 -> P1, line 1 (priority P1) applies, retroactive: measured from 10:00, 2 h round the clock: "
            "1 h of 2 h used, due 12:00",
        ),
        (
            "retroactive",
            "12:30",
            "priority P3 -> P1, line 1 (priority P1) applies, retroactive: measured from 10:00, 2 h round the clock, "
            "due 12:00, already past, breached on arrival",
        ),
        (
            "restart",
            "11:00",
            "priority P3 -> P1, line 1 (priority P1) applies, restart: measured anew from here, 2 h round the clock: "
            "0 m of 2 h used, due 13:00",
        ),
        (
            "keep",
            "11:00",
            "priority P3 -> P1, line 1 (priority P1) fits, but its on_change is keep: line 2 stays in force: "
            "1 h of 3 h used, due 13:00",
        ),
    ],
)
def test_a_change_of_labels_names_the_line_its_on_change_and_the_new_due(on_change: str, when: str, said: str) -> None:
    life = f"10:00 opened priority=P3; {when} updated priority=P1"
    assert f"{when} {said}" in told(story(policy(RAISED.format(on_change), P3), "12:40", life))


def test_the_first_entry_says_why_no_earlier_line_was_chosen() -> None:
    first = told(story(policy(RAISED.format("keep"), P3), "11:00", "10:00 opened priority=P3"))[0]
    assert "line 2 (priority P3), 3 h round the clock (line 1 wants priority P1, it is P3)" in first
    none = story(policy(RAISED.format("keep"), P3), "11:00", "10:00 opened")
    assert told(none)[0] == (
        "10:00 opened: no line of resolution fits (line 1 wants priority P1, it is absent; "
        "line 2 wants priority P3, it is absent)"
    )
    assert none.words == "no target, so no verdict"


@pytest.mark.parametrize(
    ("lines", "life", "clock", "said"),
    [
        (
            (RESOLUTION,),
            "09:00 opened; 10:00 paused reason=parts; 11:00 resolved",
            Clock.RESOLUTION,
            "10:00 paused for parts, which does not stop this clock (line 1: only pauses for customer do): "
            "1 h of 4 h used, due 13:00",
        ),
        (
            ("clock: promise",),
            "09:00 opened due=12:00; 10:00 paused reason=parts; 11:00 resolved",
            Clock.PROMISE,
            "10:00 paused for parts, which does not stop this clock (a pause moves no promise): due 12:00",
        ),
        (
            ("clock: first_response, within: 1h",),
            "09:00 opened; 09:10 responded private; 09:20 responded bot; 09:30 responded",
            Clock.FIRST_RESPONSE,
            "09:10 a private answer, which does not stop the clock: 10 m of 1 h used, due 10:00",
        ),
        (
            ("clock: first_response, within: 1h",),
            "09:00 opened; 09:10 responded private; 09:20 responded bot; 09:30 responded",
            Clock.FIRST_RESPONSE,
            "09:20 an answer by a bot, which line 1 does not count: 20 m of 1 h used, due 10:00",
        ),
        (
            ("clock: next_response, within: 1h",),
            "09:00 opened; 09:05 responded; 09:10 customer_replied; 09:20 customer_replied; 09:30 responded",
            Clock.NEXT_RESPONSE,
            "09:20 another reply: the clock runs since the earliest unanswered one",
        ),
        (
            ("clock: next_response, within: 1h",),
            "09:00 opened; 09:05 responded; 09:10 customer_replied; 09:30 resolved",
            Clock.NEXT_RESPONSE,
            "09:30 resolved, which settles the reply: excluded",
        ),
        (
            (RESOLUTION,),
            "09:00 opened; 14:00 updated priority=P1; 15:00 resolved",
            Clock.RESOLUTION,
            "13:00 due: 4 h round the clock are used up, breached",
        ),
        (
            (RESOLUTION,),
            "09:00 opened; 14:00 updated priority=P1; 15:00 cancelled",
            Clock.RESOLUTION,
            "15:00 cancelled: breached at 13:00",
        ),
        (
            (RAISED.format("keep"),),
            "09:00 opened priority=P1; 10:00 updated priority=P2; 11:00 resolved",
            Clock.RESOLUTION,
            "10:00 priority P1 -> P2, no line of resolution fits: excluded unless one fits again",
        ),
        (
            (RESOLUTION,),
            "09:00 opened; 10:00 resolved outcome=duplicate",
            Clock.RESOLUTION,
            "10:00 resolved: excluded: it was no case (resolved as duplicate, 10:00)",
        ),
        (
            (RESOLUTION,),
            "08:30 resolved; 09:00 opened; 10:00 reopened",
            Clock.RESOLUTION,
            "08:30 resolved, before the case was opened (09:00): inconsistent, out of the figures",
        ),
        (
            ("clock: total_resolution, within: 4h",),
            "09:00 opened; 10:00 resolved; 10:30 updated priority=P1; 12:00 reopened; 13:00 resolved",
            Clock.TOTAL_RESOLUTION,
            "12:00 reopened, priority absent -> P1, line 1 still applies: 1 h of 4 h used, due 15:00",
        ),
        (
            ("clock: total_resolution, within: 4h",),
            "09:00 opened; 10:00 resolved; 10:30 updated priority=P1; 12:00 reopened; 13:00 resolved",
            Clock.TOTAL_RESOLUTION,
            "10:30 priority absent -> P1, while resolved: it waits for a reopening",
        ),
        (
            ("clock: promise",),
            "09:00 opened due=12:00; 11:00 updated due=15:00; 16:00 resolved",
            Clock.PROMISE,
            "11:00 promised for 15:00 instead of 12:00: due 15:00",
        ),
        (
            ("clock: promise",),
            "09:00 opened due=12:00; 13:00 updated due=15:00; 14:00 resolved",
            Clock.PROMISE,
            "13:00 a promise of 15:00 comes too late: that of 12:00 had passed",
        ),
        (
            ("clock: promise",),
            "09:00 opened; 13:00 updated due=12:00; 14:00 resolved",
            Clock.PROMISE,
            "13:00 promised for 12:00; line 1 (every case) applies, due 12:00, already past, breached on arrival",
        ),
        (
            ("clock: promise",),
            "09:00 opened due=15:00; 13:00 updated due=12:00; 14:00 resolved",
            Clock.PROMISE,
            "13:00 promised for 12:00 instead of 15:00; due 12:00, already past, breached on arrival",
        ),
        (
            ("clock: promise",),
            "09:00 opened due=12:00; 11:00 updated due=Tue_15:00; 16:00 resolved",
            Clock.PROMISE,
            "11:00 promised for Tue 15:00 instead of Mon 12:00: due Tue 15:00",
        ),
        (
            (RESOLUTION,),
            "09:00 opened; 13:00 paused reason=customer; 14:00 resumed",
            Clock.RESOLUTION,
            "13:00 paused for customer, which comes too late: the due is reached",
        ),
        (
            ("clock: first_response, within: 1h",),
            "09:00 opened; 09:05 customer_replied; 09:10 responded",
            Clock.FIRST_RESPONSE,
            "09:05 the customer replied: no cycle starts before the first response",
        ),
        (
            (RESOLUTION,),
            "Mon 09:00 opened; Mon 10:00 paused reason=customer; Wed 12:30 resumed",
            Clock.RESOLUTION,
            "12:30 resumed, after 2 d 2 h 30 m paused for customer: 1 h of 4 h used, due 15:30",
        ),
        (
            ("clock: promise",),
            "09:00 opened due=00:00; 14:00 resolved",
            Clock.PROMISE,
            "09:00 opened: line 1 (every case), the case's own due_at, due 00:00, already past, breached on arrival",
        ),
        (
            ("clock: next_response, within: 4h, pauses: '*'",),
            "08:00 opened; 08:10 responded; 09:00 paused; 09:30 customer_replied; 10:30 resumed; 11:00 responded",
            Clock.NEXT_RESPONSE,
            "10:30 resumed, after 1 h 30 m paused for no stated reason (1 h of it on this clock): 0 m of 4 h used, "
            "due 14:30",
        ),
        (
            (RAISED.format("keep"),),
            "09:00 opened; 10:00 updated priority=P1",
            Clock.RESOLUTION,
            "10:00 priority absent -> P1, line 1 (priority P1) applies, keep, but no line was in force: measured from "
            "09:00, 2 h round the clock: 1 h of 2 h used, due 11:00",
        ),
    ],
)
def test_each_thing_that_moves_a_clock_or_seems_to_has_its_sentence(
    lines: tuple[str, ...], life: str, clock: Clock, said: str
) -> None:
    assert said in told(story(policy(*lines), "20:00", life, clock))


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


@pytest.mark.parametrize(
    ("lines", "life", "clock", "said"),
    [
        ((RESOLUTION,), "09:00 opened; 12:30 updated tier=gold", Clock.RESOLUTION, ("12:12", "of the target is used:")),
        (
            (RAISED.format("retroactive"), P3),
            "10:00 opened priority=P3; 11:45 updated priority=P1",
            Clock.RESOLUTION,
            ("11:45", "of the target is used already:"),
        ),
        (
            ("clock: promise",),
            "09:00 opened due=14:00; 13:30 updated tier=gold",
            Clock.PROMISE,
            ("13:00", "of the time up to it is used:"),
        ),
    ],
)
def test_a_clock_at_risk_says_since_when(
    lines: tuple[str, ...], life: str, clock: Clock, said: tuple[str, str]
) -> None:
    """Also where labels changed after that, and where a change alone put it at risk."""
    found = story(policy(*lines), "12:50" if clock == Clock.RESOLUTION else "13:40", life, clock)
    at_risk = [entry for entry in found.entries if entry.move == Move.AT_RISK]
    since, why = said
    assert [(f"{entry.at:%H:%M}", entry.words) for entry in at_risk] == [(since, f"80% {why} at risk from here on")]


def test_a_promise_clock_without_a_promise_tells_of_no_labels() -> None:
    found = story(policy("clock: promise"), "12:00", "09:00 opened; 10:00 updated priority=P1", Clock.PROMISE)
    assert [entry.move for entry in found.entries] == [Move.STARTED, Move.RUNNING]


def test_that_a_kept_line_stays_is_said_once() -> None:
    life = "10:00 opened priority=P3; 10:10 updated priority=P1; 10:20 updated; 10:30 updated priority=P1"
    said = told(story(policy(RAISED.format("keep"), P3), "11:00", life))
    assert sum("its on_change is keep" in one for one in said) == 1


def test_a_verdict_without_a_pause_may_be_a_breach_on_arrival() -> None:
    life = "10:00 opened priority=P3; 10:30 paused reason=x; 12:00 resumed; 12:30 updated priority=P1"
    paused = [f"{line}, pauses: '*'" for line in (RAISED.format("retroactive"), P3)]
    found = story(policy(*paused), "12:40", life)
    assert "breached on arrival at Mon 2026-03-02 12:30 +00:00" in found.without[0].words


def test_what_time_alone_does_says_what_is_used_and_left() -> None:
    found = story(policy(RESOLUTION), "20:00", "09:00 opened; 14:00 resolved")
    assert [(entry.move, entry.used, entry.left) for entry in found.entries[1:3]] == [
        (Move.AT_RISK, timedelta(hours=3, minutes=12), timedelta(minutes=48)),
        (Move.OVERDUE, timedelta(hours=4), timedelta(0)),
    ]


def test_a_change_of_the_clocks_while_a_clock_runs_is_told() -> None:
    life = "2026-03-28T12:00:00+00:00 opened"
    found = story(office("clock: resolution, within: 40h"), "2026-03-30T12:00:00+00:00", life)
    shifts = [entry for entry in found.entries if entry.move == Move.SHIFTED]
    assert [(f"{entry.at:%d %H:%M}", entry.words) for entry in shifts] == [
        ("29 01:00", "the clocks of Europe/Berlin go forward by 1 h, to +02:00")
    ]


def test_a_due_that_passed_within_grace_says_until_when_an_answer_is_awaited() -> None:
    found = explained(policy(RESOLUTION), "13:00:20", "09:00 opened", grace=timedelta(seconds=30)).stories
    last = next(one for one in found if one.clock == Clock.RESOLUTION).entries[-1]
    assert last.words.endswith(
        "due 13:00, which has passed: a breach is published after 13:00:30, lest an answer be on its way"
    )


def test_a_verdict_without_each_pause_and_without_all_of_them() -> None:
    life = (
        "09:00 opened; 10:00 paused reason=customer; 11:00 resumed; 12:00 paused reason=customer; 14:00 resumed; "
        "15:30 resolved"
    )
    found = story(policy(RESOLUTION), "20:00", life)
    assert found.verdict["outcome"] == Outcome.MET
    assert [one.words.replace("Mon 2026-03-02 ", "").replace(" +00:00", "") for one in found.without] == [
        "without the pause for customer (10:00 to 11:00): breached at 15:00 instead of met, 4 h 30 m used",
        "without the pause for customer (12:00 to 14:00): breached at 14:00 instead of met, 5 h 30 m used",
        "without any pause: breached at 13:00 instead of met, 6 h 30 m used",
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


def test_of_very_many_pauses_the_longest_are_taken_away_and_a_note_says_so() -> None:
    many = "".join(f"; 10:{n:02} paused reason=customer; 10:{n:02}:30 resumed" for n in range(55))
    found = explained(policy(RESOLUTION), "20:00", f"09:00 opened{many}; 15:00 resolved")
    assert found.notes[-1] == "Of its pauses the longest are taken away one by one: 5 more were not tried."


def test_notes_tell_the_version_second_openings_and_what_put_events_of_one_instant_in_order() -> None:
    life = "09:00 opened; 10:00 updated; 10:00 responded; 10:00 rated; 09:30 opened; 11:00 cancelled; 12:00 paused"
    assert explained(policy(RESOLUTION), "20:00", life).notes == (
        "It was opened Mon 2026-03-02 09:00 +00:00: judged by policy test (always in force).",
        "It was opened 1 more time: the earliest opening counts.",
        "What came after it was cancelled moves no clock.",
        "Two events at Mon 2026-03-02 10:00 +00:00: responded counts first, then updated (by kind).",
    )


def test_of_very_many_ties_the_first_are_told() -> None:
    life = "09:00 opened" + "".join(f"; 10:{n:02} customer_replied; 10:{n:02} responded" for n in range(30))
    found = explained(policy(RESOLUTION), "20:00", life).notes
    assert len(found) == 12
    assert found[-1] == "At 20 more instants it has several events."


@pytest.mark.parametrize(
    ("life", "note"),
    [
        ("10:00 responded", "Its opening has not arrived: no clock runs."),
        (
            "10:00 opened",
            "It was opened Mon 2026-03-02 10:00 +00:00, before every version of the policy: no target.",
        ),
    ],
)
def test_a_case_without_any_target_says_why(life: str, note: str) -> None:
    policies = policy(RESOLUTION, effective_from="2026-04-01T00:00:00Z")
    explanation = explained(policies, "12:00", life)
    assert (explanation.notes, explanation.stories) == ((note,), ())


def test_of_very_many_cycles_the_last_are_told_and_a_note_says_so() -> None:
    replies = "".join(f"; 10:{n:02} customer_replied; 10:{n:02}:30 responded" for n in range(20))
    rows = history(c=f"09:00 opened; 09:05 responded{replies}")
    found = explain(rows, policy("clock: next_response, within: 1h"), at("12:00"), most=6)
    assert [one.cycle for one in found.stories if one.clock == Clock.NEXT_RESPONSE] == [15, 16, 17, 18, 19, 20]
    assert found.notes[-1] == "It has 20 clocks: of its cycles only the last are told here."


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
