"""What explanations say beside the timelines: notes on the case, and verdicts without its pauses."""

import pytest

from monitor.explain import explain
from monitor.names import Clock, Outcome
from tests.monitor.lives import at, history, policy
from tests.monitor.stories import P3, RAISED, RESOLUTION, explained, story


def test_a_verdict_without_a_pause_may_be_a_breach_on_arrival() -> None:
    life = "10:00 opened priority=P3; 10:30 paused reason=x; 12:00 resumed; 12:30 updated priority=P1"
    paused = [f"{line}, pauses: '*'" for line in (RAISED.format("retroactive"), P3)]
    found = story(policy(*paused), "12:40", life)
    assert "breached on arrival at Mon 2026-03-02 12:30 +00:00" in found.without[0].words


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
