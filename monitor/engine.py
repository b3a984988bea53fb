"""The step: (state, events, now) -> delta. Pure: it reads the state and changes nothing.

A batch touches cases; of each the verdicts and facts are derived again from the whole set of its events, and what
differs from what the state says was emitted is the delta. Order, duplicates, chunks and lateness cannot matter.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from monitor import clocks, facts, late
from monitor.admission import admit
from monitor.archive import archivable, turn_of
from monitor.calendars import NEVER
from monitor.cases import instants, ordered
from monitor.cells import contributions
from monitor.chance.course import reached
from monitor.dedup import Unseen, unseen
from monitor.events import Read
from monitor.frames import (
    ARCHIVED,
    CELLS,
    FACTS,
    HISTORY,
    IDS,
    LABEL_COLUMNS,
    LEDGER_ROWS,
    VERDICTS,
    conform,
    empty,
    latest,
    referring,
)
from monitor.in_force import begun
from monitor.keyed import low_half
from monitor.names import Kind
from monitor.policy import PolicySet
from monitor.policy.judging import ALL, changed_from
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
    changes: pl.DataFrame  # CHANGES of verdicts of live cases that are to be told
    late: pl.DataFrame  # REFUSED: what came too late to be counted


def step(
    state: State,
    read: Read,
    now: datetime,
    policies: PolicySet,
    *,
    grace: timedelta | None = None,
    offsets: Mapping[str, int] | None = None,
    forgets: bool = False,
) -> Step:
    """Fold a batch into a state.

    :param read: what was decoded, in log order; may be empty (time alone moves clocks)
    :param now: the partition's time; must not lie before `state.now`
    :param grace: how long a breach that no event decided waits; None: as the policies say
    :param offsets: next offset by topic, to be stored with the delta
    :param forgets: whether ended cases are archived and old ids forgotten, so that events may come too late
    """
    events, too_late = late.split(state, read.events.filter(pl.col("kind") != Kind.ADVANCED), ages=forgets)
    known = state.history.of(events["case_key"])
    fresh = unseen(events, known, state.ids.of(events["event_key"]))
    measured = fresh.events.filter(pl.col("kind") == Kind.MEASURED)
    lived = fresh.events.filter(pl.col("kind") != Kind.MEASURED)
    restated = _of_other_rules(state, policies)
    unasked = pl.concat([restated, _ripe(state, now)]).unique()
    touched = pl.concat([lived["case_key"], unasked]).unique()  # the cases to derive again
    if lived.height < events.height:  # neither duplicates nor measured events touch a case
        known = known.filter(pl.col("case_key").is_in(touched.implode()))
    others = unasked.filter(~unasked.is_in(known["case_key"].implode()))
    history = pl.concat([known, state.history.of(others), conform(lived, HISTORY)])
    live = _derive_live(history, policies, now, grace)
    settled = _derive_measured(measured, now, policies)
    admitted = _admit(state, policies, live, settled)

    old = state.contributions.of(touched)
    new = pl.concat([contributions(admitted.verdicts, admitted.facts), reached(admitted.verdicts, policies)])
    new = new[np.argsort(low_half(new["case_key"]), kind="stable")]  # a state holds keys once where they lie together
    of_measured = contributions(*admitted.settled)
    emitted = (new, old.with_columns(-pl.col("n", "total")), of_measured)
    cells = add_up_cells(pl.concat([rows.select(list(CELLS)) for rows in emitted]))
    by_events = lived.filter(~pl.col("case_key").is_in(restated.implode()))  # what rules turn, no event did
    comparison = compare(state.verdicts_of(touched), admitted.verdicts, live.labels, by_events)
    delta: Delta = {
        "history": conform(lived, HISTORY),
        "verdicts": comparison.rows,
        "contributions": new,
        "wakes": live.wakes(),
        "ids": conform(measured, IDS).with_columns(pl.col("time").dt.truncate("1s")),
        "cells": cells,
        "published": _published(new, old, of_measured),
        "series": admitted.series,
        "ledger": _ledger(read, events, too_late, fresh, admitted.overflowed, comparison.corrected),
        "offsets": pl.DataFrame(list((offsets or {}).items()), schema=dict(OFFSETS), orient="row"),
        "in_force": begun(
            state.in_force,
            policies.judging,
            [version.digest for version in policies.versions],
            SEMANTICS,
            offsets=state.offsets,
            newest_event=state.newest_event,
            now=now,
        ),
        **_aging(state, read, now, policies, touched, forgets),
    }
    return Step({name: rows for name, rows in delta.items() if rows.height}, comparison.changes, too_late)


def outdated(state: State, policies: PolicySet) -> datetime | None:
    """From when on opened cases are judged by other rules than those that the state was made with.

    ALL: every case is, also one that has not opened. None: no case is.
    """
    if state.semantics != SEMANTICS:
        return ALL
    return None if state.policies is None else changed_from(state.policies, policies.judging)


class _Live(NamedTuple):
    keys: pl.Series  # of the cases, by their numbers
    verdicts: pl.DataFrame  # referring(VERDICTS)
    facts: pl.DataFrame  # referring(FACTS)
    labels: pl.DataFrame  # LABEL_COLUMNS, to which both refer

    def wakes(self) -> pl.DataFrame:
        """WAKES of all these cases: when time alone may change something, null where it cannot."""
        least = np.full(len(self.keys), NEVER)
        for rows in (self.verdicts, self.facts):
            waking = rows.select("case_no", pl.col("wake").to_physical()).drop_nulls()
            np.minimum.at(least, waking["case_no"].to_numpy(), waking["wake"].to_numpy())
        return pl.DataFrame({"case_key": self.keys, "wake": instants(least, least != NEVER)})


class _Settled(NamedTuple):
    verdicts: pl.DataFrame  # VERDICTS
    facts: pl.DataFrame  # FACTS


class _Admitted(NamedTuple):
    """What was derived, with the number of its series."""

    verdicts: pl.DataFrame
    facts: pl.DataFrame
    settled: _Settled  # `series` in the place of labels
    series: pl.DataFrame  # SERIES that are new
    overflowed: int


def _of_other_rules(state: State, policies: PolicySet) -> pl.Series:
    """Keys of the cases that other rules judge than before."""
    since = outdated(state, policies)
    if since is None:
        return empty(WAKES)["case_key"]
    if since == ALL:
        return state.history.frame()["case_key"].unique()
    return state.history.where((pl.col("kind") == Kind.OPENED) & (pl.col("time") >= since))["case_key"].unique()


def _ripe(state: State, now: datetime) -> pl.Series:
    """Keys of the cases that time alone may have changed."""
    due = state.next_wake
    if due is None or due >= now:
        return empty(WAKES)["case_key"]
    return state.wakes.where(pl.col("wake") < now)["case_key"]


def _derive_live(history: pl.DataFrame, policies: PolicySet, now: datetime, grace: timedelta | None) -> _Live:
    if history.height == 0:
        return _Live(history["case_key"], empty(referring(VERDICTS)), empty(referring(FACTS)), empty(LABEL_COLUMNS))
    cases = ordered(history)
    verdicts = clocks.judged(cases, policies, now, grace)
    found = facts.facts(cases, policies, verdicts, now)
    return _Live(cases.keys, verdicts, found.rows, found.labels)


def _derive_measured(measured: pl.DataFrame, now: datetime, policies: PolicySet) -> _Settled:
    if measured.height == 0:
        return _Settled(empty(VERDICTS), empty(FACTS))
    verdicts = clocks.measured(measured, policies, now)
    return _Settled(verdicts, facts.measured(measured, verdicts, policies))


def _admit(state: State, policies: PolicySet, live: _Live, settled: _Settled) -> _Admitted:
    labels, limit = policies.newest.labels, policies.newest.limits.series
    used = np.zeros(live.labels.height, dtype=bool)
    for rows in (live.verdicts, live.facts):
        used[rows["state"].to_numpy()] = True
    series, overflowed, admitted = state.series, 0, []
    for frame in (live.labels.filter(pl.Series(used)), settled.verdicts, settled.facts):
        result = admit(frame, series, labels, limit)
        series = pl.concat([series, result.series])
        overflowed += result.overflowed
        admitted.append(result.rows)
    of_state = pl.Series("series", np.zeros(len(used), dtype=np.uint32))
    of_state = of_state.scatter(np.flatnonzero(used), admitted[0]["series"])
    return _Admitted(
        live.verdicts.with_columns(of_state.gather(live.verdicts["state"])),
        live.facts.with_columns(of_state.gather(live.facts["state"])),
        _Settled(*admitted[1:]),
        series.tail(series.height - state.series.height),
        overflowed,
    )


def _published(new: pl.DataFrame, old: pl.DataFrame, of_measured: pl.DataFrame) -> pl.DataFrame:
    """PUBLISHED rows: response times of cases that had none before; never taken back, so that it can be a counter."""
    answered = pl.col("measure").is_in(ANSWER_TIMES)
    before = old.filter(answered)["case_key"]
    first = new.filter(answered & ~pl.col("case_key").is_in(before.implode()))
    rows = pl.concat([first, of_measured.filter(answered)]).select(list(PUBLISHED))
    return add_up(rows, ("series", "bin"))


def _ledger(
    read: Read, events: pl.DataFrame, too_late: pl.DataFrame, fresh: Unseen, overflowed: int, corrected: int
) -> pl.DataFrame:
    counters = {
        "read": read.read,
        "counted": fresh.events.height,
        "duplicate": events.height - fresh.events.height,
        "conflicting": fresh.conflicting,
        "late": too_late.height,
        "rejected": read.refused.height,
        "overflowed": overflowed,
        "corrected": corrected,
    }
    for reason, n in read.refused.group_by("reason").len().iter_rows():
        counters[f"rejected.{reason}"] = n
    return pl.DataFrame([(counter, n) for counter, n in counters.items() if n], schema=dict(LEDGER_ROWS), orient="row")


def _aging(
    state: State, read: Read, now: datetime, policies: PolicySet, touched: pl.Series, forgets: bool
) -> dict[str, pl.DataFrame]:
    """META, and which cases are archived."""
    times = [time for time in (state.newest_event, latest(read.events["time"])) if time is not None]
    newest = max(times, default=None)
    row = {
        "now": max(now, state.now) if state.now else now,
        "newest_event": newest,
        "policies": policies.judging,
        "semantics": SEMANTICS,
        "ids_from": state.ids.kept_from,
        "swept": state.swept,
    }
    archived, limits = empty(ARCHIVED), policies.newest.limits
    if forgets:
        row["ids_from"] = late.ids_from(state, newest, limits.dedup)
        turn = turn_of(newest, state)
        if turn is not None and newest is not None:
            row["swept"] = turn
            archived = archivable(state, turn, touched, newest, limits.retention)
    return {"archived": archived, "meta": conform(pl.DataFrame([row]), META)}
