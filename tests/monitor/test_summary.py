"""The summary: exactly the object of POLICY.md, the same however events are partitioned, cut and ordered."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import step
from monitor.state import State
from monitor.summary import summary
from tests.monitor.minutes import Event, Lives, at, policy, read

POLICIES = policy("""
labels: [service, channel]
limits: {min_n: 3}
targets:
  - {clock: first_response, when: {service: gold}, within: 10m}
  - {clock: resolution, within: 1h}
  - {clock: next_response, within: 10m}
  - {clock: acknowledgement, within: 10m}
slas:
  - {id: answered, measure: first_response, by: [service], goal: 90%, period: 30d}
  - {id: satisfied, measure: {indicator: csat_top2_ratio, at_least: 0.85}, goal: 85%, period: 30d}
""")
GOLD = {"service": "gold", "channel": "web"}
END = 600.0


def folded(lives: Lives, partitions: int = 1, chunks: int = 1, backwards: bool = False) -> dict[str, Any]:
    """The summary after those lives came in, case by case to partitions, in chunks."""
    states = {number: State() for number in range(partitions)}
    events = read(lives).events
    order = events.select("case_key", "time").with_row_index("row")
    rows = order.sort("time", "row", descending=backwards)["row"]
    for chunk in range(chunks):
        for number, state in states.items():
            part = events[rows.gather_every(chunks, chunk)]
            part = part.filter(part["case_key"].cast(int, wrap_numerical=True) % partitions == number)
            whole = read({})._replace(events=part, read=part.height)
            state.apply(step(state, whole, at(END), POLICIES, grace=timedelta(0)).delta)
    return summary(states, POLICIES, at(END))


LIFE: Sequence[Event] = [
    (0, "opened", GOLD),
    (5, "responded"),
    (20, "customer_replied"),
    (50, "responded"),
    (55, "resolved"),
    (56, "rating.submitted", {"csat": 5, "nps": 9}),
]


def test_the_summary_is_the_object_that_the_documents_show() -> None:
    lives: Lives = {
        **{f"a{i}": LIFE for i in range(3)},
        "late": [(0, "opened", GOLD), (30, "responded"), (500, "resolved")],
        "open": [(595, "opened", GOLD)],
        "plain": [(0, "opened"), (1, "resolved")],
        "never": [(3, "responded")],
        "wrong": [(5, "opened"), (1, "resolved")],
        "complaint": [(590, "complaint.opened", GOLD)],
        "measured": [(9, "measured", {"service": "bot", "response_time_s": 5})],
    }
    found = folded(lives)
    assert list(found) == ["ledger", "clocks", "slas", "indicators"]
    assert found["ledger"] == {
        "read": 29, "counted": 29, "duplicate": 0, "late": 0, "rejected": 0, "rejected_by_reason": {},
        "rows_unreadable": 0, "cases_opened": 9, "cases_closed": 7, "cases_open": 2, "cases_unopened": 1,
        "cases_inconsistent": 1,
    }  # fmt: skip
    nothing = dict.fromkeys(("met", "breached", "open", "at_risk", "excluded", "inconsistent", "no_target"), 0)
    assert found["clocks"] == {
        "first_response": {**nothing, "met": 3, "breached": 1, "open": 1, "at_risk": 1, "no_target": 3},
        "next_response": {**nothing, "breached": 3},
        "resolution": {**nothing, "met": 4, "breached": 1, "open": 2, "inconsistent": 1, "no_target": 1},
        "acknowledgement": {**nothing, "at_risk": 1},
    }
    assert found["slas"] == [
        {"id": "answered", "labels": {"service": "gold"}, "good": 3, "bad": 1, "compliance": 0.75, "goal": "0.9",
         "budget_left": -1.5},
        {"id": "satisfied", "labels": {}, "good": 3, "bad": 0, "compliance": 1.0, "goal": "0.85", "budget_left": 1.0},
    ]  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_an_indicator_has_a_row_for_everything_and_one_for_each_value_of_each_single_label() -> None:
    lives: Lives = {
        "a": LIFE,
        "b": LIFE,
        "c": [(0, "opened", {"service": "basic"}), (1, "rating.submitted", {"csat": 3})],
    }
    rows = [row for row in folded(lives)["indicators"] if row["id"] == "csat_mean"]
    assert [(row["labels"], row["n"], row["value"]) for row in rows] == [
        ({}, 3, pytest.approx(13 / 3)),
        ({"service": "basic"}, 1, None),
        ({"service": "gold"}, 2, None),
        ({"channel": "web"}, 2, None),
    ]
    assert set(rows[0]) == {"id", "dimension", "labels", "value", "low", "high", "n"}


def test_rows_that_could_not_be_read_stand_outside_the_balance() -> None:
    found = summary({0: State()}, POLICIES, at(0), rows_unreadable=7)
    assert (found["ledger"]["rows_unreadable"], found["ledger"]["read"]) == (7, 0)


@st.composite
def a_life(draw: st.DrawFn) -> list[Event]:
    labels = {"service": draw(st.sampled_from(["gold", "basic"])), "channel": draw(st.sampled_from(["web", "phone"]))}
    kinds = ["responded", "customer_replied", "resolved", "reopened", "cancelled", "abandoned", "rating", "measured"]
    later = draw(st.lists(st.tuples(st.integers(-5, 400), st.sampled_from(kinds)), max_size=6))
    events: list[Event] = [(0, draw(st.sampled_from(["opened", "complaint.opened"])), labels)]
    for minute, kind in later:
        if kind == "rating":
            events.append((minute, "rating.submitted", {"csat": 1 + minute % 5, "nps": abs(minute) % 11}))
        elif kind == "measured":
            events.append((minute, kind, {"response_time_s": abs(minute) * 7, **labels}))
        else:
            events.append((minute, kind))
    return events


LIVES = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), a_life(), min_size=1, max_size=8)


@settings(max_examples=25)
@given(LIVES, st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_partitions_chunks_and_order_do_not_show(lives: Lives, partitions: int, chunks: int, backwards: bool) -> None:
    assert folded(lives, partitions, chunks, backwards) == folded(lives)
