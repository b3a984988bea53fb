"""Entries of what time alone does to a clock: it comes to be at risk, its due passes, its zone changes the clocks."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from monitor.explain.choices import version_of
from monitor.explain.happened import micro, moment
from monitor.explain.life import Life, Stand
from monitor.explain.model import Entry, Move
from monitor.explain.wording import Scene, promised, span
from monitor.names import Clock, Outcome
from monitor.policy import TargetLine
from monitor.policy.values import percent
from monitor.zones import EPOCH, MICROSECOND, offset_text

_JUDGED = (Outcome.MET, Outcome.OPEN, Outcome.AT_RISK)


def by_time(life: Life, scene: Scene) -> list[Entry]:
    """What time alone did while the clock ran, in order."""
    found = list(_shifts(life, scene))
    line = life.lines[life.counts]
    if line is not None and (life.decided is not None or life.verdict["outcome"] in _JUDGED):
        found += [*_at_risk(life, line), *_overdue(life, line)]
    return sorted(found, key=lambda entry: entry.at)


def _at_risk(life: Life, line: TargetLine) -> Iterator[Entry]:
    """From when on so much of the target is used as its line calls at risk; no earlier than a change that did it."""
    reached = _reached(life)
    if line.at_risk is None or reached is None:
        return
    since, until = max(reached, life.begin(_since(life))), life.end or life.now
    if reached < until and since <= until and (life.breached is None or since < life.breached):
        share = percent(line.at_risk)
        of = "the time up to it" if life.clock == Clock.PROMISE else "the target"
        words = f"{share} of {of} is used{' already' if since > reached else ''}: at risk from here on"
        stand = _stand_at(life, since)
        yield Entry(since, Move.AT_RISK, words, None, line.number, stand.due, stand.used, stand.left)


def _overdue(life: Life, line: TargetLine) -> Iterator[Entry]:
    due = life.due(life.counts)
    if life.decided is not None and not life.on_arrival and due is not None:
        promise = life.clock == Clock.PROMISE
        how = "it was promised by now" if promise else f"{promised(version_of(life), line)} are used up"
        left = None if line.within is None else timedelta(0)
        yield Entry(due, Move.OVERDUE, f"due: {how}, breached", None, line.number, due, line.within, left)


def _reached(life: Life) -> datetime | None:
    """When the share of the target is used up, whatever line was in force then."""
    at, parts = slice(life.counts, life.counts + 1), life.parts
    if parts.due is not None:
        found = life.timing.rules.share_of(parts.line[at], parts.base[at], life.dues[at])
    else:
        found = life.timing.at_risk(np.zeros_like(parts.line[at]), parts.line[at], parts.base[at])
    return moment(int(found[0]))


def _since(life: Life) -> int:
    """The segment since which the line of the verdict has been in force, measured from one instant to one due."""
    same = (life.parts.line, life.parts.base, life.dues)
    at = life.counts
    while at and all(values[at - 1] == values[at] for values in same):
        at -= 1
    return at


def _stand_at(life: Life, at: datetime) -> Stand:
    """How the clock stood at an instant, knowing nothing of what came later."""
    event = bisect_right(life.happened.events, at, key=lambda one: one["time"]) - 1
    stand, segment = life.stands([event])[0], life.segment(event)
    line = life.parts.line[segment : segment + 1] if life.parts.due is None else np.array([-1])
    used, _ = life.timing.elapsed(np.zeros_like(line), line, np.array([micro(stand.base)]), np.array([micro(at)]))
    return replace(stand, used=int(used[0]) * MICROSECOND)


def _shifts(life: Life, scene: Scene) -> Iterator[Entry]:
    """Where the calendar's zone puts its clocks forward or back while the clock runs."""
    start = life.begin(0)
    end = life.end or max(life.now, start)
    for instant, before, after in scene.home.shifts(micro(start), micro(end)):
        at = EPOCH + instant * MICROSECOND
        how = f"{'forward' if after > before else 'back'} by {span(abs(after - before))}"
        words = f"the clocks of {scene.zone} go {how}, to {offset_text(at.astimezone(scene.zone))}"
        yield Entry(at, Move.SHIFTED, words)
