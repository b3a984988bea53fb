"""SIGHUP: from a terminal that is closed it ends the program, from anybody else it has the policy read again."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SQM = Path(sys.executable).with_name("sqm")
NOBODY = "127.0.0.1:9"  # where no broker answers


class Running:
    """`sqm` on a terminal, or on none."""

    def __init__(self, folder: Path, role: str, terminal: int | None) -> None:
        self._log = folder / "log"
        command = [str(SQM), role, "--bootstrap", NOBODY, "--port", "0"]
        with self._log.open("wb") as log:
            stdin = subprocess.DEVNULL if terminal is None else terminal
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=stdin, stdout=log, stderr=log, start_new_session=True
            )

    def until_it_says(self, words: str) -> None:
        deadline = time.monotonic() + 60
        while words not in (said := self._log.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[str, int | None], Running]]:
    """Starts a role and waits until it answers."""
    started: list[Running] = []

    def run(role: str, terminal: int | None) -> Running:
        started.append(Running(tmp_path, role, terminal))
        started[-1].until_it_says("answers at")
        return started[-1]

    yield run
    for running in started:
        running.process.kill()
        running.process.wait()


Begin = Callable[[str, int | None], Running]


def test_a_closed_terminal_ends_it(begin: Begin) -> None:
    main, terminal = pty.openpty()
    sqm = begin("run", terminal)
    os.close(terminal)
    os.close(main)  # what hangs up
    sqm.process.send_signal(signal.SIGHUP)  # as the kernel tells those of the terminal's session
    assert sqm.process.wait(30) == 0


def test_a_signal_from_anybody_else_does_not(begin: Begin) -> None:
    sqm = begin("api", None)
    sqm.process.send_signal(signal.SIGHUP)
    sqm.until_it_says("no policy files are read here")
    sqm.process.send_signal(signal.SIGINT)
    assert sqm.process.wait(30) == 0
