"""The demo as a newcomer meets it: one command, a full page, Ctrl-C, nothing left behind, and on it goes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

FULL_PAGE_SECONDS = 30  # from the broker being up
GONE_SECONDS = 10  # from Ctrl-C


class Demo:
    """A running `sqm demo`, in a session of its own as a terminal would give it."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self._said = (data_dir.parent / "said.txt").open("w+")
        command = [str(Path(sys.executable).with_name("sqm")), "demo", "--data-dir", str(data_dir), "--port", "0"]
        self.process = subprocess.Popen([*command, *arguments], stderr=self._said, start_new_session=True)
        self._family: set[psutil.Process] = set()

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read()

    def until(self, true: Callable[[], Any], seconds: float) -> Any:
        """What `true` answers as soon as it is something."""
        deadline = time.monotonic() + seconds
        while not (answer := true()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            self._family.update(family(self.process.pid))
            time.sleep(0.1)
        return answer

    def get(self, path: str) -> Any:
        """The JSON at that path; None while it is not answered with 200."""
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said())
        assert found is not None
        try:
            with urllib.request.urlopen(found[0] + path, timeout=10) as answer:
                return json.load(answer)
        except (OSError, urllib.error.HTTPError):
            return None

    def ready(self) -> Any:
        return "The page:" in self.said() and self.get("/readyz")

    def end(self, how: signal.Signals) -> float:
        """Seconds until it and all that it started are gone."""
        self._family.update(family(self.process.pid))
        begun = time.monotonic()
        os.killpg(self.process.pid, how)
        self.process.wait(60)
        while any(running(process) for process in self._family):
            assert time.monotonic() - begun < 60, self._family
            time.sleep(0.05)
        return time.monotonic() - begun

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        self._said.close()


def running(process: psutil.Process) -> bool:
    """Whether it is still at work; of a dead one whose parent has not looked yet, a zombie is left."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    started: list[Demo] = []

    def begin() -> Demo:
        started.append(Demo(tmp_path / "data"))
        return started[-1]

    yield begin
    for demo in started:
        demo.close()


def test_the_page_is_full_ctrl_c_ends_it_all_and_a_second_start_goes_on(start: Callable[[], Demo]) -> None:
    demo = start()
    demo.until(lambda: "is up at" in demo.said(), 120)
    up = time.monotonic()
    demo.until(demo.ready, 120)
    demo.until(lambda: demo.get("/v1/ledger")["current_share"] == 1, 60)
    assert time.monotonic() - up < FULL_PAGE_SECONDS
    summary = demo.get("/v1/summary")
    assert full(summary, demo.get("/v1/services"))
    first = summary["ledger"]
    assert first["read"] == first["counted"] > 100_000
    assert first["cases_opened"] == first["cases_closed"] + first["cases_open"]
    demo.until(lambda: demo.get("/v1/summary")["ledger"]["read"] > first["read"], 20)  # it goes on live
    before = demo.get("/v1/ledger")
    assert before["balanced"]
    assert demo.end(signal.SIGINT) < GONE_SECONDS
    assert demo.process.returncode == 0

    again = start()
    again.until(again.ready, 150)
    after = again.until(lambda: (now := again.get("/v1/ledger")) and now["read"] > before["read"] and now, 30)
    assert after["balanced"]
    assert after["conflicting"] == after["rejected"] == after["late"] == after["cases_unopened"] == 0
    assert after["duplicate"] < 100  # at most what was on its way when it was ended
    again.end(signal.SIGKILL)  # nothing outlives it then, either


def full(summary: dict[str, Any], services: dict[str, Any]) -> bool:
    """Whether every part of the page has something to show."""
    assert {item["service"] for item in services["items"]} >= {"support-chat", "billing", "field-service"}
    assert all(sla["good"] + sla["bad"] > 0 for sla in summary["slas"])
    assert len({sla["id"] for sla in summary["slas"]}) >= 5
    dimensions = {row["dimension"] for row in summary["indicators"] if row["value"] is not None}
    assert {"responsiveness", "reliability"} <= dimensions
    clocks = summary["clocks"]
    assert all(clocks[name]["met"] > 0 for name in ("first_response", "next_response", "resolution", "promise"))
    return True


def test_ctrl_c_while_it_is_still_starting_ends_it_all(start: Callable[[], Demo]) -> None:
    demo = start()
    demo.until(lambda: any("java" in child.name() for child in family(demo.process.pid)), 60)
    assert demo.end(signal.SIGINT) < GONE_SECONDS
    assert demo.process.returncode == 0


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)
