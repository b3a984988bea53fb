"""One clock's life: which line was in force when, and how the clock stood after each event, as known by then."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from monitor.calendars import NEVER
from monitor.cases import Ints
from monitor.clocks.segments import End, Runs, Segments
from monitor.clocks.timing import Timing
from monitor.explain.happened import Happened, micro, moment
from monitor.explain.hours import Almanac
from monitor.explain.model import Pause
from monitor.names import Clock, Kind
from monitor.policy import PolicyVersion, TargetLine
from monitor.zones import MICROSECOND


@dataclass(frozen=True, slots=True)
class Stand:
    """How a clock stood at an instant."""

    line: TargetLine | None
    base: datetime  # measured from
    paused: Pause | None  # that is on
    due: datetime | None
    used: timedelta

    @property
    def left(self) -> timedelta | None:
        """What remains of a target that is a span."""
        within = self.line.within if self.line else None
        return None if within is None else within - self.used


@dataclass(frozen=True)
class Life:
    """One run of a clock in one case: the segments in which its lines were in force (rule 5)."""

    happened: Happened
    timing: Timing
    version: PolicyVersion | None
    almanacs: Mapping[str, Almanac]  # by name, of the calendars of its policy version
    runs: Runs
    number: int  # which of `runs`
    parts: Segments  # of this run only
    verdict: dict[str, Any]
    now: datetime
    ripe_at: datetime  # a due before it has passed, as of now

    @property
    def clock(self) -> Clock:
        return self.runs.clock

    @property
    def cycle(self) -> int:
        return int(self.runs.cycle[self.number])

    @property
    def how(self) -> End:
        return End(int(self.runs.how[self.number]))

    @property
    def contradictory(self) -> bool:
        return bool(self.runs.contradictory[self.number])

    @property
    def lapsed(self) -> bool:
        return bool(self.runs.lapsed[self.number])

    @property
    def end(self) -> datetime | None:
        """When it stopped, or its case ended; None while it runs."""
        end = int(self.runs.end[self.number])
        return None if end == NEVER else moment(end)

    @property
    def first(self) -> int:
        """The event that started it."""
        return int(self.parts.index[0])

    @cached_property
    def lines(self) -> list[TargetLine | None]:
        """The line in force in each segment."""
        if self.version is None:
            return [None] * len(self.parts.line)
        first = int(self.timing.rules.first_line[self.version.number])
        return [None if at < 0 else self.version.targets[at - first] for at in self.parts.line.tolist()]

    @cached_property
    def dues(self) -> Ints:
        """The due of each segment, from all that is known now."""
        parts = self.parts
        if parts.due is not None:
            return np.where(parts.line >= 0, parts.due, NEVER)
        return self.timing.due(np.zeros_like(parts.line), parts.line, parts.base)

    @cached_property
    def decided(self) -> int | None:
        """The first segment whose due passed before it ended, or had passed when it began: a breach.

        It is one whatever became of the case later: one that turns out to be no case is excluded all the same.
        """
        if self.contradictory or self.lapsed:
            return None
        begins, end = self.parts.begin, int(self.runs.end[self.number])
        ends = np.append(begins[1:], micro(self.ripe_at) if end == NEVER else end)
        passed = (self.parts.line >= 0) & ((self.dues < begins) | (self.dues < ends))
        return next(iter(np.flatnonzero(passed).tolist()), None)

    def place(self, index: int) -> int:
        """The segment in which an event lies."""
        return max(bisect_right(self.begins, index) - 1, 0)

    def segment(self, index: int) -> int:
        """The segment that counts after an event: none later than the one that decided."""
        found = self.place(index)
        return found if self.decided is None else min(found, self.decided)

    def line(self, index: int) -> TargetLine | None:
        """The line that counts after an event."""
        return self.lines[self.segment(index)]

    def closes(self, line: TargetLine) -> bool:
        """Whether the line's calendar is closed at times."""
        return not self.almanacs[line.calendar].written.always_open

    def due(self, segment: int) -> datetime | None:
        """The due of a segment, from all that is known now; it may lie before the segment."""
        return moment(int(self.dues[segment]))

    def begin(self, segment: int) -> datetime:
        """When a segment begins."""
        return _instant(int(self.parts.begin[segment]))

    @property
    def counts(self) -> int:
        """The segment that the verdict is of: the one that decided, else the last one."""
        return len(self.lines) - 1 if self.decided is None else self.decided

    @property
    def on_arrival(self) -> bool:
        """Whether the due that passed had done so when its segment began."""
        return self.decided is not None and bool(self.dues[self.decided] < self.parts.begin[self.decided])

    @cached_property
    def breached(self) -> datetime | None:
        """The instant of the breach."""
        if self.decided is None:
            return None
        return self.begin(self.decided) if self.on_arrival else self.due(self.decided)

    @cached_property
    def stop(self) -> int:
        """The event that stopped the clock or ended its case; the number of events while it runs."""
        happened, end = self.happened, self.end
        if end is None:
            return len(happened.events)
        if self.clock == Clock.TOTAL_RESOLUTION and self.how == End.STOPPED:
            return happened.last_resolve
        found = range(self.first + 1, min(happened.final, len(happened.events)))
        return next((i for i in found if happened.time(i) == end and self._stops(i)), happened.final)

    def _stops(self, index: int) -> bool:
        happened = self.happened
        if happened.resolves(index):
            return True
        if self.how == End.CUT or self.clock in (Clock.RESOLUTION, Clock.PROMISE):
            return False
        if happened.kind(index) == Kind.ACKNOWLEDGED:
            return self.clock == Clock.ACKNOWLEDGEMENT
        line = self.lines[self.place(index)]
        return happened.answers(index, bots=line is not None and line.bots_answer)

    @cached_property
    def begins(self) -> list[int]:
        """The events that begin its segments."""
        return [int(index) for index in self.parts.index]

    def pauses(self, line: TargetLine | None) -> list[Pause]:
        """The pauses that stop the clock under that line; promises know none."""
        return [] if self.clock == Clock.PROMISE else self.happened.pauses(line)

    def pause_on(self, index: int) -> Pause | None:
        """The pause that stops the clock after an event."""
        pauses = self.pauses(self.line(index))
        at = bisect_right(pauses, index, key=lambda pause: pause.first) - 1
        return pauses[at] if at >= 0 and index < pauses[at].last else None

    def stands(self, indices: list[int], *, stopping: bool = False) -> list[Stand]:
        """How the clock stood after each of these events, knowing nothing of what came later.

        With `stopping` they stopped it: a pause that is on ended there.
        """
        if not indices:
            return []
        segments = np.array([self.segment(index) for index in indices])
        line, base = self.parts.line[segments], self.parts.base[segments]
        time = np.maximum(self.happened.cases.time[np.array(indices)], base)
        case = np.zeros_like(line)
        own = line if self.parts.due is None else np.full_like(line, -1)
        used, _ = self.timing.elapsed(case, own, base, time)
        pauses = [None if stopping else self.pause_on(index) for index in indices]
        due = self._known_dues(segments, time, used, pauses)
        return [
            Stand(
                line=self.lines[segment],
                base=_instant(start),
                paused=pause,
                due=moment(at),
                used=taken * MICROSECOND,
            )
            for segment, start, pause, at, taken in zip(
                segments.tolist(), base.tolist(), pauses, due.tolist(), used.tolist(), strict=True
            )
        ]

    def _known_dues(self, segments: Ints, time: Ints, used: Ints, pauses: list[Pause | None]) -> Ints:
        """The dues as they were known: a pause that is on has no end, what begins later does not count."""
        dues = self.dues[segments]
        if self.parts.due is not None:
            return dues
        line, base = self.parts.line[segments], self.parts.base[segments]
        since = np.array([NEVER if p is None else self._since(p, int(ln)) for p, ln in zip(pauses, line, strict=True)])
        until = np.minimum(time, since)
        within = self.timing.rules.within[line]
        days = (within == 0) & (line >= 0)
        # Spans are measured from `base` on; for working days it matters when a pause began, also if before it.
        stop = np.where(days, until, np.maximum(until, base))
        known = self.timing.due_if_stopped(np.zeros_like(line), line, base, stop)
        passed = ~days & (used >= within)
        known = np.where(passed, dues, known)
        known = np.where(~passed & (since < known), NEVER, known)
        return np.where(line >= 0, known, NEVER)

    def _since(self, pause: Pause, line: int) -> int:
        """From when on time stands still without a break at a pause: with the time resolved that it touches."""
        rules = self.timing.rules
        begin = micro(pause.start)
        still = self.timing.active(int(rules.calendar[line]), int(rules.pauses[line])).stretches
        at = int(np.searchsorted(still.begin, begin, side="right")) - 1
        return int(still.begin[at]) if at >= 0 and still.end[at] > begin else begin


def _instant(microseconds: int) -> datetime:
    found = moment(microseconds)
    assert found is not None
    return found
