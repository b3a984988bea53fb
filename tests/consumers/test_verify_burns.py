"""Burn alerts held against what their judges saw: whatever came later, each transition is judged again as it was.

events      . . . x x x . . . . . .        x: answered late
judge            ^firing    ^resolved      each with the offsets and the instant it saw
arrives later          <- late events of before change the figures of today, not what was judged then
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.alerts_log import AlertLog, Entry, encode
from consumers.judging import grounds_of, judge, see
from consumers.policy_log import PolicyLog, records
from consumers.verify.burns import MOST_LOOKS, looks_of
from monitor.engine import step
from monitor.frames import ALERTS, empty
from monitor.policy import PolicySet, load
from monitor.state import State
from monitor.verify import Figure, Findings, Look, Reach
from tests.monitor.test_engine import NO_GRACE, START, Event, event, lives, read
from tests.monitor.test_verify import verified

POLICY = """
policy: support
labels: [service]
targets:
  - {clock: first_response, within: 15m}
  - {clock: resolution, within: 2h}
slas:
  - {id: answers, measure: first_response, by: [service], goal: 90%, period: 7d, min_events: 2}
  - {id: solved, measure: resolution, goal: 80%, period: 7d, min_events: 2}
"""
VERSIONS = {
    "as it was": POLICY,
    "stricter": POLICY.replace("within: 15m", "within: 5m"),
    "another goal": POLICY.replace("goal: 90%", "goal: 70%"),
}


def versions(name: str) -> PolicySet:
    return load([("support.yaml", VERSIONS[name])])


Batch = tuple[str, Sequence[Event]]  # the name of the versions in force, and what came


class Lived(NamedTuple):
    """What a worker and a judge made of batches."""

    state: State
    record: AlertLog
    log: list[Event]
    in_turn: list[PolicySet]  # that judged, by their numbers

    def looks(self) -> tuple[list[Look], list[str]]:
        known = PolicyLog()
        for name in VERSIONS:
            for key, value in records(versions(name), START):
                known.read(key, value)
        return looks_of(self.record, known)

    def verified(self, **options: Any) -> Findings:
        looks, unproven = self.looks()
        *before, last = self.in_turn
        found = verified(self.state, self.log, last, before=before, looks=looks, recorded=self.record.alerts, **options)
        found.unproven += unproven
        return found


def lived(batches: Sequence[Batch], begin: datetime = START, *, forgets: bool = False) -> Lived:
    """Each batch is followed by a look of the judge, at the time of the newest event."""
    state, record, alerts, log, in_turn = State(), AlertLog(), empty(ALERTS), list[Event](), list[PolicySet]()
    entries: dict[str, Entry] = {}
    for name, batch in batches:
        rules, arrived = versions(name), read(batch, len(log))
        log += batch
        newest = arrived.events["time"].max()
        now = max(time for time in (state.now, newest, begin) if isinstance(time, datetime))
        made = step(state, arrived, now, rules, grace=NO_GRACE, offsets={"t": len(log)}, forgets=forgets)
        state.apply(made.delta)
        if not in_turn or in_turn[-1].judging != rules.judging:
            in_turn.append(rules)
        in_turn[-1] = rules
        seen = see({0: state}, rules.newest, alerts, now, "wall")
        assert seen is not None
        looked = judge(seen, rules.newest, alerts)
        alerts, grounds = looked.alerts, grounds_of(looked.transitions, seen, rules.newest)
        for row in looked.transitions.iter_rows(named=True):
            before = entries.get(row["id"], Entry(row))
            entries[row["id"]] = Entry(row, grounds=(*before.grounds, *grounds.get(row["id"], ())))
            record.read(row["id"].encode(), encode(entries[row["id"]]))
    return Lived(state, record, log, in_turn)


@st.composite
def busy(draw: st.DrawFn) -> list[Batch]:
    """Cases and measured interactions, some late, cut into batches that come in any order."""
    events = [each for _ in range(draw(st.integers(1, 3))) for each in draw(lives())]
    for number in range(draw(st.integers(2, 12))):
        seconds = draw(st.sampled_from([60, 600, 6000]))
        minute = draw(st.integers(0, 600))
        events.append(event(f"m{number}", "measured", minute, service="chat", response_time_s=seconds))
    events = draw(st.permutations(events)) if draw(st.booleans()) else sorted(events, key=lambda e: e["time"])
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True) if a < b]
    return [(draw(st.sampled_from(sorted(VERSIONS))), batch) for batch in batches]


@given(busy())
@settings(max_examples=15, deadline=None)
def test_each_transition_is_what_the_events_of_before_say_whatever_came_later(batches: list[Batch]) -> None:
    found = lived(batches).verified()
    assert found.equal, found.first
    assert found.unproven == []


def late(number: int, minute: float, seconds: int = 6000) -> Event:
    return event(f"m{number}", "measured", minute, service="chat", response_time_s=seconds)


# Six late ones in a quarter of an hour, then in time for hours; a while later some of before come, all in time.
INCIDENT: list[Batch] = [
    ("as it was", [late(n, n / 10) for n in range(6)]),
    ("as it was", [late(n, 300, 60) for n in range(10, 12)]),
    ("as it was", [late(n, 301, 60) for n in range(20, 60)] + [late(n, n / 100, 60) for n in range(100, 130)]),
]


def test_an_incident_is_proven_though_events_of_before_came_after_it() -> None:
    happened = lived(INCIDENT)
    burns = happened.record.alerts.select("severity", "state").rows()
    assert ("page", "resolved") in burns
    found = happened.verified()
    assert found.equal, found.first
    assert found.compared[Figure.ALERT] >= len(burns) * 2 - 1


def changed(happened: Lived, change: Callable[[Entry], Entry]) -> Lived:
    """The same with one record another one: that of the page."""
    [(identity, entry)] = [(key, e) for key, e in happened.record.entries.items() if e.alert["severity"] == "page"]
    happened.record.read(identity.encode(), encode(change(entry)))
    return happened


def figures_changed(entry: Entry) -> Entry:
    first, *others = entry.grounds
    values = {**first.values, "bad": first.values["bad"] - 1}
    return entry._replace(grounds=(type(first)(**{**_fields(first), "values": values}), *others))


def not_resolved(entry: Entry) -> Entry:
    last = entry.grounds[-1]
    return entry._replace(grounds=(*entry.grounds[:-1], type(last)(**{**_fields(last), "state": "firing"})))


def _fields(grounds: Any) -> dict[str, Any]:
    return {name: getattr(grounds, name) for name in grounds.__struct_fields__}


@pytest.mark.parametrize(
    ("change", "live", "ours"),
    [
        (figures_changed, "burning (5 bad of 6 over 1h)", "burning (6 bad of 6 over 1h)"),
        (not_resolved, "burning (0 bad of 2 over 1h)", "not burning (0 bad of 2 over 1h)"),
    ],
)
def test_a_transition_that_was_changed_is_named(change: Callable[[Entry], Entry], live: str, ours: str) -> None:
    first = changed(lived(INCIDENT), change).verified().first
    assert first is not None
    assert first.figure == Figure.ALERT
    assert first.subject.startswith("the burn alert of answers, service chat (page), ")
    assert (first.live, first.recomputed) == (live, ours)
    assert "The judge judged otherwise than the events say" in first.cause


def test_a_burn_alert_whose_record_is_gone_is_missed_where_another_one_changed() -> None:
    happened = lived(INCIDENT)
    [gone] = [key for key, entry in happened.record.entries.items() if entry.alert["severity"] == "page"]
    happened.record.read(gone.encode(), None)
    first = happened.verified().first
    assert first is not None
    assert str(first) == (
        "the burn alert of answers, service chat (page) at 2026-03-01T09:00:30.000Z: live no alert, "
        "recomputed burning (6 bad of 6 over 1h)"
    )


def test_what_cannot_be_judged_again_is_named_and_raises_no_alarm() -> None:
    happened = lived(INCIDENT)
    bare = happened.record
    for key, entry in list(bare.entries.items()):
        bare.read(key.encode(), encode(entry._replace(grounds=())))
    found = happened.verified()
    assert found.equal
    assert found.unproven == [f"{len(bare.entries)} burn alerts were recorded without their grounds, by an older sqm"]
    gone = lived(INCIDENT)
    found = gone.verified(reach=Reach(START + timedelta(days=1)))
    assert found.equal, found.first
    assert set(found.unproven) >= {"events of its windows can no longer be read"}


def test_a_burn_of_events_that_counted_again_under_forgotten_ids_is_no_difference() -> None:
    """Nothing records that they did: the recomputation takes them for duplicates, and sees nothing burn."""

    def same(number: int, minute: float, seconds: int) -> Event:
        return event(f"m{number}", "measured", minute, f"m{number}", service="chat", response_time_s=seconds)

    later = 4 * 1440
    happened = lived(
        [
            ("as it was", [same(number, number / 10, 60) for number in range(6)]),
            ("as it was", [same(9, later, 60)]),
            ("as it was", [same(number, later + number / 10, 6000) for number in range(6)]),
        ],
        forgets=True,
    )
    assert happened.record.alerts.height
    found = happened.verified()
    assert found.equal, found.first
    assert "which measured events counted again, sent after their ids had been forgotten, is not on record" in (
        found.unproven
    )


def test_only_the_newest_looks_are_worked_out_again_and_it_is_said_how_many_are_not() -> None:
    batches: list[Batch] = []
    for day in range(MOST_LOOKS):
        at = day * 4 * 1440
        batches += [("as it was", [late(1000 * day + n, at + n / 10) for n in range(6)])]
        batches += [("as it was", [late(1000 * day + n, at + 900, 60) for n in range(10, 99)])]
    looks, unproven = lived(batches).looks()
    assert len(looks) == MOST_LOOKS
    assert looks == sorted(looks, key=lambda look: look.now)
    assert len(unproven) == 1
    assert unproven[0].endswith(f"are older than the newest {MOST_LOOKS} looks, which are compared")
