"""Judging anew: whichever rules change, and when, the state ends where those in force would have led from the start."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clocks.openings import Openings
from monitor.engine import outdated, step
from monitor.policy import PolicySet, load
from monitor.policy.judging import ALL
from tests.monitor.test_engine import (
    END,
    NO_GRACE,
    POLICY,
    START,
    Event,
    arrivals,
    cells,
    event,
    fold,
    outcomes,
    published,
    read,
)

BEFORE, LATER = START + timedelta(minutes=15), START + timedelta(minutes=30)
LATER_ONLY = f"\neffective_from: {LATER.isoformat()}{POLICY}"
EARLIER_TOO = f"effective_from: {BEFORE.isoformat()}\nlimits: {{reopen: 1h}}{POLICY}"
VERSIONS = {
    "as it was": POLICY,
    "other targets": POLICY.replace("within: 15m", "within: 30m"),
    "other labels": POLICY.replace("labels: [service, priority]", "labels: [service]"),
    "a later version": f"{POLICY}---\neffective_from: {LATER.isoformat()}{POLICY.replace('2h', '1h')}",
    "an earlier version": f"{POLICY}---\neffective_from: {START.isoformat()}{POLICY.replace('2h', '3h')}",
    "another limit at first": f"{EARLIER_TOO}---{LATER_ONLY}",
    "no promise at first": f"effective_from: {LATER.isoformat()}{POLICY}",
}


def versions(name: str) -> PolicySet:
    return load([("support.yaml", VERSIONS[name])])


@given(arrivals(), st.sampled_from(sorted(VERSIONS)), st.sampled_from(sorted(VERSIONS)))
@settings(max_examples=100, deadline=None)
def test_versions_that_come_into_force_at_any_moment_end_in_the_figures_of_versions_that_always_were(
    arrived: tuple[list[Event], list[list[Event]]], before: str, after: str
) -> None:
    events, batches = arrived
    lived = [e for e in events if e["type"] != "interaction.measured"]
    batches = [[e for e in batch if e["type"] != "interaction.measured"] for batch in batches]
    half = len(batches) // 2
    state, _ = fold(batches[:half], versions(before))
    for batch in batches[half:]:
        state.apply(step(state, read(batch), END, versions(after), grace=NO_GRACE).delta)
    state.apply(step(state, read([]), END, versions(after), grace=NO_GRACE).delta)
    fresh, _ = fold([lived], versions(after))
    assert published(state) == published(fresh)
    assert cells(state) == cells(fresh)
    assert outdated(state, versions(after)) is None


LIFE = [event("early", "opened", 0, priority="P2"), event("late", "opened", 40, priority="P2")]


@pytest.mark.parametrize(
    ("name", "since", "anew"),
    [
        ("as it was", None, []),
        ("a later version", LATER, ["late"]),
        ("other targets", ALL, ["early", "late"]),
    ],
)
def test_only_cases_whose_rules_changed_are_derived_again(name: str, since: datetime | None, anew: list[str]) -> None:
    state, _ = fold([LIFE], versions("as it was"), START + timedelta(hours=1))
    assert outdated(state, versions(name)) == since
    made = step(state, read([]), START + timedelta(hours=1), versions(name), grace=NO_GRACE)
    named = state.history.frame().select("case_key", "case")
    touched = made.delta["wakes"].join(named, on="case_key")["case"].to_list() if "wakes" in made.delta else []
    assert sorted(touched) == anew
    assert made.delta.keys() >= ({"meta", "wakes"} if anew else {"meta"})


def test_an_edited_objective_derives_no_case_again() -> None:
    state, _ = fold([LIFE], versions("as it was"))
    edited = load([("support.yaml", POLICY.replace("goal: 90%", "goal: 95%"))])
    assert edited.digest != versions("as it was").digest
    assert outdated(state, edited) is None
    assert step(state, read([]), END, edited, grace=NO_GRACE).delta.keys() == {"meta"}


def test_a_verdict_that_no_event_changed_is_told_as_restated_and_not_as_corrected() -> None:
    events = [event("c", "opened", 0, service="billing", priority="P1"), event("c", "responded", 20)]
    state, _ = fold([events], versions("as it was"))
    made = step(state, read([]), END, versions("other targets"), grace=NO_GRACE)
    state.apply(made.delta)
    assert outcomes(made.changes) == [("restated", "breached", "met")]
    assert "corrected" not in state.ledger()
    row = state.verdicts.filter(pl.col("clock") == "first_response").row(0, named=True)
    assert (row["outcome"], row["old_outcome"], row["change"]) == ("met", "breached", "restated")


@given(arrivals())
@settings(max_examples=30, deadline=None)
def test_a_raised_number_of_the_semantics_rebuilds_the_share_of_the_live_cases(
    arrived: tuple[list[Event], list[list[Event]]],
) -> None:
    events, batches = arrived
    policies = versions("as it was")
    lived = [e for e in events if e["type"] != "interaction.measured"]
    state, _ = fold([[e for e in batch if e["type"] != "interaction.measured"] for batch in batches], policies)
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Openings, "answered", nothing_answers)
        changed.setattr("monitor.engine.SEMANTICS", state.semantics + 1)
        assert outdated(state, policies) == ALL
        state.apply(step(state, read([]), END, policies, grace=NO_GRACE).delta)
        assert outdated(state, policies) is None
        fresh, _ = fold([lived], policies)
    assert published(state) == published(fresh)
    assert cells(state) == cells(fresh)


def nothing_answers(self: Openings, *arguments: Any) -> Any:
    return ANSWERED(self, *arguments) & False


ANSWERED = Openings.answered


def test_a_case_opened_before_every_version_has_the_limits_of_the_newest() -> None:
    """So another first version, which does not judge it, does not change what is known of it."""
    before, after = (load([("support.yaml", text)]) for text in (LATER_ONLY, f"{EARLIER_TOO}---{LATER_ONLY}"))
    lived = [event("c", "opened", 0), event("c", "resolved", 10), event("c", "reopened", 130)]
    state, _ = fold([lived], before)
    state.apply(step(state, read([]), END, after, grace=NO_GRACE).delta)
    fresh, _ = fold([lived], after)
    assert cells(state) == cells(fresh)


def test_what_other_rules_turn_is_restated_though_an_event_of_the_case_comes_along() -> None:
    tighter = load([("support.yaml", POLICY.replace("within: 15m", "within: 3m"))])
    opened = event("c", "opened", 0, service="billing", priority="P1")
    state, _ = fold([[opened, event("c", "responded", 5)]], versions("as it was"))
    made = step(state, read([event("c", "updated", 600, team="x")]), END, tighter, grace=NO_GRACE)
    [turned] = made.changes.filter(pl.col("clock") == "first_response").to_dicts()
    assert (turned["old_outcome"], turned["outcome"], turned["change"]) == ("met", "breached", "restated")
    assert "ledger" not in made.delta or "corrected" not in made.delta["ledger"]["counter"].to_list()
