"""Windows over all partitions: groups are everything and each value of each single label, however it is spread."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from monitor.frames import CELLS, SERIES, conform
from monitor.names import LABELS
from monitor.state import State
from monitor.windows import GROUPED, GROUPS, WINDOWS, read

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEWEST = int(NOW.timestamp()) // 10
BY = ("service", "tier")

Count = tuple[str | None, str | None, int, int]  # service, tier, age in buckets, n


def add(state: State, counts: list[Count]) -> None:
    """Add cells under those labels, admitting their series as they come."""
    known = {row[1:]: row[0] for row in state.series.iter_rows()}
    new: list[dict[str, Any]] = []
    rows = []
    for service, tier, age, n in counts:
        labels = tuple({"service": service, "tier": tier}.get(label) for label in LABELS)
        if labels not in known:
            known[labels] = len(known)
            new.append({"series": known[labels], "service": service, "tier": tier})
        rows.append({"bucket": NEWEST - age, "series": known[labels], "measure": "case.opened", "n": n, "total": 0})
    if new:
        state.apply({"series": conform(pl.DataFrame(new), SERIES)})
    state.apply({"cells": conform(pl.DataFrame(rows, schema={name: CELLS[name] for name in rows[0]}), CELLS)})


def found(states: Mapping[int, State], length: timedelta | None) -> dict[tuple[str | None, str | None], int]:
    window = read(states, BY, None if length is None else NOW - length, NOW)
    assert dict(window.groups.schema) == dict(GROUPS)
    assert dict(window.cells.schema) == dict(GROUPED)
    rows = window.cells.join(window.groups, on="group", how="left")
    return {(row["service"], row["tier"]): row["n"] for row in rows.iter_rows(named=True)}


def plainly(counts: list[Count], oldest: int) -> dict[tuple[str | None, str | None], int]:
    sums: dict[tuple[str | None, str | None], int] = {}
    for service, tier, age, n in counts:
        if age > oldest:
            continue
        for key in {(None, None), (service, None), (None, tier)}:
            sums[key] = sums.get(key, 0) + n
    return {key: n for key, n in sums.items() if n}


LABEL = st.one_of(st.none(), st.sampled_from("abc"))
COUNTS = st.lists(st.tuples(LABEL, LABEL, st.integers(0, 200), st.integers(-2, 5)), min_size=1, max_size=12)


@given(st.lists(st.tuples(st.integers(0, 2), COUNTS), min_size=1, max_size=6))
def test_a_window_read_again_and_again_is_the_plain_sum_by_each_label(batches: list[tuple[int, list[Count]]]) -> None:
    states = {number: State() for number in range(3)}
    every: list[Count] = []
    for partition, counts in batches:
        add(states[partition], counts)
        every += counts
        assert found(states, timedelta(minutes=10)) == plainly(every, 60)
        assert found(states, None) == plainly(every, 10**6)


def test_groups_stand_in_the_order_of_labels_and_values_with_the_total_first() -> None:
    states = {1: State(), 0: State()}
    add(states[1], [("b", "x", 0, 1), ("a", None, 0, 1)])
    add(states[0], [("c", "x", 0, 1), ("b", "w", 0, 1)])
    groups = read(states, BY, None, NOW).groups
    assert groups["group"].to_list() == list(range(6))
    assert groups.select("service", "tier").rows() == [
        (None, None), ("a", None), ("b", None), ("c", None), (None, "w"), (None, "x"),
    ]  # fmt: skip


def test_without_cells_there_is_the_total_and_nothing_in_it() -> None:
    for states in ({}, {0: State()}):
        for labels in ((), BY):
            window = read(states, labels, None, NOW)
            assert (window.groups.height, window.cells.height) == (1, 0)


def test_windows_are_named_as_they_are_written_and_grow() -> None:
    lengths = list(WINDOWS.values())
    assert lengths == sorted(lengths)
    assert WINDOWS["90d"] == timedelta(days=90)
