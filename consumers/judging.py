"""What the judge sees of the states at a tick, and what it makes of that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
import polars as pl

from monitor import alerts
from monitor.alerts import Step, Tick
from monitor.alerts.claims import WATCHED, watched_clocks
from monitor.alerts.grounds import Glance, Grounds, glances
from monitor.frames import LABEL_COLUMNS, conform, empty
from monitor.keys import keys_of
from monitor.names import AlertKind, Outcome
from monitor.policy import PolicyVersion
from monitor.slas import asked, judgements
from monitor.slas.burning import burning
from monitor.slas.counts import Counts
from monitor.slas.objectives import Measures, measures
from monitor.state import State

CURRENT: Final = timedelta(seconds=30)  # a partition whose time is no longer ago than that keeps up

CASES: Final = Measures(("case.opened", "case.closed", "case.open"), ())

Clock = Literal["wall", "event"]


@dataclass(frozen=True)
class Seen:
    """A copy of what matters, taken while no state changes."""

    tick: Tick
    counts: Counts  # all windows read
    verdicts: pl.DataFrame  # WATCHED
    ledgers: Mapping[int, Mapping[str, int]]
    glances: Mapping[int, Glance]  # how far each partition was read


def see(
    states: Mapping[int, State], policy: PolicyVersion, previous: pl.DataFrame, wall: datetime, clock: Clock
) -> Seen | None:
    """Take that copy; None while no partition has a time yet. The states must not change meanwhile.

    :param previous: ALERTS
    """
    instants = [state.now for state in states.values() if state.now is not None]
    if not instants:
        return None
    now = max(instants)
    counts = Counts(states, measures(policy.slas))
    for sla in policy.slas:
        for window in asked(sla, now):
            counts(window.start, now, anchored=window.anchored)
    counts(None, now)
    return Seen(
        Tick(now, wall, is_current(states, wall, clock)),
        counts,
        _watched(states, policy, previous),
        {number: state.ledger() | _cases(number, state, now) for number, state in states.items()},
        glances(states),
    )


def judge(seen: Seen, policy: PolicyVersion, previous: pl.DataFrame) -> Step:
    """What became of the alerts."""
    judged = judgements(seen.counts, policy, seen.tick.now)
    pairs = burning(judged, policy, seen.tick.now)
    return alerts.step(previous, pairs, seen.verdicts, seen.ledgers, policy, seen.tick)


def grounds_of(transitions: pl.DataFrame, seen: Seen, policy: PolicyVersion) -> dict[str, tuple[Grounds, ...]]:
    """On what each burn alert among those transitions (ALERTS) was judged, by its id."""
    tick = seen.tick
    rows = transitions.filter(pl.col("kind") == AlertKind.BURN).select("id", "state", "at", "values")
    return {
        identity: (
            Grounds(
                state,
                at,
                tick.now,
                tick.wall,
                tick.current,
                policy.digest,
                msgspec.json.decode(values),
                dict(seen.glances),
            ),
        )
        for identity, state, at, values in rows.iter_rows()
    }


def _cases(number: int, state: State, now: datetime) -> dict[str, int]:
    """How many cases of the partition were opened, are closed and are open."""
    rows = Counts({number: state}, CASES)(None, now).counts
    summed = dict(rows.group_by("measure").agg(pl.col("n").sum()).iter_rows())
    return {measure.replace("case.", "cases_"): summed.get(measure, 0) for measure in CASES.counted}


def is_current(states: Mapping[int, State], wall: datetime, clock: Clock) -> bool:
    """Whether every partition keeps up: stands at the wall clock, or, with `clock: event`, where all others do."""
    instants = [state.now for state in states.values()]
    if clock == "event":
        return len(set(instants)) == 1
    return all(now is not None and wall - now <= CURRENT for now in instants)


def _watched(states: Mapping[int, State], policy: PolicyVersion, previous: pl.DataFrame) -> pl.DataFrame:
    clocks = watched_clocks(policy)
    called = [Outcome.BREACHED, Outcome.AT_RISK]
    wanted = pl.col("outcome").is_in(called) & pl.col("clock").is_in([str(clock) for clock in clocks])
    parts = [_labelled(state, state.verdicts_where(wanted)) for state in states.values()] if clocks else []
    found = pl.concat(parts) if parts else empty(WATCHED)
    identity = ["case", "clock", "cycle"]
    of_cases = pl.col("kind").is_in([AlertKind.BREACH, AlertKind.AT_RISK]) & pl.col("ended").is_null()
    lost = previous.filter(of_cases).join(found, on=identity, how="anti")
    if lost.height == 0:
        return found
    keys = keys_of(lost["case"].unique())
    moved_on = pl.concat([_labelled(state, state.verdicts_of(keys)) for state in states.values()] or [found.clear()])
    return pl.concat([found, moved_on.join(lost, on=identity, how="semi")])


def _labelled(state: State, verdicts: pl.DataFrame) -> pl.DataFrame:
    if verdicts.height == 0:
        return empty(WATCHED)
    labels = state.series.select("series", *LABEL_COLUMNS)
    return conform(verdicts.join(labels, on="series", how="left", maintain_order="left"), WATCHED)
