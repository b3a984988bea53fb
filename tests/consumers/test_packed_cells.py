"""Cells of old days travel packed, as they lie in memory: what is restored of them holds and answers the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from consumers import changelog
from consumers.changelog import Kind, Place
from consumers.state_log import StateLog
from monitor.cells.grains import TIERS
from monitor.frames import CELLS, conform
from monitor.state import META, PACKED_CELLS, SLICES, TIER_CELLS, Delta, State

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEWEST = int(NOW.timestamp()) // 10
WINDOWS = [timedelta(days=days) for days in (1, 12, 90)]


def cells(days: int, a_day: int, seed: int) -> pl.DataFrame:
    """Of so many days up to now."""
    rng = np.random.default_rng(seed)
    size = days * a_day
    return conform(
        pl.DataFrame(
            {
                "bucket": NEWEST - rng.integers(0, days * 8640, size),
                "series": rng.integers(0, 300, size),
                "measure": rng.choice(["first_response.met", "first_response.breached", "case.opened"], size),
                "bin": rng.integers(1900, 2200, size),
                "n": np.ones(size, dtype=np.int64),
                "total": rng.integers(0, 10**6, size),
            }
        ),
        CELLS,
    )


def meta(now: datetime) -> pl.DataFrame:
    return conform(pl.DataFrame([{"now": now, "newest_event": now, "policies": "p", "semantics": 1}]), META)


@pytest.fixture(scope="module")
def lived() -> State:
    """A state that has seen 60 days, and a correction of some of them."""
    state = State()
    came = cells(60, 3000, seed=1)
    state.apply({"meta": meta(NOW), "cells": came})
    late = pl.concat([came.head(500).with_columns(-pl.col("n", "total")), cells(60, 10, seed=2)])
    state.apply({"cells": late})
    return state


def as_it_is(state: State) -> list[Delta]:
    return [state.slice(number) for number in range(SLICES)]


def as_format_3(state: State) -> list[Delta]:
    """Before cells were packed: all of them in rows."""
    slices = as_it_is(state)
    for number, tables in enumerate(slices):
        tables.pop(PACKED_CELLS, None)
        tables[TIER_CELLS] = state.tiers.rows(number, SLICES)
    return slices


def restored(slices: list[Delta], order: list[int]) -> State:
    log = StateLog("sqm.state", 0)
    offset = 0
    for number in order:
        for key, value in changelog.encode(slices[number], Kind.SLICE, 1, slice_number=number, part_bytes=50_000):
            log.read(Place("sqm.state", 0, offset), key, value)
            offset += 1
    log.settle()
    return log.state


def held(state: State) -> pl.DataFrame:
    return state.tiers.rows().sort(pl.all())


def answers(state: State, now: datetime = NOW) -> list[pl.DataFrame]:
    def project(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("key", "n", "total")

    moving = [state.tiers.moving("all", now - length, now, TIERS[-1].name, project) for length in WINDOWS]
    return [*moving, *(state.tiers.window(now - length, now).cells for length in WINDOWS)]


def same(left: State, right: State, now: datetime = NOW) -> bool:
    pairs = zip([held(left), *answers(left, now)], [held(right), *answers(right, now)], strict=True)
    return all(one.equals(other) for one, other in pairs)


def test_old_days_are_written_packed_and_new_ones_in_rows(lived: State) -> None:
    slices = as_it_is(lived)
    assert all({TIER_CELLS, PACKED_CELLS} <= set(tables) for tables in slices)
    packed = pl.concat(tables[PACKED_CELLS] for tables in slices)
    rows = pl.concat(tables[TIER_CELLS] for tables in slices).filter(pl.col("tier") == "15m")
    every = held(lived).filter(pl.col("tier") == "15m")
    new = pl.col("bucket") >= NEWEST - 8 * 8640
    assert packed.filter(new).is_empty()
    assert rows.filter(new).sort(pl.all()).equals(every.filter(new))
    assert rows.height < every.height / 2


@pytest.mark.parametrize("written", [as_it_is, as_format_3])
@pytest.mark.parametrize("order", [[*range(SLICES)], [*reversed(range(SLICES))]], ids=["time first", "time last"])
def test_what_is_restored_holds_and_answers_the_same(
    lived: State, written: Callable[[State], list[Delta]], order: list[int]
) -> None:
    assert same(restored(written(lived), order), lived)


def test_what_is_restored_goes_on_as_the_original_does() -> None:
    """A correction of old days, then days that pass, with some of the oldest falling out of the tier."""
    one, came = State(), cells(395, 250, seed=3)
    one.apply({"meta": meta(NOW), "cells": came})
    other = restored(as_it_is(one), [*range(SLICES)])
    later = NOW + timedelta(days=30)
    taken_back = came.sample(2000, seed=4).with_columns(-pl.col("n", "total"))
    assert same(one, other)
    for change in ({"cells": taken_back}, {"meta": meta(later), "cells": cells(395, 5, seed=5)}):
        for state in (one, other):
            state.apply(change)
    assert same(one, other, later)
    assert same(one, restored(as_it_is(one), [*range(SLICES)]), later)
