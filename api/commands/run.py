"""`sqm run`, and its roles on their own: `sqm worker`, `sqm judge`, `sqm api`."""

import asyncio
import socket
from contextlib import closing, nullcontext
from typing import Final

from api.commands.options import with_settings
from consumers.settings import Settings

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
    """Run those roles until SIGINT or SIGTERM. SIGHUP has the policy files read again."""
    from api.commands.common import policies_of
    from api.commands.failures import listener, writable
    from consumers import logs

    logs.configure(settings)
    policies_of(settings.policy)  # what cannot be used is said before anything starts
    if WORKER in roles:
        writable(settings.data_dir)
    with closing(listener(settings.api)) if API in roles else nullcontext() as listening:
        asyncio.run(_serve(settings, roles, listening))


async def _serve(settings: Settings, roles: frozenset[str], listening: socket.socket | None) -> None:
    from api.commands.common import said
    from api.commands.failures import address
    from api.commands.roles import Process, until_told

    stopping = asyncio.Event()
    process = Process(settings)
    with until_told(stopping, process.read_policy_again):
        process.start(roles, settings.policy, listening)
        if listening is not None:
            said.print(f"sqm answers at {address(listening)}")
        await process.finished(stopping)
