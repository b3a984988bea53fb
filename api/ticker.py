"""Once a tick: figures from the replica's states, and from these the board, the metrics and the stream's events.

Everything is made once, whoever asks how often. A tick that fails is logged and said by `/readyz`; the next one tries
again. Verdicts and alerts that changed since the last tick go out as events of their own.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec
import polars as pl
import structlog
from prometheus_client.exposition import generate_latest

from api import board as boards
from api import metric_parts, positions, verdicts
from api.board import Board
from api.context import Context
from api.indicator_items import indicator_items
from api.items import transition_items
from api.listener import ALERT, VERDICT
from api.listener import Item as NewsItem
from api.lists import Item
from api.metric_parts import Material
from api.metrics import Exposition, exposition
from api.news import FOUND, News, Told, in_turn
from api.policy_items import refused_policy_item
from api.positions import Mark
from api.role_metrics import registry
from api.shapes import instant
from api.verified import verified_item
from consumers.policy_log import PolicyLog
from monitor.frames import ALERTS, empty
from monitor.names import LABELS
from monitor.policy import PolicySet
from monitor.running import as_of_now
from monitor.split import SplitCases

log = structlog.get_logger(__name__)

WINDOWS_SHOWN: Final = ("1h", "1d")  # of indicators, in a tick
CLOCKS_SHOWN: Final = 20
ALERTS_SHOWN: Final = 50


class _Made(NamedTuple):
    board: Board | None
    exposition: Exposition
    told: Told | None
    news: list[NewsItem]
    tick: bytes


class Ticker:
    """Renders a `Context` once a tick."""

    def __init__(
        self,
        context: Context,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._context = context
        self._own = registry(context.health.roles)
        self._wall = wall
        self._number = 0
        self._trouble: str | None = None
        self._news = News()
        self._split = SplitCases()
        context.health.watch("figures", lambda: self._trouble)
        context.replica.on_alert.append(self._news.on_alert)
        context.replica.on_reread.append(self._news.on_reread)
        context.replica.on_history.append(self._news.on_history)
        context.replica.on_restored.append(self._news.on_restored)
        context.replica.on_delta += [
            self._news.on_delta,
            lambda partition, number, delta: self._split.changed(partition, delta),
        ]

    async def run(self) -> None:
        """Tick until cancelled."""
        seconds = self._context.settings.judge.tick_seconds
        while True:
            began = time.monotonic()
            await self.tick()
            took = time.monotonic() - began
            await asyncio.sleep(max(seconds - took, took))  # however much there is to show, others get their half

    async def tick(self) -> None:
        """Make figures of the states as they are now, and send them."""
        try:
            made = await self._made()
        except Exception as error:
            self._news.give_back()
            log.exception("a tick failed")
            self._trouble = f"figures cannot be made: {type(error).__name__}; the log has the cause"
            return
        self._trouble = None
        context = self._context
        if made.board is None or made.told is None:
            if context.board is None:
                context.exposition = made.exposition
            return  # while it is restored anew the last figures stay; /readyz and the next tick say so
        self._news.done()
        context.exposition = made.exposition
        first, context.board = context.board is None, made.board
        if first:  # what came before it is history
            context.stream.begin(made.told.since, made.news, made.tick, made.told.end)
            return
        if made.told.torn:
            context.stream.tear(made.told.since)
        context.stream.publish(made.news, made.tick, made.told.end)

    async def _made(self) -> _Made:
        """What only the loop may look at is read here, the rest is done in a thread."""
        replica, policies, wall = self._context.replica, self._context.policies.current, self._wall()
        if policies is None or not replica.caught_up:
            return _Made(None, self._exposition(), None, [], b"")
        alerts, rate = replica.alerts, replica.rate.per_second(wall)
        return await asyncio.to_thread(self._make, policies, alerts, rate, wall)

    def _make(self, policies: PolicySet, alerts: pl.DataFrame, rate: float, wall: datetime) -> _Made:
        """All that a tick shows. Deltas wait while the states are read."""
        context, began = self._context, time.perf_counter()
        follows = context.settings.clock == "event"
        with context.replica.reading() as held:
            states = dict(held)
            self._split.look(states)
            board = boards.make(states, alerts, policies, wall, follows_events=follows, split=self._split)
            if board is None:
                return _Made(None, self._exposition(), None, [], b"")
            nearest = as_of_now(board.figures.running.head(CLOCKS_SHOWN), states, policies, board.grace)
            nearest = verdicts.foretold(nearest, states, board)
            seconds = round(time.perf_counter() - began, 6)
            policy, clients = context.policies.log, context.stream.clients
            made_of = metric_parts.material(board, states, policy, context.verified(), clients, seconds)
            told = self._news.take(len(states))
            changed = verdicts.with_labels(pl.concat([empty(FOUND), *(d.rows for d in told.verdicts)]), states)
        self._number += 1
        omitted = told.omitted if context.board is not None else 0  # before the first tick nobody was sent any
        tick = self._tick(board, verdicts.clock_items(nearest, states), rate, omitted)
        tick["point"] = context.recent.add(wall, tick)
        news = _items(told, changed, policies)
        return _Made(board, self._exposition(made_of), told, news, msgspec.json.encode(tick))

    def _exposition(self, made_of: Material | None = None) -> Exposition:
        def text() -> bytes:
            figures = exposition(metric_parts.every(made_of)) if made_of else b""
            return figures + generate_latest(self._own)

        return Exposition(text)

    def _tick(self, board: Board, nearest: list[Item], rate: float, omitted: int) -> Item:
        troubles = self._context.troubles(board)
        lags = [p["lag_seconds"] for p in board.ledger["partitions"] if p["lag_seconds"] is not None]
        return {
            "tick": self._number,
            "wall": instant(board.wall),
            "now": instant(board.now),
            "ready": not troubles,
            "troubles": troubles,
            "catching_up": self._context.catching_up(),
            "current_share": board.ledger["current_share"],
            "lag_seconds": max(lags, default=None),
            "rate_per_second": round(rate, 1),
            "ledger": {**board.ledger, "verified": verified_item(self._context.verified())},
            "slas": board.slas,
            "services": board.services,
            "indicators": _indicators(board),
            "clocks_next": nearest,
            "alerts": board.alerts[:ALERTS_SHOWN],
            "verdicts_omitted": omitted,
            "policy": _policy(board.policies, self._context.policies.log),
        }


def _items(told: Told, changed: pl.DataFrame, policies: PolicySet) -> list[NewsItem]:
    """In the order in which they came about, so that other processes have them in much the same.

    :param changed: rows of `told.verdicts`, with labels
    """
    items = iter(verdicts.verdict_items(changed, policies))
    found: list[tuple[datetime, NewsItem]] = []
    for delta, at in zip(told.verdicts, in_turn((d.partition, d.now) for d in told.verdicts), strict=True):
        marks = [Mark(delta.number, n) for n in range(delta.rows.height)]
        for mark, after in pairwise([*marks, Mark(delta.number + 1)]):
            found.append((at, NewsItem(delta.partition + 1, mark, after, VERDICT, msgspec.json.encode(next(items)))))
    alerts = transition_items(pl.DataFrame([row for _, row in told.alerts], schema=dict(ALERTS)))
    times = in_turn((positions.ALERTS, row["at"]) for _, row in told.alerts)
    for (offset, _), item, at in zip(told.alerts, alerts, times, strict=True):
        mark, after = Mark(offset), Mark(offset + 1)
        found.append((at, NewsItem(positions.ALERTS, mark, after, ALERT, msgspec.json.encode(item))))
    return [item for _, item in sorted(found, key=itemgetter(0))]


def _indicators(board: Board) -> list[Item]:
    """The total and every service, where there is anything to count."""
    others = [pl.col(label).is_null() for label in LABELS if label != "service"]
    shown = pl.col("window").is_in(WINDOWS_SHOWN) & (pl.col("n") > 0) & pl.all_horizontal(others)
    return indicator_items(board.figures.indicators.filter(shown), board.policies.newest.limits.min_n)


def _policy(policies: PolicySet, known: PolicyLog) -> Item:
    newest = policies.newest
    return {
        "name": newest.name,
        "digest": policies.digest,
        "effective_from": instant(newest.effective_from),
        "labels": list(newest.labels),
        "clocks": [str(clock) for clock in policies.clocks],
        "refused": refused_policy_item(known.refused),
    }
