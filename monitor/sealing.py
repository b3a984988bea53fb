"""Keeps memory to open and lately ended cases: the rows of others are compressed, slice by slice.

It changes nothing that can be read of a state; so everyone who holds one may do it when it suits, and nobody tells
others of it.
"""

from datetime import timedelta
from typing import Final, NamedTuple

import polars as pl

from monitor.names import Kind
from monitor.rows import ToSeal
from monitor.state import SLICES, State

LEAST: Final = 2**14  # rows that have to have been added before the next slice has its turn
SETTLED: Final = timedelta(minutes=15)  # since a case ended: until then something may well come for it

_OPENS: Final = [str(kind) for kind in (Kind.OPENED, Kind.REOPENED)]
_ENDS: Final = [str(kind) for kind in (Kind.RESOLVED, Kind.CLOSED, Kind.CANCELLED, Kind.ABANDONED)]


class Sealing(NamedTuple):
    """What is about to be sealed."""

    state: State
    turn: int
    history: ToSeal
    contributions: ToSeal

    def do(self) -> None:
        """Hold it compressed from now on. The state must not have changed since."""
        self.state.sealed_turn = (self.turn + 1) % SLICES
        self.state.history.seal(self.history)
        self.state.contributions.seal(self.contributions)


def prepared(state: State) -> Sealing | None:
    """What has ended in the slice whose turn it is, compressed; None where not enough was added since the last one."""
    every = max(LEAST, state.history.height_unsealed // SLICES)  # looking costs no more than what came did
    if state.unsealed < every or state.newest_event is None:
        return None
    state.unsealed = min(state.unsealed - every, SLICES * every)  # of a restored state all slices are due in turn
    turn = state.sealed_turn
    cases = _ended(state.history.unsealed(turn, SLICES, "case_key", "time", "kind"))
    # Time turns cases again that ended together (`limits.reopen` later): so they lie together.
    ended = cases.filter(pl.col("since") < state.newest_event - SETTLED).sort("since")["case_key"]
    # Contributions are made anew whenever a case is judged again, while its history stays where it is.
    lying = state.contributions.unsealed(turn, SLICES, "case_key")["case_key"].unique()
    lying = lying.filter(~lying.is_in(cases["case_key"].implode()))
    contributions = state.contributions.to_seal(pl.concat([ended, lying]))
    return Sealing(state, turn, state.history.to_seal(ended), contributions)


def _ended(events: pl.DataFrame) -> pl.DataFrame:
    """case_key, since: when a case ended, one that never opened at its newest event; null: it is open.

    Roughly so: what is taken for ended and goes on is found all the same.

    :param events: case_key, time, kind
    """
    opens, time = pl.col("kind").is_in(_OPENS), pl.col("time")
    last = events.group_by("case_key").agg(
        opened=time.filter(opens).max(), closed=time.filter(pl.col("kind").is_in(_ENDS)).max(), newest=time.max()
    )
    since = (
        pl.when(pl.col("opened").is_null())
        .then(pl.col("newest"))
        .when(pl.col("closed") >= pl.col("opened"))
        .then(pl.col("closed"))
    )
    return last.select("case_key", since=since)


def seal(state: State) -> None:
    """Both at once."""
    if (sealing := prepared(state)) is not None:
        sealing.do()
