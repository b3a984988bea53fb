"""Which line of the policy applies, why, and what a change of labels or a promise did (rule 5), in words."""

from collections.abc import Iterator

from monitor.explain.happened import micro
from monitor.explain.life import Life
from monitor.explain.wording import Scene, changed, fitting, misfit, named, promised
from monitor.names import Clock
from monitor.policy import OnChange, PolicyVersion, TargetLine
from monitor.zones import EPOCH, MICROSECOND

MOST_DAYS = 15  # working days that are named one by one
_APPLIES = {
    OnChange.RETROACTIVE: "retroactive: measured from {base}",
    OnChange.RESTART: "restart: measured anew from here",
    OnChange.KEEP: "keep, but no line was in force: measured from {base}",
}


def at_start(life: Life, scene: Scene) -> str:
    """The line that applies when a clock starts, and why no earlier one."""
    line = life.lines[0]
    said = _none(life, life.first) if line is None else f"{named(line)}, {_target(life, 0, line)}"
    others = _passed_over(life, life.first, line)
    return ", ".join([f"{said} ({others})" if others else said, *_arrival(life, scene, 0)])


def at_change(life: Life, scene: Scene, index: int) -> Iterator[str]:
    """What became of the labels, and of the line, at an event that begins a segment."""
    place = life.place(index)
    labels = life.happened.labels
    change = changed(labels[life.begins[place - 1]], labels[index])
    before, after, fits = life.lines[place - 1], life.lines[place], _fitting(life, index)
    if change:
        yield change
    if life.decided is not None and place > life.decided and life.breached is not None:
        if change or before != after:
            yield f"which leaves the breach of {scene.at(life.breached, life.happened.time(index))} as it is"
    elif after is None and (before is not None or change):
        gone = "" if before is None else ": excluded unless one fits again"
        yield f"{_none(life, index)}{gone}"
    elif after is not None and after != before:
        yield from _applies(life, scene, place, after)
    elif change and after is not None and fits is not None and fits != after and life.clock != Clock.PROMISE:
        yield f"{named(fits)} fits, but its on_change is keep: line {after.number + 1} stays in force"
    elif change and after is not None:
        yield f"line {after.number + 1} still applies"
    yield from _arrival(life, scene, place)


def at_promise(life: Life, scene: Scene, index: int) -> str:
    """What became of a promise that an update gave; empty if it gave none."""
    given = life.happened.events[index]["due_at"]
    if given is None or life.parts.due is None:
        return ""
    at, place = life.happened.time(index), life.place(index)
    before, due = (int(life.parts.due[one]) for one in (place - 1, place))
    if due != micro(given):
        new, old = scene.both(given, EPOCH + before * MICROSECOND, at)
        return f"a promise of {new} comes too late: that of {old} had passed"
    replaced = life.lines[place - 1] is not None and before != due
    if not replaced:
        return f"promised for {scene.at(given, at)}"
    new, old = scene.both(given, EPOCH + before * MICROSECOND, at)
    return f"promised for {new} instead of {old}"


def _applies(life: Life, scene: Scene, place: int, line: TargetLine) -> Iterator[str]:
    begin, base = life.begin(place), EPOCH + int(life.parts.base[place]) * MICROSECOND
    yield f"{named(line)} applies"
    if life.clock != Clock.PROMISE:
        yield _APPLIES[line.on_change].format(base=scene.at(base, begin))
        yield _target(life, place, line)


def _arrival(life: Life, scene: Scene, place: int) -> Iterator[str]:
    """The due that had passed when a segment began."""
    if life.on_arrival and place == life.decided and (due := life.due(place)) is not None:
        yield f"due {scene.at(due, life.begin(place))}, already past"
        yield "breached on arrival"


def _target(life: Life, place: int, line: TargetLine) -> str:
    """What the line promises; of business days which ones they are."""
    said = promised(version_of(life), line)
    if line.business_days is None or line.business_days > MOST_DAYS:
        return said
    almanac = life.almanacs[line.calendar]
    days = almanac.working_days(int(life.parts.base[place]), line.business_days)
    return f"{said}: {', '.join(f'{day:%a %Y-%m-%d}' for day in days)}" if days else said


def _none(life: Life, index: int) -> str:
    """Why there is no line."""
    if life.version is None:
        return "no version of the policy was in force"
    if life.clock == Clock.PROMISE and _fitting(life, index) is not None:
        return "no promise has been given"
    return f"no line of {life.clock} fits"


def _passed_over(life: Life, index: int, line: TargetLine | None) -> str:
    """Why no earlier line was chosen."""
    if life.version is None:
        return ""
    labels, complaint = life.happened.labels[index], life.happened.complaint
    before = [one for one in life.version.lines(life.clock) if line is None or one.number < line.number]
    reasons = [(one, misfit(one, labels, complaint)) for one in before]
    return "; ".join(f"line {one.number + 1} {why}" for one, why in reasons if why)


def _fitting(life: Life, index: int) -> TargetLine | None:
    """The first line that fits the labels after an event."""
    if life.version is None:
        return None
    return fitting(life.version, life.clock, life.happened.labels[index], life.happened.complaint)


def version_of(life: Life) -> PolicyVersion:
    """The version that judges a life that has a line."""
    assert life.version is not None
    return life.version
