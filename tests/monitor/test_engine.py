"""The step: whatever the order, the chunks, the duplicates or the restarts, the same figures come out."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import Step, step
from monitor.events import Read, read_json
from monitor.frames import ORIGIN, latest
from monitor.policy import PolicySet, load
from monitor.state import SLICES, State, only_slices
from monitor.summary import summary

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
END = START + timedelta(hours=12)
NO_GRACE = timedelta(0)
Event = dict[str, Any]

POLICY = """
policy: support
labels: [service, priority]
targets:
  - {clock: first_response, when: {priority: P1}, within: 15m}
  - {clock: first_response, within: 2h, pauses: [customer]}
  - {clock: next_response, within: 1h}
  - {clock: resolution, within: 4h, pauses: "*", on_change: restart}
  - {clock: total_resolution, within: 6h}
  - {clock: acknowledgement, within: 30m}
  - {clock: promise}
slas:
  - {id: answered, title: Answered in time, owner: leads, measure: first_response, by: [service], goal: 90%, period: 1d}
"""


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load([("support.yaml", POLICY)])


def event(case: str, kind: str, minute: float, identifier: str | None = None, **data: Any) -> Event:
    time = START + timedelta(minutes=minute)
    family = data.pop("family", "interaction")
    return {
        "specversion": "1.0",
        "id": identifier or f"{kind}-{minute}",
        "source": "/desk",
        "type": kind if "." in kind else f"{family}.{kind}",
        "subject": case,
        "time": time.isoformat(),
        "data": data,
    }


def read(events: Sequence[Event], offset: int = 0) -> Read:
    places = {"topic": "t", "partition": 0, "offset": range(offset, offset + len(events)), "index": 0}
    origin = pl.DataFrame(places, schema=dict(ORIGIN)) if events else pl.DataFrame(schema=dict(ORIGIN))
    return read_json([json.dumps(event).encode() for event in events], origin, future_after=None)


def fold(batches: Iterable[Sequence[Event]], policies: PolicySet, until: datetime = END) -> tuple[State, list[Step]]:
    """A state that took these batches one after the other, its time that of the newest event, and at last `until`."""
    state, steps = State(), []
    for batch in [*batches, []]:
        arrived = read(batch)
        times = [time for time in (state.now, latest(arrived.events["time"])) if time is not None]
        now = until if not batch else max(times, default=START)
        steps.append(step(state, arrived, now, policies, grace=NO_GRACE))
        state.apply(steps[-1].delta)
    return state, steps


def published(state: State) -> list[tuple[Any, ...]]:
    """Verdicts that stand, without what depends on arrival (how often they were revised, series numbers)."""
    frame = state.verdicts.join(state.series, on="series").drop("series", "old_outcome", "change")
    return sorted(frame.rows(), key=repr)


def cells(state: State) -> list[tuple[Any, ...]]:
    return sorted(state.tiers.rows().join(state.series, on="series").drop("series").rows(), key=repr)


services = st.sampled_from(["billing", "chat"])
minutes = st.integers(0, 600)


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Events of a few cases: any kinds at any instants, so also contradictions, ties and what never opened."""
    events = []
    for number in range(draw(st.integers(1, 4))):
        case = f"case-{number}"
        family = draw(st.sampled_from(["interaction", "interaction", "complaint"]))
        if draw(st.booleans()):
            labels = {"service": draw(services), "priority": draw(st.sampled_from(["P1", "P2"]))}
            due = {"due_at": (START + timedelta(minutes=draw(minutes))).isoformat()} if draw(st.booleans()) else {}
            events.append(event(case, "opened", draw(st.integers(0, 60)), "first", family=family, **labels, **due))
        for place, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=8))):
            minute = draw(minutes)
            data: dict[str, Any] = {}
            if kind in ("paused", "resumed"):
                data["reason"] = draw(st.sampled_from(["customer", "parts"]))
            elif kind == "updated":
                data["priority"] = draw(st.sampled_from(["P1", "P3", None]))
            elif kind == "rating.submitted":
                data["csat"] = draw(st.integers(1, 5))
            elif kind == "measured":
                data |= {"response_time_s": draw(st.integers(0, 9000)), "service": draw(services)}
            events.append(event(case, kind, minute, f"{kind}-{place}", family=family_of(kind, family), **data))
    return events


KINDS = (
    *("opened", "responded", "customer_replied", "paused", "resumed", "updated", "resolved", "reopened"),
    *("closed", "cancelled", "abandoned", "rating.submitted", "measured"),
)


def family_of(kind: str, family: str) -> str:
    return "interaction" if kind == "measured" else family


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """Some events, and the same in another order, some of them twice, in chunks."""
    events = draw(lives())
    again = draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    shuffled = draw(st.permutations([*events, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
    bounds = [0, *cuts, len(shuffled)]
    return events, [list(shuffled[a:b]) for a, b in pairwise(bounds) if a < b]


@given(arrivals())
@settings(max_examples=150, deadline=None)
def test_order_chunks_and_duplicates_change_no_verdict_no_cell_and_no_figure(
    policies: PolicySet, arrived: tuple[list[Event], list[list[Event]]]
) -> None:
    events, batches = arrived
    once, _ = fold([events], policies)
    often, _ = fold(batches, policies)
    assert published(often) == published(once)
    assert cells(often) == cells(once)
    here, there = (summary({0: state}, policies, END) for state in (once, often))
    sent = sum(len(batch) for batch in batches)
    assert there["ledger"] == here["ledger"] | {"read": sent, "duplicate": sent - len(events)}
    for part in ("clocks", "slas", "indicators"):
        assert there[part] == here[part]


@given(arrivals())
@settings(max_examples=60, deadline=None)
def test_a_state_restored_from_slices_of_different_ages_and_the_later_deltas_is_the_same(
    policies: PolicySet, arrived: tuple[list[Event], list[list[Event]]]
) -> None:
    _, batches = arrived
    whole, steps = fold(batches, policies)
    restored, live = State(), State()
    taken: dict[int, int] = {}
    for number, made in enumerate(steps):
        live.apply(made.delta)
        for part in range(SLICES):
            if part % len(steps) == number:
                restored.apply(live.slice(part))
                taken[part] = number
    for number, made in enumerate(steps):
        restored.apply(only_slices(made.delta, frozenset(p for p, at in taken.items() if at < number)))
    assert published(restored) == published(whole)
    assert cells(restored) == cells(whole)
    assert restored.ledger() == whole.ledger()
    assert (restored.now, restored.newest_event) == (whole.now, whole.newest_event)
    assert sorted(restored.contributions.frame().rows(), key=repr) == sorted(
        whole.contributions.frame().rows(), key=repr
    )


@given(lives())
@settings(max_examples=60, deadline=None)
def test_partitions_that_keep_cases_whole_give_the_same_summary(policies: PolicySet, events: list[Event]) -> None:
    one, _ = fold([events], policies)
    split = {n: fold([[e for e in events if hash(e["subject"]) % 2 == n]], policies)[0] for n in (0, 1)}
    assert summary(split, policies, END) == summary({0: one}, policies, END)


@given(arrivals())
@settings(max_examples=60, deadline=None)
def test_the_ledger_balances_after_every_step(
    policies: PolicySet, arrived: tuple[list[Event], list[list[Event]]]
) -> None:
    _, batches = arrived
    state = State()
    for batch in batches:
        state.apply(step(state, read(batch), END, policies, grace=NO_GRACE).delta)
        ledger = summary({0: state}, policies, END)["ledger"]
        assert ledger["read"] == ledger["counted"] + ledger["duplicate"] + ledger["late"] + ledger["rejected"]
        assert ledger["cases_opened"] == ledger["cases_closed"] + ledger["cases_open"]


def outcomes(changes: pl.DataFrame, clock: str = "first_response") -> list[tuple[Any, ...]]:
    return changes.filter(pl.col("clock") == clock).select("change", "old_outcome", "outcome").rows()


def test_a_breach_that_a_late_event_proves_wrong_is_corrected_everywhere(policies: PolicySet) -> None:
    opened = event("c", "opened", 0, service="billing", priority="P1")
    answered_late = event("c", "responded", 60, "second")
    answered = event("c", "responded", 5, "first")
    state, steps = fold([[opened], [answered_late], [answered]], policies)
    seen = [change for made in steps for change in outcomes(made.changes)]
    assert seen[-1] == ("corrected", "breached", "met")
    assert state.ledger()["corrected"] == 1
    clean, _ = fold([[opened, answered_late, answered]], policies)
    assert cells(state) == cells(clean)
    row = state.verdicts.filter(pl.col("clock") == "first_response").row(0, named=True)
    assert (row["outcome"], row["old_outcome"], row["change"]) == ("met", "breached", "corrected")


def test_time_alone_ripens_an_open_clock_once(policies: PolicySet) -> None:
    state, _ = fold([[event("c", "opened", 0, service="billing", priority="P1")]], policies, START)
    seen = []
    for minute in (10, 13, 14, 15, 16, 17, 500):
        made = step(state, read([]), START + timedelta(minutes=minute), policies, grace=NO_GRACE)
        state.apply(made.delta)
        seen += [(minute, *row) for row in outcomes(made.changes)]
    assert seen == [(13, "at_risk", "open", "at_risk"), (16, "breached", "at_risk", "breached")]


def test_a_breach_that_no_event_decided_waits_for_the_grace(policies: PolicySet) -> None:
    state, _ = fold([[event("c", "opened", 0, service="billing", priority="P1")]], policies, START)
    due = START + timedelta(minutes=15)
    for now, expected in ((due + timedelta(seconds=30), []), (due + timedelta(seconds=31), ["breached"])):
        made = step(state, read([]), now, policies, grace=timedelta(seconds=30))
        state.apply(made.delta)
        changed = made.changes.filter(pl.col("clock") == "first_response", pl.col("change") == "breached")
        assert changed["change"].to_list() == expected


def test_the_second_of_two_conflicting_contents_is_a_duplicate_and_counted_as_conflicting(
    policies: PolicySet,
) -> None:
    first = event("c", "opened", 0, "same", service="billing")
    other = event("c", "opened", 0, "same", service="chat")
    state, _ = fold([[first], [other, first]], policies)
    assert state.ledger() == {"read": 3, "counted": 1, "duplicate": 2, "conflicting": 1}
    assert state.history.frame()["service"].to_list() == ["billing"]


def test_a_change_of_policy_judges_the_live_cases_anew(policies: PolicySet) -> None:
    events = [event("c", "opened", 0, service="billing", priority="P1"), event("c", "responded", 20)]
    state, _ = fold([events], policies)
    kinder = load([("support.yaml", POLICY.replace("within: 15m", "within: 30m"))])
    state.apply(step(state, read([]), END, kinder, grace=NO_GRACE).delta)
    fresh, _ = fold([events], kinder)
    assert published(state) == published(fresh)
    assert cells(state) == cells(fresh)


def test_response_times_of_the_first_publication_are_never_taken_back(policies: PolicySet) -> None:
    opened = event("c", "opened", 0, service="billing", priority="P1")
    state, _ = fold([[opened], [event("c", "responded", 60, "b")], [event("c", "responded", 5, "a")]], policies)
    assert state.published["n"].to_list() == [1]
    assert state.published["total"].to_list() == [3_600_000]


def test_targets_without_conditions_judge_a_batch_that_came_in_several_chunks() -> None:
    plain = load([("plain.yaml", "policy: plain\ntargets:\n  - {clock: first_response, within: 1h}")])
    chunks = [
        read([event("m", "measured", n, f"m-{n}", response_time_s=4) for n in range(begin, begin + 100)], begin)
        for begin in (0, 100)
    ]
    together = Read(pl.concat([chunk.events for chunk in chunks], rechunk=False), chunks[0].refused, 200)
    made = step(State(), together, END, plain, grace=NO_GRACE).delta["cells"]
    assert made.filter(pl.col("measure") == "first_response.met")["n"].sum() == 200
