"""The roles of one process, run side by side in one event loop until it is told to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from api.app import create_app
from api.commands.common import texts_of
from api.commands.processes import owner_gone
from api.commands.run import API, JUDGE, WORKER
from api.context import Context
from api.rejected import follow as follow_rejected
from api.ticker import Ticker
from consumers import backlog
from consumers.enact import Enactor
from consumers.garbage import collect_rarely
from consumers.judge import Judge
from consumers.policies import PolicyFollower
from consumers.replica import Replica
from consumers.settings import Settings
from consumers.verify.record import VerifiedFollower
from consumers.verify.schedule import Schedule
from consumers.worker import Worker

log = structlog.get_logger()

CLOSING_SECONDS: Final = 1  # that open connections may take to finish
STOP_SECONDS: Final = 4.0  # that everything may take to finish what it does; then it is cancelled


class Server(uvicorn.Server):
    """uvicorn without a mind of its own about signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Process:
    """What runs in this process: tasks, and what asks each of them to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks: list[asyncio.Task[Any]] = []
        self._stops: list[Callable[[], None]] = []
        self._policies = PolicyFollower(settings.kafka)
        self._enactor: Enactor | None = None
        self.serving = asyncio.Event()  # the API answers
        self.context: Context | None = None

    def start(self, roles: frozenset[str], files: Sequence[Path], listening: socket.socket | None) -> None:
        """Begin with those roles; `files` hold the policy to put in force, `listening` is where the API answers."""
        collect_rarely()
        self._run("policies", self._policies.run())
        replica = Replica(self._settings) if roles & {JUDGE, API} else None
        record = VerifiedFollower(self._settings.kafka) if replica else None
        worker = Worker(self._settings, self._policies) if WORKER in roles else None
        judge = Judge(self._settings, replica, self._policies) if JUDGE in roles and replica else None
        if replica is not None and record is not None:
            self._run("replica", replica.run())
            self._run("verified", record.run())
        if worker is not None:
            self._run("worker", worker.run())
            self._stops.append(worker.stop)
        if judge is not None and replica is not None:
            texts = (lambda: texts_of(files)) if files else None
            self._enactor = Enactor(self._settings.kafka, self._policies, replica, judge, texts)
            self._run("policy files", self._enactor.run())
            self._run("judge", judge.run())
            if self._settings.verify_every is not None and record is not None:
                schedule = Schedule(self._settings, self._settings.verify_every, judge, record)
                self._run("verification", schedule.run())
        if API in roles and replica is not None and listening is not None:
            context = Context(self._settings, replica, self._policies)
            if record is not None:
                context.verified = lambda: record.newest
            for name, part in (
                ("policies", self._policies),
                ("worker", worker),
                ("replica", replica),
                ("judge", judge),
            ):
                if part is not None:
                    context.health.watch(name, part.health)
            self._run("backlog", backlog.follow(self._settings.kafka, replica, context.backlog))
            self._serve(context, listening)

    def read_policy_again(self) -> None:
        """Look at the policy files now, if this process has any to look at."""
        if self._enactor is not None:
            self._enactor.look_again()
        else:
            log.info("no policy files are read here: whoever judges reads them")

    async def finished(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set and all has stopped; raises what ended a part before."""
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([stop, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            while not stopping.is_set():
                for task in [task for task in self._tasks if task.done()]:
                    task.result()  # a part that failed ends the process
                    self._tasks.remove(task)
                await asyncio.wait([stop, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            await self._stop()

    async def _stop(self) -> None:
        for ask in self._stops:
            ask()
        asked = [task for task in self._tasks if task.get_name() in ("worker", "server")]
        if asked:
            await asyncio.wait(asked, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS / 4)

    def _run(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    def _serve(self, context: Context, listening: socket.socket) -> None:
        self.context = context
        config = uvicorn.Config(
            create_app(context),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=CLOSING_SECONDS,
        )
        server = Server(config)

        def close() -> None:
            context.stream.close()
            server.should_exit = True

        self._stops.append(close)
        self._run("figures", Ticker(context).run())
        self._run("rejected", follow_rejected(self._settings.kafka, context.rejected))
        self._run("server", server.serve([listening]))
        self.serving.set()


@contextmanager
def until_told(stopping: asyncio.Event, again: Callable[[], None]) -> Iterator[None]:
    """Within, SIGINT and SIGTERM set `stopping`, and so does the end of the process that started this one, or of the
    terminal it was started in. SIGHUP from anybody else calls `again`."""
    loop = asyncio.get_running_loop()
    owner = owner_gone()
    if owner is not None:
        loop.add_reader(owner, stopping.set)
    attached = _has_terminal()

    def hang_up() -> None:
        if attached and not _has_terminal():
            stopping.set()
        else:
            again()

    handlers = {signal.SIGINT: stopping.set, signal.SIGTERM: stopping.set, signal.SIGHUP: hang_up}
    for name, handler in handlers.items():
        loop.add_signal_handler(name, handler)
    try:
        yield
    finally:
        if owner is not None:
            loop.remove_reader(owner)
        for name in handlers:
            loop.remove_signal_handler(name)


def _has_terminal() -> bool:
    """Whether anything that it reads or writes is a terminal; one that was closed is none any more."""
    return any(os.isatty(descriptor) for descriptor in (0, 1, 2))
