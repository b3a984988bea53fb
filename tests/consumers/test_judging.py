"""What the judge sees of real states: folded from events by the engine, over two partitions."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from consumers.judging import Clock, Seen, is_current, judge, see
from monitor import engine
from monitor.events import read_json
from monitor.frames import ALERTS, ORIGIN, conform, empty
from monitor.policy import PolicySet, load
from monitor.state import State

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

POLICY = """
policy: support
labels: [service]
targets:
  - {clock: first_response, within: 30m}
  - {clock: resolution, within: 1h}
slas:
  - {id: answers, measure: first_response, by: [service], goal: 95%, period: 30d, min_events: 2,
     alerts: {burn: standard, breach: each, at_risk: true}}
"""


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load([("policy.yaml", POLICY)])


Happened = tuple[str, str, int]  # case, kind, minutes after T0


def fold(state: State, policies: PolicySet, now: datetime, *happened: Happened) -> None:
    values = [
        (
            f'{{"specversion":"1.0","id":"{case}-{kind}","source":"t","type":"interaction.{kind}","subject":"{case}",'
            f'"time":"{(T0 + minute * MINUTE).isoformat()}","data":{{"service":"billing"}}}}'
        ).encode()
        for case, kind, minute in happened
    ]
    origin = conform(pl.DataFrame({"index": [0] * len(values), "offset": list(range(len(values)))}), ORIGIN)
    read = read_json(values, origin, future_after=None)
    state.apply(engine.step(state, read, now, policies, grace=timedelta(0)).delta)


def at(states: dict[int, State], policies: PolicySet, previous: pl.DataFrame, now: datetime) -> Seen:
    seen = see(states, policies.newest, previous, now, "wall")
    assert seen is not None
    return seen


def test_cases_over_two_partitions_fire_and_resolve(policies: PolicySet) -> None:
    states = {0: State(), 1: State()}
    alerts = empty(ALERTS)

    def tick(minute: int, *happened: tuple[int, Happened]) -> list[tuple[str, str, str, str]]:
        nonlocal alerts
        now = T0 + minute * MINUTE
        for number, state in states.items():
            fold(state, policies, now, *(event for partition, event in happened if partition == number))
        made = judge(at(states, policies, alerts, now), policies.newest, alerts)
        alerts = made.alerts
        of_cases = made.transitions.filter(pl.col("case").is_not_null())
        return sorted(of_cases.select("case", "kind", "state", "reason").rows())

    assert tick(0, (0, ("a", "opened", 0)), (1, ("b", "opened", 0)), (1, ("c", "opened", 0))) == []
    assert tick(25, (1, ("c", "responded", 20))) == [
        ("a", "at_risk", "firing", "at_risk"),
        ("b", "at_risk", "firing", "at_risk"),
    ]
    assert tick(31, (0, ("a", "responded", 29))) == [
        ("a", "at_risk", "resolved", "ended"),
        ("b", "at_risk", "resolved", "ended"),
        ("b", "breach", "firing", "breached"),
    ]
    assert tick(32, (1, ("b", "responded", 28))) == [("b", "breach", "resolved", "corrected")]


def test_judgements_come_from_all_partitions(policies: PolicySet) -> None:
    states = {0: State(), 1: State()}
    now = T0 + 31 * MINUTE
    fold(states[0], policies, now, ("a", "opened", 0))
    fold(states[1], policies, now, ("b", "opened", 0))
    made = judge(at(states, policies, empty(ALERTS), now), policies.newest, empty(ALERTS))
    burn = made.transitions.filter(pl.col("kind") == "burn")
    assert burn["severity"].to_list() == ["page", "ticket"]
    assert burn["detail"].str.starts_with("billing: 2 of 2 answered late").all()
    assert made.transitions.filter(pl.col("kind") == "ledger").height == 0


def test_nothing_is_seen_before_a_partition_has_a_time(policies: PolicySet) -> None:
    assert see({0: State()}, policies.newest, empty(ALERTS), T0, "wall") is None


CURRENT = {
    "all at the wall clock": ([0, 29], "wall", True),
    "one lags": ([0, 31], "wall", False),
    "one has no time yet": ([0, None], "wall", False),
    "time of events: all at one instant, however old": ([900, 900], "event", True),
    "time of events: one is behind": ([900, 901], "event", False),
}


@pytest.mark.parametrize(("behind", "clock", "current"), CURRENT.values(), ids=CURRENT)
def test_a_partition_keeps_up_that_stands_at_the_wall_clock(
    behind: list[int | None], clock: Clock, current: bool
) -> None:
    states = {number: State() for number in range(len(behind))}
    for number, seconds in enumerate(behind):
        states[number].now = None if seconds is None else T0 - timedelta(seconds=seconds)
    assert is_current(states, T0, clock) is current
