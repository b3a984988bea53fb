"""Files through the engine in one batch, without Kafka: the figures that a live monitor would end with."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from consumers.files_read import Gathered, read
from monitor import clocks
from monitor.chance import foretell
from monitor.dedup import unseen
from monitor.engine import step
from monitor.events import Read
from monitor.frames import HISTORY, IDS, empty, latest
from monitor.names import Kind
from monitor.policy import PolicySet
from monitor.running import OPEN
from monitor.state import State
from monitor.summary import summary


class Replayed(NamedTuple):
    """What a replay ends with; `now` is the instant of its figures."""

    state: State
    read: Read
    now: datetime
    summary: dict[str, Any]


def replay(gathered: Gathered, policies: PolicySet, *, now: datetime | None, wall: datetime) -> Replayed:
    """All events of files folded at once.

    :param now: the instant of the figures; None: the newest event's (`wall` if there is none)
    :param wall: the time of day; events beyond it by more than `limits.future_skew` are refused
    """
    events = read(gathered, future_after=wall + policies.newest.limits.future_skew)
    return fold(events, policies, now=now, wall=wall, rows_unreadable=gathered.rows_unreadable)


def fold(
    events: Read, policies: PolicySet, *, now: datetime | None, wall: datetime, rows_unreadable: int = 0
) -> Replayed:
    """Events folded at once, without grace, nothing archived."""
    at = now or latest(events.events["time"]) or wall
    state = State()
    state.apply(step(state, events, at, policies, grace=timedelta(0)).delta)
    return Replayed(state, events, at, summary({0: state}, policies, at, rows_unreadable))


def verdicts(replayed: Replayed, policies: PolicySet) -> pl.DataFrame:
    """VERDICTS of all cases, running clocks as of `now`, and of measured events, which are no part of the state."""
    now = replayed.now
    live = clocks.derive(replayed.state.history.frame(), policies, now, timedelta(0))
    told = replayed.read.events.filter(pl.col("kind") != str(Kind.ADVANCED))
    counted = unseen(told, empty(HISTORY), empty(IDS)).events
    settled = clocks.measured(counted.filter(pl.col("kind") == str(Kind.MEASURED)), policies, now)
    return pl.concat([live, settled])


def running(replayed: Replayed, policies: PolicySet) -> pl.DataFrame:
    """Open clocks as of `now`, with their chances (`chance.foretell`), the likeliest to breach first."""
    found = foretell({0: replayed.state}, policies, replayed.now, timedelta(0)).clocks
    order = ("chance", "due", "case", "clock", "cycle")
    open_ = found.filter(pl.col("outcome").is_in(OPEN))
    return open_.sort(order, descending=[True, False, False, False, False], nulls_last=True)
