"""Burn alerts as they are on record, with their grounds; and what of them was proven, in sentences."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from consumers.alerts_log import AlertLog, Entry
from consumers.policy_log import PolicyLog
from monitor.alerts.grounds import Grounds
from monitor.names import AlertKind, AlertState
from monitor.policy import PolicyError
from monitor.state import State
from monitor.verify import Look, Told

MOST_LOOKS: Final = 16  # the newest; each costs about what folding the cases of its windows does


def looks_of(record: AlertLog, policies: PolicyLog) -> tuple[list[Look], list[str]]:
    """The newest looks of judges by which burn alerts changed; and what of the others cannot be said, in sentences."""
    by_look: dict[tuple[datetime, datetime, str], list[Told]] = {}
    bare = 0
    for entry in record.entries.values():
        if entry.alert["kind"] == AlertKind.BURN:
            bare += not entry.grounds
            for told in _told(entry):
                by_look.setdefault(_look(told.grounds), []).append(told)
    unproven = [f"{bare:,} burn alerts were recorded without their grounds, by an older sqm"] if bare else []
    chosen = [by_look[key] for key in sorted(by_look)]
    older, chosen = chosen[:-MOST_LOOKS], chosen[-MOST_LOOKS:]
    if older:
        unproven.append(
            f"{_many(sum(map(len, older)))} are older than the newest {MOST_LOOKS} looks, which are compared"
        )
    looks = []
    for transitions in chosen:
        grounds = transitions[0].grounds
        try:
            version = policies.of_versions([grounds.policy]).newest
        except (PolicyError, KeyError):
            unproven.append(
                f"{_many(len(transitions))} at {grounds.now:%Y-%m-%d %H:%M:%S} UTC: this sqm cannot read their policy"
            )
        else:
            looks.append(Look(version, tuple(transitions)))
    return looks, unproven


def _told(entry: Entry) -> list[Told]:
    """Its transitions. Where it became `historic`, it began as old news; only later on that is an end."""
    holding = {AlertState.FIRING: True, AlertState.RESOLVED: False}
    return [
        Told(entry.alert, holding.get(AlertState(grounds.state), place == 0), grounds)
        for place, grounds in enumerate(entry.grounds)
    ]


def _look(grounds: Grounds) -> tuple[datetime, datetime, str]:
    """The same for what was judged at once; in the order of time."""
    return grounds.now, grounds.wall, repr(sorted(grounds.partitions.items()))


def last_hole(state: State) -> datetime | None:
    """When a hole was accepted last."""
    found = state.holes["accepted"].max()
    return found if isinstance(found, datetime) else None


def unproven(looks: list[Look], why: Mapping[int, str]) -> list[str]:
    """Sentences about the looks that could not be worked out again."""
    counted = Counter(dict.fromkeys(why.values(), 0))
    for number, reason in why.items():
        counted[reason] += len(looks[number].told)
    return [f"{_many(n)} cannot be judged again: {reason}" for reason, n in counted.items()]


def _many(n: int) -> str:
    return "1 transition of a burn alert" if n == 1 else f"{n:,} transitions of burn alerts"
