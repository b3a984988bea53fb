"""Lives of cases for tests: written as (minute, type, data) and read as the events of a stream are."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from monitor.engine import step
from monitor.events import Read, read_json
from monitor.frames import ORIGIN
from monitor.policy import PolicySet, load
from monitor.state import State

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

Event = tuple[float, str] | tuple[float, str, Mapping[str, Any]]
Lives = Mapping[str, Sequence[Event]]


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def policy(text: str) -> PolicySet:
    return load([("policy.yaml", "policy: test\n" + text)])


def read(lives: Lives) -> Read:
    """Events of those cases; a type without a dot is one of interactions."""
    values = []
    for case, events in lives.items():
        for number, (minute, kind, *data) in enumerate(events):
            event = {
                "specversion": "1.0",
                "id": f"{case}/{number}",
                "source": "test",
                "type": kind if "." in kind else f"interaction.{kind}",
                "subject": case,
                "time": at(minute).isoformat(),
                "data": dict(data[0]) if data else {},
            }
            values.append(json.dumps(event).encode())
    size = len(values)
    origin = pl.DataFrame(
        {"topic": ["test"] * size, "partition": [0] * size, "offset": range(size), "index": [0] * size},
        schema=dict(ORIGIN),
    )
    found = read_json(values, origin, future_after=None)
    assert found.refused.height == 0, found.refused.rows(named=True)
    return found


def state_of(lives: Lives, policies: PolicySet, minute: float, state: State | None = None) -> State:
    """A state in which those lives were folded, as of that minute."""
    state = state or State()
    state.apply(step(state, read(lives), at(minute), policies, grace=timedelta(0)).delta)
    return state
