"""The broker of the demo and the tests: it keeps its data, answers, and never outlives its owner."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumers import kafka_jars
from consumers.broker import Broker, BrokerFailed, free_ports
from consumers.kafka_jars import KafkaUnavailable

pytestmark = pytest.mark.kafka


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def send(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="t")
    async with producer, producer.transaction():
        for value in values:
            await producer.send(topic, value)


async def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    async with consumer:
        return [(await consumer.getone()).value for _ in range(count)]


async def test_data_is_there_after_a_stop_and_after_a_kill(tmp_path: Path) -> None:
    broker = await Broker(tmp_path).astart()
    try:
        await create(broker.bootstrap, "kept")
        await send(broker.bootstrap, "kept", [b"one"])
        address = broker.bootstrap
        await asyncio.to_thread(broker.restart)
        assert broker.bootstrap == address
        await send(broker.bootstrap, "kept", [b"two"])
        broker.kill()
        assert not broker.running
        await broker.astart()
        assert await read(broker.bootstrap, "kept", 2) == [b"one", b"two"]
    finally:
        await broker.astop()
    assert not broker.running


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


OWNER = """
import sys, threading, pathlib
from consumers.broker import Broker
broker = Broker(pathlib.Path(sys.argv[1])).start()
print("up", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_no_process_outlives_its_owner(how: signal.Signals, tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        assert owner.stdout.readline() == b"up\n"
        started = family(owner)
        assert any("java" in p.name() for p in started)
        owner.send_signal(how)
        owner.wait(10)
        wait_until(lambda: not any(p.is_running() and p.status() != "zombie" for p in started), 10)


def test_a_cluster_id_may_begin_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of 64 does: it must not be taken for an option."""
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
    with Broker(tmp_path) as broker:
        assert broker.bootstrap
    assert "cluster.id=-AAAA" in (tmp_path / "data" / "meta.properties").read_text()


def test_the_jvm_dies_with_a_killed_guard(tmp_path: Path) -> None:
    broker = Broker(tmp_path).start()
    guard = next(p for p in psutil.Process().children() if str(tmp_path) in " ".join(p.cmdline()))
    java = guard.children()
    guard.kill()
    wait_until(lambda: not any(p.is_running() and p.status() != "zombie" for p in java))
    broker.stop()


def test_a_ctrl_c_at_the_terminal_does_not_reach_the_broker(broker: Broker) -> None:
    guards = [p for p in psutil.Process().children() if "guard.py" in " ".join(p.cmdline())]
    assert guards
    for process in (*guards, *guards[0].children()):
        assert os.getpgid(process.pid) != os.getpgid(0)


def test_a_taken_port_is_named_in_what_the_broker_says(broker: Broker, tmp_path: Path) -> None:
    taken = int(broker.bootstrap.rpartition(":")[2])
    other = Broker(tmp_path, ports=(taken, free_ports()[0]))
    with pytest.raises(BrokerFailed, match=rf"127.0.0.1:{taken}: Address already in use"):
        other.start()
    assert not other.running


def test_the_lock_names_each_jar_once_with_a_digest() -> None:
    jars = kafka_jars.locked()
    assert len({jar.name for jar in jars}) == len(jars) > 40
    assert {len(jar.sha256) for jar in jars} == {64}
    assert kafka_jars.kafka_version() in {jar.coordinate.split(":")[2] for jar in jars}


def test_without_network_and_cache_the_message_says_what_could_not_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody listens there: what a machine without network looks like, at once.
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_ports()[0]}")
    with pytest.raises(KafkaUnavailable) as raised:
        kafka_jars.classpath(tmp_path)
    message = str(raised.value)
    assert any(jar.coordinate in message for jar in kafka_jars.locked())
    assert "could not be fetched from Maven Central" in message
    assert "SQM_KAFKA__BOOTSTRAP" in message
    assert not list(tmp_path.rglob("*.jar"))


def test_what_is_not_the_locked_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = min(kafka_jars.locked(), key=lambda jar: jar.size)
    wrong = kafka_jars.Jar(small.coordinate, "0" * 64, small.size)
    monkeypatch.setattr(kafka_jars, "locked", lambda: [wrong, kafka_jars.Jar("a:kafka-clients:4", "", 0)])
    (tmp_path / "kafka-4").mkdir()
    (tmp_path / "kafka-4" / "kafka-clients-4.jar").touch()
    with pytest.raises(KafkaUnavailable, match="SHA-256 differs"):
        kafka_jars.classpath(tmp_path)
    assert not list(tmp_path.rglob(small.name))


def test_a_download_shows_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = sorted(kafka_jars.locked(), key=lambda jar: jar.size)[:3]
    monkeypatch.setattr(kafka_jars, "locked", lambda: small)
    monkeypatch.setattr(kafka_jars, "kafka_version", lambda: "x")
    seen: list[tuple[int, int]] = []
    paths = kafka_jars.classpath(tmp_path, lambda done, total: seen.append((done, total)))
    assert all(path.is_file() for path in paths)
    assert seen[-1][0] == seen[-1][1] == sum(jar.size for jar in small)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_ports()[0]}")
    assert kafka_jars.classpath(tmp_path) == paths
