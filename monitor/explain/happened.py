"""One case as explanations read it: its events in order, what each says, and what holds after each."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from monitor.calendars import NEVER
from monitor.cases import RESOLVED, Cases
from monitor.explain.model import Pause
from monitor.names import LABELS, Kind
from monitor.policy import TargetLine
from monitor.zones import EPOCH, MICROSECOND

_TOLD: Final = ("time", "kind", "sequence", "source", "id", "public", "bot", "reason", "due_at", "outcome", "complaint")


@dataclass(frozen=True)
class Happened:
    """The events of one case in the order of rule 2 and, per event, what was so after it."""

    cases: Cases  # of that one case
    events: list[dict[str, Any]]
    labels: list[dict[str, str | None]]
    resolved: list[bool]

    @classmethod
    def of(cls, cases: Cases) -> "Happened":
        """The one case of `cases`."""
        events = cases.history.select(_TOLD).select(pl.all().gather(cases.row)).to_dicts()
        known = cases.labels.select(LABELS).to_dicts()
        resolved = (cases.phase == RESOLVED).tolist()
        return cls(cases, events, [known[state] for state in cases.state.tolist()], resolved)

    @property
    def opened(self) -> int:
        """The event that opened it; -1: none has arrived."""
        return int(self.cases.opened[0]) if self.cases.height else -1

    @property
    def final(self) -> int:
        """The event that ended it for good; the number of events without one."""
        return int(self.cases.final[0])

    @cached_property
    def complaint(self) -> bool:
        return bool(self.cases.complaint[0])

    @property
    def void(self) -> bool:
        """Last resolved as duplicate or merged."""
        return bool(self.cases.void[0])

    def kind(self, index: int) -> Kind:
        return Kind(self.events[index]["kind"])

    def time(self, index: int) -> datetime:
        found: datetime = self.events[index]["time"]
        return found

    def resolves(self, index: int) -> bool:
        """Whether the event resolved the case (it was not resolved before)."""
        return bool(self.cases.resolves[index])

    def reopens(self, index: int) -> bool:
        return bool(self.cases.reopens[index])

    def answers(self, index: int, *, bots: bool) -> bool:
        """Whether it is a public answer of an agent, or with `bots` of a bot."""
        return bool(self.cases.answers(np.array([index]), bots=bots)[0])

    def pauses(self, line: TargetLine | None) -> list[Pause]:
        """The pauses that stop a line's clock (rule 3): each from the first `paused` to the next `resumed`."""
        if line is None or not line.pauses:
            return []
        if line.pauses not in self._pauses:
            self._pauses[line.pauses] = self._pauses_of(line)
        return self._pauses[line.pauses]

    @cached_property
    def _pauses(self) -> dict[frozenset[str], list[Pause]]:
        return {}

    def _pauses_of(self, line: TargetLine) -> list[Pause]:
        found: list[Pause] = []
        begun: int | None = None
        for index, event in enumerate(self.events):
            if event["kind"] == Kind.PAUSED and begun is None and stops(line, event["reason"]):
                begun = index
            elif event["kind"] == Kind.RESUMED and begun is not None:
                found.append(self._pause(begun, index))
                begun = None
        return [*found, self._pause(begun, len(self.events))] if begun is not None else found

    def _pause(self, first: int, last: int) -> Pause:
        end = self.time(last) if last < len(self.events) else None
        return Pause(self.time(first), end, self.events[first]["reason"], first, last)

    @cached_property
    def last_resolve(self) -> int:
        """The last event that resolved the case; there is one."""
        return int(np.flatnonzero(self.cases.resolves)[-1])

    def gaps(self) -> list[tuple[int, int]]:
        """Time between each resolve and the reopening after it, in microseconds; NEVER where none came."""
        found: list[tuple[int, int]] = []
        begun: int | None = None
        for index in range(len(self.events)):
            if self.resolves(index):
                begun = micro(self.time(index))
            elif self.reopens(index) and begun is not None:
                found.append((begun, micro(self.time(index))))
                begun = None
        return [*found, (begun, NEVER)] if begun is not None else found


def stops(line: TargetLine, reason: str | None) -> bool:
    """Whether a pause for that reason stops the line's clock."""
    return line.every_pause or reason in line.pauses


def micro(value: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z."""
    return (value - EPOCH) // MICROSECOND


def moment(microseconds: int) -> datetime | None:
    """The instant; None for NEVER and beyond what a date can hold."""
    try:
        return EPOCH + microseconds * MICROSECOND
    except OverflowError:
        return None
