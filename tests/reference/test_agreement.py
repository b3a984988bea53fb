"""The fold and the slow reference agree in every column of every verdict row."""

from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.cases import ordered
from monitor.clocks import derive
from tests.reference.agreement import disagreement
from tests.reference.draw import draw

SEEDS = 50  # of each run below; a case costs the reference about 2 ms, with office hours 20 ms
KEYS = ("case", "clock", "cycle")


@pytest.mark.parametrize("run", range(8))
def test_verdicts_round_the_clock_agree_with_the_reference(run: int) -> None:
    for seed in range(run * SEEDS, (run + 1) * SEEDS):
        assert disagreement(draw(Random(seed), cases=25, office=False)) is None, f"seed {seed}"


@pytest.mark.parametrize("run", range(4))
def test_verdicts_on_calendars_with_hours_agree_with_the_reference(run: int) -> None:
    for seed in range(run * SEEDS, run * SEEDS + 20):
        assert disagreement(draw(Random(seed), cases=4, office=True)) is None, f"seed {seed}"


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_single_case_agrees_with_the_reference(random: Random) -> None:
    assert disagreement(draw(random, cases=1, office=False)) is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_the_company_of_other_cases_matters(seed: int, random: Random) -> None:
    world = draw(Random(seed), cases=8, office=bool(seed % 2))
    history = world.history()
    order = list(range(history.height))
    random.shuffle(order)
    cut = random.randrange(0, len(world.cases) + 1)
    mine = pl.col("case").cast(pl.Int32) < cut

    def judged(rows: pl.DataFrame) -> pl.DataFrame:
        return derive(rows, world.policies, world.at(world.now)).sort(KEYS)

    whole = judged(history)
    assert_frame_equal(judged(history[order]), whole)
    apart = pl.concat([judged(history.filter(mine)), judged(history.filter(~mine))])
    assert_frame_equal(apart.sort(KEYS), whole)
    assert_frame_equal(derive(ordered(history), world.policies, world.at(world.now)).sort(KEYS), whole)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 40))
def test_a_row_does_not_change_before_it_wakes(seed: int, later: int) -> None:
    world = draw(Random(seed), cases=8, office=bool(seed % 2))
    cases, moving = ordered(world.history()), ("elapsed", "paused")
    before = derive(cases, world.policies, world.at(world.now)).sort(KEYS)
    after = derive(cases, world.policies, world.at(world.now + later)).sort(KEYS)
    asleep = before["wake"].is_null() | (before["wake"] >= world.at(world.now + later))
    assert_frame_equal(before.filter(asleep).drop(moving), after.filter(asleep).drop(moving))
    woken = after.filter(~asleep)
    assert woken.filter(pl.col("wake").is_not_null() & (pl.col("wake") < world.at(world.now + later))).height == 0
