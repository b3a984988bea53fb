"""Which versions are in force after somebody gives others: judged ones stay as they are (SEMANTICS, Clocks 6)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

from monitor.policy.compiled import PolicySet, PolicyVersion, compiled
from monitor.policy.frozen import frozen
from monitor.policy.model import PolicyDocument
from monitor.policy.values import instant_text

MOST_CHANGES: Final = 5  # that a refusal names
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


class PolicyFrozen(Exception):
    """Versions that would change what has been judged; the message says which, how, and the ways on."""

    retriable = False


def admitted(given: PolicySet, in_force: PolicySet | None, judged_until: datetime | None, year: int) -> PolicySet:
    """The versions in force from now on: those given, and those that have judged cases.

    A judged version keeps its holidays and zone rules; those of the others are what the installed libraries say.

    :param judged_until: time of the newest event that was judged; None: none was
    :param year: the present one, for how far ahead holidays and zone rules are kept
    Raises PolicyFrozen.
    """
    judged = {} if in_force is None else _judged(in_force, judged_until)
    if in_force is not None and judged_until is not None and (why := _refusal(given, in_force, judged_until)):
        raise PolicyFrozen(f"{why}\n{_ways_on(judged_until)}")
    kept = [version.document for start, version in judged.items() if start not in _by_start(given)]
    fresh = [_frozen(version, judged.get(start), year) for start, version in _by_start(given).items()]
    return compiled([("", document) for document in (*kept, *fresh)], given.hints)


def restated(given: PolicySet, in_force: PolicySet, year: int) -> PolicySet:
    """Those given in the place of those with the same `effective_from`, the others as they are."""
    kept = [version.document for start, version in _by_start(in_force).items() if start not in _by_start(given)]
    fresh = [_frozen(version, None, year) for version in given.versions]
    named = [document.model_copy(update={"policy": given.name}) for document in kept]
    return compiled([("", document) for document in (*named, *fresh)], given.hints)


def changes(old: PolicyVersion, new: PolicyVersion) -> list[str]:
    """What the new writing of a version would judge differently: `targets[0].within: 1h -> 2h`."""
    return list(_differences("", old.judging, new.judging))


def _by_start(policies: PolicySet) -> dict[datetime, PolicyVersion]:
    return {version.effective_from or _ALWAYS: version for version in policies.versions}


def _judged(in_force: PolicySet, until: datetime | None) -> dict[datetime, PolicyVersion]:
    """The versions that may have judged a case: they promise something, and events came since they are in force."""
    if until is None:
        return {}
    return {start: version for start, version in _by_start(in_force).items() if version.targets and start <= until}


def _refusal(given: PolicySet, in_force: PolicySet, until: datetime) -> str | None:
    judged = _judged(in_force, until)
    if judged and given.name != in_force.name:
        return f"the policy in force is {in_force.name!r} and has judged cases: {given.name!r} cannot take its place"
    for start, version in _by_start(given).items():
        if start in judged:
            if found := changes(judged[start], version):
                more = f" and {len(found) - MOST_CHANGES} more" if len(found) > MOST_CHANGES else ""
                return f"{_title(version)} has judged cases and is frozen: {'; '.join(found[:MOST_CHANGES])}{more}"
        elif start <= until and (other := _first_until(in_force, judged, start)) is not None:
            return f"{_title(version)} is new and would judge cases that {_title(other)} has judged"
    last = max(judged, default=_ALWAYS)
    if last > max(_by_start(given)):
        return f"{_title(judged[last])} has judged cases and is missing: what stands in older ones would have no effect"
    return None


def _first_until(
    in_force: PolicySet, judged: Mapping[datetime, PolicyVersion], start: datetime
) -> PolicyVersion | None:
    """The first judged version that judges cases opened at `start` or later."""
    starts = sorted(_by_start(in_force))
    for begin, end in zip_longest(starts, starts[1:]):
        if begin in judged and (end is None or start < end):
            return judged[begin]
    return None


def _title(version: PolicyVersion) -> str:
    since = version.effective_from
    return (
        "the version without effective_from" if since is None else f"the version effective from {instant_text(since)}"
    )


def _ways_on(judged_until: datetime) -> str:
    return (
        f"Give the changed version an effective_from later than {instant_text(judged_until)} (the newest event that "
        "was judged), so that it judges the cases from then on; or judge all live cases anew: "
        "sqm restate --policy FILE --why TEXT"
    )


def _frozen(version: PolicyVersion, judged: PolicyVersion | None, year: int) -> PolicyDocument:
    """The version with the holidays and zone rules that it judges with: as ever if it has judged."""
    document = version.document
    kept = document.frozen if judged is None else judged.document.frozen
    if kept is None:
        kept = frozen(document.judging_calendars().values(), document.effective_from, year)
    return document.model_copy(update={"frozen": kept})


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys((*old, *new)):
            yield from _differences(f"{path}.{name}".removeprefix("."), old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, dict) for item in (*old, *new)):
        for i in range(max(len(old), len(new))):
            yield from _differences(f"{path}[{i}]", *(items[i] if i < len(items) else None for items in (old, new)))
    elif old != new:
        yield f"{path}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items()) + "}"
    return str(value)
