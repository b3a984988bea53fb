"""Which verdicts another policy turns."""

import polars as pl

from monitor.flips import FLIPS, flips
from tests.monitor.lives import at, policy, verdicts

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
