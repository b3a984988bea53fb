"""Calendars: business time as a position that stands still while closed.

A calendar maps an instant to its position, the open microseconds since its epoch, and a position back to the FIRST
instant that reaches it (18:00, not the next opening). Spans of business time are differences of positions; all
arithmetic of clocks is done on them.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from monitor.policy.calendar_model import Calendar as WrittenCalendar

Ints = npt.NDArray[np.int64]


class Calendar(Protocol):
    """Instants are microseconds since 1970-01-01T00:00Z, positions open microseconds since an epoch of its own."""

    def position(self, instants: Ints) -> Ints:
        """Open time up to each instant; never falls, stands still while closed."""
        ...

    def instant(self, positions: Ints) -> Ints:
        """The first instant at which each position is reached."""
        ...

    def days_later(self, instants: Ints, days: Ints) -> Ints:
        """Each instant moved to opening hours, then to the same time of day that many working days later, then
        forward to opening hours (rule 7)."""
        ...


class Always:
    """Open all the time: a position is the instant itself."""

    def position(self, instants: Ints) -> Ints:
        return instants

    def instant(self, positions: Ints) -> Ints:
        return positions

    def days_later(self, instants: Ints, days: Ints) -> Ints:
        return instants + days * (24 * 3600 * 1_000_000)


def calendar_of(written: WrittenCalendar) -> Calendar:
    """The table of a calendar of the policy."""
    if written.always_open:
        return Always()
    raise NotImplementedError
