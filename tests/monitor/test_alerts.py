"""Transitions of alerts, as tables of what held at which minute and what was told.

minute        0    1    2    3    4
burns         .    #    #    .    .
told               firing    resolved
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from monitor.alerts import KEPT_FOR, Step, Tick, step
from monitor.alerts.claims import WATCHED, watched_clocks
from monitor.frames import ALERTS, PAIRS, conform, empty
from monitor.policy import PolicySet, PolicyVersion, load

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

TEXT = """
policy: support
labels: [service, tier]
targets:
  - {clock: first_response, within: 4h}
  - {clock: resolution, within: 3d}
slas:
"""
ANSWERS = (
    "{id: answers, title: Answered in time, measure: first_response, by: [service], goal: 95%, period: 30d, "
    "alerts: {burn: standard, breach: each, at_risk: true}}"
)


def policy(*slas: str) -> PolicySet:
    return load([("policy.yaml", TEXT + "".join(f"  - {sla}\n" for sla in slas))])


NEWEST = policy(ANSWERS).newest


def pairs(*judged: str, service: str = "billing") -> pl.DataFrame:
    """The four pairs of `answers`, with what became of each."""
    usual = [("page", 14.4, "1h", "5m"), ("page", 6, "6h", "30m"), ("ticket", 3, "1d", "2h"), ("ticket", 1, "3d", "6h")]
    rows = [
        {"sla": "answers", "service": service, "pair": number, "severity": severity, "factor": factor}
        | {"long": long, "short": short, "bad": 12, "n": 80, "burn_long": 14.62, "burn_short": 16.0}
        | {"judged": word}
        for number, (word, (severity, factor, long, short)) in enumerate(zip(judged, usual, strict=True))
    ]
    return conform(pl.DataFrame(rows, schema_overrides={"factor": pl.Float64}), PAIRS)


CALM = ("not_burning",) * 4
PAGE = ("burning", "not_burning", "not_burning", "not_burning")


def verdict(**changed: Any) -> pl.DataFrame:
    row = {
        "case": "c-1",
        "clock": "first_response",
        "cycle": 1,
        "outcome": "breached",
        "on_arrival": False,
        "started": T0 - 4 * HOUR,
        "due": T0,
        "stopped": None,
        "target": 4 * HOUR,
        "elapsed": 4 * HOUR,
        "service": "billing",
    }
    return conform(pl.DataFrame([row | changed], schema_overrides=dict(WATCHED), strict=False), WATCHED)


def run(
    ticks: Sequence[tuple[float, pl.DataFrame | None, pl.DataFrame | None]],
    *,
    lagging: Sequence[float] = (),
    behind: Mapping[float, timedelta] | None = None,
    newest: PolicyVersion | None = None,
) -> list[tuple[float, Step]]:
    """Steps at minutes after T0, with pairs and verdicts; `behind`: how far now is behind the wall."""
    alerts, steps = empty(ALERTS), []
    for minute, judged, verdicts in ticks:
        now = T0 + minute * MINUTE
        tick = Tick(now, now + (behind or {}).get(minute, timedelta(0)), minute not in lagging)
        made = step(
            alerts,
            pairs(*CALM) if judged is None else judged,
            empty(WATCHED) if verdicts is None else verdicts,
            {},
            newest or NEWEST,
            tick,
        )
        alerts = made.alerts
        assert alerts["id"].is_unique().all()
        assert alerts.schema == made.transitions.schema == dict(ALERTS)
        steps.append((minute, made))
    return steps


def told(steps: list[tuple[float, Step]]) -> list[tuple[float, str, str]]:
    """(minute, state, reason) of every transition."""
    return [(minute, *row) for minute, made in steps for row in made.transitions.select("state", "reason").iter_rows()]


# ----- burn -----

BURN = {
    "nothing burns": ([CALM, CALM], {}, []),
    "it burns, and recovers": (
        [CALM, PAGE, PAGE, CALM, CALM],
        {},
        [(1, "firing", "burning"), (3, "resolved", "recovered")],
    ),
    "another pair of the same severity takes over": (
        [PAGE, ("not_burning", "burning", "not_burning", "not_burning"), CALM],
        {},
        [(0, "firing", "burning"), (2, "resolved", "recovered")],
    ),
    "page and ticket are two alerts": (
        [("burning", "burning", "burning", "not_burning"), ("not_burning",) * 2 + ("burning",) * 2, CALM],
        {},
        [
            (0, "firing", "burning"),
            (0, "firing", "burning"),
            (1, "resolved", "recovered"),
            (2, "resolved", "recovered"),
        ],
    ),
    "too few events never fire": ([("too_few",) * 4, ("not_significant",) * 4], {}, []),
    "it resolves for want of events": (
        [PAGE, ("too_few",) * 4],
        {},
        [(0, "firing", "burning"), (1, "resolved", "too_few")],
    ),
    "nothing resolves while a partition lags": (
        [PAGE, CALM, CALM, CALM],
        {"lagging": [1, 2]},
        [(0, "firing", "burning"), (3, "resolved", "recovered")],
    ),
    "it fires while a partition lags": ([PAGE], {"lagging": [0]}, [(0, "firing", "burning")]),
    "what was true 16 min before the wall clock is history": (
        [PAGE, CALM],
        {"behind": {0: 16 * MINUTE, 1: 16 * MINUTE}},
        [(0, "historic", "old_news"), (1, "historic", "recovered")],
    ),
    "15 min are no history yet": ([PAGE], {"behind": {0: 15 * MINUTE}}, [(0, "firing", "burning")]),
    "a backlog is caught up with, and it still burns": (
        [PAGE, PAGE, CALM],
        {"behind": {0: HOUR, 1: MINUTE}},
        [(0, "historic", "old_news"), (1, "firing", "burning"), (2, "resolved", "recovered")],
    ),
    "it burns again": (
        [PAGE, CALM, PAGE],
        {},
        [(0, "firing", "burning"), (1, "resolved", "recovered"), (2, "firing", "burning")],
    ),
}


@pytest.mark.parametrize(("held", "circumstances", "expected"), BURN.values(), ids=BURN)
def test_burn_alerts(
    held: list[tuple[str, ...]], circumstances: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    steps = run([(minute, pairs(*words), None) for minute, words in enumerate(held)], **circumstances)
    assert told(steps) == expected


def test_an_incident_keeps_its_id_and_the_next_one_has_another() -> None:
    steps = run([(minute, pairs(*words), None) for minute, words in enumerate([PAGE, CALM, PAGE])])
    first, resolved, second = (made.transitions["id"][0] for _, made in steps)
    assert first == resolved != second
    assert steps[-1][1].alerts.height == 2


def test_while_time_stands_still_each_transition_has_an_instant_of_its_own() -> None:
    words = [PAGE, CALM, PAGE, CALM]
    rows = [RUNNING, MET, RUNNING, NONE]
    steps = run([(0, pairs(*burns), held) for burns, held in zip(words, rows, strict=True)])
    made = pl.concat([made.transitions for _, made in steps])
    assert made["state"].to_list() == [state for state in ("firing", "resolved") * 2 for _ in range(2)]
    for kind in ("burn", "breach"):
        instants = made.filter(pl.col("kind") == kind)["at"].to_list()
        assert instants == [T0 + n * timedelta(milliseconds=1) for n in range(4)]


def test_objectives_of_two_services_are_two_alerts() -> None:
    both = pl.concat([pairs(*PAGE), pairs(*PAGE, service="delivery")])
    (_, made), (_, after) = run(
        [(0, both, None), (1, pl.concat([pairs(*PAGE), pairs(*CALM, service="delivery")]), None)]
    )
    assert made.transitions["service"].to_list() == ["billing", "delivery"]
    assert after.transitions.select("service", "state").rows() == [("delivery", "resolved")]


def test_a_burn_alert_says_what_burns_how_fast() -> None:
    row = run([(0, pairs(*PAGE), None)])[0][1].transitions.row(0, named=True)
    assert row["title"] == "billing: Answered in time"
    assert row["detail"] == (
        "billing: 12 of 80 answered late in the last hour; burns 30-day budget 14.6 \u00d7 too fast "
        "(limit 14.4, the last 5 minutes too)."
    )
    assert (row["severity"], row["since"], row["ended"]) == ("page", T0, None)
    assert json.loads(row["values"])["factor"] == 14.4


def test_an_objective_that_left_the_policy_resolves_its_alert() -> None:
    other = policy("{id: other, measure: resolution, goal: 95%, period: 30d}").newest
    ((_, fired),) = run([(0, pairs(*PAGE), None)])
    made = step(fired.alerts, empty(PAIRS), empty(WATCHED), {}, other, Tick(T0 + MINUTE, T0 + MINUTE, True))
    assert made.transitions.select("state", "reason").rows() == [("resolved", "not_watched")]


# ----- breaches -----

RUNNING, STOPPED = verdict(), verdict(stopped=T0 + 2 * MINUTE, elapsed=4 * HOUR + 2 * MINUTE)
MET = verdict(outcome="met", stopped=T0 - MINUTE)
NONE = empty(WATCHED)

BREACH = {
    "it is overdue, then answered": (
        [RUNNING, RUNNING, STOPPED, STOPPED],
        {},
        [(0, "firing", "breached"), (2, "resolved", "stopped")],
    ),
    "it is corrected: the answer was in time": (
        [RUNNING, MET, MET],
        {},
        [(0, "firing", "breached"), (1, "resolved", "corrected")],
    ),
    "it is judged anew by other rules: the answer was in time": (
        [RUNNING, verdict(outcome="met", stopped=T0 - MINUTE, change="restated"), MET],
        {},
        [(0, "firing", "breached"), (1, "resolved", "restated")],
    ),
    "it arrives already answered: both are told": (
        [NONE, NONE, NONE, STOPPED, STOPPED],
        {},
        [(3, "firing", "breached"), (3, "resolved", "stopped")],
    ),
    "it arrives already answered while a partition lags": (
        [NONE, NONE, NONE, STOPPED, STOPPED],
        {"lagging": [3]},
        [(3, "firing", "breached"), (4, "resolved", "stopped")],
    ),
    "it was due 16 min before it was judged": (
        [NONE, RUNNING, STOPPED],
        {"behind": {1: 15 * MINUTE, 2: 15 * MINUTE}},
        [(1, "historic", "old_news"), (2, "historic", "stopped")],
    ),
    "it was due and answered long ago: recorded once": (
        [STOPPED, STOPPED],
        {"behind": {0: HOUR, 1: HOUR}},
        [(0, "historic", "stopped")],
    ),
    "an old breach is history for good, also when the backlog is caught up with": (
        [RUNNING, RUNNING],
        {"behind": {0: HOUR, 1: HOUR}},
        [(0, "historic", "old_news")],
    ),
    "nothing resolves while a partition lags": (
        [RUNNING, STOPPED, STOPPED],
        {"lagging": [1]},
        [(0, "firing", "breached"), (2, "resolved", "stopped")],
    ),
    "a breach on arrival is counted, but nobody is called": ([verdict(on_arrival=True)], {}, []),
    "corrected, then breached after all": (
        [RUNNING, MET, RUNNING, STOPPED],
        {},
        [
            (0, "firing", "breached"),
            (1, "resolved", "corrected"),
            (2, "firing", "breached"),
            (3, "resolved", "stopped"),
        ],
    ),
    "the case is archived": (
        [RUNNING, NONE],
        {},
        [(0, "firing", "breached"), (1, "resolved", "archived")],
    ),
    "a clock that no objective watches": ([verdict(clock="resolution")], {}, []),
}


@pytest.mark.parametrize(("held", "circumstances", "expected"), BREACH.values(), ids=BREACH)
def test_breach_alerts(
    held: list[pl.DataFrame], circumstances: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    steps = run([(minute, None, rows) for minute, rows in enumerate(held)], **circumstances)
    assert told(steps) == expected


def test_a_breach_is_one_alert_whatever_is_corrected() -> None:
    moved = verdict(service="delivery", due=T0 - MINUTE)
    steps = run([(0, None, RUNNING), (1, None, MET), (2, None, moved)])
    assert len({made.transitions["id"][0] for _, made in steps}) == 1
    assert steps[-1][1].alerts.height == 1


def test_a_breach_alert_says_when_it_was_due_and_how_late_it_came() -> None:
    steps = run([(0, None, RUNNING), (3, None, STOPPED)])
    fired, resolved = (made.transitions.row(0, named=True) for _, made in steps)
    assert fired["title"] == "c-1: first response overdue"
    assert fired["detail"] == "The first response of c-1 has not come: due 2026-11-20 12:00:00 UTC (target 4 hours)."
    assert (resolved["since"], resolved["ended"], resolved["at"]) == (T0, T0 + 2 * MINUTE, T0 + 3 * MINUTE)
    assert resolved["detail"].startswith("The first response of c-1 came at 2026-11-20 12:02:00 UTC, 2m late")


def test_every_case_and_every_objective_that_asks_has_its_own_alert() -> None:
    two = policy(
        ANSWERS,
        "{id: gold, measure: first_response, where: {tier: gold}, goal: 99%, period: 30d, alerts: {breach: each}}",
    ).newest
    rows = pl.concat([verdict(case="a", tier="gold"), verdict(case="b", tier="free")])
    made = run([(0, None, rows)], newest=two)[0][1]
    assert made.transitions.select("sla", "case").rows() == [("answers", "a"), ("answers", "b"), ("gold", "a")]


def test_the_clocks_that_are_watched_are_those_that_an_objective_asks_for() -> None:
    assert watched_clocks(NEWEST) == ("first_response",)
    assert watched_clocks(policy("{id: a, measure: resolution, goal: 95%, period: 30d}").newest) == ()


# ----- at risk, ledger, memory -----


def test_at_risk_ends_when_it_is_answered_or_breached() -> None:
    risky = verdict(outcome="at_risk", due=T0 + HOUR)
    steps = run([(0, None, risky), (1, None, risky), (2, None, verdict(due=T0 + MINUTE))])
    assert told(steps) == [(0, "firing", "at_risk"), (2, "firing", "breached"), (2, "resolved", "ended")]
    assert steps[0][1].transitions["severity"][0] == "info"


def test_an_imbalance_of_the_ledger_pages_until_it_is_gone() -> None:
    balanced = {"read": 10, "counted": 7, "duplicate": 1, "late": 1, "rejected": 1}
    balanced |= {"cases_opened": 3, "cases_closed": 2, "cases_open": 1}
    wrong = balanced | {"read": 11, "cases_open": 0}
    made = step(empty(ALERTS), empty(PAIRS), NONE, {0: balanced, 3: wrong}, NEWEST, Tick(T0, T0, True))
    row = made.transitions.row(0, named=True)
    assert (row["kind"], row["severity"], row["state"], row["partition"]) == ("ledger", "page", "firing", 3)
    assert "read 11, but counted 7 + duplicate 1 + late 1 + rejected 1 = 10; cases_opened 3" in row["detail"]
    after = step(made.alerts, empty(PAIRS), NONE, {0: balanced, 3: balanced}, NEWEST, Tick(T0, T0, True))
    assert after.transitions.select("state", "reason").rows() == [("resolved", "balanced")]


def test_alerts_that_were_over_long_ago_are_forgotten_but_not_a_breach_that_is_still_held() -> None:
    long_after = (KEPT_FOR + HOUR) / MINUTE
    steps = run([(0, pairs(*PAGE), RUNNING), (2, None, STOPPED), (long_after, None, STOPPED)])
    burn = steps[0][1].transitions.filter(pl.col("kind") == "burn")["id"].to_list()
    assert steps[-1][1].forgotten == burn
    assert steps[-1][1].alerts["kind"].to_list() == ["breach"]
    gone = run([(0, pairs(*PAGE), RUNNING), (2, None, STOPPED), (long_after, None, NONE)])
    assert gone[-1][1].alerts.height == 0


def test_nothing_is_told_twice_when_the_same_is_seen_again() -> None:
    ticks = [(0, pairs(*PAGE), RUNNING), (1, pairs(*PAGE), RUNNING)]
    assert [len(made.transitions) for _, made in run(ticks)] == [2, 0]
