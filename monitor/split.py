"""Cases whose events came through more than one partition: each partition then judges a part of the case.

A worker sees its own partitions only, so this is looked for where all states are read: in all cases that live when it
begins, then in each that changes, which may live or be archived elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from monitor.frames import HISTORY, empty
from monitor.state import Delta, State

MOST: Final = 10_000  # cases that are remembered; of more it is only known that there are more
SHOWN: Final = 20


class SplitCase(NamedTuple):
    case: str
    partitions: tuple[int, ...]


@dataclass
class SplitCases:
    """All that were found so far, the first ones by name. Not safe to use from two threads, but for `changed`."""

    _found: dict[int, SplitCase] = field(default_factory=dict)  # by case_key
    _changed: list[tuple[int, pl.Series]] = field(default_factory=list)
    _seen: dict[int, State] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many; `MOST` stands for that many or more."""
        return len(self._found)

    @property
    def first(self) -> list[SplitCase]:
        return list(islice(self._found.values(), SHOWN))

    def changed(self, partition: int, delta: Delta) -> None:
        """A delta was applied: its cases are looked for in the other partitions at the next `look`."""
        rows = delta.get("history")
        if rows is not None and self._seen:  # the first look is at all of them
            self._changed.append((partition, rows["case_key"]))

    def look(self, states: Mapping[int, State]) -> None:
        """Look for the cases that changed; for all cases where a state was restored since."""
        changed, self._changed = self._changed, []
        anew = any(self._seen.get(number) is not state for number, state in states.items())
        self._seen = dict(states)
        if len(states) < 2 or len(self._found) >= MOST:
            return
        keys = _in_several(states) if anew else _elsewhere(states, changed)
        if len(keys):
            self._name(keys, states)

    def _name(self, keys: pl.Series, states: Mapping[int, State]) -> None:
        names: dict[int, str] = {}
        where: dict[int, set[int]] = {}
        for number, state in sorted(states.items()):
            live = state.history.of(keys)
            names |= dict(live.select("case_key", "case").iter_rows())
            for key in pl.concat([live["case_key"], state.archived.of(keys)["case_key"]]).unique():
                where.setdefault(key, set()).add(number)
        for key, case in names.items():
            if len(where[key]) > 1 and (key in self._found or len(self._found) < MOST):
                self._found[key] = SplitCase(case, tuple(sorted(where[key])))


def _elsewhere(states: Mapping[int, State], changed: list[tuple[int, pl.Series]]) -> pl.Series:
    found = [empty(HISTORY)["case_key"]]
    for number in {number for number, _ in changed}:
        keys = pl.concat([keys for of, keys in changed if of == number]).unique()
        others = [state for other, state in states.items() if other != number]
        found += [state.history.of(keys)["case_key"] for state in others]
        found += [state.archived.of(keys)["case_key"] for state in others]
    return pl.concat(found).unique()


def _in_several(states: Mapping[int, State]) -> pl.Series:
    """Keys that may be in several states: those that share their lower halves."""
    halves = np.sort(np.concatenate([state.history.halves() for state in states.values()]), kind="stable")
    twice = pl.Series(np.unique(halves[1:][halves[1:] == halves[:-1]]))
    if not len(twice):
        return empty(HISTORY)["case_key"]
    alike = pl.col("case_key").cast(pl.UInt64, wrap_numerical=True).is_in(twice.implode())
    return pl.concat([state.history.where(alike)["case_key"] for state in states.values()]).unique()
