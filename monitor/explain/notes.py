"""What there is to say of a case as a whole."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any, Final

from monitor.explain.happened import Happened
from monitor.explain.wording import Scene
from monitor.names import Kind
from monitor.policy import PolicySet, PolicyVersion
from monitor.policy.values import instant_text

MOST_TIES: Final = 10  # instants with several events that are told of
_OTHER: Final = (Kind.RATED, Kind.AUDITED)  # they move no clock

Event = Mapping[str, Any]


def of_case(happened: Happened, policies: PolicySet, version: PolicyVersion | None, scene: Scene) -> Iterator[str]:
    """The policy version that judges it, what arrived twice or not at all, and ties."""
    if happened.opened < 0:
        yield "Its opening has not arrived: no clock runs."
        return
    opened = scene.at(happened.time(happened.opened))
    yield f"It was opened {opened}{judged(policies, version)}."
    again = sum(1 for event in happened.events if event["kind"] == Kind.OPENED) - 1
    if again:
        yield f"It was opened {again} more time{'s' if again > 1 else ''}: the earliest opening counts."
    if any(_moves(event) for event in happened.events[happened.final + 1 :]):
        yield f"What came after it was {happened.kind(happened.final)} moves no clock."
    ties = [
        said for _, group in groupby(filter(_moves, happened.events), key=_time) if (said := _tie(list(group), scene))
    ]
    yield from ties[:MOST_TIES]
    if len(ties) > MOST_TIES:
        yield f"At {len(ties) - MOST_TIES:,} more instants it has several events."


def judged(policies: PolicySet, version: PolicyVersion | None) -> str:
    """`: judged by policy desk, version 2 of 3 (from 2026-01-01T00:00:00Z)`, behind what it was judged by it for."""
    if version is None:
        return ", before every version of the policy: no target"
    since = "always in force" if version.effective_from is None else f"from {instant_text(version.effective_from)}"
    several = f", version {version.number + 1} of {len(policies.versions)}" if len(policies.versions) > 1 else ""
    return f": judged by policy {version.name}{several} ({since})"


def _moves(event: Event) -> bool:
    return event["kind"] not in _OTHER


def _time(event: Event) -> datetime:
    found: datetime = event["time"]
    return found


def _tie(events: list[Event], scene: Scene) -> str:
    """Events of one instant, and what put them in their order (rule 2); empty unless they are of several kinds."""
    if len({event["kind"] for event in events}) == 1:
        return ""
    number = "Two" if len(events) == 2 else str(len(events))
    then = [f"then {other['kind']} ({_decides(one, other)})" for one, other in pairwise(events)]
    return f"{number} events at {scene.at(events[0]['time'])}: {events[0]['kind']} counts first, {', '.join(then)}."


def _decides(one: Event, other: Event) -> str:
    """What puts the first of two events of one instant before the second."""
    if (one["kind"] == Kind.OPENED) != (other["kind"] == Kind.OPENED):
        return "the opening is first"
    if one["sequence"] != other["sequence"]:
        return f"sequence {one['sequence'] or 'absent'} before {other['sequence'] or 'absent'}"
    if one["kind"] != other["kind"]:
        return "by kind"
    return "by source" if one["source"] != other["source"] else "by id"
