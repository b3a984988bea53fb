"""The roles as processes that can be hit: started, watched, ended."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from consumers.settings import PREFIX, Settings
from tests.faults.driver import CLOCK
from tests.kafka.hook import SECRET, SECRET_ENV
from tests.kafka.traffic import ROOT, as_environment

PATIENCE: Final = 90.0  # seconds


class Role:
    """One process, and what it said."""

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace")

    def send(self, what: signal.Signals) -> None:
        self._process.send_signal(what)

    async def ended_by(self, what: signal.Signals) -> None:
        """Wait until that signal has ended it, as it should."""
        deadline = time.monotonic() + PATIENCE
        while self.running:
            assert time.monotonic() < deadline, f"{self.name} was not hit:\n{self.said()[-3_000:]}"
            await asyncio.sleep(0.02)
        code = self._process.returncode
        assert code == -what, f"{self.name} ended by itself ({code}):\n{self.said()[-3_000:]}"

    async def frozen(self) -> None:
        """Wait until it stands still."""
        deadline = time.monotonic() + PATIENCE
        while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
            assert self.running, f"{self.name} ended by itself:\n{self.said()[-3_000:]}"
            assert time.monotonic() < deadline, f"{self.name} was not hit:\n{self.said()[-3_000:]}"
            await asyncio.sleep(0.02)

    async def until_said(self, words: str, times: int = 1) -> None:
        """Wait until its log has those words, as often."""
        deadline = time.monotonic() + PATIENCE
        while self.said().count(words) < times:
            assert self.running, f"{self.name} ended by itself:\n{self.said()[-3_000:]}"
            assert time.monotonic() < deadline, f"{self.name} never said {words!r}:\n{self.said()[-3_000:]}"
            await asyncio.sleep(0.05)

    async def end(self, patience: float = 20.0) -> None:
        """Make sure that it is gone: asked first, then killed."""
        if self.running:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, patience)
        self._process.kill()
        self._process.wait()


@asynccontextmanager
async def role(
    name: str,
    settings: Settings,
    folder: Path,
    *arguments: str,
    clock: Path | None = None,
) -> AsyncIterator[Role]:
    """A process of that role; `arguments` say where it is to be hit, `clock` how wrong its clock is."""
    environment: Mapping[str, str] = {
        **{key: text for key, text in os.environ.items() if not key.startswith(PREFIX)},
        **as_environment(settings),
        SECRET_ENV: SECRET,
        "PYTHONPATH": str(ROOT),
        **({CLOCK: str(clock)} if clock is not None else {}),
    }
    log = folder / f"{name}-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "tests.faults.driver", name, *arguments]
    with log.open("ab") as output:
        # Starting a process takes a moment only, and it is not waited for here.
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)  # noqa: ASYNC220
    started = Role(" ".join((name, *arguments)), process, log)
    try:
        yield started
    finally:
        await started.end()
