"""Facts: what each measure counts, where it lies and under which labels; one life of a case a row."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from monitor import clocks, facts
from monitor.cases import labelled, ordered
from monitor.frames import FACTS, HISTORY, conform, referring
from monitor.policy import PolicySet
from tests.monitor.minutes import Event, Lives, at, policy, read

DAY = 24 * 60
WEEK = 7 * DAY

POLICY = """
labels: [service, priority]
limits: {short_abandon: 30s}
targets:
  - {clock: first_response, when: {priority: P1}, within: 10m}
  - {clock: first_response, when: {priority: bot}, within: 10m, bots_answer: true}
  - {clock: resolution, when: {priority: P1}, within: 1d}
"""
POLICIES = policy(POLICY)
P1 = {"priority": "P1"}


def facts_of(lives: Lives, minute: float = 1000 * DAY, policies: PolicySet = POLICIES) -> pl.DataFrame:
    cases = ordered(conform(read(lives).events, HISTORY))
    verdicts = clocks.judged(cases, policies, at(minute), timedelta(0))
    found = facts.facts(cases, policies, verdicts, at(minute))
    assert dict(found.rows.schema) == dict(referring(FACTS))
    return labelled(*found)


def measures(events: Sequence[Event], prefix: str, minute: float = 1000 * DAY) -> dict[str, float | None]:
    """Measures that begin so, without it, with the minute in which they lie (None: without bucket)."""
    rows = facts_of({"c": events}, minute).filter(pl.col("n") > 0)
    return {
        row["measure"].removeprefix(prefix): (row["at"] - at(0)) / timedelta(minutes=1) if row["at"] else None
        for row in rows.iter_rows(named=True)
        if row["measure"].startswith(prefix)
    }


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([(0, "opened")], {"opened": 0, "open": None}),
        ([(0, "complaint.opened")], {"opened": 0, "opened_complaint": 0, "open": None}),
        ([(0, "opened"), (5, "resolved")], {"opened": 0, "closed": None}),
        ([(0, "opened"), (5, "closed")], {"opened": 0, "closed": None}),
        ([(0, "opened"), (5, "cancelled")], {"opened": 0, "closed": None}),
        ([(0, "opened"), (5, "abandoned")], {"opened": 0, "closed": None}),
        ([(0, "opened"), (5, "resolved"), (6, "reopened")], {"opened": 0, "open": None}),
        ([(0, "opened"), (5, "resolved", {"outcome": "merged"})], {"opened": 0, "closed": None}),
        ([(3, "responded")], {"unopened": None}),
        ([(3, "resolved"), (9, "rating.submitted", {"csat": 5})], {"unopened": None}),
        ([(9, "rating.submitted", {"csat": 5})], {}),
        ([(9, "audit.scored", {"score": 1, "max_score": 2, "passed": True})], {}),
        ([(5, "opened"), (2, "resolved")], {"opened": 5, "closed": None, "inconsistent": None}),
        ([(5, "opened"), (2, "responded")], {"opened": 5, "open": None, "inconsistent": None}),
    ],
    ids=str,
)
def test_an_opened_case_is_open_or_closed_and_others_are_unopened(
    events: list[Event], standing: dict[str, Any]
) -> None:
    found = measures(events, "case.")
    assert {name: minute for name, minute in found.items() if name in _STANDING} == standing


_STANDING = {"opened", "opened_complaint", "open", "closed", "unopened", "inconsistent"}


@pytest.mark.parametrize(
    ("events", "answered"),
    [
        ([(0, "opened", P1), (4, "responded")], {"answered": 4, "answered_targeted": 4, "answered_within": 4}),
        ([(0, "opened", P1), (40, "responded")], {"answered": 40, "answered_targeted": 40}),
        ([(0, "opened"), (4, "responded")], {"answered": 4}),
        ([(0, "opened", P1), (4, "responded"), (4, "resolved")],
         {"answered": 4, "answered_targeted": 4, "answered_within": 4}),
        # resolved without an answer: neither answered nor given up
        ([(0, "opened", P1), (4, "resolved")], {}),
        ([(0, "opened", P1), (4, "resolved"), (5, "responded")], {}),
        # a private note and a bot are no answers, unless the line says so of bots
        ([(0, "opened", P1), (4, "responded", {"public": False})], {}),
        ([(0, "opened", P1), (4, "responded", {"by": "bot"})], {}),
        ([(0, "opened", {"priority": "bot"}), (4, "responded", {"by": "bot"})],
         {"answered": 4, "answered_targeted": 4, "answered_within": 4}),
        ([(0, "opened", P1), (2, "responded", {"by": "bot"}), (4, "responded")],
         {"answered": 4, "answered_targeted": 4, "answered_within": 4}),
        ([(0, "opened", P1), (4, "responded"), (9, "resolved", {"outcome": "duplicate"})], {}),
        ([(0, "opened", P1), (4, "abandoned")],
         {"abandoned": 4, "abandoned_targeted": 4, "abandoned_within": 4}),
        ([(0, "opened", P1), (40, "abandoned")], {"abandoned": 40, "abandoned_targeted": 40}),
        ([(0, "opened", P1), (0.5, "abandoned")],
         {"abandoned": 0.5, "abandoned_targeted": 0.5, "abandoned_within": 0.5, "abandoned_short": 0.5}),
        ([(0, "opened", P1), (4, "abandoned", {"waited_s": 30})],
         {"abandoned": 4, "abandoned_targeted": 4, "abandoned_within": 4, "abandoned_short": 4}),
        ([(0, "opened", P1), (4, "abandoned", {"waited_s": 30.1})],
         {"abandoned": 4, "abandoned_targeted": 4, "abandoned_within": 4}),
        ([(0, "opened"), (0.1, "abandoned")], {"abandoned": 0.1}),
        # given up after an answer, and cancelled by the service: not given up before one
        ([(0, "opened"), (1, "responded"), (4, "abandoned")], {"answered": 1}),
        ([(0, "opened", P1), (4, "cancelled")], {}),
    ],
    ids=str,
)  # fmt: skip
def test_a_case_is_answered_or_given_up_before_an_answer(events: list[Event], answered: dict[str, float]) -> None:
    found = measures(events, "case.")
    assert {name: minute for name, minute in found.items() if name.startswith(("answered", "abandoned"))} == answered


def test_the_value_of_an_answer_is_the_time_that_the_clock_ran() -> None:
    rows = facts_of({"c": [(0, "opened"), (4, "responded")]}).filter(pl.col("measure") == "case.answered")
    assert rows["value"].to_list() == [240_000]


@pytest.mark.parametrize(
    ("events", "minute", "decided"),
    [
        # no reopening within 7 days of the first resolve: decided once that instant has passed, at the resolve
        ([(0, "opened"), (5, "resolved")], 5 + WEEK + 0.001, {"resolved": 5, "right_first_time": 5}),
        ([(0, "opened"), (5, "resolved")], 5 + WEEK, {"resolved": 5}),
        ([(0, "opened"), (5, "closed")], 5 + WEEK + 1, {"resolved": 5, "right_first_time": 5}),
        ([(0, "opened"), (5, "resolved"), (5 + WEEK, "reopened")], 3 * WEEK,
         {"resolved": 5, "reopened": 5, "not_right_first_time": 5}),
        ([(0, "opened"), (5, "resolved"), (6 + WEEK, "reopened")], 3 * WEEK,
         {"resolved": 5, "reopened": 5, "right_first_time": 5}),
        ([(0, "opened"), (5, "resolved"), (6, "reopened"), (7, "resolved"), (8, "reopened")], 9,
         {"resolved": 5, "reopened": 5, "not_right_first_time": 5}),
        # what the first resolve states decides at once, whatever comes later
        ([(0, "opened"), (5, "resolved", {"right_first_time": True})], 5, {"resolved": 5, "right_first_time": 5}),
        ([(0, "opened"), (5, "resolved", {"right_first_time": False})], 5, {"resolved": 5, "not_right_first_time": 5}),
        ([(0, "opened"), (5, "resolved", {"right_first_time": True}), (6, "reopened")], 9,
         {"resolved": 5, "reopened": 5, "right_first_time": 5}),
        ([(0, "opened")], 5 * WEEK, {}),
        ([(0, "opened"), (5, "cancelled")], 5 * WEEK, {}),
        ([(0, "opened"), (5, "resolved", {"outcome": "merged"})], 5 * WEEK, {}),
        ([(5, "opened"), (2, "resolved")], 5 * WEEK, {}),
    ],
    ids=str,
)  # fmt: skip
def test_right_first_time_is_decided_at_the_first_resolve(
    events: list[Event], minute: float, decided: dict[str, float]
) -> None:
    found = measures(events, "case.", minute)
    wanted = ("resolved", "reopened", "right_first_time", "not_right_first_time")
    assert {name: where for name, where in found.items() if name in wanted} == decided


def test_an_undecided_case_says_when_time_decides_it() -> None:
    rows = facts_of({"c": [(0, "opened"), (5, "resolved")]}, 10).filter(pl.col("wake").is_not_null())
    assert rows.select("n", "at", "wake").rows() == [(0, None, at(5 + WEEK))]


def test_the_version_that_judges_a_case_says_within_what_a_reopening_counts() -> None:
    both = """
limits: {reopen: 1d}
---
policy: test
effective_from: 2026-03-03T00:00:00Z
limits: {reopen: 2d}
"""
    lives: Lives = {
        "old": [(0, "opened"), (5, "resolved"), (2 * DAY, "reopened")],
        "new": [(DAY, "opened"), (DAY + 5, "resolved"), (3 * DAY, "reopened")],
    }
    rows = facts_of(lives, policies=policy(both)).filter(pl.col("measure").cast(pl.String).str.ends_with("first_time"))
    found = dict(zip(rows["at"], rows["measure"], strict=True))
    assert found == {at(5): "case.right_first_time", at(DAY + 5): "case.not_right_first_time"}


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        ([(5, "complaint.resolved", {"outcome": "upheld"})], {"resolved": 5, "upheld": 5, "within_4_weeks": 5}),
        ([(4 * WEEK, "complaint.resolved", {"outcome": "partly_upheld"})],
         {"resolved": 4 * WEEK, "partly_upheld": 4 * WEEK, "within_4_weeks": 4 * WEEK}),
        ([(4 * WEEK + 1, "complaint.resolved", {"outcome": "rejected", "redress": True})],
         {"resolved": 4 * WEEK + 1, "rejected": 4 * WEEK + 1, "redress": 4 * WEEK + 1, "within_8_weeks": 4 * WEEK + 1}),
        ([(8 * WEEK, "complaint.resolved")], {"resolved": 8 * WEEK, "within_8_weeks": 8 * WEEK}),
        ([(8 * WEEK + 1, "complaint.closed")], {"resolved": 8 * WEEK + 1, "later": 8 * WEEK + 1}),
        ([(5, "complaint.resolved", {"outcome": "merged"})], {}),
        # a reopened complaint stands open; once resolved again, that resolve counts
        ([(5, "complaint.resolved", {"outcome": "rejected"}), (9, "complaint.reopened")], {}),
        ([(5, "complaint.resolved", {"outcome": "rejected"}), (9, "complaint.reopened"),
          (5 * WEEK, "complaint.resolved", {"outcome": "upheld"})],
         {"resolved": 5 * WEEK, "upheld": 5 * WEEK, "within_8_weeks": 5 * WEEK}),
    ],
    ids=str,
)  # fmt: skip
def test_a_complaint_counts_as_it_was_last_resolved(events: list[Event], counted: dict[str, float]) -> None:
    assert measures([(0, "complaint.opened"), *events], "complaint.") == counted


def test_an_interaction_is_no_complaint_however_it_was_resolved() -> None:
    assert measures([(0, "opened"), (5, "resolved", {"outcome": "upheld"})], "complaint.") == {}


@pytest.mark.parametrize(
    ("data", "scores"),
    [
        ({"csat": 5}, {"csat": 5000, "csat_top2": None}),
        ({"csat": 4}, {"csat": 4000, "csat_top2": None}),
        ({"csat": 3}, {"csat": 3000}),
        ({"nps": 10}, {"nps": 10_000, "nps_promoter": None}),
        ({"nps": 9}, {"nps": 9000, "nps_promoter": None}),
        ({"nps": 8}, {"nps": 8000}),
        ({"nps": 6}, {"nps": 6000, "nps_detractor": None}),
        ({"nps": 0}, {"nps": 0, "nps_detractor": None}),
        ({"ces": 6.5}, {"ces": 6500}),
        ({"csat": 1, "nps": 7, "ces": 1}, {"csat": 1000, "nps": 7000, "ces": 1000}),
        ({}, {}),
    ],
    ids=str,
)
def test_a_rating_counts_by_its_scores(data: dict[str, float], scores: dict[str, int | None]) -> None:
    rows = facts_of({"c": [(5, "rating.submitted", data)]})
    assert {row["measure"].removeprefix("rating."): row["value"] for row in rows.iter_rows(named=True)} == scores
    assert set(rows["at"]) <= {at(5)}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"score": 45, "max_score": 50, "passed": True}, {"score": 900, "passed": None}),
        ({"score": 1, "max_score": 3, "passed": False}, {"score": 333, "failed": None}),
    ],
    ids=str,
)
def test_an_audit_counts_by_its_share_of_the_greatest_score(data: dict[str, Any], found: dict[str, int | None]) -> None:
    rows = facts_of({"c": [(5, "audit.scored", data)]})
    assert {row["measure"].removeprefix("audit."): row["value"] for row in rows.iter_rows(named=True)} == found


@pytest.mark.parametrize(
    ("minute", "own", "labels"),
    [
        (5, {}, ("billing", "P1")),
        (15, {}, ("billing", "P2")),
        (10, {}, ("billing", "P2")),
        (15, {"service": "web"}, ("web", "P2")),
        (-5, {}, (None, None)),
        (-5, {"service": "web"}, ("web", None)),
    ],
    ids=str,
)
def test_a_rating_takes_the_labels_it_lacks_from_its_case_as_of_its_time(
    minute: float, own: dict[str, str], labels: tuple[str | None, str | None]
) -> None:
    life: list[Event] = [
        (minute, "rating.submitted", {"csat": 5, **own}),
        (0, "opened", {"service": "billing", "priority": "P1"}),
        (10, "updated", {"priority": "P2"}),
    ]
    rows = facts_of({"c": life}).filter(pl.col("measure") == "rating.csat")
    assert rows.select("service", "priority").rows() == [labels]


def test_a_fact_lies_under_the_labels_in_force_at_its_instant() -> None:
    life: list[Event] = [
        (0, "opened", P1), (4, "responded"), (10, "updated", {"priority": "P2"}), (20, "resolved"),
        (30, "updated", {"priority": "P3"}),
    ]  # fmt: skip
    found = dict(facts_of({"c": life}).select("measure", "priority").iter_rows())
    names = ("case.opened", "case.answered", "case.resolved", "case.right_first_time", "case.closed")
    assert [found[name] for name in names] == ["P1", "P1", "P2", "P2", "P3"]


def test_the_order_in_which_events_came_does_not_show() -> None:
    lives: Lives = {
        f"c{i}": [
            (0, "opened", P1),
            (i, "responded"),
            (20, "resolved"),
            (30, "reopened"),
            (31, "rating.submitted", {"nps": i}),
        ]
        for i in range(10)
    }
    backwards = {case: events[::-1] for case, events in reversed([*lives.items()])}
    found, again = (set(facts_of(lives).iter_rows()), set(facts_of(backwards).iter_rows()))
    assert found == again


# --- measured events ---

MEASURED = policy("""
labels: [service, priority]
limits: {short_abandon: 5s}
targets: [{clock: first_response, when: {priority: P1}, within: 1m}]
""")


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        ({}, {}),
        ({"response_time_s": 60} | P1, {"answered": 60_000, "answered_targeted": None, "answered_within": None}),
        ({"response_time_s": 61} | P1, {"answered": 61_000, "answered_targeted": None}),
        ({"response_time_s": 61}, {"answered": 61_000}),
        ({"resolution_time_s": 61}, {}),
        ({"right_first_time": True}, {"right_first_time": None}),
        ({"right_first_time": False}, {"not_right_first_time": None}),
        ({"abandoned": True}, {"abandoned": None}),
        ({"abandoned": True} | P1, {"abandoned": None, "abandoned_targeted": None}),
        ({"abandoned": True, "response_time_s": 30} | P1,
         {"abandoned": None, "abandoned_targeted": None, "abandoned_within": None}),
        ({"abandoned": True, "response_time_s": 5} | P1,
         {"abandoned": None, "abandoned_targeted": None, "abandoned_within": None, "abandoned_short": None}),
        ({"abandoned": True, "response_time_s": 90} | P1, {"abandoned": None, "abandoned_targeted": None}),
    ],
    ids=str,
)  # fmt: skip
def test_a_measured_event_is_a_case_opened_and_closed_at_its_time(
    data: dict[str, Any], counted: dict[str, int | None]
) -> None:
    events = read({"c": [(3, "measured", data), (3, "measured", data)]}).events
    rows = facts.measured(events, clocks.measured(events, MEASURED, at(9)), MEASURED)
    assert dict(rows.schema) == dict(FACTS)
    assert set(rows["n"]) == {2}
    assert rows["case_key"].null_count() == rows.height
    found = {row["measure"].removeprefix("case."): row for row in rows.iter_rows(named=True)}
    assert found["opened"]["at"] == at(3)
    assert found["closed"]["at"] is None
    values = {
        name: row["value"] and row["value"] // 2 for name, row in found.items() if name not in ("opened", "closed")
    }
    assert values == counted


def test_measured_events_of_one_bucket_and_labels_become_one_row_a_measure() -> None:
    events = read({"c": [(i / 60, "measured", {"service": "a", "response_time_s": i}) for i in range(20)]}).events
    rows = facts.measured(events, clocks.measured(events, MEASURED, at(9)), MEASURED)
    found = rows.filter(pl.col("measure") == "case.answered").sort("at")
    assert found.select("at", "n", "value").rows() == [(at(0), 10, 45_000), (at(1 / 6), 10, 145_000)]
