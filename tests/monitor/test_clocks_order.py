"""Clocks, rules 2, 10 and 15: what comes first, what opens and closes a case, and times that contradict."""

from itertools import permutations

import pytest

from monitor.cases import ordered
from tests.monitor.lives import check, history, policy, verdicts

BOTH = policy(
    "clock: first_response, within: 1h",
    "clock: resolution, when: {priority: P1}, within: 1h",
    "clock: resolution, within: 2h",
    "clock: next_response, within: 1h",
)


@pytest.mark.parametrize(
    "expected",
    [
        "10:00 opened; 11:00 responded",  # time
        "10:00 opened; 10:00 responded seq=0",  # opened before all else
        "10:00 updated; 10:00 resolved seq=1",  # absent sequences first
        "10:00 resolved seq=10; 10:00 responded seq=2",  # sequences are text
        "10:00 responded; 10:00 acknowledged; 10:00 resolved; 10:00 closed; 10:00 cancelled; 10:00 abandoned",
        "10:00 abandoned; 10:00 paused; 10:00 resumed; 10:00 reopened; 10:00 customer_replied; 10:00 updated",
        "10:00 updated source=a id=2; 10:00 updated source=b id=1",
        "10:00 updated source=a id=1; 10:00 updated source=a id=2",
    ],
)
def test_rule_2_events_are_ordered_by_time_opened_sequence_kind_source_id(expected: str) -> None:
    parts = [part.strip() for part in expected.split(";")]
    for order in list(permutations(range(len(parts))))[:50]:
        cases = ordered(history(c="; ".join(parts[i] for i in order)))
        assert [order[row] for row in cases.row] == list(range(len(parts)))


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        # at one instant the resolve comes before the update, unless sequences say otherwise
        ("10:00 opened; 11:30 resolved; 11:30 updated priority=P1", "met due=12:00"),
        ("10:00 opened; 11:30 resolved seq=2; 11:30 updated priority=P1 seq=1", "breached due=11:30 on_arrival=true"),
        ("10:00 opened; 11:30 resolved seq=2; 11:30 updated priority=P1", "breached due=11:30 on_arrival=true"),
        ("10:00 opened; 10:00 updated priority=P1", "breached due=11:00"),
    ],
)
def test_rule_2_decides_between_a_stop_and_a_change_of_one_instant(life: str, expected: str) -> None:
    check(verdicts(BOTH, c=life), "resolution", expected)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:00 opened; 10:30 opened priority=P1; 11:30 resolved", "met started=10:00 due=12:00 priority=-"),
        ("10:30 opened priority=P1; 10:00 opened; 11:30 resolved", "met started=10:00 due=12:00"),
        ("10:00 opened; 11:00 closed; 12:30 resolved", "met stopped=11:00"),
        ("10:00 opened; 11:00 resolved; 12:30 resolved", "met stopped=11:00"),
        ("10:00 opened; 12:30 closed", "breached due=12:00 stopped=12:30"),
    ],
)
def test_rule_10_the_earliest_opened_counts_and_closed_is_a_resolve(life: str, expected: str) -> None:
    check(verdicts(BOTH, c=life), "resolution", expected)


def test_rule_10_a_resolved_while_resolved_does_not_change_its_outcome() -> None:
    rows = verdicts(BOTH, c="10:00 opened; 11:00 closed; 11:30 resolved outcome=duplicate")
    check(rows, "resolution", "met stopped=11:00")


def test_rule_10_a_reopening_of_a_case_that_is_not_resolved_changes_nothing() -> None:
    policies = policy("clock: total_resolution, within: 2h")
    check(verdicts(policies, c="10:00 opened; 11:00 reopened; 11:30 resolved"), "total_resolution", "met stopped=11:30")


def test_rule_10_an_unopened_case_has_no_clocks() -> None:
    assert verdicts(BOTH, c="10:00 responded; 11:00 resolved").height == 0
    assert verdicts(BOTH).height == 0


@pytest.mark.parametrize(
    ("life", "first_response", "resolution"),
    [
        ("09:00 responded; 10:00 opened; 10:30 responded; 11:00 resolved", "inconsistent", "met"),
        ("09:00 resolved; 10:00 opened; 11:00 resolved", "inconsistent", "inconsistent"),
        ("09:00 closed; 10:00 opened", "inconsistent", "inconsistent"),
        ("09:00 responded private; 10:00 opened; 10:30 responded", "met", "breached"),
        ("09:00 responded bot; 10:00 opened; 10:30 responded", "met", "breached"),
        ("10:00 responded; 10:00 opened; 10:00 resolved", "met", "met"),  # one instant contradicts nothing
        ("09:00 paused; 09:00 customer_replied; 10:00 opened; 10:30 responded", "met", "breached"),
    ],
)
def test_rule_15_a_stop_before_the_opening_makes_that_clock_inconsistent(
    life: str, first_response: str, resolution: str
) -> None:
    rows = verdicts(BOTH, c=life)
    check(rows, "first_response", first_response)
    check(rows, "resolution", resolution)


def test_rule_15_inconsistent_rows_carry_started_and_nothing_else() -> None:
    rows = verdicts(BOTH, c="09:00 resolved; 10:00 opened priority=P1; 11:00 updated priority=P2")
    check(
        rows, "resolution", "inconsistent started=10:00 due=- stopped=- elapsed=- decided=- wake=- line=- priority=P1"
    )


def test_rule_15_a_contradiction_without_target_is_told_of_the_case() -> None:
    policies = policy("clock: resolution, when: {priority: P1}, within: 1h")
    events = history(late="09:00 resolved; 10:00 opened", fine="10:00 opened; 11:00 resolved", dup=DUPLICATE)
    cases = ordered(events).summary()
    told = dict(cases.select("case", "contradictory").iter_rows())
    assert told == {"late": True, "fine": False, "dup": False}
    rows = verdicts(policies, late="09:00 resolved; 10:00 opened")
    check(rows, "resolution", "no_target stopped=- elapsed=-")


DUPLICATE = "09:00 resolved outcome=duplicate; 10:00 opened"


def test_rule_15_a_bot_contradicts_only_where_the_line_counts_its_answers() -> None:
    life = "09:00 responded bot; 10:00 opened; 10:30 responded"
    check(verdicts(policy("clock: first_response, within: 1h"), c=life), "first_response", "met")
    counted = policy("clock: first_response, within: 1h, bots_answer: true")
    check(verdicts(counted, c=life), "first_response", "inconsistent")


def test_rule_15_an_answer_before_the_opening_still_lets_next_response_start() -> None:
    rows = verdicts(BOTH, c="09:00 responded; 10:00 opened; 10:30 customer_replied; 11:00 responded")
    check(rows, "next_response", "met started=10:30 due=11:30 stopped=11:00")
