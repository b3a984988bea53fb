"""On what a burn alert was judged: how far each partition had been read, and to which instant.

The judgement can be made again from that: a state is a function of the events before its offsets, of its time and of
the rules in force.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from monitor.in_force import last_number
from monitor.state import State


class Glance(msgspec.Struct, frozen=True):
    """What a judge saw of one partition."""

    now: datetime
    offsets: dict[str, int]  # next offset by topic
    rules: int  # number of the rules that judged it last, see monitor/in_force.py; 0: not on record


class Grounds(msgspec.Struct, frozen=True):
    """What one transition was made of."""

    state: str  # an AlertState: what the alert became
    at: datetime  # of the transition
    now: datetime  # end of the windows
    wall: datetime
    current: bool  # every partition kept up
    policy: str  # digest of the version whose objectives were in force
    values: dict[str, Any]  # the figures that it told
    partitions: dict[int, Glance]


def glances(states: Mapping[int, State]) -> dict[int, Glance]:
    """What is there to be seen now; a partition that has no time yet is left out."""
    return {
        number: Glance(state.now, dict(state.offsets), last_number(state.in_force) or 0)
        for number, state in states.items()
        if state.now is not None
    }
