"""Clocks, rules 9, 13 and 14: what stops each clock, what ends a case, cycles of replies and answers."""

from time import process_time

import polars as pl
import pytest

from monitor.clocks import derive
from tests.monitor.lives import at, check, history, policy, verdicts

ANSWERS = policy(
    "clock: first_response, when: {team: bots}, within: 1h, bots_answer: true",
    "clock: first_response, within: 1h",
    "clock: next_response, when: {team: bots}, within: 1h, bots_answer: true",
    "clock: next_response, when: {priority: P1}, within: 30m, on_change: keep",
    "clock: next_response, when: {priority: '!P9'}, within: 1h",
    "clock: acknowledgement, when: {team: bots}, within: 1h, bots_answer: true",
    "clock: acknowledgement, within: 2h",
)
TOTAL = policy(
    "clock: total_resolution, within: 2h", "clock: resolution, within: 2h", "clock: first_response, within: 1h"
)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:30 responded", "met stopped=10:30"),
        ("10:10 responded private; 10:30 responded", "met stopped=10:30"),
        ("10:10 responded bot; 10:30 responded", "met stopped=10:30"),
        ("10:10 responded bot", "breached stopped=-"),
        ("10:30 resolved; 10:40 responded", "met stopped=10:30"),
        ("10:30 closed", "met stopped=10:30"),
        ("10:05 updated team=bots; 10:10 responded bot", "met stopped=10:10 line=0"),
        ("10:05 updated team=bots; 10:07 updated team=; 10:10 responded bot", "breached line=1"),
        ("10:10 responded bot; 10:20 updated team=bots", "breached"),  # not in force when the bot answered
        ("10:10 customer_replied; 10:30 acknowledged", "breached"),
    ],
)
def test_first_response_stops_at_the_first_public_answer_or_resolve(life: str, expected: str) -> None:
    check(verdicts(ANSWERS, c=f"10:00 opened; {life}"), "first_response", expected)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:30 acknowledged", "met stopped=10:30 complaint=true"),
        ("10:30 responded", "met stopped=10:30"),
        ("10:30 resolved", "met stopped=10:30"),
        ("10:30 responded bot; 13:00 acknowledged", "breached stopped=13:00"),
        ("10:30 updated team=bots; 10:40 responded bot", "met stopped=10:40"),
    ],
)
def test_acknowledgement_stops_at_an_acknowledgement_answer_or_resolve(life: str, expected: str) -> None:
    check(verdicts(ANSWERS, c=f"10:00 opened complaint; {life}"), "acknowledgement", expected)
    check(verdicts(ANSWERS, c=f"10:00 opened; {life}"), "acknowledgement", "")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("11:00 resolved", "met stopped=11:00 elapsed=1:00"),
        ("11:00 resolved; 20:00 reopened; 20:30 resolved", "met stopped=20:30 due=21:00 elapsed=1:30 paused=0:00"),
        ("11:00 resolved; 20:00 reopened; 21:30 resolved", "breached due=21:00 stopped=21:30 elapsed=2:30"),
        ("11:00 resolved; 20:00 reopened", "breached due=21:00 stopped=-"),
        ("13:00 resolved; 20:00 reopened; 20:30 resolved", "breached due=12:00 stopped=20:30 elapsed=3:30"),
        # used up at the resolve: that was in time, but not if it goes on
        ("12:00 resolved", "met due=12:00"),
        ("12:00 resolved; 20:00 reopened; 20:00:01 resolved", "breached due=12:00"),
        ("11:00 resolved; 20:00 reopened; 20:30 resolved; 21:00 resolved", "met stopped=20:30"),
    ],
)
def test_total_resolution_runs_to_the_last_resolve_without_the_time_resolved(life: str, expected: str) -> None:
    rows = verdicts(TOTAL, c=f"10:00 opened; {life}")
    check(rows, "total_resolution", expected)


def test_resolution_stops_at_the_first_resolve_whatever_comes_later() -> None:
    rows = verdicts(TOTAL, c="10:00 opened; 11:00 resolved; 12:30 reopened; 15:00 resolved")
    check(rows, "resolution", "met stopped=11:00")


@pytest.mark.parametrize("kind", ["cancelled", "abandoned"])
@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("11:00 {kind}", "excluded decided=11:00 due=- stopped=- elapsed=- target=- line=- started=10:00"),
        ("12:00 {kind}", "excluded decided=12:00"),
        ("12:30 {kind}", "breached due=12:00 stopped=12:30 decided=12:00 cut=true elapsed=2:30"),
        ("11:00 {kind}; 11:30 resolved; 12:00 reopened", "excluded decided=11:00"),  # final
        ("11:00 resolved; 11:30 {kind}", "met stopped=11:00 cut=false"),
        ("09:00 {kind}; 10:30 resolved", "excluded decided=10:00"),
    ],
)
def test_rule_9_the_end_of_a_case_excludes_what_runs_and_hides_no_breach(kind: str, life: str, expected: str) -> None:
    rows = verdicts(TOTAL, c=f"10:00 opened; {life.format(kind=kind)}")
    check(rows, "resolution", expected)
    check(rows, "total_resolution", expected)


@pytest.mark.parametrize("outcome", ["duplicate", "merged"])
@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("11:00 resolved outcome={outcome}", "excluded decided=11:00 due=- stopped=-"),
        ("15:00 resolved outcome={outcome} team=x", "excluded decided=15:00 team=-"),
        ("11:00 resolved; 12:00 reopened; 12:30 resolved outcome={outcome}", "excluded decided=12:30"),
        ("11:00 resolved outcome={outcome}; 12:00 reopened", "met stopped=11:00"),
        ("11:00 resolved outcome={outcome}; 12:00 reopened; 12:30 resolved", "met stopped=11:00"),
        ("11:00 resolved; 11:30 resolved outcome={outcome}", "met stopped=11:00"),
    ],
)
def test_rule_9_what_was_no_case_is_excluded_unless_reopened(outcome: str, life: str, expected: str) -> None:
    check(verdicts(TOTAL, c=f"10:00 opened; {life.format(outcome=outcome)}"), "resolution", expected)


def test_rule_9_every_clock_of_what_was_no_case_is_excluded() -> None:
    rows = verdicts(TOTAL, c="10:00 opened; 12:00 responded; 13:00 resolved outcome=merged")
    assert set(rows["outcome"]) == {"excluded"}
    assert rows.height == 3


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        # the earliest unanswered reply starts it, more do not restart it
        ("11:00 customer_replied; 11:30 customer_replied; 11:50 responded", "met started=11:00 due=12:00 cycle=1"),
        (
            "11:00 customer_replied; 11:10 responded; 11:20 customer_replied; 13:00 responded; 13:10 customer_replied",
            "met cycle=1 started=11:00 | breached cycle=2 started=11:20 stopped=13:00 | breached cycle=3 started=13:10",
        ),
        ("11:00 customer_replied; 11:10 responded private; 12:10 responded", "breached due=12:00 stopped=12:10"),
        # a resolve ends an open cycle
        ("11:00 customer_replied; 11:30 resolved", "excluded decided=11:30"),
        ("11:00 customer_replied; 12:30 resolved", "breached due=12:00 stopped=12:30 cut=true"),
        ("11:00 customer_replied; 12:30 cancelled", "breached due=12:00 stopped=12:30 cut=true"),
        ("11:00 customer_replied; 12:00 cancelled", "excluded decided=12:00"),
        # a reply to a resolved case waits for the reopening, unless answered between
        ("11:00 resolved; 12:00 customer_replied", ""),
        ("11:00 resolved; 12:00 customer_replied; 15:00 reopened; 15:30 responded", "met started=15:00 due=16:00"),
        ("11:00 resolved; 12:00 customer_replied; 13:00 responded; 15:00 reopened", ""),
        ("11:00 resolved; 12:00 customer_replied; 13:00 responded bot; 15:00 reopened; 15:01 responded", "met"),
        ("11:00 customer_replied; 11:10 resolved; 15:00 reopened", "excluded"),  # the resolve settled it
        # cycles without a target are numbered too
        (
            "11:00 updated priority=P9; 11:00:01 customer_replied; 11:10 responded; "
            "11:20 updated priority=P2; 11:30 customer_replied; 11:40 responded",
            "no_target cycle=1 elapsed=0:09:59 | met cycle=2",
        ),
    ],
)
def test_rules_13_and_14_cycles_of_next_response(life: str, expected: str) -> None:
    check(verdicts(ANSWERS, c=f"10:00 opened; 10:10 responded; {life}"), "next_response", expected)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:05 customer_replied; 10:10 responded", ""),
        ("10:05 customer_replied; 10:10 responded; 10:20 customer_replied; 10:30 responded", "met started=10:20"),
        ("10:05 customer_replied; 10:10 resolved; 10:20 reopened", ""),
        ("10:05 customer_replied; 10:20 customer_replied", ""),
    ],
)
def test_rule_14_no_cycle_starts_before_the_first_response(life: str, expected: str) -> None:
    check(verdicts(ANSWERS, c=f"10:00 opened; {life}"), "next_response", expected)


#          10:20 reply      10:40 bot          11:10 bot
# bots     |----------------|                             a bot's answer counts
# P1       |-- raised ----- keep: the line in force still is the one without bots
@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:15 updated team=bots; 10:20 customer_replied; 10:40 responded bot", "met line=2 stopped=10:40"),
        ("10:20 customer_replied; 10:40 responded bot", "breached line=4 stopped=-"),
        ("10:20 customer_replied; 10:30 updated team=bots; 10:40 responded bot", "met line=2 stopped=10:40"),
        # P1 is `keep`: the line in force since the reply goes on, and lets bots answer
        (
            "10:15 updated team=bots; 10:20 customer_replied; 10:30 updated team= priority=P1; 10:40 responded bot",
            "met line=2 stopped=10:40",
        ),
        # the same labels in a cycle that begins under P1
        (
            "10:15 updated priority=P1; 10:20 customer_replied; 10:40 responded bot; 10:45 responded",
            "met line=3 stopped=10:45 due=10:50",
        ),
        ("10:20 customer_replied; 10:30 updated priority=P1; 10:45 responded", "met line=4 due=11:20"),
        (
            "10:20 customer_replied; 10:30 updated priority=P1; 10:45 responded; "
            "11:00 customer_replied; 11:20 responded",
            "met line=4 due=11:20 | met line=3 due=11:30 stopped=11:20",
        ),
    ],
)
def test_rule_14_the_line_in_force_says_whether_a_bot_ends_a_cycle(life: str, expected: str) -> None:
    check(verdicts(ANSWERS, c=f"10:00 opened; 10:10 responded; {life}"), "next_response", expected)


def test_ten_thousand_events_of_one_case_cost_as_much_as_those_of_ten_cases() -> None:
    turns = (
        "customer_replied",
        "updated priority=P1",
        "paused reason=x",
        "updated priority=P2",
        "resumed",
        "responded",
    )
    policies = policy(
        "clock: next_response, when: {priority: P1}, within: 1s, pauses: [x]",
        "clock: next_response, within: 1h, pauses: [x]",
        "clock: resolution, when: {priority: P1}, within: 20h, pauses: [x], on_change: restart",
        "clock: resolution, within: 30h, pauses: [x]",
    )

    def life(first: int, count: int) -> str:
        times = [f"Tue {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}" for n in range(first, first + count)]
        return "; ".join(["10:00 opened; 10:10 responded", *(f"{t} {turns[i % 6]}" for i, t in enumerate(times))])

    def cost(events: pl.DataFrame) -> float:
        spent = []
        for _ in range(3):
            start = process_time()
            rows = derive(events, policies, at("Wed 00:00"))
            spent.append(process_time() - start)
            assert rows.filter(pl.col("clock") == "next_response").height > 1_600
        return min(spent)

    one, ten = history(c=life(0, 10_000)), history(**{f"c{n}": life(n, 1_000) for n in range(10)})
    assert cost(one) < 5 * cost(ten)
