"""Why the verdicts of one case are what they are: a timeline a clock, checked by hand from this alone.

events of one case -> ordered -> lives of its clocks -> entries, stretches and verdicts without pauses
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from monitor.cases import ordered
from monitor.clocks import derive
from monitor.clocks.derive import lives
from monitor.clocks.pauses import resolved
from monitor.clocks.rules import rules_of
from monitor.clocks.timing import Timing
from monitor.explain import notes
from monitor.explain.happened import Happened
from monitor.explain.hours import Almanac
from monitor.explain.life import Life
from monitor.explain.measured import explain_measured
from monitor.explain.model import Entry, Explanation, Move, Pause, Story, Stretch, Why, Without
from monitor.explain.story import ALWAYS, home, pauses_of, story
from monitor.explain.stretches import collapsed
from monitor.explain.without import Otherwise
from monitor.explain.wording import Scene
from monitor.names import CLOCKS, Clock
from monitor.policy import ALWAYS as ROUND_THE_CLOCK
from monitor.policy import PolicySet, PolicyVersion

__all__ = [
    "Entry",
    "Explanation",
    "Move",
    "Pause",
    "Story",
    "Stretch",
    "Why",
    "Without",
    "collapsed",
    "explain",
    "explain_measured",
]


def explain(
    history: pl.DataFrame, policies: PolicySet, now: datetime, grace: timedelta | None = None, most: int | None = None
) -> Explanation:
    """Why each clock of one case has its verdict.

    :param history: HISTORY, all events of one case in any order, at least one
    :param now: running clocks are judged as of it
    :param grace: as of `derive`
    :param most: how many clocks are told of; of too many cycles the last ones, and a note says so
    :returns: one story for each row that `derive` gives for a clock that the policy names, in the order of clocks and
        cycles
    """
    happened = Happened.of(ordered(history))
    version = policies.version_at(happened.time(happened.opened)) if happened.opened >= 0 else None
    every = [] if happened.opened < 0 else _lives(happened, policies, version, now, grace)
    told = _newest(every, most)
    scene = Scene(told[0].almanacs[home(told)] if told else Almanac(ROUND_THE_CLOCK))
    said = list(notes.of_case(happened, policies, version, scene))
    if len(told) < len(every):
        said.append(f"It has {len(every):,} clocks: of its cycles only the last are told here.")
    pauses = [pause for life in told for pause in pauses_of(life)]
    otherwise = Otherwise(happened, pauses, policies, now, grace)
    if otherwise.untried:
        said.append(f"Of its pauses the longest are taken away one by one: {otherwise.untried:,} more were not tried.")
    stories = tuple(story(life, scene, otherwise) for life in told)
    return Explanation(str(history["case"][0]), now, version, tuple(said), stories)


def _lives(
    happened: Happened, policies: PolicySet, version: PolicyVersion | None, now: datetime, grace: timedelta | None
) -> list[Life]:
    """The lives of all clocks, each with its verdict, in the order of clocks and cycles."""
    cases, rules = happened.cases, rules_of(policies)
    wait = grace if grace is not None else version.grace if version else timedelta(0)
    verdicts = {(row["clock"], row["cycle"]): row for row in derive(cases, policies, now, grace).to_dicts()}
    calendars = version.calendars if version else {ALWAYS: ROUND_THE_CLOCK}
    almanacs = {name: Almanac(calendar) for name, calendar in calendars.items()}
    plain, without_gaps = Timing(cases, rules), Timing(cases, rules, resolved(cases))
    number = np.array([-1 if version is None else version.number])
    found = []
    for runs, parts in lives(cases, rules, np.array([0]), number):
        if version is None or runs.clock not in version.clocks:
            continue
        timing = without_gaps if runs.clock == Clock.TOTAL_RESOLUTION else plain
        for at in range(runs.height):
            own, row = parts.select(parts.run == at), verdicts[runs.clock, int(runs.cycle[at])]
            found.append(Life(happened, timing, version, almanacs, runs, at, own, row, now, now - wait))
    return sorted(found, key=lambda life: (CLOCKS.index(life.clock), life.cycle))


def _newest(found: list[Life], most: int | None) -> list[Life]:
    """At most so many, the first cycles left out."""
    cycles = sum(life.clock == Clock.NEXT_RESPONSE for life in found)
    told = cycles if most is None else max(0, most - (len(found) - cycles))
    return [life for life in found if life.clock != Clock.NEXT_RESPONSE or life.cycle > cycles - told]
