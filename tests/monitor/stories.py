"""Explanations of one case as its events are written in one line, and how the tests show them."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.explain import Explanation, Story, explain
from monitor.names import Clock
from monitor.policy import PolicySet, load
from tests.monitor.lives import at, history

RESOLUTION = "clock: resolution, within: 4h, pauses: [customer]"
RAISED = "clock: resolution, when: {{priority: P1}}, within: 2h, on_change: {}"
P3 = "clock: resolution, when: {priority: P3}, within: 3h"
OFFICE = """
policy: test
labels: [priority]
calendars:
  office:
    zone: Europe/Berlin
    hours: {mon-fri: ["09:00-12:00", "13:00-18:00"]}
    holidays: {country: DE, add: [2026-03-05]}
    exceptions: {2026-03-07: ["10:00-12:00"], 2026-03-06: []}
    maintenance: [{from: 2026-03-03T09:00:00Z, to: 2026-03-03T10:00:00Z}]
targets:
"""


def office(*lines: str) -> PolicySet:
    return load([("p.yaml", OFFICE + "".join(f"  - {{{line}, calendar: office}}\n" for line in lines))])


def explained(policies: PolicySet, now: str, life: str, grace: timedelta | None = timedelta(0)) -> Explanation:
    return explain(history(c=life), policies, at(now), grace)


def story(policies: PolicySet, now: str, life: str, clock: Clock = Clock.RESOLUTION, cycle: int = 1) -> Story:
    found = explained(policies, now, life).stories
    return next(one for one in found if (one.clock, one.cycle) == (clock, cycle))


def told(story: Story) -> list[str]:
    """`10:00 paused for …` for each entry."""
    zone = ZoneInfo(story.zone)
    return [f"{entry.at.astimezone(zone):%H:%M} {entry.words}" for entry in story.entries]
