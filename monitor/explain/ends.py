"""How a clock stood, how its timeline ends, and its verdict, in words."""

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.clocks.segments import End
from monitor.explain.life import Life, Stand
from monitor.explain.model import Entry, Move
from monitor.explain.wording import Scene, span
from monitor.names import Clock, Kind, Outcome, spoken


def standing(stand: Stand, scene: Scene, at: datetime) -> str:
    """`2 h 10 m of 4 h used, due 12:00`; empty without a target."""
    if stand.line is None:
        return ""
    due = f"due {scene.at(stand.due, at)}" if stand.due is not None else "no due"
    if stand.due is None and stand.paused is not None:
        due = "no due while paused"
    within = stand.line.within
    return due if within is None else f"{span(stand.used)} of {span(within)} used, {due}"


def without_life(life: Life, scene: Scene) -> Entry:
    """The one entry of a clock that never ran: its case ended, or the clock was stopped, before the opening."""
    happened = life.happened
    opened = happened.time(happened.opened)
    event = happened.final
    if life.contradictory:
        event = next(event for event in range(happened.opened) if _contradicts(life, event))
    at = happened.time(event)
    words = f"{happened.kind(event)}, before the case was opened ({scene.at(opened, at)})"
    return Entry(at, Move.ENDED, f"{words}: {verdict(life, scene, at)}", event)


def _contradicts(life: Life, event: int) -> bool:
    happened, line = life.happened, life.lines[0]
    if happened.resolves(event):
        return True
    if life.clock in (Clock.RESOLUTION, Clock.TOTAL_RESOLUTION, Clock.PROMISE):
        return False
    if happened.kind(event) == Kind.ACKNOWLEDGED:
        return life.clock == Clock.ACKNOWLEDGEMENT
    return happened.answers(event, bots=line is not None and line.bots_answer)


def closing(life: Life, scene: Scene) -> Entry:
    """The last entry: what stopped the clock, or how it stands now, and the verdict."""
    return _still_running(life, scene) if life.end is None else _ended(life, scene, life.end)


def _ended(life: Life, scene: Scene, at: datetime) -> Entry:
    event = life.stop
    stand = life.stands([event], stopping=True)[0]
    words = f"{_what(life, event)}: {verdict(life, scene, at)}"
    if life.verdict["outcome"] == Outcome.MET:
        words += f", {standing(stand, scene, at)}"
    move = Move.STOPPED if life.how == End.STOPPED else Move.ENDED
    number = None if stand.line is None else stand.line.number
    return Entry(at, move, words, event, number, life.breached or stand.due, stand.used, stand.left)


def _still_running(life: Life, scene: Scene) -> Entry:
    stand = life.stands([life.stop - 1])[0]
    used = life.verdict["elapsed"] or timedelta(0)
    stand = replace(stand, due=life.breached or life.due(life.counts), used=used)
    number = None if stand.line is None else stand.line.number
    words = f"now {_running(life, stand, scene)}"
    return Entry(life.now, Move.RUNNING, words, None, number, stand.due, stand.used, stand.left)


def _running(life: Life, stand: Stand, scene: Scene) -> str:
    outcome, now = Outcome(life.verdict["outcome"]), life.now
    if outcome not in (Outcome.OPEN, Outcome.AT_RISK):
        return f"still running: {verdict(life, scene, now)}"
    said = f"{spoken(outcome)}: {standing(stand, scene, now)}"
    if stand.due is not None and stand.due < now:
        until = scene.at(stand.due + (now - life.ripe_at), now)
        said += f", which has passed: a breach is published after {until}, lest an answer be on its way"
    return said


def _what(life: Life, event: int) -> str:
    happened = life.happened
    kind = happened.kind(event)
    if kind == Kind.RESPONDED:
        return f"answered by {'a bot' if happened.events[event]['bot'] else 'an agent'}"
    if life.clock == Clock.NEXT_RESPONSE and life.how == End.CUT and happened.resolves(event):
        return f"{kind}, which settles the reply"
    return str(kind)


def verdict(life: Life, scene: Scene, near: datetime | None = None) -> str:
    """The outcome with its reason: `breached at 12:00`, `excluded: it was no case (resolved as duplicate, 12:00)`."""
    outcome = Outcome(life.verdict["outcome"])
    if outcome == Outcome.NO_TARGET:
        return "no target, so no verdict"
    if outcome == Outcome.INCONSISTENT:
        return "inconsistent, out of the figures"
    if outcome == Outcome.EXCLUDED:
        return f"excluded{_why_excluded(life, scene, near)}"
    if outcome == Outcome.BREACHED:
        arrival = " on arrival" if life.on_arrival else ""
        return f"breached{arrival} at {scene.at(life.verdict['due'], near)}"
    return spoken(outcome)


def _why_excluded(life: Life, scene: Scene, near: datetime | None) -> str:
    happened = life.happened
    if happened.void:
        last = happened.last_resolve
        said = happened.events[last]["outcome"]
        return f": it was no case (resolved as {said}, {scene.at(happened.time(last), near)})"
    if life.lapsed or life.lines[-1] is not None:
        return ""
    return f": no line fits any more since {scene.at(life.verdict['decided'], near)}"
