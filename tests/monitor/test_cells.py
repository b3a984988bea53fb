"""Contributions: which rows a verdict and a fact add to the cells, and that they add up."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor import clocks, facts
from monitor.cases import ordered
from monitor.cells import contributions
from monitor.cells.bins import bin_of
from monitor.frames import CELLS, CONTRIBUTIONS, FACTS, HISTORY, VERDICTS, conform, empty
from monitor.names import MEASURES
from monitor.state import add_up, add_up_cells
from tests.monitor.minutes import T0, Event, at, policy, read

POLICIES = policy("""
labels: [service]
targets:
  - {clock: first_response, when: {service: gold}, within: 10m, at_risk: 0.8}
  - {clock: next_response, when: {service: gold}, within: 10m}
""")
GOLD = {"service": "gold"}
START = int(T0.timestamp()) // 10


def numbered(rows: pl.DataFrame, series: int = 0) -> pl.DataFrame:
    return rows.with_columns(series=pl.lit(series, dtype=pl.UInt32))


NO_VERDICTS = numbered(empty(VERDICTS))


def of_clock(clock: str, events: list[Event], minute: float) -> dict[str, Any]:
    """Measures of a clock, with (bucket after T0, milliseconds) of each."""
    cases = ordered(conform(read({"c": events}).events, HISTORY))
    verdicts = clocks.judged(cases, POLICIES, at(minute), timedelta(0))
    rows = contributions(numbered(verdicts), numbered(facts.facts(cases, POLICIES, verdicts, at(minute)).rows))
    assert dict(rows.schema) == dict(CONTRIBUTIONS)
    return {
        row["measure"].removeprefix(f"{clock}."): (row["bucket"] and row["bucket"] - START, row["total"])
        for row in rows.iter_rows(named=True)
        if row["measure"].startswith(f"{clock}.")
    }


@pytest.mark.parametrize(
    ("events", "minute", "rows"),
    [
        ([(0, "opened", GOLD), (5, "responded")], 9, {"met": (30, 300_000)}),
        ([(0, "opened", GOLD)], 5, {"open": (None, 0)}),
        ([(0, "opened", GOLD)], 9, {"at_risk": (None, 0)}),
        # breached in the bucket of its due, late in that of its stop
        ([(0, "opened", GOLD)], 11, {"breached": (60, 0)}),
        ([(0, "opened", GOLD), (25, "responded")], 30, {"breached": (60, 0), "late": (150, 1_500_000)}),
        # what the end of the case cut short took no time
        ([(0, "opened", GOLD), (25, "cancelled")], 30, {"breached": (60, 0)}),
        ([(0, "opened", GOLD), (25, "abandoned")], 30, {"breached": (60, 0)}),
        ([(0, "opened", GOLD), (5, "cancelled")], 30, {"excluded": (30, 0)}),
        # without target: counted without bucket, its time at its stop
        ([(0, "opened")], 9, {"no_target": (None, 0)}),
        ([(0, "opened"), (5, "responded")], 9, {"no_target": (None, 0), "untargeted": (30, 300_000)}),
        ([(0, "opened"), (5, "cancelled")], 9, {"no_target": (None, 0)}),
        ([(5, "opened", GOLD), (1, "responded")], 9, {"inconsistent": (None, 0)}),
    ],
    ids=str,
)
def test_a_verdict_lies_in_the_bucket_of_the_instant_that_decided_it(
    events: list[Event], minute: float, rows: dict[str, Any]
) -> None:
    assert of_clock("first_response", events, minute) == rows


def test_a_cycle_that_the_resolve_ended_late_was_never_answered() -> None:
    replied: list[Event] = [(0, "opened", GOLD), (1, "responded"), (2, "customer_replied")]
    assert of_clock("next_response", [*replied, (30, "resolved")], 60) == {"breached": (72, 0)}
    assert of_clock("next_response", [*replied, (30, "responded")], 60) == {
        "breached": (72, 0),
        "late": (180, 1_680_000),
    }


def test_a_value_lies_in_its_bin_and_a_row_without_value_in_none() -> None:
    fact = {"at": T0, "n": 1, "value": [4000, None, 250], "measure": ["rating.csat", "case.opened", "case.answered"]}
    rows = contributions(NO_VERDICTS, numbered(conform(pl.DataFrame(fact), FACTS)))
    expected = bin_of(pl.Series([4000], dtype=pl.Int64))[0]
    assert rows.select("bin", "n", "total").rows() == [(expected, 1, 4000), (None, 1, 0), (None, 1, 250)]


def test_a_fact_that_only_waits_for_time_adds_nothing() -> None:
    waiting = conform(pl.DataFrame({"measure": ["case.right_first_time"], "n": [0], "wake": [T0]}), FACTS)
    assert contributions(NO_VERDICTS, numbered(waiting)).height == 0


def test_a_row_has_the_series_of_what_it_is_made_of() -> None:
    fact = conform(pl.DataFrame({"measure": ["case.opened"], "n": [1]}), FACTS)
    rows = contributions(NO_VERDICTS, numbered(fact, 7))
    assert dict(rows.schema) == dict(CONTRIBUTIONS)
    assert rows["series"].to_list() == [7]


keys = st.tuples(
    st.none() | st.integers(-(2**31), 2**31 - 1) | st.integers(177_000_000, 177_000_003),
    st.integers(0, 3) | st.integers(0, 2**32 - 1),
    st.sampled_from(MEASURES[:2] + MEASURES[-1:]),
    st.none() | st.integers(1 - 2**15, 2**15 - 1) | st.integers(0, 2),
)


@given(st.lists(st.tuples(keys, st.integers(-2, 2), st.integers(-2, 2)), max_size=30))
def test_cells_added_up_as_one_integer_are_those_added_up_column_by_column(rows: list[Any]) -> None:
    frame = pl.DataFrame([(*key, n, total) for key, n, total in rows], schema=dict(CELLS), orient="row")
    by = ("bucket", "series", "measure", "bin")
    assert_frame_equal(add_up_cells(frame).sort(by), add_up(frame, by).sort(by))
