"""What an explanation is made of: plain values, so that words, JSON and a drawing are made from the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from monitor.names import Clock
from monitor.policy import PolicyVersion


class Why(StrEnum):
    """Why a stretch of time counts for a clock or does not."""

    COUNTED = "counted"
    CLOSED = "closed"  # outside of the calendar's hours
    HOLIDAY = "holiday"  # would be open on another day
    EXCEPTION = "exception"  # an exception of the calendar closes it
    MAINTENANCE = "maintenance"
    PAUSED = "paused"
    RESOLVED = "resolved"  # between a resolve and the reopening, for total_resolution


class Move(StrEnum):
    """What an entry of a timeline did to its clock."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    CHANGED = "changed"  # labels, and with them perhaps the target
    PROMISED = "promised"
    RESOLVED = "resolved"  # total_resolution stands still until a reopening
    REOPENED = "reopened"
    SHIFTED = "shifted"  # the zone's clocks were put forward or back
    AT_RISK = "at_risk"
    OVERDUE = "overdue"  # the due passed
    STOPPED = "stopped"
    ENDED = "ended"  # the case, or what the clock waited for, ended otherwise
    RUNNING = "running"  # as of now
    IGNORED = "ignored"  # looks as if it moved the clock, and does not


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that moved a clock, and how the clock stood after it, from what was known by then."""

    at: datetime
    move: Move
    words: str
    event: int | None = None  # place among the case's events in their order; None: time alone
    line: int | None = None  # number of the target line in force, from 0
    due: datetime | None = None
    used: timedelta | None = None
    left: timedelta | None = None  # of the target; negative once it is used up; None: business_days and promise


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time [start, end) of one kind. The counted ones of a clock add up to `elapsed`, the paused ones to `paused`."""

    start: datetime
    end: datetime
    why: Why
    name: str = ""  # of the holiday (empty: a day off without one), the exception or the pause's reason
    ahead: bool = False  # after the clock stopped, or after now: what remains up to the due
    counted: timedelta = timedelta(0)  # of it
    days: int = 1  # several ordinary days in one: their number

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that stopped a clock."""

    start: datetime
    end: datetime | None  # None: it goes on
    reason: str | None
    first: int  # event that began it
    last: int  # event that ended it; number of events if none did


@dataclass(frozen=True, slots=True)
class Without:
    """The verdict as it would be without some pauses; `pause` None: without all of them."""

    pause: Pause | None
    outcome: str
    due: datetime | None
    elapsed: timedelta | None
    words: str


@dataclass(frozen=True, slots=True)
class Story:
    """One clock (one cycle of it): its verdict, how it came to it, and its time, piece by piece."""

    clock: Clock
    cycle: int
    verdict: dict[str, Any]  # its row of VERDICTS
    words: str  # the verdict in one sentence
    zone: str  # in which its words name times
    calendar: str  # by which its time counts
    entries: tuple[Entry, ...]
    stretches: tuple[Stretch, ...]  # none where the verdict has no `elapsed`
    without: tuple[Without, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decided the verdicts of one case, as of `now`."""

    case: str
    now: datetime
    version: PolicyVersion | None  # None: opened before every version, or not opened
    notes: tuple[str, ...]  # of the case as a whole: its policy version, ties, what is missing
    stories: tuple[Story, ...]  # of the clocks that the policy names
