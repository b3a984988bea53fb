"""The log of a partition: the same state whatever compaction took away, and damage where something is missing."""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from consumers import changelog
from consumers.changelog import FrameDamaged, Kind, Place
from consumers.snapshots import Snapshots
from consumers.state_log import DeltaMissing, StateLog, reading_table, together
from monitor.frames import ARCHIVED, CELLS, CONTRIBUTIONS, HISTORY, IDS, LEDGER_ROWS, SERIES, conform
from monitor.holes import HOLES, MARKS
from monitor.keys import keys_of
from monitor.state import META, OFFSETS, SLICES, STATE_VERDICTS, WAKES, Delta, State

START = datetime(2026, 11, 20, tzinfo=UTC)
TOPIC = "sqm.state"

Record = tuple[bytes, bytes | None]


def delta(number: int, seed: int) -> Delta:
    """A delta such as the engine makes: new events, verdicts and wakes of a few cases that come again and again."""
    draw = random.Random(seed * 1_000 + number)
    cases = [f"case {draw.randrange(40)}" for _ in range(draw.randrange(1, 6))]
    keys = keys_of(sorted(set(cases)))
    now = START + timedelta(minutes=number)
    touched = pl.DataFrame({"case": sorted(set(cases)), "case_key": keys})
    cells = pl.DataFrame(
        [(draw.randrange(1_000), draw.randrange(50), "case.opened", None, draw.randrange(1, 9), 0) for _ in cases],
        schema=dict(CELLS),
        orient="row",
    )
    wake = pl.Series([now if draw.random() < 0.7 else None for _ in keys], dtype=pl.Datetime("us", "UTC"))
    outcomes = pl.Series([draw.choice(["open", "met", "breached", None]) for _ in keys], dtype=pl.String)
    return {
        "history": conform(
            touched.with_columns(time=pl.lit(now), kind=pl.lit("updated"), id=pl.lit(str(number))), HISTORY
        ),
        "verdicts": conform(
            touched.with_columns(clock=pl.lit("resolution"), cycle=1, outcome=outcomes, due=pl.lit(now)), STATE_VERDICTS
        ),
        "contributions": conform(
            touched.with_columns(series=number % 7, measure=pl.lit("case.opened"), n=1, total=number), CONTRIBUTIONS
        ),
        "wakes": conform(touched.with_columns(wake=wake), WAKES),
        "ids": conform(
            pl.DataFrame({"event_key": keys_of([f"m {number}"]), "content_key": [number], "time": [now]}), IDS
        ),
        "cells": cells,
        "series": conform(pl.DataFrame({"series": [number], "service": [f"s{number}"]}), SERIES),
        "ledger": pl.DataFrame([("read", len(cases))], schema=dict(LEDGER_ROWS), orient="row"),
        "offsets": pl.DataFrame([("sqm.events", number * 10)], schema=dict(OFFSETS), orient="row"),
        "meta": conform(pl.DataFrame([{"now": now, "newest_event": now, "policies": "p", "semantics": 1}]), META),
    }


def contents(state: State) -> dict[str, pl.DataFrame]:
    """All of a state, in an order of its own."""
    tables: dict[str, list[pl.DataFrame]] = {}
    for number in range(SLICES):
        for name, rows in state.slice(number).items():
            tables.setdefault(name, []).append(rows)
    return {name: pl.concat(parts).sort(pl.all()) for name, parts in sorted(tables.items()) if name != "tiers"} | {
        "tiers": state.tiers.rows().filter(pl.col("n") != 0).sort(pl.all())
    }


def same(one: State, other: State) -> bool:
    left, right = contents(one), contents(other)
    return left.keys() == right.keys() and all(left[name].equals(right[name]) for name in left)


class Writer:
    """Writes the log as a worker does."""

    def __init__(self, seed: int, every: int) -> None:
        self.log = StateLog(TOPIC, 0)
        self.snapshots = Snapshots(every)
        self.seed = seed
        self.records: list[Record] = []

    def write(self, times: int) -> "Writer":
        for _ in range(times):
            log = self.log
            log.number += 1
            change = delta(log.number, self.seed)
            log.state.apply(change)
            log.newest = {"sqm.events": START + timedelta(minutes=log.number)}
            written = changelog.encode(change | reading_table(log.newest), Kind.DELTA, log.number, part_bytes=700)
            log.deltas[log.number] = len(written)
            self.records += written
            self.records += self.snapshots.written(log, sum(len(value) for _, value in written))
        return self

    def beat(self) -> None:
        now = START + timedelta(days=9)
        meta = pl.DataFrame([{"now": now, "newest_event": now, "policies": "p", "semantics": 1}])
        tables = {"meta": conform(meta, META)}
        self.log.state.apply(tables)
        self.records += changelog.encode(tables, Kind.BEAT, self.log.number)


def read(records: list[tuple[int, Record]], into: StateLog | None = None) -> StateLog:
    log = into or StateLog(TOPIC, 0)
    for offset, (key, value) in records:
        log.read(Place(TOPIC, 0, offset), key, value)
    if not log.settled:
        log.settle()
    return log


def compacted(records: list[Record], upto: int) -> list[tuple[int, Record]]:
    """What Kafka's cleaner leaves of a log whose first `upto` records it looked at."""
    last = {key: offset for offset, (key, _) in enumerate(records[:upto])}
    kept = [(offset, r) for offset, r in enumerate(records[:upto]) if last[r[0]] == offset and r[1] is not None]
    return [*kept, *enumerate(records[upto:], upto)]


@tries(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 99),
    every=st.integers(1, 4),
    deltas=st.integers(0, 24),
    later=st.integers(0, 4),
    cut=st.floats(0, 1),
)
def test_a_log_compacted_anywhere_gives_the_state_that_was_written(
    seed: int, every: int, deltas: int, later: int, cut: float
) -> None:
    writer = Writer(seed, every).write(deltas)
    writer.beat()
    there = len(writer.records)
    log = read(compacted(writer.records, int(cut * there)))
    assert log.number == deltas
    assert same(log.state, writer.log.state)
    assert (log.slices, log.deltas, log.newest) == (writer.log.slices, writer.log.deltas, writer.log.newest)

    writer.write(later)
    read(list(enumerate(writer.records))[there:], into=log)
    assert same(log.state, writer.log.state)


def test_old_deltas_go_once_every_slice_holds_them() -> None:
    writer = Writer(seed=1, every=1).write(100)
    left = {key for _, (key, _) in compacted(writer.records, len(writer.records))}
    numbers = {int(key.split(b"/")[1]) for key in left if key.startswith(b"delta/")}
    assert numbers == set(range(100 - SLICES + 2, 101))
    assert {int(key.split(b"/")[1]) for key in left if key.startswith(b"slice/")} == set(range(SLICES))


def test_a_beat_moves_time_on_and_an_older_one_does_not() -> None:
    writer = Writer(seed=2, every=9).write(3)
    writer.beat()
    assert read(list(enumerate(writer.records))).state.now == START + timedelta(days=9)
    writer.write(1)
    late_beat = [*writer.records[:-3], *writer.records[-3:]]
    assert read(list(enumerate(late_beat))).state.now == writer.log.state.now == START + timedelta(minutes=4)


def test_the_same_delta_twice_counts_once() -> None:
    writer = Writer(seed=3, every=99).write(4)
    log = read(list(enumerate([*writer.records, *writer.records])))
    assert same(log.state, writer.log.state)
    read(list(enumerate(writer.records)), into=log)
    assert same(log.state, writer.log.state)


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_a_missing_delta_is_damage_unless_it_is_the_newest(missing: int) -> None:
    writer = Writer(seed=4, every=99).write(5)
    gone = b"delta/%d/" % missing
    records = [(n, r) for n, r in enumerate(writer.records) if not r[0].startswith(gone)]
    with pytest.raises(FrameDamaged, match=rf"sqm\.state, partition 0: delta {missing} of 5 is missing"):
        read(records)


def test_a_part_that_is_missing_makes_its_delta_missing() -> None:
    writer = Writer(seed=5, every=99).write(3)
    records = [(n, r) for n, r in enumerate(writer.records) if r[0] != b"delta/2/0"]
    with pytest.raises(FrameDamaged, match="delta 2 of 3 is missing"):
        read(records)


def test_a_reader_that_compaction_overtook_says_so() -> None:
    writer = Writer(seed=6, every=99).write(3)
    log = read(list(enumerate(writer.records)))
    there = len(writer.records)
    writer.write(2)
    rest = [(n, r) for n, r in list(enumerate(writer.records))[there:] if not r[0].startswith(b"delta/4/")]
    with pytest.raises(DeltaMissing, match="delta 5 came after delta 3"):
        read(rest, into=log)


@tries(deadline=None, max_examples=12)
@given(seed=st.integers(0, 99), count=st.integers(1, 12))
def test_deltas_together_have_the_effect_of_each_in_turn(seed: int, count: int) -> None:
    deltas = [delta(number, seed) for number in range(1, count + 1)]
    one, other = State(), State()
    for each in deltas:
        one.apply(each)
    other.apply(together(deltas))
    assert same(one, other)


def mark(offset: int, digest: int) -> Delta:
    return {"marks": pl.DataFrame([("sqm.events", offset, digest, START)], schema=dict(MARKS), orient="row")}


def archiving(case: str, day: int) -> Delta:
    rows = pl.DataFrame({"case_key": keys_of([case]), "at": START + timedelta(days=day)})
    return {"archived": conform(rows, ARCHIVED)}


def aged(day: int) -> Delta:
    row = {"now": START + timedelta(days=day), "newest_event": START + timedelta(days=day), "semantics": 1}
    return {"meta": conform(pl.DataFrame([row]), META)}


def heard_of(case: str) -> Delta:
    row = {"case": case, "id": "1", "kind": "updated", "time": START}
    return {"history": conform(pl.DataFrame([row]).with_columns(case_key=keys_of([case])), HISTORY)}


HOLE: Delta = {"holes": conform(pl.DataFrame([{"topic": "sqm.events", "resumed_at": 50}]), HOLES)}


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([heard_of("a"), archiving("a", 0), heard_of("b")], id="an archived case goes"),
        pytest.param(
            [heard_of("a"), archiving("a", 0), aged(401), heard_of("a")], id="and may begin anew once it is forgotten"
        ),
        pytest.param(
            [mark(40, 1), mark(100, 2), HOLE, mark(60, 3), mark(70, 4)], id="marks of what is gone go with a hole"
        ),
    ],
)
def test_a_restored_state_is_the_one_that_was_written_also_where_deltas_take_rows_away(deltas: list[Delta]) -> None:
    written = State()
    records: list[Record] = []
    for number, change in enumerate(deltas, 1):
        written.apply(change)
        records += changelog.encode(change, Kind.DELTA, number)
    assert same(read(list(enumerate(records))).state, written)
