"""What another policy would change: objectives, clocks by label, and each verdict that flips with its line."""

import polars as pl

from monitor.frames import VERDICTS
from monitor.policy import PolicySet, load
from monitor.summary import summary
from monitor.whatif import BY_LABEL, FLIP_ROWS, OBJECTIVES, Comparison, Side, as_rows, compare
from tests.monitor import minutes
from tests.monitor.lives import policy, verdicts

SLAS = "[{id: answered, measure: first_response, by: [service], goal: 90%, period: 30d}]"
OLD = policy(
    "clock: first_response, when: {priority: P1}, within: 30m",
    "clock: first_response, within: 1h",
    labels="[service, priority]",
    slas=SLAS,
)
NEW = policy(
    "clock: first_response, when: {priority: P1}, within: 1h",
    "clock: first_response, when: {service: chat}, within: 5m",
    labels="[service, team]",
    slas=SLAS.replace("}]", "}, {id: all, measure: first_response, goal: 50%, period: 30d}]"),
)
# minutes after the opening, and what is answered then
LIVES: minutes.Lives = {
    "urgent": [(0, "opened", {"service": "mail", "priority": "P1"}), (40, "responded")],
    "chat": [(0, "opened", {"service": "chat"}), (10, "responded")],
    "mail": [(0, "opened", {"service": "mail"}), (10, "responded")],
    "waits": [(0, "opened", {"service": "mail", "priority": "P1"})],
}


def side(policies: PolicySet, rows: pl.DataFrame | None = None) -> Side:
    state = minutes.state_of(LIVES, policies, 45)
    lives = {
        "urgent": "10:00 opened service=mail priority=P1; 10:40 responded",
        "chat": "10:00 opened service=chat; 10:10 responded",
        "mail": "10:00 opened service=mail; 10:10 responded",
        "waits": "10:00 opened service=mail priority=P1",
    }
    judged = verdicts(policies, "10:45", **lives) if rows is None else rows
    return Side(policies, summary({0: state}, policies, minutes.at(45)), judged)


def compared() -> Comparison:
    return compare(side(OLD), side(NEW))


def test_objectives_stand_side_by_side_also_those_that_only_one_policy_has() -> None:
    rows = compared().objectives
    assert rows.schema == OBJECTIVES
    told = rows.select("sla", "labels", "compliance_before", "compliance_after", "goal_after").rows()
    assert told == [
        ("all", "", None, 0.5, "0.5"),
        ("answered", "service chat", 1.0, 0.0, "0.9"),
        ("answered", "service mail", 1 / 3, 1.0, "0.9"),
    ]


def test_clocks_are_counted_in_total_and_for_each_value_of_each_label_of_either_policy() -> None:
    rows = compared().by_label
    assert rows.schema == BY_LABEL
    told = rows.select("clock", "label", "value", "met_before", "breached_before", "met_after", "breached_after")
    assert told.rows() == [
        ("first_response", None, None, 2, 2, 1, 1),
        ("first_response", "priority", "P1", 0, 2, 1, 0),
        ("first_response", "service", "chat", 1, 0, 0, 1),
        ("first_response", "service", "mail", 1, 2, 1, 0),
    ]
    assert rows.row(0, named=True)["compliance_before"] == 0.5


def test_every_flip_names_the_line_that_judged_before_and_after() -> None:
    rows = compared().flips
    assert list(rows.schema.items())[: len(FLIP_ROWS)] == list(FLIP_ROWS.items())
    assert rows.columns[len(FLIP_ROWS) :] == ["service", "team", "priority"]
    told = rows.select("case", "old_outcome", "new_outcome", "old_line", "new_line").rows()
    every = "2. every other case: first response within 1 hour round the clock"
    urgent = "1. priority P1: first response within {} round the clock"
    assert told == [
        ("chat", "met", "breached", every, "2. service chat: first response within 5 minutes round the clock"),
        ("mail", "met", "no_target", every, None),
        ("urgent", "breached", "met", urgent.format("30 minutes"), urgent.format("1 hour")),
        ("waits", "breached", "open", urgent.format("30 minutes"), urgent.format("1 hour")),
    ]


def test_a_flip_says_which_version_judged() -> None:
    text = "policy: test\ntargets: [{clock: first_response, within: 1h}]\n"
    later = "---\npolicy: test\neffective_from: 2026-03-01T00:00:00Z\ntargets: [{clock: first_response, within: 1m}]\n"
    old, new = (load([("p.yaml", written)]) for written in (text, text + later))
    rows = compare(side(old), side(new)).flips
    assert rows["old_policy_from"].to_list() == [None] * rows.height
    assert set(rows["new_policy_from"].dt.date().cast(pl.String)) == {"2026-03-01"}


def test_without_events_nothing_flips() -> None:
    none = pl.DataFrame(schema=dict(VERDICTS))
    empty = compare(side(OLD, none), side(OLD, none))
    assert (empty.by_label.height, empty.flips.height) == (0, 0)


def test_a_comparison_as_json_has_plain_values() -> None:
    rows = as_rows(compared())
    assert list(rows) == ["objectives", "by_label", "flips"]
    assert rows["flips"][0]["old_due"] == "2026-03-02T11:00:00.000Z"
