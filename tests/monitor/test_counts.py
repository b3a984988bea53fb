"""What windows come to over partitions, read as time moves on, against a plain sum over all cells."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.frames import CELLS, SERIES, conform
from monitor.names import LABELS
from monitor.slas.counts import COUNTS, Counts
from monitor.slas.objectives import Measures
from monitor.state import State

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
WANTED = Measures(("first_response.met", "first_response.breached"), ("case.answered",))
OTHER = "resolution.met"
STEP = timedelta(minutes=1)


def state(services: list[str]) -> State:
    made = State()
    rows = [{"series": number, "service": service} for number, service in enumerate(services)]
    made.apply({"series": conform(pl.DataFrame(rows), SERIES)})
    return made


def cells(rows: list[tuple[int, int, str, int, int]]) -> pl.DataFrame:
    """(minute after T0, series, measure, bin, n) as cells."""
    return conform(
        pl.DataFrame(
            [
                {"bucket": int((T0 + minute * STEP).timestamp()) // 10, "series": series, "measure": measure}
                | {"bin": bin_, "n": n, "total": 7 * n}
                for minute, series, measure, bin_, n in rows
            ]
        ),
        CELLS,
    )


def plainly(
    added: list[tuple[int, int, str, int, int]], services: list[str], start: int, end: int
) -> dict[tuple[str, str], tuple[int, int]]:
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for minute, series, measure, _, n in added:
        if start <= minute <= end and measure != OTHER:
            had = sums.get((services[series], measure), (0, 0))
            total = 7 * n if measure in WANTED.valued else 0
            sums[services[series], measure] = (had[0] + n, had[1] + total)
    return {key: value for key, value in sums.items() if value[0]}


def read(counts: pl.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    assert counts.schema == COUNTS
    summed = counts.group_by("service", "measure").agg(pl.col("n", "total").sum()).filter(pl.col("n") != 0)
    return {(row["service"], row["measure"]): (row["n"], row["total"]) for row in summed.to_dicts()}


measures = st.sampled_from([*WANTED.counted, *WANTED.valued, OTHER])
additions = st.lists(
    st.tuples(st.integers(0, 59), st.integers(0, 1), measures, st.integers(2000, 2003), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), additions), min_size=1, max_size=6))
def test_a_window_read_again_and_again_is_the_plain_sum_over_all_partitions(
    batches: list[tuple[int, list[tuple[int, int, str, int, int]]]],
) -> None:
    services = (["billing", "delivery"], ["delivery", "search"])
    states = {0: state(services[0]), 1: state(services[1])}
    added: dict[int, list[tuple[int, int, str, int, int]]] = {0: [], 1: []}
    for tick, (partition, rows) in enumerate(batches):
        states[partition].apply({"cells": cells(rows)})
        added[partition] += rows
        end = 40 + 3 * tick
        counts = Counts(states, WANTED)
        for start, anchored in ((end - 20, False), (5, True)):
            got = counts(T0 + start * STEP, T0 + end * STEP, anchored=anchored).counts
            expected: dict[tuple[str, str], tuple[int, int]] = {}
            for p in states:
                for key, (n, total) in plainly(added[p], services[p], start, end).items():
                    had = expected.get(key, (0, 0))
                    expected[key] = (had[0] + n, had[1] + total)
            assert read(got) == expected


def test_bins_are_kept_only_where_values_are_wanted() -> None:
    one = state(["billing"])
    one.apply(
        {
            "cells": cells(
                [
                    (1, 0, "first_response.met", 2000, 1),
                    (1, 0, "first_response.met", 2001, 2),
                    (1, 0, "case.answered", 2000, 1),
                    (1, 0, "case.answered", 2001, 1),
                ]
            )
        }
    )
    got = Counts({0: one}, WANTED)(T0, T0 + 5 * STEP).counts.sort("measure", "bin").select("measure", "bin", "n")
    assert got.rows() == [("first_response.met", None, 3), ("case.answered", 2000, 1), ("case.answered", 2001, 1)]
    assert set(LABELS) < set(COUNTS)
