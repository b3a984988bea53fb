"""A state held against its events: equal however they came, and whatever was tampered with is found and named."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import step
from monitor.frames import IDS, conform
from monitor.ids import Ids
from monitor.keys import keys_of
from monitor.names import Kind
from monitor.policy import PolicySet, load
from monitor.rows import part_of
from monitor.state import STATE_VERDICTS, State
from monitor.verify import (
    Arrived,
    CaseRows,
    Check,
    Figure,
    Findings,
    Head,
    Look,
    Reach,
    Spans,
    Terms,
    compare_burns,
    provable,
)
from tests.monitor.test_engine import END, NO_GRACE, POLICY, START, Event, arrivals, event, fold, read

PARTS = 2


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load([("support.yaml", POLICY)])


def verified(
    state: State,
    sent: Sequence[Event],
    policies: PolicySet,
    *,
    reach: Reach | None = None,
    late: Sequence[int] = (),
    before: Sequence[PolicySet] = (),
    without: Sequence[int] = (),
    looks: Sequence[Look] = (),
    recorded: pl.DataFrame | None = None,
) -> Findings:
    """Hold a state against events that stand in the order of the log.

    :param reach: from when on sums can be proven, where events are out of reach
    :param late: offsets of events that were refused as too late
    :param before: policies that were in force before these
    :param without: numbers of rules that cannot be applied again
    :param looks: of judges; what became of alerts is `recorded` (ALERTS)
    """
    arrived = read(list(sent))
    events = arrived.events.filter(pl.col("kind") != Kind.ADVANCED, ~pl.col("offset").is_in(list(late)))
    head = Head(
        0,
        state.newest_event,
        state.series,
        state.published,
        state.ledger(),
        state.ids.frame(),
        state.ids.kept_from,
        state.archived.of,
    )
    sets = {number: rules for number, rules in enumerate([*before, policies], start=1) if number not in without}
    spans = Spans(state.in_force, sets)
    terms = Terms(state.now or END, policies, NO_GRACE, spans)
    seen, beyond = provable(looks, 0, terms, reach.since if reach else None, None)
    check = Check(head, terms, ["t"], reach=reach or Reach(), whole=reach is None, looks=seen)
    for number in range(PARTS):
        names = ("history", "contributions", "wakes")
        tables = {name: getattr(state, name).part(number, PARTS) for name in names}
        tables["verdicts"] = state.verdicts.filter(part_of(pl.col("case_key"), PARTS) == number)
        check.part(CaseRows.of(tables), events.filter(part_of(pl.col("case_key"), PARTS) == number))
    refused = Counter(arrived.refused["reason"].to_list() + ["late"] * len(late))
    newest = arrived.events["time"].max()
    told = Arrived(arrived.read, refused, newest if isinstance(newest, datetime) else None)
    found = check.finish(
        state.tiers.rows(), told, lambda keys: events.filter(pl.col("event_key").is_in(keys.implode()))
    )
    beyond |= seen.why
    for number, look in enumerate(looks):
        if number not in beyond and recorded is not None:
            found.add(compare_burns(recorded, look, seen.counted.get(number, []), terms.now))
    found.unproven += beyond.values()
    return found


@given(arrivals())
@settings(max_examples=40, deadline=None)
def test_a_state_is_equal_to_its_events_whatever_their_order_chunks_and_duplicates(
    policies: PolicySet, arrived: tuple[list[Event], list[list[Event]]]
) -> None:
    _, batches = arrived
    state, _ = fold(batches, policies)
    findings = verified(state, [each for batch in batches for each in batch], policies)
    assert findings.equal, findings.first
    assert findings.compared[Figure.EVENT] == state.history.height
    assert findings.compared[Figure.CELL] == state.tiers.rows().height


@given(arrivals(), st.data())
@settings(max_examples=20, deadline=None)
def test_an_event_that_is_not_in_the_log_or_not_in_the_state_is_found_and_named(
    policies: PolicySet, arrived: tuple[list[Event], list[list[Event]]], data: st.DataObject
) -> None:
    events, batches = arrived
    if not events:
        return
    lost = data.draw(st.sampled_from(events))
    without = [[each for each in batch if each is not lost] for batch in batches]
    every, fewer = ([each for batch in log for each in batch] for log in (batches, without))
    deleted = verified(fold(batches, policies)[0], fewer, policies)
    forgotten = verified(fold([batch for batch in without if batch], policies)[0], every, policies)
    for findings, side in ((deleted, "not in the topic"), (forgotten, "not there")):
        assert findings.first is not None
        assert findings.first.figure in (Figure.EVENT, Figure.MEASURED)
        named = [found for found in findings.named if side in (found.live, found.recomputed)]
        assert any(lost["id"] in found.subject for found in named) or lost["type"] == "interaction.measured"


@given(arrivals(), st.data())
@settings(max_examples=30, deadline=None)
def test_what_is_out_of_reach_raises_no_alarm(
    policies: PolicySet, arrived: tuple[list[Event], list[list[Event]]], data: st.DataObject
) -> None:
    """Any number of the first events are gone: what they touched is not compared, all else is equal."""
    _, batches = arrived
    log = [each for batch in batches for each in batch]
    gone = data.draw(st.integers(0, len(log)))
    state, _ = fold(batches, policies)
    lost = read(log[:gone]).events["time"].max()
    since = lost + timedelta(microseconds=1) if isinstance(lost, datetime) else START
    findings = verified(state, log[gone:], policies, reach=Reach(since))
    assert findings.equal, findings.first


def test_cases_that_were_archived_and_what_came_too_late_are_no_differences(policies: PolicySet) -> None:
    log = [*LIFE, event("c", "opened", 70 * 1440, service="chat")]
    state = State()
    for one in log:
        arrived = read([one])
        made = step(state, arrived, START + timedelta(days=71), policies, grace=NO_GRACE, forgets=True)
        state.apply(made.delta)
    for turn in range(1, 20):  # each slice has its turn
        tick = event("c", "customer_replied", 70 * 1440 + 60 * turn)
        log.append(tick)
        made = step(state, read([tick]), START + timedelta(days=71), policies, grace=NO_GRACE, forgets=True)
        state.apply(made.delta)
    again = event("a", "responded", 12, "too late")
    state.apply(step(state, read([again]), START + timedelta(days=71), policies, grace=NO_GRACE, forgets=True).delta)
    log.append(again)
    late = [len(log) - 1]
    assert state.ledger()["late"] == len(late)
    assert state.archived.height
    assert verified(state, log, policies, late=late).equal
    assert not verified(state, log, policies).equal


LIFE = [
    event("a", "opened", 0, service="billing", priority="P1"),
    event("a", "responded", 20),
    event("a", "resolved", 60),
    event("b", "opened", 5, service="chat"),
    event("m", "measured", 30, service="chat", response_time_s=4),
]


def folded(policies: PolicySet) -> State:
    return fold([LIFE], policies, START + timedelta(minutes=61))[0]


def outcome_turned(state: State) -> None:
    rows = state.verdicts.filter(pl.col("case") == "a", pl.col("clock") == "first_response")
    state.apply({"verdicts": rows.with_columns(outcome=pl.lit("met").cast(STATE_VERDICTS["outcome"]))})


def verdict_removed(state: State) -> None:
    rows = state.verdicts.filter(pl.col("case") == "a", pl.col("clock") == "resolution")
    state.apply({"verdicts": rows.with_columns(outcome=pl.lit(None, STATE_VERDICTS["outcome"]))})


def cell_added(state: State) -> None:
    rows = state.tiers.rows().filter(pl.col("tier") == "10s", pl.col("measure") == "first_response.breached")
    state.apply({"cells": conform(rows.with_columns(n=pl.lit(2, pl.Int64)), dict(rows.drop("tier").schema))})


def wake_moved(state: State) -> None:
    wake = state.wakes.frame().filter(pl.col("case_key") == keys_of(["b"])[0])
    kept = state.contributions.of(wake["case_key"])
    state.apply({"wakes": wake.with_columns(pl.col("wake") + timedelta(days=400)), "contributions": kept})


def contribution_lost(state: State) -> None:
    state.contributions.remove(keys_of(["b"]))


def counter_raised(state: State) -> None:
    state.apply({"ledger": pl.DataFrame({"counter": ["read", "duplicate"], "n": [1, 1]})})


def balance_lost(state: State) -> None:
    state.apply({"ledger": pl.DataFrame({"counter": ["read"], "n": [1]})})


def first_publication_lost(state: State) -> None:
    state.published = state.published.filter(pl.col("total") != 4000)


def id_lost(state: State) -> None:
    state.ids = Ids(IDS, "event_key")


def newest_moved(state: State) -> None:
    assert state.newest_event is not None
    state.newest_event -= timedelta(hours=1)


@pytest.mark.parametrize(
    ("tamper", "figure", "words"),
    [
        (
            outcome_turned,
            Figure.VERDICT,
            ["partition 0: case a, first response: outcome: live met, recomputed breached", "the state was damaged"],
        ),
        (verdict_removed, Figure.VERDICT, ["case a, resolution: live no verdict, recomputed met"]),
        (
            cell_added,
            Figure.CELL,
            [
                "first response breached, bucket of 2026-03-01T09:15:00Z, service billing, priority P1 (cells of 10s)",
                "live 3, recomputed 1",
                "No event is missing and no case differs",
            ],
        ),
        (wake_moved, Figure.WAKE, ["case b, when time alone will change it"]),
        (
            contribution_lost,
            Figure.CONTRIBUTION,
            ["case b, what it puts into the figures:", "service chat: live nothing"],
        ),
        (counter_raised, Figure.LEDGER, ["events read: live 6, recomputed 5"]),
        (balance_lost, Figure.LEDGER, ["the balance of read: live 6, recomputed read 6, but counted 5"]),
        (first_publication_lost, Figure.RESPONSE_TIME, ["live nothing, recomputed at least 1 (their values 4 in all)"]),
        (
            id_lost,
            Figure.MEASURED,
            ["measured event measured-30 of /desk, case m", "live not there, recomputed counted"],
        ),
        (newest_moved, Figure.TIME, ["the time of the newest event"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_was_tampered_with_is_named_in_words(
    tamper: Callable[[State], None], figure: Figure, words: list[str], policies: PolicySet
) -> None:
    state = folded(policies)
    assert verified(state, LIFE, policies).equal
    tamper(state)
    first = verified(state, LIFE, policies).first
    assert first is not None
    assert first.figure == figure
    told = f"{first} {first.cause}"
    assert all(word in told for word in words), told


def measured(name: str, day: float, seconds: float = 5) -> Event:
    return event(name, "measured", day * 1440, name, service="chat", response_time_s=seconds)


def remembered(log: Sequence[Event], policies: PolicySet) -> State:
    """A state that took these events one by one and forgets ids after 48 h."""
    state = State()
    for one in log:
        made = step(state, read([one]), START + timedelta(days=9), policies, grace=NO_GRACE, forgets=True)
        assert made.late.is_empty()
        state.apply(made.delta)
    return state


# `a` counts twice. `d` does not: its older one came second, while the id was known.
SENT_AGAIN = [measured(*sent) for sent in (("a", 0), ("b", 4), ("d", 4), ("d", 2.5), ("a", 4), ("c", 5))]


def test_a_measured_event_that_counted_again_under_a_forgotten_id_is_no_difference_and_is_told(
    policies: PolicySet,
) -> None:
    state = remembered(SENT_AGAIN, policies)
    assert (state.ledger()["counted"], state.ledger()["duplicate"]) == (5, 1)
    findings = verified(state, SENT_AGAIN, policies)
    assert findings.equal, findings.first
    sent, sums = findings.unproven
    assert sent.startswith(
        "partition 0: of 2 measured events that were sent again under the same id with a newer time 1"
    )
    assert "sums of before 2026-03-05T09:00:10Z, and of all time, differ and cannot be proven" in sums


def counted_once_more(state: State) -> None:
    state.apply({"ledger": pl.DataFrame({"counter": ["read", "counted"], "n": [1, 1]})})


def newest_cells_doubled(state: State) -> None:
    rows = state.tiers.rows().filter(pl.col("tier") == "15m").filter(pl.col("bucket") == pl.col("bucket").max())
    state.apply({"cells": conform(rows, dict(rows.drop("tier").schema))})


def newest_id_lost(state: State) -> None:
    known, kept_from = state.ids.frame(), state.ids.kept_from
    assert kept_from is not None
    state.ids = Ids(IDS, "event_key")
    state.ids.add(known.filter(pl.col("time") < pl.col("time").max()))
    state.ids.forget(kept_from)


@pytest.mark.parametrize("tamper", [counted_once_more, newest_cells_doubled, newest_id_lost])
def test_what_such_an_event_does_not_explain_is_found_nevertheless(
    tamper: Callable[[State], None], policies: PolicySet
) -> None:
    state = remembered(SENT_AGAIN, policies)
    tamper(state)
    assert not verified(state, SENT_AGAIN, policies).equal


def test_a_measured_event_sent_again_while_its_id_was_known_leaves_all_proven(policies: PolicySet) -> None:
    log = [measured("a", 0), measured("a", 1, 7200), measured("c", 5)]
    state = remembered(log, policies)
    assert state.ledger()["duplicate"] == state.ledger()["conflicting"] == 1
    findings = verified(state, log, policies)
    assert findings.equal, findings.first
    assert findings.unproven == []
