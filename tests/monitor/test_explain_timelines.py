"""What the timeline of a clock says: one sentence for each thing that moved it."""

from datetime import timedelta

import pytest

from monitor.explain import Move
from monitor.names import Clock
from tests.monitor.lives import policy
from tests.monitor.stories import P3, RAISED, RESOLUTION, explained, story, told


def test_a_timeline_tells_pauses_with_what_is_used_and_what_is_due() -> None:
    life = "09:00 opened; 10:00 paused reason=customer; 12:00 resumed; 14:30 resolved"
    assert told(story(policy(RESOLUTION), "20:00", life)) == [
        "09:00 opened: line 1 (every case), 4 h round the clock: 0 m of 4 h used, due 13:00",
        "10:00 paused for customer: 1 h of 4 h used, no due while paused",
        "12:00 resumed, after 2 h paused for customer: 1 h of 4 h used, due 15:00",
        "14:12 80% of the target is used: at risk from here on",
        "14:30 resolved: met, 3 h 30 m of 4 h used, due 15:00",
    ]


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


def test_what_time_alone_does_says_what_is_used_and_left() -> None:
    found = story(policy(RESOLUTION), "20:00", "09:00 opened; 14:00 resolved")
    assert [(entry.move, entry.used, entry.left) for entry in found.entries[1:3]] == [
        (Move.AT_RISK, timedelta(hours=3, minutes=12), timedelta(minutes=48)),
        (Move.OVERDUE, timedelta(hours=4), timedelta(0)),
    ]


def test_a_due_that_passed_within_grace_says_until_when_an_answer_is_awaited() -> None:
    found = explained(policy(RESOLUTION), "13:00:20", "09:00 opened", grace=timedelta(seconds=30)).stories
    last = next(one for one in found if one.clock == Clock.RESOLUTION).entries[-1]
    assert last.words.endswith(
        "due 13:00, which has passed: a breach is published after 13:00:30, lest an answer be on its way"
    )
