"""Laws of explanations, over drawn policies and cases: they end in the verdicts and add up to their figures."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import polars as pl
import pytest

from monitor.cases import ordered
from monitor.clocks import derive
from monitor.explain import Entry, Explanation, Move, Story, Why, explain
from monitor.names import Clock, Outcome
from monitor.policy import load
from tests.collected import tables as collected
from tests.monitor.lives import history
from tests.reference.draw import MINUTES, World, draw

NOTHING = timedelta(0)
SEEDS = [*((seed, False) for seed in range(40)), *((seed, True) for seed in range(1000, 1025))]
RUNNING = (Outcome.OPEN, Outcome.AT_RISK)


def explained(world: World) -> Iterator[tuple[pl.DataFrame, Explanation, list[dict[str, Any]]]]:
    """Each case of a world: its events in order, why its verdicts are so, and the verdicts themselves."""
    everything, grace = world.history(), grace_of(world)
    for case in everything["case"].unique(maintain_order=True):
        own = everything.filter(pl.col("case") == case)
        rows = derive(own, world.policies, world.at(world.now), grace)
        events = own.select(pl.all().gather(ordered(own).row))
        yield events, explain(own, world.policies, world.at(world.now), grace), rows.sort("clock", "cycle").to_dicts()


def grace_of(world: World) -> timedelta | None:
    return None if world.grace is None else world.grace * timedelta(minutes=MINUTES)


def last_due(story: Story) -> datetime | None:
    return story.entries[-1].due


@pytest.mark.parametrize(("seed", "office"), SEEDS)
def test_an_explanation_ends_in_the_verdicts_and_adds_up_to_their_figures(seed: int, office: bool) -> None:
    world = draw(Random(seed), cases=6, office=office)
    for _, explanation, rows in explained(world):
        ends_in(explanation, rows)


@pytest.mark.parametrize("row", collected.rows(), ids=str)
def test_the_collected_cases_are_explained_by_the_same_laws(row: collected.Row) -> None:
    policies = load([("policy.yaml", "\n---\n".join(map(json.dumps, row.versions)))])
    events = history(c="; ".join(f"{at.isoformat()} {words}" for at, words in row.events))
    rows = derive(events, policies, row.now, NOTHING).sort("clock", "cycle").to_dicts()
    ends_in(explain(events, policies, row.now, NOTHING), rows)


def ends_in(explanation: Explanation, rows: list[dict[str, Any]]) -> None:
    """It tells of the verdicts of named clocks, adds up to their figures and ends with their dues."""
    named = explanation.version.clocks if explanation.version else ()
    assert [story.verdict for story in explanation.stories] == [row for row in rows if row["clock"] in named]
    for story in explanation.stories:
        adds_up(story)
        assert story.entries, "every clock has something to tell"
        assert all(entry.words for entry in story.entries)
        if story.verdict["due"] is not None:
            assert last_due(story) == story.verdict["due"]
        if story.verdict["outcome"] == Outcome.AT_RISK and all(one.at <= explanation.now for one in story.entries):
            assert Move.AT_RISK in {entry.move for entry in story.entries}, "it says since when"


def adds_up(story: Story) -> None:
    """Its stretches follow each other and add up to `elapsed`, `paused` and the target."""
    row, stretches = story.verdict, story.stretches
    assert all(one.end == other.start for one, other in pairwise(stretches))
    kinds = [(one.why, one.name, one.ahead) for one in stretches]
    assert all(one != other for one, other in pairwise(kinds)), "neighbours differ"
    assert sum((one.counted for one in stretches if not one.ahead), NOTHING) == (row["elapsed"] or NOTHING)
    pauses = [one.length for one in stretches if one.why == Why.PAUSED and not one.ahead]
    assert sum(pauses, NOTHING) == (row["paused"] or NOTHING)
    if stretches:
        assert stretches[0].start == row["started"]
    if row["target"] is not None and row["due"] is not None and not row["on_arrival"]:
        until = [one for one in stretches if one.start < row["due"]]
        used = sum((min(one.end, row["due"]) - one.start for one in until if one.counted), NOTHING)
        assert used == row["target"], "the due is where the counted time reaches the target"


@pytest.mark.parametrize(("seed", "office"), SEEDS[::3])
def test_each_entry_says_how_the_clock_stood_by_what_was_known_then(seed: int, office: bool) -> None:
    """The verdicts of the events up to an entry's, as of its instant, have the due and the time that it names."""
    world = draw(Random(seed), cases=4, office=office)
    for events, explanation, _ in explained(world):
        known: dict[int, dict[tuple[str, int], dict[str, Any]]] = {}
        for story in explanation.stories:
            for entry in story.entries:
                if entry.event is None or entry.move in (Move.STOPPED, Move.ENDED, Move.RESOLVED):
                    continue
                if entry.event not in known:
                    rows = derive(events[: entry.event + 1], world.policies, entry.at, NOTHING).to_dicts()
                    known[entry.event] = {(row["clock"], row["cycle"]): row for row in rows}
                stood_so(story, entry, known[entry.event][story.clock, story.cycle])


def stood_so(story: Story, entry: Entry, then: dict[str, Any]) -> None:
    if then["outcome"] in (*RUNNING, Outcome.BREACHED):
        assert (entry.due, entry.used) == (then["due"], then["elapsed"]), (story.clock, entry, then)
    elif story.clock != Clock.TOTAL_RESOLUTION:
        assert then["outcome"] in (Outcome.EXCLUDED, Outcome.NO_TARGET, Outcome.INCONSISTENT), (entry, then)
        assert entry.due is None, (entry, then)


@pytest.mark.parametrize(("seed", "office"), SEEDS[::5])
def test_a_verdict_without_a_pause_is_that_of_the_events_without_it(seed: int, office: bool) -> None:
    world = draw(Random(seed), cases=6, office=office)
    for events, explanation, _ in explained(world):
        numbered = events.with_row_index("place")
        for story in explanation.stories:
            for other in story.without:
                first, last = (0, events.height) if other.pause is None else (other.pause.first, other.pause.last)
                gone = (pl.col("kind") == "paused") & pl.col("place").is_between(first, last - 1)
                left = numbered.filter(~gone).drop("place")
                rows = derive(left, world.policies, world.at(world.now), grace_of(world)).to_dicts()
                row = next(row for row in rows if (row["clock"], row["cycle"]) == (story.clock, story.cycle))
                assert (other.outcome, other.due, other.elapsed) == (row["outcome"], row["due"], row["elapsed"])
