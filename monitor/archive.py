"""Which cases a partition need not hold any longer: those that ended long ago, and that time alone cannot change.

The age of a partition is that of its newest event, never the clock on the wall, so that who reads the log again
comes to the same ages. Cases are looked through in turns, one slice of the keys each, all of them once in `ROUND`.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from monitor.cases import FINAL, RESOLVED, UNOPENED, instants, ordered
from monitor.frames import ARCHIVED, INSTANT, KEY, Columns, conform, empty
from monitor.state import SLICES, State

ROUND: Final = timedelta(hours=1)
ENDED: Final[Columns] = {"case_key": KEY, "since": INSTANT}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def turn_of(newest: datetime | None, state: State) -> int | None:
    """The turn that is to look next; None: it has looked already, no event has come, or none since the rules changed.

    When a case was archived is kept to the second, and tells which rules judged it last: those that began before.
    """
    if newest is None:
        return None
    began = state.in_force["newest_event"][-1] if state.in_force.height else None
    if began is not None and newest.replace(microsecond=0) <= began:
        return None
    due = (newest - _EPOCH) // (ROUND / SLICES)
    if state.swept is None:
        return due
    if due <= state.swept:
        return None
    # The slices keep their order, however many rounds were left out.
    return state.swept + 1 + (due - state.swept - 1) // SLICES * SLICES


def archivable(state: State, turn: int, touched: pl.Series, newest: datetime, retention: timedelta) -> pl.DataFrame:
    """The cases of that turn that are to be archived (ARCHIVED).

    :param touched: cases that a batch changes just now: they stay
    :param newest: time of the newest event
    """
    by = newest - retention
    keys = state.history.keys_before(turn % SLICES, SLICES, by)
    if keys.is_empty():
        return empty(ARCHIVED)
    ended = ended_since(state.history.of(keys)).filter(pl.col("since") < by)
    keys = ended["case_key"].filter(~ended["case_key"].is_in(touched.implode()))
    waiting = state.wakes.of(keys)["case_key"]
    gone = keys.filter(~keys.is_in(waiting.implode()))
    return conform(gone.to_frame().with_columns(at=pl.lit(newest)), ARCHIVED)


def ended_since(history: pl.DataFrame) -> pl.DataFrame:
    """The cases that have ended, and since when (ENDED): resolved or final; one that never opened at its newest event.

    :param history: HISTORY, whole cases
    """
    cases = ordered(history)
    last = cases.first[1:] - 1
    phase = cases.phase[last]
    resolved = np.maximum(cases.last_of(np.flatnonzero(cases.resolves)), 0)
    final = np.minimum(cases.final, last)
    at = np.select([phase == RESOLVED, phase == FINAL], [resolved, final], last)
    ends = (phase == RESOLVED) | (phase == FINAL) | (phase == UNOPENED)
    rows = pl.DataFrame({"case_key": cases.keys, "since": instants(cases.time[at])})
    return rows.filter(pl.Series(ends))
