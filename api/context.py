"""What the routes answer from: handed in once, never looked up in a global."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Protocol

import polars as pl
from fastapi import Depends, Request

from api.board import Board
from api.charts import Recent
from api.health import Health
from api.metrics import Exposition
from api.problems import Problem
from api.rejected import Rejected
from api.stream import Broadcast
from consumers.backlog import Backlog
from consumers.policies import Policies
from consumers.replica import OnAlert, OnDelta, OnReread, OnRestored, Rate
from consumers.settings import Settings
from consumers.verify.record import Verified
from monitor.state import State


class Source(Protocol):
    """What the API reads of the replica that follows `sqm.state` and `sqm.alerts`; see consumers/replica.py."""

    on_delta: list[OnDelta]
    on_history: list[OnDelta]
    on_restored: list[OnRestored]
    on_alert: list[OnAlert]
    on_reread: list[OnReread]
    rate: Rate

    @property
    def caught_up(self) -> bool: ...

    @property
    def alerts(self) -> pl.DataFrame: ...

    @property
    def halts(self) -> dict[int, str]: ...

    def reading(self) -> AbstractContextManager[Mapping[int, State]]: ...


@dataclass
class Context:
    """The parts that the API is made of; `board` and `exposition` are replaced once a tick, all else stays."""

    settings: Settings
    replica: Source
    policies: Policies
    rejected: Rejected = field(default_factory=Rejected)
    health: Health = field(default_factory=Health)
    stream: Broadcast = field(default_factory=Broadcast)
    backlog: Backlog = field(default_factory=Backlog)
    recent: Recent = field(default_factory=Recent)
    board: Board | None = None
    verified: Callable[[], Verified | None] = lambda: None  # what was verified last
    exposition: Exposition = field(default_factory=lambda: Exposition(bytes))

    def troubles(self, board: Board | None = None) -> dict[str, str]:
        """Why the figures cannot be trusted now, by the part that says so; empty when they can.

        :param board: the newest one; None: the one in place
        """
        said = self.health.troubles()
        if halts := self.replica.halts:
            said.setdefault("worker", "; ".join(halts.values()))
        if not self.replica.caught_up:
            said.setdefault("replica", "the state is being restored from Kafka")
        elif (board or self.board) is None:
            said.setdefault("figures", "the first figures are being made")
        return said

    def catching_up(self) -> str | None:
        """How far the workers are behind and how long that will last, in words; None while they keep up."""
        left = self.backlog.left()
        return None if left is None else str(left)


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
