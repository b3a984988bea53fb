"""`sqm run`, and its roles on their own: `sqm worker`, `sqm judge`, `sqm api`."""

import asyncio
import socket
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Final

from api.commands.options import with_settings
from consumers.settings import Settings

if TYPE_CHECKING:  # what is imported takes a second: only by who runs a role
    from monitor.policy import PolicySet

WORKER, JUDGE, API = "worker", "judge", "api"
ALL: Final = frozenset({WORKER, JUDGE, API})


@with_settings("kafka", "worker", "judge", "api")
def run(settings: Settings) -> None:
    """Worker, judge and API in one process: all that is needed beside Kafka."""
    serve(settings, ALL)


@with_settings("kafka", "worker")
def worker(settings: Settings) -> None:
    """Fold events into state. As many as there are partitions share the work."""
    if settings.worker.processes == 1:
        alone(settings)
    else:
        from api.commands.processes import side_by_side

        side_by_side(alone, settings)


@with_settings("kafka", "judge")
def judge(settings: Settings) -> None:
    """Judge SLAs, raise alerts and deliver them. Of several one is active, the others stand by."""
    serve(settings, frozenset({JUDGE}))


@with_settings("kafka", "judge", "api")
def api(settings: Settings) -> None:
    """Serve figures: the page, HTTP, metrics. Any number may run."""
    serve(settings, frozenset({API}))


def alone(settings: Settings) -> None:
    """One worker in this process."""
    serve(settings, frozenset({WORKER}))


def serve(settings: Settings, roles: frozenset[str]) -> None:
    """Run those roles until SIGINT or SIGTERM."""
    from api.commands.common import policies_of
    from api.commands.failures import listener, writable
    from consumers import logs

    logs.configure(settings)
    given = policies_of(settings.policy) if settings.policy else None
    if WORKER in roles:
        writable(settings.data_dir)
    with closing(listener(settings.api)) if API in roles else nullcontext() as listening:
        asyncio.run(_serve(settings, roles, given, listening))


async def _serve(
    settings: Settings, roles: frozenset[str], given: "PolicySet | None", listening: socket.socket | None
) -> None:
    from api.commands.common import said
    from api.commands.failures import address
    from api.commands.roles import Process, until_told

    stopping = asyncio.Event()
    with until_told(stopping):
        process = Process(settings)
        process.start(roles, given, listening)
        if listening is not None:
            said.print(f"sqm answers at {address(listening)}")
        await process.finished(stopping)
