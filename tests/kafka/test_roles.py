"""The roles as processes of their own, as one would run them on several machines."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from consumers import topics
from consumers.broker import Broker
from consumers.client import producer, started
from consumers.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

POLICY = """\
policy: roles
labels: [service]
targets: [{clock: first_response, within: 1h}]
slas: [{id: answered, measure: first_response, goal: 90%, period: 30d}]
"""


class Running:
    """`sqm` with arguments, in an environment of settings alone."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self._log = (folder / f"{arguments[0]}-{time.monotonic_ns()}.log").open("w+")
        sqm = str(Path(sys.executable).with_name("sqm"))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SQM_")}
        self.process = subprocess.Popen([sqm, *arguments], stderr=self._log, cwd=folder, env=inherited | environment)

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def until(self, true: Callable[[], Any], seconds: float = 90) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := true()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)
        return answer

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON at that path; 0 while nobody answers."""
        words = self.said()
        if "answers at " not in words:
            return 0, None
        address = words.split("answers at ")[1].split()[0].rstrip("/")
        try:
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, None

    def end(self) -> float:
        """Seconds from Ctrl-C to the end."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.said()
        return time.monotonic() - begun

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Running] = []

    def begin(bootstrap: str, prefix: str, *arguments: str) -> Running:
        environment = {
            "SQM_KAFKA__BOOTSTRAP": bootstrap,
            "SQM_KAFKA__TOPIC_PREFIX": prefix,
            "SQM_KAFKA__GROUP": prefix,
            "SQM_KAFKA__RETRY_PAUSE_SECONDS": "0.5",
            "SQM_API__PORT": "0",
        }
        running.append(Running(tmp_path, environment, *arguments))
        return running[-1]

    yield begin
    for process in running:
        process.close()


def lifecycle(case: int, at: datetime) -> Iterator[bytes]:
    for minutes, kind in ((0, "opened"), (7, "responded"), (30, "resolved")):
        event = {
            "specversion": "1.0",
            "id": f"{case}/{kind}",
            "source": "test",
            "type": f"interaction.{kind}",
            "subject": f"case-{case}",
            "time": (at + timedelta(minutes=minutes)).isoformat(),
            "data": {"service": "desk"} if kind == "opened" else {},
        }
        yield json.dumps(event).encode()


async def send(settings: Settings, cases: range) -> int:
    await topics.ensure(settings.kafka)
    begun = datetime.now(UTC) - timedelta(hours=2)
    client = await started(producer(settings.kafka))
    try:
        events = [(f"case-{case}".encode(), event) for case in cases for event in lifecycle(case, begun)]
        for key, event in events:
            await client.send(settings.kafka.events_topics[0], event, key=key)
        await client.flush()
    finally:
        await client.stop()
    return len(events)


async def members(settings: Settings) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    await admin.start()
    try:
        described = await admin.describe_consumer_groups([settings.kafka.group])
        return len(described[0].groups[0][5])
    finally:
        await admin.close()


async def test_two_workers_a_judge_and_an_api_are_one_monitor(settings: Settings, start: Start, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    sent = await send(settings, range(200))
    where = (settings.kafka.bootstrap, settings.kafka.topic_prefix)
    workers = [start(*where, "worker", "--data-dir", f"data-{k}", "--worker-host", f"host-{k}") for k in range(2)]
    judge = start(*where, "judge", "--policy", "policy.yaml")
    api = start(*where, "api")
    api.until(lambda: (answer := api.get("/v1/summary"))[0] == 200 and answer[1]["ledger"]["counted"] == sent)
    assert await members(settings) == 2
    api.until(
        lambda: [(s["id"], s["good"], s["bad"]) for s in api.get("/v1/slas")[1]["items"]] == [("answered", 200, 0)]
    )
    assert api.get("/readyz")[0] == 200

    assert workers[0].end() < 10  # the other takes over
    more = await send(settings, range(200, 300))
    api.until(lambda: (answer := api.get("/v1/summary"))[0] == 200 and answer[1]["ledger"]["counted"] == sent + more)
    assert all(process.end() < 10 for process in (workers[1], judge, api))


def still_running(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that run after so many seconds; one that has ended and only waits to be reaped does not."""
    deadline = time.monotonic() + seconds
    while left := [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return []


async def test_workers_side_by_side_share_the_partitions_and_end_together(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    sent = await send(settings, range(200))
    where = (settings.kafka.bootstrap, settings.kafka.topic_prefix)
    judge_and_api = start(*where, "run", "--policy", "policy.yaml", "--data-dir", "all")
    pair = start(*where, "worker", "--processes", "2", "--data-dir", "pair", "--worker-host", "pair")
    judge_and_api.until(
        lambda: (answer := judge_and_api.get("/v1/summary"))[0] == 200 and answer[1]["ledger"]["counted"] == sent
    )
    while await members(settings) < 3:
        assert pair.process.poll() is None, pair.said()
    workers = psutil.Process(pair.process.pid).children(recursive=True)
    assert pair.end() < 10
    assert still_running(workers, 1) == []


async def test_workers_side_by_side_do_not_outlive_who_started_them(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    await send(settings, range(1))
    pair = start(settings.kafka.bootstrap, settings.kafka.topic_prefix, "worker", "--processes", "2")
    while await members(settings) < 2:
        assert pair.process.poll() is None, pair.said()
    workers = psutil.Process(pair.process.pid).children(recursive=True)
    pair.process.kill()
    assert still_running(workers, 20) == []


def test_a_broker_that_is_not_there_is_named_and_waited_for(start: Start, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka")
    sqm = start(broker.bootstrap, "late", "run", "--log-format", "json")
    status, answer = sqm.until(lambda: (found := sqm.get("/readyz"))[0] and found)
    assert status == 503
    assert any(broker.bootstrap in reason for reason in answer["reasons"].values())
    sqm.until(lambda: broker.bootstrap in sqm.said() and "does not answer" in sqm.said())
    with broker:
        sqm.until(lambda: sqm.get("/readyz")[0] == 200)
        broker.kill()
        sqm.until(lambda: sqm.get("/readyz")[0] == 503)
        broker.start()
        sqm.until(lambda: sqm.get("/readyz")[0] == 200)
        assert sqm.end() < 10


def test_ctrl_c_while_kafka_is_away_ends_it_too(start: Start, tmp_path: Path) -> None:
    sqm = start("127.0.0.1:9", "away", "run")
    sqm.until(lambda: sqm.get("/healthz")[0] == 200)
    assert sqm.end() < 10
