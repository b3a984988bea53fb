"""Runs and segments: a clock's life, cut where its target may change (rule 5).

run       |-- opened ------------------------------------------ stopped --|
segments  |-- line 2 ------|-- line 1 (updated) --|-- none --|-- line 1 --|
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from monitor.cases import Cases, Ints, Mask
from monitor.clocks.rules import Rules
from monitor.names import Clock


class End(IntEnum):
    """How a run ends."""

    RUNNING = 0
    STOPPED = 1
    CUT = 2  # the case ended otherwise: excluded, unless the due had passed


@dataclass(frozen=True, slots=True)
class Runs:
    """One row a clock of a case (a cycle of it): when it ran. Instants in microseconds."""

    clock: Clock
    case: Ints
    cycle: Ints
    start: Ints
    end: Ints  # NEVER while running
    how: npt.NDArray[np.uint8]  # End
    contradictory: Mask  # what would stop it lies before the opening (rule 15)
    lapsed: Mask  # the case was cancelled or abandoned before its opening

    @property
    def height(self) -> int:
        return len(self.case)


@dataclass(frozen=True, slots=True)
class Segments:
    """Stretches of runs, sorted by run and time: which line is in force and from when it is measured."""

    run: Ints
    index: Ints  # event that begins it
    begin: Ints
    state: Ints  # row of the labels in force
    line: Ints  # global number; -1: none
    base: Ints  # `started`
    due: Ints | None = None  # promise: the due given; NEVER where none was

    def select(self, rows: Ints | Mask) -> "Segments":
        """Only these rows."""
        return Segments(
            self.run[rows],
            self.index[rows],
            self.begin[rows],
            self.state[rows],
            self.line[rows],
            self.base[rows],
            None if self.due is None else self.due[rows],
        )

    @property
    def heads(self) -> Mask:
        """Which are the first of their run."""
        return heads(self.run)


def heads(run: Ints) -> Mask:
    """Where a sorted column takes a new value."""
    found = np.ones(len(run), dtype=bool)
    found[1:] = run[1:] != run[:-1]
    return found


def shifted(values: Ints, by: Mask, first: int) -> Ints:
    """The value before each one, `first` where `by` marks a head."""
    before = np.empty_like(values)
    before[1:] = values[:-1]
    before[by] = first
    return before


def segments(cases: Cases, rules: Rules, run: Ints, index: Ints, begin: Ints, chosen: Ints) -> Segments:
    """Segments that begin at the events `index`, sorted by run and time, with the line in force in each.

    `chosen` is the line that fits at each. Another one is adopted unless its on_change is `keep` and a line was in
    force; `restart` measures from the change. Where none fits there is none, and nothing is kept beyond that.
    """
    head = heads(run)
    before = shifted(chosen, head, -1)
    here = np.arange(len(run))
    adopted = (chosen < 0) | (before < 0) | ~rules.keep[chosen]
    line = chosen[np.maximum.accumulate(np.where(adopted, here, 0))] if len(run) else chosen
    changed = ~head & (line != shifted(line, head, -1))
    restarts = head | (changed & rules.restart[line])
    base = begin[np.maximum.accumulate(np.where(restarts, here, 0))] if len(run) else begin
    return Segments(run, index, begin, cases.state[index], line, base)
