"""The timeline of one clock: an entry for each thing that moved it, in the order in which they count."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.explain import choices, ends
from monitor.explain.by_time import by_time
from monitor.explain.happened import micro
from monitor.explain.life import Life, Stand
from monitor.explain.model import Entry, Move, Pause
from monitor.explain.wording import Scene, changed, for_reason, span
from monitor.names import Clock, Kind
from monitor.zones import MICROSECOND

_ANSWERED = (Clock.FIRST_RESPONSE, Clock.NEXT_RESPONSE, Clock.ACKNOWLEDGEMENT)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one event did, before it is known how the clock stood."""

    event: int
    move: Move
    words: str
    moved: bool = True  # say how the clock stood after it


def entries(life: Life, scene: Scene) -> tuple[Entry, ...]:
    """The whole timeline of a clock."""
    if life.lapsed or life.contradictory:
        return (ends.without_life(life, scene),)
    told = [one for event in range(life.first, life.stop) for one in _event(life, scene, event)]
    stands = life.stands([one.event for one in told])
    found = [_entry(life, scene, one, stand) for one, stand in zip(told, stands, strict=True)]
    # The sort is stable: events stay in their order, what time alone does comes after those of its instant.
    found += by_time(life, scene)
    return (*sorted(found, key=lambda entry: entry.at), ends.closing(life, scene))


def _entry(life: Life, scene: Scene, told: _Told, stand: Stand) -> Entry:
    at = life.happened.time(told.event)
    late = life.breached is not None and life.segment(told.event) == life.decided and at >= life.breached
    due = life.breached if late and life.on_arrival else stand.due
    said = ends.standing(stand, scene, at) if told.moved and not late else ""
    words = f"{told.words}: {said}" if said else told.words
    number = None if stand.line is None else stand.line.number
    return Entry(at, told.move, words, told.event, number, due, stand.used, stand.left)


# --- what an event does -------------------------------------------------------------------------------------


def _event(life: Life, scene: Scene, event: int) -> Iterator[_Told]:
    kind, clock, happened = life.happened.kind(event), life.clock, life.happened
    if event == life.first:
        yield _Told(event, Move.STARTED, _started(life, scene))
    elif kind in (Kind.PAUSED, Kind.RESUMED):
        yield from _pause(life, event, kind)
    elif clock == Clock.TOTAL_RESOLUTION and happened.reopens(event):
        yield _Told(event, Move.REOPENED, ", ".join(["reopened", *choices.at_change(life, scene, event)]))
    elif clock == Clock.TOTAL_RESOLUTION and happened.resolves(event):
        yield _Told(event, Move.RESOLVED, f"{kind}: the clock stands still unless the case is reopened")
    elif kind == Kind.UPDATED:
        yield from _updated(life, scene, event)
    elif kind == Kind.RESPONDED and clock in _ANSWERED:
        yield _Told(event, Move.IGNORED, _no_answer(life, event))
    elif kind == Kind.CUSTOMER_REPLIED and clock == Clock.NEXT_RESPONSE:
        yield _Told(event, Move.IGNORED, "another reply: the clock runs since the earliest unanswered one", False)
    elif kind == Kind.CUSTOMER_REPLIED and clock == Clock.FIRST_RESPONSE:
        yield _Told(event, Move.IGNORED, "the customer replied: no cycle starts before the first response", False)


def _started(life: Life, scene: Scene) -> str:
    heads = {Kind.CUSTOMER_REPLIED: "the customer replied", Kind.REOPENED: "reopened with a reply waiting"}
    said = f"{heads.get(life.happened.kind(life.first), 'opened')}: {choices.at_start(life, scene)}"
    pause = life.pause_on(life.first)
    if pause is None:
        return said
    return f"{said}, paused{for_reason(pause.reason)} since {scene.at(pause.start, life.happened.time(life.first))}"


def _pause(life: Life, event: int, kind: Kind) -> Iterator[_Told]:
    happened, pause = life.happened, life.pause_on(event)
    if life.line(event) is None:
        return
    why = for_reason(happened.events[event]["reason"])
    if kind == Kind.RESUMED:
        before = life.pause_on(event - 1)
        if before is not None:
            yield _Told(event, Move.RESUMED, f"resumed, after {_paused(life, before, event)}")
    elif pause is None:
        yield _Told(event, Move.IGNORED, f"paused{why}, which does not stop this clock ({_stoppers(life, event)})")
    elif pause.first == event:
        late = ", which comes too late: the due is reached" if life.breached == happened.time(event) else ""
        yield _Told(event, Move.PAUSED, f"paused{why}{late}")
    else:
        yield _Told(event, Move.IGNORED, f"paused{why}: it is paused already", False)


def _paused(life: Life, pause: Pause, event: int) -> str:
    """How long a pause that ends was, and how much of it the clock would have run."""
    start, end = pause.start, life.happened.time(event)
    line = life.line(event)
    said = f"{span(end - start, days=True)} paused{for_reason(pause.reason)}"
    begin = max(micro(start), int(life.parts.base[life.segment(event)]))
    before = begin > micro(start)
    if line is None or not (before or life.closes(line)):
        return said
    taken = sum(one.end - one.start for one in life.almanacs[line.calendar].hours(begin, micro(end)) if one.counts)
    return f"{said} ({span(taken * MICROSECOND)} of {'it on this clock' if before else f'{line.calendar} hours'})"


def _stoppers(life: Life, event: int) -> str:
    line = life.line(event)
    if line is None or life.clock == Clock.PROMISE:
        return "a pause moves no promise"
    known = f"only pauses for {' or '.join(sorted(line.pauses))} do" if line.pauses else "no pause does"
    return f"line {line.number + 1}: {known}"


def _no_answer(life: Life, event: int) -> str:
    if not life.happened.answers(event, bots=True):
        return "a private answer, which does not stop the clock"
    line = life.line(event)
    return f"an answer by a bot, which {'no line counts' if line is None else f'line {line.number + 1} does not count'}"


def _updated(life: Life, scene: Scene, event: int) -> Iterator[_Told]:
    if life.begins[life.place(event)] != event:
        labels = life.happened.labels
        if change := changed(labels[event - 1], labels[event]):
            yield _Told(event, Move.IGNORED, f"{change}, while resolved: it waits for a reopening", False)
        return
    place = life.place(event)
    promise = choices.at_promise(life, scene, event) if life.clock == Clock.PROMISE else ""
    if life.clock == Clock.PROMISE and not promise and life.lines[place - 1] is None and life.lines[place] is None:
        return  # whatever its labels, there is no promise
    change = ", ".join(choices.at_change(life, scene, event))
    if promise or change:
        late = life.decided is not None and place > life.decided
        move = Move.IGNORED if late else Move.PROMISED if promise else Move.CHANGED
        yield _Told(event, move, "; ".join(part for part in (promise, change) if part))
