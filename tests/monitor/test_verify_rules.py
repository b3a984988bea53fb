"""Rules that changed while events came: what was judged once is judged again by the rules of its day.

offset    0 ..... 3 ..... 6 .....
rules        A       B       A       measured events by A, B, A; live cases by A; archived ones by those of their day
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import step
from monitor.frames import conform
from monitor.in_force import IN_FORCE, resumed
from monitor.policy import PolicySet
from monitor.state import SEMANTICS, State
from monitor.verify import Figure, Findings
from tests.monitor.test_engine import END, NO_GRACE, START, Event, arrivals, event, read
from tests.monitor.test_restating import VERSIONS, versions
from tests.monitor.test_verify import verified

names = st.sampled_from(sorted(VERSIONS))
Batch = tuple[str, Sequence[Event]]  # the name of the versions in force, and what came


def judged(batches: Sequence[Batch], now: datetime = END, *, forgets: bool = False) -> State:
    """A state that took these batches, each with the versions of that name in force; its offsets count events."""
    state, at = State(), 0
    for name, batch in batches:
        at += len(batch)
        arrived = read(batch, at - len(batch))
        rules = versions(name)
        state.apply(step(state, arrived, now, rules, grace=NO_GRACE, offsets={"t": at}, forgets=forgets).delta)
    return state


def held_against(state: State, batches: Sequence[Batch], late: Sequence[int] = ()) -> Findings:
    in_turn = [name for place, (name, _) in enumerate(batches) if place == 0 or name != batches[place - 1][0]]
    *before, last = [versions(name) for name in in_turn]
    return verified(state, [each for _, batch in batches for each in batch], last, before=before, late=late)


@given(arrivals(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_state_is_equal_to_its_events_however_often_the_rules_changed_meanwhile(
    arrived: tuple[list[Event], list[list[Event]]], data: st.DataObject
) -> None:
    batches = [(data.draw(names), batch) for batch in arrived[1]]
    if not batches:
        return
    findings = held_against(judged(batches), batches)
    assert findings.equal, findings.first
    assert findings.unproven == []


def measured(minute: int, seconds: float) -> Event:
    return event("m", "measured", minute, service="chat", priority="P1", response_time_s=seconds)


# 20 min are late within 15 min and in time within 30 min.
CHANGED: list[Batch] = [
    ("as it was", [measured(1, 1200), event("a", "opened", 2, service="billing", priority="P1")]),
    ("other targets", [measured(3, 1200), measured(4, 1200), event("a", "responded", 22)]),
    ("as it was", [measured(5, 1200), measured(1, 1200)]),
]


def test_a_change_of_rules_in_the_middle_is_equal() -> None:
    state = judged(CHANGED)
    assert state.in_force.select("number", "topic", "from_offset").rows() == [(1, None, 0), (2, "t", 2), (3, "t", 5)]
    assert held_against(state, CHANGED).equal
    counted = dict(state.tiers.rows().filter(pl.col("tier") == "all").group_by("measure").agg(pl.col("n").sum()).rows())
    assert (counted["first_response.met"], counted["first_response.breached"]) == (2, 3)


def test_a_measured_event_that_other_rules_judged_than_those_of_its_day_is_named() -> None:
    state = judged(CHANGED)
    moved = pl.when(pl.col("number") == 2).then(pl.lit(3)).otherwise("from_offset")
    state.in_force = state.in_force.with_columns(from_offset=moved.cast(pl.Int64))
    first = held_against(state, CHANGED).first
    assert first is not None
    assert first.figure == Figure.CELL
    assert "first response" in first.subject
    assert "bucket of 2026-03-01T09:03:00Z, service chat" in first.subject


def cell_of_before_turned(state: State) -> None:
    rows = state.tiers.rows().filter(pl.col("tier") == "1m", pl.col("measure") == "first_response.breached").head(1)
    state.apply({"cells": conform(rows.with_columns(n=pl.lit(1, pl.Int64)), dict(rows.drop("tier").schema))})


def test_sums_of_before_the_rules_changed_are_not_taken_on_trust() -> None:
    state = judged(CHANGED)
    cell_of_before_turned(state)
    first = held_against(state, CHANGED).first
    assert first is not None
    assert "first response breached, bucket of 2026-03-01T09:01:00Z" in first.subject
    assert (first.live.partition(" ")[0], first.recomputed.partition(" ")[0]) == ("2", "1")


def archiving() -> list[Batch]:
    """A case that is archived while other targets hold, one that is after; each slice of the keys gets its turns."""
    day = 1440
    log: list[Batch] = [
        ("as it was", [event("early", "opened", 0, service="billing", priority="P1")]),
        ("as it was", [event("early", "responded", 20), event("early", "resolved", 30)]),
        ("as it was", [event("later", "opened", 20 * day, service="billing", priority="P1")]),
        ("as it was", [event("later", "responded", 20 * day + 20), event("later", "resolved", 20 * day + 30)]),
    ]
    turns = [("other targets", 40 * day), ("as it was", 60 * day)]
    return log + [
        (name, [event("stays", "customer_replied", begin + 60 * turn)]) for name, begin in turns for turn in range(20)
    ]


def test_archived_cases_are_judged_by_the_rules_under_which_they_went() -> None:
    batches = archiving()
    state = judged(batches, START + timedelta(days=70), forgets=True)
    assert state.archived.height == 2
    findings = held_against(state, batches)
    assert findings.equal, findings.first
    assert findings.unproven == []
    counted = dict(state.tiers.rows().filter(pl.col("tier") == "all").group_by("measure").agg(pl.col("n").sum()).rows())
    assert (counted["first_response.met"], counted["first_response.breached"]) == (1, 1)


def answered(case: str, minute: int) -> list[Event]:
    """A case in whose first response 20 min are late within 15 min, and in time within 30 min."""
    opened = event(case, "opened", minute, service="billing", priority="P1")
    return [opened, event(case, "responded", minute + 20), event(case, "resolved", minute + 30)]


def test_what_would_be_archived_while_the_newest_event_is_of_before_the_rules_waits_for_one_since() -> None:
    """Time moves on without events, so that slices have their turns when the rules change; one comes a second later."""
    log: list[Batch] = [("as it was", [each for n in range(48) for each in answered(f"c{n}", n)])]
    log += [("as it was", [event("stays", "customer_replied", 40 * 1440)])]
    log += [("as it was", [])] * 5 + [("other targets", [])] * 20
    state = judged(log, START + timedelta(days=70), forgets=True)
    before = state.archived.height
    assert 0 < before < 48  # some slices had their turn before the rules changed
    assert held_against(state, log).equal
    log += [("other targets", [event("stays", "customer_replied", 40 * 1440 + 1 / 60)])] + [("other targets", [])] * 20
    state = judged(log, START + timedelta(days=70), forgets=True)
    assert state.archived.height > before
    findings = held_against(state, log)
    assert findings.equal, findings.first
    assert findings.unproven == []


def not_recorded(state: State) -> None:
    """As a state that an older version of sqm made until the rules changed."""
    state.in_force = state.in_force.filter(pl.col("number") == 3).with_columns(number=pl.lit(1, pl.Int32))


def of_other_semantics(state: State) -> None:
    number = pl.when(pl.col("number") == 2).then(pl.lit(SEMANTICS - 1)).otherwise("semantics")
    state.in_force = state.in_force.with_columns(semantics=number.cast(pl.Int32))


@pytest.mark.parametrize(
    ("record", "sets", "why"),
    [
        (not_recorded, [], "by which rules measured events and archived cases were judged then is not on record"),
        (of_other_semantics, None, "judged then by rules that this version of sqm cannot apply"),
    ],
)
def test_what_no_program_can_judge_as_it_was_raises_no_alarm_and_is_named(
    record: Callable[[State], None], sets: list[PolicySet] | None, why: str
) -> None:
    state = judged(CHANGED)
    record(state)
    log = [each for _, batch in CHANGED for each in batch]
    rules = versions("as it was")
    # Rules of another version of the program are none that can be looked up.
    findings = verified(state, log, rules, before=[rules, rules] if sets is None else sets, without=[2])
    assert findings.equal, findings.first
    [told] = findings.unproven
    assert told.startswith("partition 0: ")
    assert "of before 2026-03-01T" in told
    assert told.endswith(why)
    cells = state.tiers.rows().filter(pl.col("tier") == "1m", pl.col("measure") == "first_response.met")
    assert cells.height  # there is something to prove


def test_after_a_hole_the_rules_that_judged_last_judge_what_is_read_from_there() -> None:
    known = judged(CHANGED).in_force
    assert resumed(known, {"t": 3})["from_offset"].to_list() == [0, 2, 3]
    assert resumed(known, {"t": 0})["from_offset"].to_list() == [0, 0, 0]
    assert resumed(known, {"other": 0}).equals(known)
    assert known.schema == dict(IN_FORCE)
