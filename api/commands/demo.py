"""`sqm demo`: a Kafka of its own, simulated services, and all roles; what one sees went through Kafka."""

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from api.commands.common import policies_of, said
from api.commands.failures import Unusable, address, listener, writable
from api.commands.options import with_settings
from api.commands.roles import Process, until_told
from api.commands.run import ALL
from consumers import logs
from consumers.broker import Broker, guarded, release
from consumers.kafka_jars import kafka_version
from consumers.settings import NESTED, PREFIX, Settings

POLICY: Final = Path(__file__).resolve().parents[2] / "consumers" / "simulate" / "demo.yaml"
SIMULATOR_SECONDS: Final = 3.0  # to end when asked
BROKER_SECONDS: Final = 3.5
HANDED_ON: Final = ("bootstrap", "topic_prefix", "events_topics", "partitions", "replication")
RETRY_SECONDS: Final = 0.5  # how often the simulated services look whether Kafka is up

T = TypeVar("T")


@with_settings("kafka", "worker", "judge", "api")
def demo(
    settings: Settings,
    seed: Annotated[int, typer.Option(help="Other seeds simulate other cases, in an empty data folder.")] = 1,
) -> None:
    """A real Kafka, simulated services with a month of history, and the live page. Ctrl-C ends it all.

    The data stays in the data folder, and the next demo goes on from it. With SQM_KAFKA__BOOTSTRAP a broker that
    runs already is used. The policy is consumers/simulate/demo.yaml, unless another is given.
    """
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "warning"})
    logs.configure(settings)
    files = settings.policy or (POLICY,)
    policies_of(files)  # what cannot be used is said before anything starts
    with alone(writable(settings.data_dir)), closing(listener(settings.api)) as listening:
        asyncio.run(Demo(settings, files, listening, seed).run())


class Demo:
    """Everything that a demo starts, and its end."""

    def __init__(self, settings: Settings, files: Sequence[Path], listening: socket.socket, seed: int) -> None:
        self._settings = settings
        self._files = files
        self._listening = listening
        self._seed = seed
        self._broker: Broker | None = None
        self._simulator: subprocess.Popen[bytes] | None = None
        self._process: Process | None = None
        self._begun = time.monotonic()

    async def run(self) -> None:
        """Until SIGINT or SIGTERM, or until a part fails, which is raised."""
        stopping = asyncio.Event()
        with until_told(stopping, self._read_policy_again):
            try:
                if await unless(stopping, self._prepare()):
                    await self._serve(self._settings, stopping)
            finally:
                await self._end()

    def _read_policy_again(self) -> None:
        if self._process is not None:
            self._process.read_policy_again()

    async def _prepare(self) -> bool:
        """Kafka is up and all that happened up to now is published."""
        with progress(f"Fetching Apache Kafka {kafka_version()} (once)", "bytes") as told:
            if "bootstrap" not in self._settings.kafka.model_fields_set:
                self._broker = Broker(self._settings.data_dir / "kafka", progress=told)
                kafka = self._settings.kafka.model_copy(update={"bootstrap": self._broker.bootstrap})
                self._settings = self._settings.model_copy(update={"kafka": kafka})
            # The simulated services make up their past while Kafka starts.
            self._simulator = self._started_simulator()
            if self._broker is not None:
                await self._broker.astart()
        if self._broker is not None:
            where = f"{self._broker.bootstrap}, its data in {self._settings.data_dir / 'kafka'}"
            said.print(f"Apache Kafka {kafka_version()} is up at {where} ({self._seconds()})")
        events = await self._history(self._simulator)
        said.print(f"{events:,} events of the past are published ({self._seconds()})")
        return True

    def _started_simulator(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "consumers.simulate", "--seed", str(self._seed)]
        return guarded(command, subprocess.PIPE, None, os.environ | handed_on(self._settings))

    async def _history(self, simulator: subprocess.Popen[bytes]) -> int:
        """Follow what the simulated services say until they are live; how many events were published."""
        assert simulator.stdout is not None
        events = 0
        with progress("What happened up to now", "events") as told:
            while line := await asyncio.to_thread(simulator.stdout.readline):
                word: dict[str, Any] = json.loads(line)
                if "live" in word:
                    return events
                events = word["of"]
                told(word["sent"], events)
        raise Unusable("the simulated services ended before they had begun (they say why above)")

    async def _serve(self, settings: Settings, stopping: asyncio.Event) -> None:
        self._process = process = Process(settings)
        process.start(ALL, self._files, self._listening)
        said.print(f"\n  The page:  [bold]{address(self._listening)}[/]\n", highlight=False)
        said.print("Within two minutes one of the services will slow down: watch its burn alert fire, and resolve.")
        said.print("Ctrl-C ends it all; the data stays.")
        watching = asyncio.create_task(self._watch(stopping))
        ending = asyncio.create_task(self._end_simulator(stopping))
        try:
            await process.finished(stopping)
        finally:
            watching.cancel()
            ending.cancel()

    async def _watch(self, stopping: asyncio.Event) -> None:
        """Without the simulated services the page goes stale: say so."""
        assert self._simulator is not None
        await asyncio.to_thread(self._simulator.wait)
        if not stopping.is_set():
            said.print("The simulated services have ended: nothing new will come (they say why above).", style="red")

    async def _end_simulator(self, stopping: asyncio.Event) -> None:
        """Once told to stop: meanwhile the roles finish what they do."""
        await stopping.wait()
        if self._simulator is not None:
            await asyncio.to_thread(release, self._simulator, SIMULATOR_SECONDS)

    async def _end(self) -> None:
        if self._simulator is not None:
            await asyncio.to_thread(release, self._simulator, SIMULATOR_SECONDS)
        if self._broker is not None:
            await self._broker.astop(BROKER_SECONDS)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._begun:.1f} s"


def handed_on(settings: Settings) -> dict[str, str]:
    """The environment in which the simulated services find what this demo was told by flags."""
    kafka = {name: getattr(settings.kafka, name) for name in HANDED_ON}
    words = {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in kafka.items()}
    return {
        f"{PREFIX}DATA_DIR": str(settings.data_dir),
        f"{PREFIX}LOG_LEVEL": "error",  # that Kafka is away is said by the roles, too
        f"{PREFIX}KAFKA{NESTED}RETRY_PAUSE_SECONDS": str(RETRY_SECONDS),
        **{f"{PREFIX}KAFKA{NESTED}{name.upper()}": word for name, word in words.items()},
    }


async def unless(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` answers; None if it was cancelled because `stopping` was set before."""
    task, told = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        return None if task.cancelled() else task.result()
    finally:
        told.cancel()


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Within, no other demo uses that folder. Raises Unusable where one does."""
    with (data_dir / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Unusable(
                f"another demo (process {lock.read() or 'unknown'}) uses the data folder {data_dir}: end it, or name "
                "another folder with --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def progress(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function told how much is done of how much: a bar on a terminal, else a line at each quarter."""
    if not said.is_terminal:
        yield _lines(title, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=said, transient=True) as bar:
        task = None

        def show(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(title, total=total)
            bar.update(task, completed=done, total=total)

        yield show


def _lines(title: str, unit: str) -> Callable[[int, int], None]:
    told = -1

    def show(done: int, total: int) -> None:
        nonlocal told
        if (quarter := 4 * done // max(total, 1)) > told:
            told = quarter
            said.print(f"{title}: {done:,} of {total:,} {unit}")

    return show
