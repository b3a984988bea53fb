"""The api role: a ticker, the refused events, and a server for HTTP, around one context."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from api.app import create_app
from api.context import Context, Source
from api.rejected import follow
from api.role_metrics import RoleCollector
from api.ticker import Ticker
from consumers.health import RoleHealth
from consumers.policies import Policies
from consumers.settings import Settings

PATIENCE_SECONDS = 3  # for answers under way when it ends


class _Server(uvicorn.Server):
    """A server that leaves the signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Api:
    """Serves what a replica holds until cancelled.

    :param replica: run by somebody else; may be shared with a judge
    :param roles: the other roles of this process, and what they follow: each is asked for its trouble
    """

    def __init__(
        self, settings: Settings, replica: Source, policies: Policies, roles: Sequence[RoleHealth] = ()
    ) -> None:
        self.context = Context(settings, replica, policies)
        self.app = create_app(self.context)
        for role in roles:
            self.context.health.watch(role.role, role.trouble)
        own = CollectorRegistry()
        for collector in (ProcessCollector(registry=None), PlatformCollector(registry=None), RoleCollector(roles)):
            own.register(collector)
        self.ticker = Ticker(self.context, own)

    async def run(self, listening: socket.socket) -> None:
        """Answer on a socket that is bound already. Streams are ended, answers under way are finished."""
        config = uvicorn.Config(
            self.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=PATIENCE_SECONDS,
            timeout_keep_alive=30,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listening]), name="http")
        others = [
            asyncio.create_task(self.ticker.run(), name="ticker"),
            asyncio.create_task(follow(self.context.settings.kafka, self.context.rejected), name="rejected"),
        ]
        try:
            done, _ = await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in others:
                task.cancel()
            self.context.stream.close()
            server.should_exit = True
            await asyncio.wait([serving, *others], timeout=PATIENCE_SECONDS + 2)
