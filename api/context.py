"""What the routes answer from: handed in once, never looked up in a global."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from api.board import Board
from api.health import Health
from api.problems import Problem
from api.stream import Broadcast
from consumers.settings import Settings
from monitor.state import State


class Figures(Protocol):
    """What the API reads of the replica that follows `sqm.state` and `sqm.alerts`."""

    states: Mapping[int, State]
    caught_up: bool


@dataclass
class Context:
    """The parts that the API is made of; `board` is replaced once a tick, all else stays."""

    settings: Settings
    replica: Figures
    health: Health = field(default_factory=Health)
    stream: Broadcast = field(default_factory=Broadcast)
    board: Board | None = None

    def troubles(self) -> dict[str, str]:
        """Why the figures cannot be trusted now, by the part that says so; empty when they can."""
        said = self.health.troubles()
        if not self.replica.caught_up:
            said.setdefault("replica", "the state is being restored from Kafka")
        elif self.board is None:
            said.setdefault("figures", "the first figures are being made")
        return said


def _context(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


def _board(request: Request) -> Board:
    board = _context(request).board
    if board is None:
        reasons = _context(request).troubles()
        detail = "; ".join(reasons.values())
        raise Problem("not-ready", detail, headers={"Retry-After": "2"}, reasons=reasons)
    return board


Here = Annotated[Context, Depends(_context)]
Newest = Annotated[Board, Depends(_board)]
