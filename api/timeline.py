"""An explanation as JSON: what `/v1/cases/{id}` answers, and what `sqm explain` prints from."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field

from api.shapes import Instant, Shape, instant, seconds
from monitor.explain import Entry, Explanation, Move, Pause, Story, Stretch, Why, Without, collapsed
from monitor.explain.wording import stretch_in_words
from monitor.names import Clock, Outcome

MOST_STRETCHES: Final = 400  # of one clock; beyond, ordinary days are told of together


class TimelineEntry(Shape):
    """One thing that moved a clock, and how the clock stood after it, from what was known by then."""

    at: Instant
    move: Move
    words: str = Field(examples=["paused for customer: 2 h 10 m of 4 h used, no due while paused"])
    event: int | None = Field(description="Place among the case's events, from 0; null: time alone did it.")
    line: int | None = Field(description="Number of the target line in force, from 0.")
    due: Instant | None
    used_seconds: float | None
    left_seconds: float | None = Field(description="Of the target; negative once it is used up.")


class TimelineStretch(Shape):
    """Time of one kind. What is counted adds up to the clock's elapsed time, but for what lies ahead."""

    start: Instant
    end: Instant
    why: Why
    words: str = Field(examples=["paused for customer"])
    seconds: float
    counted_seconds: float
    days: int = Field(description="So many ordinary days, each with as much counted time.")
    ahead: bool = Field(description="After the clock stopped, or after now: what remained up to the due.")


class TimelinePause(Shape):
    start: Instant
    end: Instant | None
    reason: str | None


class WithoutPause(Shape):
    """The verdict as it would be without a pause, or without any (`pause` null)."""

    pause: TimelinePause | None
    outcome: Outcome
    due: Instant | None
    elapsed_seconds: float | None
    words: str


class ClockTimeline(Shape):
    """How one clock came to its verdict."""

    clock: Clock
    cycle: int
    outcome: Outcome
    words: str = Field(description="The verdict in words.")
    zone: str = Field(description="Time zone of the calendar, in which words name times; round the clock the case's.")
    calendar: str
    line: int | None
    started: Instant | None
    due: Instant | None
    stopped: Instant | None
    target_seconds: float | None
    elapsed_seconds: float | None
    paused_seconds: float | None
    entries: list[TimelineEntry]
    stretches: list[TimelineStretch]
    without_pauses: list[WithoutPause]


class Timeline(Shape):
    """Why each clock of a case has its verdict, to be checked by hand."""

    policy: str | None = Field(description="Name of the policy whose version judges the case.")
    policy_from: Instant | None
    notes: list[str] = Field(description="What there is to say of the case as a whole.")
    clocks: list[ClockTimeline]


def timeline(explanation: Explanation) -> dict[str, Any]:
    """Members of `Timeline`."""
    version = explanation.version
    return {
        "policy": version.name if version else None,
        "policy_from": instant(version.effective_from) if version else None,
        "notes": list(explanation.notes),
        "clocks": [_clock(story) for story in explanation.stories],
    }


def _clock(story: Story) -> dict[str, Any]:
    row = story.verdict
    stretches = story.stretches if row["outcome"] != Outcome.NO_TARGET else ()  # they decide nothing
    if len(stretches) > MOST_STRETCHES:
        stretches = tuple(collapsed(stretches, ZoneInfo(story.zone)))
    return {
        "clock": str(story.clock),
        "cycle": story.cycle,
        "outcome": row["outcome"],
        "words": story.words,
        "zone": story.zone,
        "calendar": story.calendar,
        "line": row["line"],
        **{name: instant(row[name]) for name in ("started", "due", "stopped")},
        **{f"{name}_seconds": seconds(row[name]) for name in ("target", "elapsed", "paused")},
        "entries": [_entry(entry) for entry in story.entries],
        "stretches": [_stretch(stretch, story.calendar) for stretch in stretches],
        "without_pauses": [_without(other) for other in story.without],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": instant(entry.at),
        "move": str(entry.move),
        "words": entry.words,
        "event": entry.event,
        "line": entry.line,
        "due": instant(entry.due),
        "used_seconds": seconds(entry.used),
        "left_seconds": seconds(entry.left),
    }


def _stretch(stretch: Stretch, calendar: str) -> dict[str, Any]:
    return {
        "start": instant(stretch.start),
        "end": instant(stretch.end),
        "why": str(stretch.why),
        "words": stretch_in_words(stretch, calendar),
        "seconds": seconds(stretch.length),
        "counted_seconds": seconds(stretch.counted),
        "days": stretch.days,
        "ahead": stretch.ahead,
    }


def _without(other: Without) -> dict[str, Any]:
    return {
        "pause": None if other.pause is None else _pause(other.pause),
        "outcome": other.outcome,
        "due": instant(other.due),
        "elapsed_seconds": seconds(other.elapsed),
        "words": other.words,
    }


def _pause(pause: Pause) -> dict[str, Any]:
    return {"start": instant(pause.start), "end": instant(pause.end), "reason": pause.reason}
