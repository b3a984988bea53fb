"""Which verdicts another policy turns."""

from datetime import timedelta

import polars as pl

from monitor.flips import FLIPS, flips, of_live_cases, of_objectives
from monitor.policy import load
from monitor.state import State
from tests.monitor.lives import at, policy, verdicts
from tests.monitor.minutes import Lives, state_of

OLD = policy("clock: first_response, when: {priority: P1}, within: 1h", "clock: first_response, within: 4h")
NEW = policy("clock: first_response, when: {priority: P1}, within: 30m", "clock: resolution, within: 1h")
LIVES = {
    "late": "10:00 opened priority=P1 service=chat; 10:45 responded",
    "early": "10:00 opened priority=P1; 10:10 responded",
    "free": "10:00 opened; 10:10 responded",
}


def test_a_flip_names_both_outcomes_dues_and_lines() -> None:
    found = flips(verdicts(OLD, "10:50", **LIVES), verdicts(NEW, "10:50", **LIVES))
    assert found.schema == dict(FLIPS)
    first = found.filter(pl.col("clock") == "first_response")
    assert first.select("case", "old_outcome", "new_outcome", "old_line", "new_line").rows() == [
        ("free", "met", "no_target", 1, None),
        ("late", "met", "breached", 0, 0),
    ]
    late = first.row(1, named=True)
    assert (late["old_due"], late["new_due"], late["service"]) == (at("11:00"), at("10:30"), "chat")


def test_a_clock_that_only_one_side_names_flips_from_or_to_no_target() -> None:
    old, new = verdicts(OLD, "10:50", early=LIVES["early"]), verdicts(NEW, "10:50", early=LIVES["early"])
    shown = ("clock", "old_outcome", "new_outcome")
    assert flips(old, new).select(shown).rows() == [("resolution", "no_target", "at_risk")]
    assert flips(new, old).select(shown).rows() == [("resolution", "at_risk", "no_target")]


def test_the_same_verdicts_have_no_flips() -> None:
    old = verdicts(OLD, "10:50", **LIVES)
    assert flips(old, old).height == 0


def test_measured_events_of_one_case_are_paired_in_their_order() -> None:
    row = verdicts(OLD, "10:50", late=LIVES["late"]).filter(pl.col("clock") == "first_response")
    turned = row.with_columns(outcome=pl.lit("breached", row.schema["outcome"]))
    found = flips(pl.concat([row, row]), pl.concat([row, turned]))
    assert found.select("old_outcome", "new_outcome").rows() == [("met", "breached")]


SLAS = """
policy: test
labels: [service]
targets: [{clock: first_response, within: 4h}]
slas:
  - {id: chat, measure: first_response, where: {service: chat}, goal: 90%, period: 1d}
  - {id: all, measure: first_response, goal: 90%, period: 1d}
  - {id: other, measure: {indicator: nps, at_least: 10}, goal: 90%, period: 1d}
"""


def test_a_flip_counts_for_each_objective_that_measures_its_clock_and_series() -> None:
    turned = flips(verdicts(OLD, "10:50", **LIVES), verdicts(NEW, "10:50", **LIVES))
    found = of_objectives(turned, load([("slas", SLAS)]).newest.slas)
    assert found.select("sla", "case", "clock").rows() == [
        ("chat", "late", "first_response"),
        ("all", "free", "first_response"),
        ("all", "late", "first_response"),
    ]
    assert of_objectives(turned, []).height == 0


def test_live_cases_are_judged_by_both_as_of_the_time_of_their_state() -> None:
    at_45: Lives = {"c": [(0, "opened", {"priority": "P1"})], "d": [(0, "opened", {})]}
    state = state_of(at_45, OLD, 45)
    found = of_live_cases([state, State()], OLD, NEW, timedelta(0))
    shown = found.filter(pl.col("clock") == "first_response").select("case", "old_outcome", "new_outcome")
    assert shown.rows() == [("c", "open", "breached"), ("d", "open", "no_target")]
