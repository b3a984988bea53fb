"""The step: (state, events, now) -> delta. Pure: it reads the state and changes nothing.

A batch touches cases; of each the verdicts and facts are derived again from the whole set of its events, and what
differs from what the state says was emitted is the delta. Order, duplicates, chunks and lateness cannot matter.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from monitor import clocks, facts
from monitor.admission import admit
from monitor.cases import ordered
from monitor.cells import contributions
from monitor.dedup import Unseen, unseen
from monitor.events import Read
from monitor.frames import CELLS, FACTS, HISTORY, IDS, LEDGER_ROWS, VERDICTS, conform, empty
from monitor.names import Kind
from monitor.policy import PolicySet
from monitor.publication import compare
from monitor.state import (
    META,
    OFFSETS,
    PUBLISHED,
    SEMANTICS,
    WAKES,
    Delta,
    State,
    add_up,
    add_up_cells,
)

ANSWER_TIMES = ("first_response.met", "first_response.late", "first_response.untargeted")


class Step(NamedTuple):
    delta: Delta
    changes: pl.DataFrame  # CHANGES of verdicts of live cases; `change` null: nothing to publish


def step(
    state: State,
    read: Read,
    now: datetime,
    policies: PolicySet,
    *,
    grace: timedelta | None = None,
    offsets: Mapping[str, int] | None = None,
) -> Step:
    """Fold a batch into a state.

    :param read: what was decoded, in log order; may be empty (time alone moves clocks)
    :param now: the partition's time; must not lie before `state.now`
    :param grace: how long a breach that no event decided waits; None: as the policies say
    :param offsets: next offset by topic, to be stored with the delta
    """
    events = read.events.filter(pl.col("kind") != Kind.ADVANCED)
    fresh = unseen(state, events)
    measured = fresh.events.filter(pl.col("kind") == Kind.MEASURED)
    lived = fresh.events.filter(pl.col("kind") != Kind.MEASURED)
    touched = _touched(state, lived, now, policies)
    live = _derive_live(state, touched, lived, now, policies, grace)
    settled = _derive_measured(measured, now, policies)
    admitted = _admit(state, policies, live, settled)

    old = state.contributions.of(touched)
    new = contributions(*admitted.live)
    of_measured = contributions(*admitted.settled)
    emitted = (new, old.with_columns(-pl.col("n", "total")), of_measured)
    cells = add_up_cells(pl.concat([rows.select(list(CELLS)) for rows in emitted]))
    comparison = compare(state.verdicts_of(touched), admitted.live.verdicts, live.verdicts, lived)
    delta: Delta = {
        "history": conform(lived, HISTORY),
        "verdicts": comparison.rows,
        "contributions": new,
        "wakes": _wakes(touched, live),
        "ids": conform(measured, IDS),
        "cells": cells,
        "published": _published(new, old, of_measured),
        "series": admitted.series,
        "ledger": _ledger(read, events, fresh, admitted.overflowed, comparison.corrected),
        "offsets": pl.DataFrame(list((offsets or {}).items()), schema=dict(OFFSETS), orient="row"),
        "meta": _meta(state, read, now, policies),
    }
    return Step({name: rows for name, rows in delta.items() if rows.height}, comparison.changes)


class _Derived(NamedTuple):
    verdicts: pl.DataFrame  # VERDICTS
    facts: pl.DataFrame  # FACTS


class _Admitted(NamedTuple):
    live: _Derived  # both frames with `series` in the place of labels
    settled: _Derived
    series: pl.DataFrame
    overflowed: int


def _touched(state: State, lived: pl.DataFrame, now: datetime, policies: PolicySet) -> pl.Series:
    """Keys of the cases to derive again: with fresh events or ripe; all of them if the rules changed."""
    stale = state.policies not in (None, policies.digest) or state.semantics != SEMANTICS
    if stale:
        return pl.concat([lived["case_key"], state.history.frame()["case_key"]]).unique()
    due = state.next_wake
    ripe = state.wakes.where(pl.col("wake") < now)["case_key"] if due is not None and due < now else None
    keys = lived["case_key"] if ripe is None else pl.concat([lived["case_key"], ripe])
    return keys.unique()


def _derive_live(
    state: State,
    touched: pl.Series,
    lived: pl.DataFrame,
    now: datetime,
    policies: PolicySet,
    grace: timedelta | None,
) -> _Derived:
    if len(touched) == 0:
        return _Derived(empty(VERDICTS), empty(FACTS))
    cases = ordered(pl.concat([state.history.of(touched), conform(lived, HISTORY)]))
    verdicts = clocks.derive(cases, policies, now, grace)
    return _Derived(verdicts, facts.facts(cases, policies, verdicts, now))


def _derive_measured(measured: pl.DataFrame, now: datetime, policies: PolicySet) -> _Derived:
    if measured.height == 0:
        return _Derived(empty(VERDICTS), empty(FACTS))
    verdicts = clocks.measured(measured, policies, now)
    return _Derived(verdicts, facts.measured(measured, verdicts, policies))


def _admit(state: State, policies: PolicySet, live: _Derived, settled: _Derived) -> _Admitted:
    labels, limit = policies.newest.labels, policies.newest.limits.series
    series, overflowed, frames = state.series, 0, []
    for frame in (live.verdicts, live.facts, settled.verdicts, settled.facts):
        result = admit(frame, series, labels, limit)
        series = pl.concat([series, result.series])
        overflowed += result.overflowed
        frames.append(result.rows)
    new = series.tail(series.height - state.series.height)
    return _Admitted(_Derived(*frames[:2]), _Derived(*frames[2:]), new, overflowed)


def _wakes(touched: pl.Series, live: _Derived) -> pl.DataFrame:
    """WAKES of all touched cases: when time alone may change something, null where it cannot."""
    wakes = pl.concat([live.verdicts.select(list(WAKES)), live.facts.select(list(WAKES))])
    least = wakes.group_by("case_key").agg(pl.col("wake").min())
    return touched.to_frame("case_key").join(least, on="case_key", how="left").select(list(WAKES))


def _published(new: pl.DataFrame, old: pl.DataFrame, of_measured: pl.DataFrame) -> pl.DataFrame:
    """PUBLISHED rows: response times of cases that had none before; never taken back, so that it can be a counter."""
    answered = pl.col("measure").is_in(ANSWER_TIMES)
    before = old.filter(answered)["case_key"]
    first = new.filter(answered & ~pl.col("case_key").is_in(before.implode()))
    rows = pl.concat([first, of_measured.filter(answered)]).select(list(PUBLISHED))
    return add_up(rows, ("series", "bin"))


def _ledger(read: Read, events: pl.DataFrame, fresh: Unseen, overflowed: int, corrected: int) -> pl.DataFrame:
    counters = {
        "read": read.read,
        "counted": fresh.events.height,
        "duplicate": events.height - fresh.events.height,
        "conflicting": fresh.conflicting,
        "rejected": read.refused.height,
        "overflowed": overflowed,
        "corrected": corrected,
    }
    for reason, n in read.refused.group_by("reason").len().iter_rows():
        counters[f"rejected.{reason}"] = n
    return pl.DataFrame([(counter, n) for counter, n in counters.items() if n], schema=dict(LEDGER_ROWS), orient="row")


def _meta(state: State, read: Read, now: datetime, policies: PolicySet) -> pl.DataFrame:
    newest = read.events["time"].max()
    times = [time for time in (state.newest_event, newest) if isinstance(time, datetime)]
    row = {
        "now": max(now, state.now) if state.now else now,
        "newest_event": max(times, default=None),
        "policies": policies.digest,
        "semantics": SEMANTICS,
    }
    return conform(pl.DataFrame([row]), META)
