"""The story of one clock: its verdict, its timeline, its time, and what it would be without pauses."""

from collections.abc import Iterator, Sequence

from monitor.explain.ends import verdict as verdict_in_words
from monitor.explain.entries import entries
from monitor.explain.life import Life
from monitor.explain.model import Pause, Story, Stretch, Without
from monitor.explain.stretches import overlapping, stretches
from monitor.explain.without import Otherwise, words
from monitor.explain.wording import Scene
from monitor.names import Clock
from monitor.policy import TargetLine

ALWAYS = "always"


def story(life: Life, case: Scene, otherwise: Otherwise) -> Story:
    """All that there is to say of one clock, in the zone of its calendar; round the clock in that of the case."""
    calendar = calendar_of(_line(life))
    scene = case if calendar == ALWAYS else Scene(life.almanacs[calendar])
    return Story(
        clock=life.clock,
        cycle=life.cycle,
        verdict=life.verdict,
        words=verdict_in_words(life, scene),
        zone=scene.home.written.zone,
        calendar=calendar,
        entries=entries(life, scene),
        stretches=tuple(_stretches(life)),
        without=tuple(_without(life, scene, otherwise)),
    )


def home(lives: Sequence[Life]) -> str:
    """The calendar in whose zone a case as a whole is told: the first that is not round the clock."""
    names = (calendar_of(_line(life)) for life in lives)
    return next((name for name in names if name != ALWAYS), ALWAYS)


def calendar_of(line: TargetLine | None) -> str:
    """The calendar of a line; round the clock without one."""
    return ALWAYS if line is None else line.calendar


def pauses_of(life: Life) -> list[Pause]:
    """The pauses that the clock of the verdict met."""
    row = life.verdict
    if row["line"] is None or row["elapsed"] is None:
        return []
    return overlapping(life.pauses(life.lines[life.counts]), row["started"], life.end)


def _line(life: Life) -> TargetLine | None:
    """The line of the verdict, else the first there was."""
    return life.lines[life.counts] or next((line for line in life.lines if line is not None), None)


def _stretches(life: Life) -> list[Stretch]:
    """The time that the verdict counts; none where it tells of none."""
    row = life.verdict
    if row["elapsed"] is None:
        return []
    begin = row["started"]
    end = max(begin, life.end or life.now)
    line = None if row["line"] is None or life.clock == Clock.PROMISE else life.lines[life.counts]
    pauses = overlapping(life.pauses(line), begin, max(end, row["due"] or end))
    gaps = life.happened.gaps() if life.clock == Clock.TOTAL_RESOLUTION else []
    almanac = life.almanacs[calendar_of(line)]
    return stretches(almanac, begin, end, row["due"], pauses, gaps, stopped=life.end is not None)


def _without(life: Life, scene: Scene, otherwise: Otherwise) -> Iterator[Without]:
    pauses = pauses_of(life)
    for pause in [*pauses, None] if len(pauses) > 1 else pauses:
        row = otherwise.verdict((life.clock, life.cycle), pause)
        if row is not None:
            said = words(life.verdict, row, pause, scene)
            yield Without(pause, row["outcome"], row["due"], row["elapsed"], said)
