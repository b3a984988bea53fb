"""Keeps memory to open and lately ended cases: the rows of others are compressed, slice by slice.

It changes nothing that can be read of a state; so everyone who holds one may do it when it suits, and nobody tells
others of it.
"""

from datetime import timedelta
from typing import Final, NamedTuple

import polars as pl

from monitor.archive import ended_since
from monitor.rows import ToSeal
from monitor.state import SLICES, State

LEAST: Final = 2**14  # rows that have to have been added before the next slice has its turn
SETTLED: Final = timedelta(minutes=15)  # since a case ended: until then something may well come for it


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
    history = state.history.unsealed(turn, SLICES)
    ended = ended_since(history).filter(pl.col("since") < state.newest_event - SETTLED)["case_key"]
    awake = history["case_key"].unique()
    awake = awake.filter(~awake.is_in(ended.implode()))
    # Contributions are made anew whenever a case is judged again, while its history stays where it is.
    lying = state.contributions.unsealed(turn, SLICES)["case_key"].unique()
    lying = lying.filter(~lying.is_in(awake.implode()))
    return Sealing(state, turn, state.history.to_seal(ended), state.contributions.to_seal(lying))


def seal(state: State) -> None:
    """Both at once."""
    if (sealing := prepared(state)) is not None:
        sealing.do()
