"""Clocks, rules 4, 5, 6, 11 and 12: which target holds, and under which labels its verdict counts."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.clocks import derive
from monitor.policy import PolicySet, load
from tests.monitor.lives import at, check, history, policy, verdicts


def raised(on_change: str, within: str = "2h") -> PolicySet:
    return policy(
        f"clock: resolution, when: {{priority: P1}}, within: {within}, on_change: {on_change}",
        "clock: resolution, when: {priority: P3}, within: 3h",
    )


@pytest.mark.parametrize(
    ("on_change", "expected"),
    [
        ("retroactive", "at_risk started=10:00 due=12:00"),
        ("restart", "open started=11:00 due=13:00"),
        ("keep", "open started=10:00 due=13:00 line=1"),
    ],
)
def test_rule_5_the_new_lines_on_change_decides_what_a_raised_priority_does(on_change: str, expected: str) -> None:
    life = "10:00 opened priority=P3; 11:00 updated priority=P1"
    check(verdicts(raised(on_change), "11:50", c=life), "resolution", expected)


#          10:00      11:00      12:00        13:00       14:00
# P3 (3 h) |---------------------------------------|
# P1 (1 h)            |          | raised here: its due, 11:00, is past
@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("12:00 updated priority=P1; 14:00 resolved", "breached due=12:00 on_arrival=true decided=12:00 stopped=14:00"),
        ("12:00 updated priority=P1", "breached due=12:00 on_arrival=true stopped=- priority=P1"),
        # the breach stays, whatever comes later
        ("12:00 updated priority=P1; 12:01 updated priority=P3; 12:30 resolved", "breached due=12:00 on_arrival=true"),
        # at the very due it has not passed yet
        ("11:00 updated priority=P1; 11:00 resolved seq=1", "met due=11:00 on_arrival=false"),
        ("11:00 updated priority=P1", "breached due=11:00 on_arrival=false"),
    ],
)
def test_rule_5_a_new_due_already_past_is_a_breach_at_the_change(life: str, expected: str) -> None:
    check(verdicts(raised("retroactive", "1h"), c=f"10:00 opened priority=P3; {life}"), "resolution", expected)


@pytest.mark.parametrize(
    ("on_change", "life", "expected"),
    [
        # away at 11:00 and back: nothing is hidden
        ("retroactive", "11:00 updated priority=P9; 11:30 updated priority=P1", "breached due=12:00 on_arrival=false"),
        ("retroactive", "11:00 updated priority=P9; 13:00 updated priority=P1", "breached due=13:00 on_arrival=true"),
        ("keep", "11:00 updated priority=P9; 11:30 updated priority=P1", "breached due=12:00 started=10:00"),
        ("restart", "11:00 updated priority=P9; 11:30 updated priority=P1", "breached due=13:30 started=11:30"),
        # excluded while no line fits
        ("retroactive", "11:00 updated priority=P9", "excluded decided=11:00 due=- stopped=- elapsed=- priority=P9"),
        ("retroactive", "11:00 updated priority=P9; 11:30 resolved", "excluded decided=11:00"),
        ("retroactive", "11:00 updated priority=P9; 11:30 updated team=a", "excluded decided=11:00 team=-"),
        # a breach already due stays one
        ("retroactive", "12:30 updated priority=P9; 13:00 resolved", "breached due=12:00 priority=P1 stopped=13:00"),
        ("retroactive", "12:00 updated priority=P9; 13:00 resolved", "excluded decided=12:00"),
    ],
)
def test_rule_5_while_no_line_fits_the_clock_is_excluded_and_nothing_is_hidden(
    on_change: str, life: str, expected: str
) -> None:
    check(verdicts(raised(on_change), c=f"10:00 opened priority=P1; {life}"), "resolution", expected)


def test_rule_5_retroactive_measures_with_the_new_lines_calendar_and_pauses() -> None:
    policies = policy(
        "clock: resolution, when: {priority: P1}, within: 2h, calendar: day, pauses: [customer]",
        "clock: resolution, within: 8h",
        calendars="{day: {zone: UTC, hours: {mon-sun: ['09:00-18:00']}}}",
    )
    life = "08:00 opened; 08:30 paused reason=customer; 10:00 resumed; 11:00 updated priority=P1"
    check(verdicts(policies, "11:30", c=life), "resolution", "open started=8:00 due=12:00".replace("8:00", "08:00"))


def test_rule_5_after_a_restart_retroactive_measures_from_it() -> None:
    policies = policy(
        "clock: resolution, when: {priority: P1}, within: 2h, on_change: restart",
        "clock: resolution, when: {priority: P2}, within: 3h",
        "clock: resolution, within: 5h",
    )
    life = "10:00 opened; 11:00 updated priority=P1; 12:00 updated priority=P2"
    check(verdicts(policies, "12:30", c=life), "resolution", "open started=11:00 due=14:00")


def test_rule_5_an_update_that_chooses_the_same_line_changes_nothing() -> None:
    life = "10:00 opened priority=P1; 11:00 updated team=a; 11:30 updated priority=P1"
    check(verdicts(raised("restart"), "11:50", c=life), "resolution", "at_risk started=10:00 due=12:00 team=a")


def test_rule_5_keep_keeps_the_old_line_until_none_fits() -> None:
    policies = policy(
        "clock: resolution, when: {priority: P1}, within: 1h, on_change: keep",
        "clock: resolution, when: {priority: P2}, within: 4h, on_change: keep",
        "clock: resolution, when: {priority: P3}, within: 6h",
    )
    life = "10:00 opened priority=P3; 10:30 updated priority=P1; 10:40 updated priority=P2"
    check(verdicts(policies, "11:30", c=life), "resolution", "open line=2 due=16:00")
    life += "; 10:50 updated priority=; 10:55 updated priority=P2"
    check(verdicts(policies, "11:30", c=life), "resolution", "open line=1 due=14:00")


def test_rule_5_labels_changed_while_resolved_take_effect_at_the_reopening() -> None:
    policies = policy(
        "clock: total_resolution, when: {priority: P1}, within: 1h",
        "clock: total_resolution, within: 4h",
    )
    life = "10:00 opened; 11:30 resolved; 12:00 updated priority=P1"
    check(verdicts(policies, c=life), "total_resolution", "met stopped=11:30 due=14:00 priority=-")
    life += "; 13:00 reopened"
    check(verdicts(policies, c=life), "total_resolution", "breached due=13:00 on_arrival=true priority=P1")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("11:00 updated team=b; 11:30 resolved", "met team=b"),
        ("11:00 updated priority=P3; 11:30 resolved; 11:40 updated team=b", "met team=a"),
        ("11:00 updated team=; 11:30 resolved", "met team=- priority=P3"),
        ("11:30 resolved team=b", "met team=a"),  # other events' labels do not change the case
        ("12:30 updated team=b; 13:30 updated team=c; 14:00 resolved", "breached due=13:00 team=b"),
        ("13:00 updated team=b; 14:00 resolved", "breached due=13:00 team=b"),
        ("11:00 updated team=b", "breached due=13:00 team=b"),
    ],
)
def test_rule_4_a_verdict_counts_under_the_labels_in_force_when_it_was_decided(life: str, expected: str) -> None:
    check(verdicts(raised("retroactive"), c=f"10:00 opened priority=P3 team=a; {life}"), "resolution", expected)


def test_rule_4_an_update_before_the_opening_is_kept_by_what_the_opening_does_not_say() -> None:
    life = "09:00 updated team=a priority=P1; 10:00 opened priority=P3; 11:00 resolved"
    check(verdicts(raised("retroactive"), c=life), "resolution", "met team=a priority=P3 line=1")


VERSIONS = """
policy: test
labels: [priority]
targets: [{clock: resolution, within: 1h}]
---
policy: test
effective_from: 2026-03-02T12:00:00Z
labels: [priority]
limits: {grace: 10m}
targets: [{clock: resolution, when: {priority: P1}, within: 2h}, {clock: promise}]
"""


def test_rule_6_a_case_is_judged_by_the_version_in_force_when_it_opened() -> None:
    rows = derive(
        history(
            old="11:59:59 opened priority=P1; 14:00 updated priority=P2",
            new="12:00 opened priority=P1",
            none="12:00 opened",
        ),
        load([("policy.yaml", VERSIONS)]),
        at("14:05"),
    )
    check(
        rows,
        "resolution",
        "at_risk policy=1 line=0 due=14:00 wake=14:10 | no_target policy=1 line=- | breached policy=0 due=12:59:59",
    )
    check(rows, "promise", "no_target policy=1 | no_target policy=1")  # version 0 does not name it
    check(rows, "first_response", "no_target | no_target | no_target")


def test_rule_6_a_case_opened_before_every_version_has_no_target() -> None:
    policies = load([("policy.yaml", VERSIONS.split("---")[1])])
    rows = derive(history(c="10:00 opened priority=P1 due=11:00; 11:30 resolved"), policies, at("14:00"))
    check(rows, "resolution", "no_target policy=-1 line=- target=- elapsed=1:30 stopped=11:30 decided=-")
    check(rows, "promise", "")


@pytest.mark.parametrize(
    ("share", "now", "expected"),
    [
        ("0.8", "11:36", "open wake=11:36"),
        ("0.8", "11:36:00.000001", "at_risk wake=12:00"),
        ("0.5", "11:00:00.000001", "at_risk"),
        ("0.3333", "10:39:59.760001", "at_risk"),  # 0.3333 of 2 h is 2399.76 s
        ("0.3333", "10:39:59.76", "open"),
        ("false", "11:59", "open wake=12:00"),
    ],
)
def test_rule_11_an_open_clock_is_at_risk_once_the_share_of_its_target_is_used(
    share: str, now: str, expected: str
) -> None:
    check(
        verdicts(policy(f"clock: resolution, within: 2h, at_risk: {share}"), now, c="10:00 opened"),
        "resolution",
        expected,
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [("11:36", "open wake=-"), ("12:59", "at_risk due=-"), ("16:00", "at_risk due=- wake=-")],
)
def test_rule_11_a_paused_clock_stays_at_risk_or_not(now: str, expected: str) -> None:
    policies = policy("clock: resolution, within: 2h, pauses: [customer], at_risk: 0.5")
    paused_at = "10:30" if expected.startswith("open") else "11:01"
    life = f"10:00 opened; {paused_at} paused reason=customer"
    check(verdicts(policies, now, c=life), "resolution", expected)


def test_rule_11_at_risk_of_working_days_is_a_share_of_the_calendar_time_to_the_due() -> None:
    policies = policy(
        "clock: resolution, within: 2 business_days, calendar: day, at_risk: 0.5",
        calendars="{day: {zone: UTC, hours: {mon-fri: ['09:00-18:00']}}}",
    )
    check(
        verdicts(policies, "Tue 10:00", c="Mon 10:00 opened"),
        "resolution",
        "open wake=Tue_10:00 due=Wed_10:00 target=-",
    )
    check(verdicts(policies, "Tue 10:00:01", c="Mon 10:00 opened"), "resolution", "at_risk wake=Wed_10:00")


def test_rule_12_without_a_target_there_is_only_a_time() -> None:
    rows = verdicts(raised("keep"), c="10:00 opened; 11:00 responded; 12:00 resolved")
    check(
        rows, "resolution", "no_target started=10:00 stopped=12:00 elapsed=2:00 due=- decided=- wake=- target=- line=-"
    )
    check(rows, "first_response", "no_target elapsed=1:00")


def test_rule_12_a_clock_that_got_its_target_late_has_a_verdict() -> None:
    check(
        verdicts(raised("keep"), "11:00", c="10:00 opened; 10:30 updated priority=P3"), "resolution", "open due=13:00"
    )
    check(
        verdicts(raised("keep"), c="10:00 opened; 11:00 resolved; 11:30 updated priority=P3"), "resolution", "no_target"
    )


def test_wake_is_the_only_time_at_which_a_row_may_change() -> None:
    policies = policy("clock: resolution, within: 2h", "clock: promise", limits="{grace: 1m}")
    events = history(c="10:00 opened due=13:00", d="10:00 opened; 10:10 resolved")
    now, seen = at("10:00"), []
    for _ in range(8):
        rows = derive(events, policies, now)
        seen.append(rows.select("case", "clock", "outcome").sort("case", "clock").rows())
        wakes = [wake for wake in rows["wake"] if wake is not None]
        if not wakes:
            break
        again = derive(events, policies, min(wakes))
        assert again.drop("elapsed", "paused").equals(rows.drop("elapsed", "paused"))
        now = min(wakes) + timedelta(microseconds=1)
    assert len(seen) == 5  # two clocks, each open, at risk, breached
    assert now == datetime(2026, 3, 2, 13, 1, 0, 1, tzinfo=UTC)
