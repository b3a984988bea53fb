"""Sealing what has ended: nothing that can be read of a state changes, whatever comes afterwards."""

import random
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import sealed, sealing
from monitor.engine import step
from monitor.frames import IDS, KEY, conform, latest
from monitor.keys import keys_of
from monitor.policy import PolicySet, load
from monitor.rows import Rows
from monitor.sealed import Sealed, pack
from monitor.state import SLICES, State
from tests.monitor.test_archive import DAY, POLICY, cells, pulse, solved, taken
from tests.monitor.test_engine import START, Event, event, read


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load([("support.yaml", POLICY)])


def contents(state: State) -> dict[str, list[tuple[object, ...]]]:
    tables = {name: getattr(state, name).frame() for name in ("history", "contributions", "wakes")}
    return {name: sorted(rows.iter_rows(), key=repr) for name, rows in (tables | {"verdicts": state.verdicts}).items()}


def restored(state: State) -> State:
    """What its snapshot gives."""
    again = State()
    for number in range(SLICES):
        again.apply(state.slice(number))
    return again


def folded(
    events: list[Event], size: int, policies: PolicySet, *, sealed: bool, restored_after: int | None = None
) -> State:
    state = State()
    for number in range(0, len(events), size):
        arrived = read(events[number : number + size])
        now = max(time for time in (state.now, latest(arrived.events["time"])) if time is not None)
        state.apply(step(state, arrived, now, policies, grace=timedelta(0)).delta)
        if sealed:
            sealing.seal(state)
        if number == restored_after:
            state = restored(state)
    return state


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(4, 20))
def test_a_state_that_seals_what_it_can_holds_and_derives_the_same(seed: int, cases: int, size: int) -> None:
    policies = load([("support.yaml", POLICY)])
    draw = random.Random(seed)
    events = [each for n in range(cases) for each in solved(f"c{n}", n / 30)]
    events += [event(f"c{draw.randrange(cases)}", "reopened", draw.uniform(0, 2) * DAY, f"r{n}") for n in range(9)]
    events += [
        event(f"c{draw.randrange(cases)}", "rating.submitted", draw.uniform(0, 9) * DAY, f"s{n}", csat=4)
        for n in range(9)
    ]
    events += draw.sample(events, len(events) // 5)
    draw.shuffle(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "LEAST", 0)
        restart = draw.randrange(0, len(events), size)
        sealing_state = folded(events, size, policies, sealed=True, restored_after=restart)
    plain = folded(events, size, policies, sealed=False)
    assert contents(sealing_state) == contents(plain)
    assert cells(sealing_state) == cells(plain)
    again = restored(sealing_state)
    assert contents(again) == contents(plain)
    assert again.history.height_unsealed == sealing_state.history.height_unsealed  # what was sealed is as it was


def test_cases_that_ended_a_while_ago_are_sealed_and_the_open_ones_are_not(
    policies: PolicySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "LEAST", 0)
    events = [*solved("ended", 0), *solved("open", 0)[:2], *solved("just ended", 0.9), event("last", "opened", 1601)]
    state = folded(events, 3, policies, sealed=False)
    for _ in range(SLICES):
        sealing.seal(state)
    hot = pl.concat([state.history.unsealed(number, SLICES) for number in range(SLICES)])
    assert set(hot["case"]) == {"open", "just ended", "last"}
    assert set(state.history.frame()["case"]) == {"ended", "open", "just ended", "last"}


def test_what_was_taken_out_leaves_nothing_behind() -> None:
    sealed = Sealed(IDS, "event_key")
    for day in range(20):
        keys = keys_of([f"{day}/{n}" for n in range(100)])
        rows = conform(pl.DataFrame({"event_key": keys, "content_key": 1, "time": START + timedelta(days=day)}), IDS)
        sealed.add(pack(rows, "event_key", rows["event_key"]))
        sealed.remove(keys.head(90))
        assert sealed.index_height <= 2 * 10 * (day + 1)
    sealed.remove(sealed.part(0, 1)["event_key"])
    assert (sealed.height, sealed.size, sealed.index_height) == (0, 0, 0)


def test_cases_are_archived_whether_they_are_sealed_or_not(
    policies: PolicySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "LEAST", 0)
    monkeypatch.setattr(sealed, "BLOCK_KEYS", 4)
    old, young = [f"old {n}" for n in range(9)], [f"young {n}" for n in range(9)]
    state = folded([each for case in old for each in solved(case, 0)], 3, policies, sealed=False)
    taken(state, [each for case in young for each in solved(case, 10)], policies, forgets=False)
    for _ in range(SLICES):
        sealing.seal(state)
    assert state.history.height_unsealed < state.history.height
    for turn in range(SLICES + 1):
        taken(state, pulse(31 + turn / SLICES / 24), policies)
    assert set(state.history.frame()["case"]) == {*young, "pulse"}


def test_cases_that_ended_together_lie_together(policies: PolicySet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "LEAST", 0)
    monkeypatch.setattr(sealing, "SLICES", 1)
    names = [f"c{n}" for n in random.Random(1).sample(range(60), 60)]
    lives = {case: solved(case, place / 60) for place, case in enumerate(names)}
    state = folded([each for events in lives.values() for each in events] + pulse(3), 40, policies, sealed=False)
    packed = sealing.prepared(state)
    assert packed is not None
    history = packed.history.packed.keys.to_frame("case_key").join(
        state.history.frame().unique("case_key"), on="case_key", maintain_order="left"
    )
    assert [case for case in history["case"] if case != "pulse"] == names


def test_blocks_that_were_sealed_before_a_name_was_added_are_read_beside_newer_ones() -> None:
    before, now = pl.Enum(["opened", "closed"]), pl.Enum(["opened", "closed", "rated"])
    older = Rows({"case_key": KEY, "kind": before}, "case_key")
    newer = Rows({"case_key": KEY, "kind": now}, "case_key")
    for rows, dtype, key, kind in ((older, before, 1, "closed"), (newer, now, 2, "rated")):
        keys = pl.Series("case_key", [key], dtype=KEY)
        rows.add(pl.DataFrame({"case_key": keys, "kind": pl.Series([kind], dtype=dtype)}))
        rows.seal(rows.to_seal(keys))
    newer.put(older.blocks(0, 16))
    found = newer.of(pl.Series("case_key", [1, 2], dtype=KEY))
    assert (found.schema["kind"], sorted(found["kind"].to_list())) == (now, ["closed", "rated"])
    assert newer.frame().height == 2
