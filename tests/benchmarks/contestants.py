"""Who competes: how each is run on a lane's records, and where its results are read."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from consumers.settings import PREFIX, Settings
from tests.benchmarks import results, streams
from tests.benchmarks.lanes import Lane
from tests.benchmarks.processes import Processes
from tests.benchmarks.results import Results

ROOT: Final = Path(__file__).parents[2]
RUNS: Final = (sys.executable, "-m", "tests.benchmarks.runs")


@dataclass(frozen=True)
class Run:
    """One run of a contestant; times are in seconds."""

    records: int
    seconds: float
    cpu: float
    peak_mb: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    later: "Run | None" = None  # the second half of the records alone: compilers and caches are warm by then
    broker_cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def cpu_a_million(self) -> float:
        return self.cpu / self.records * 1e6


class Contestant(Protocol):
    """One of them; `title` is its name in the report."""

    @property
    def title(self) -> str: ...

    def run(self, settings: Settings, lane: Lane) -> Run:
        """Read all records of the lane and do with them what it does."""

    def results(self, settings: Settings) -> Results | None:
        """What its run ended in; None: it makes nothing."""


@dataclass(frozen=True)
class Bare:
    """The bare loop, in one process."""

    title: str = "bare loop"

    def run(self, settings: Settings, lane: Lane) -> Run:
        with Processes([*RUNS, "bare", str(lane.records)], environment(settings)) as processes:
            _, found = next(processes.lines())
        return Run(lane.records, found["seconds"], found["cpu"])

    def results(self, settings: Settings) -> None:
        return None


@dataclass(frozen=True)
class Workers:
    """So many workers of one group."""

    count: int

    @property
    def title(self) -> str:
        return "sqm, 1 worker" if self.count == 1 else f"sqm, {self.count} workers"

    def run(self, settings: Settings, lane: Lane) -> Run:
        with Processes([*RUNS, "worker"], environment(settings), self.count) as processes:
            return timed(processes, lane.records)

    def results(self, settings: Settings) -> Results:
        return asyncio.run(results.of_sqm(settings))


@dataclass(frozen=True)
class Streams:
    """Kafka Streams: one process with as many threads as the machine's two cores."""

    program: streams.Program
    stores: str = "memory"

    @property
    def title(self) -> str:
        return f"Kafka Streams, stores in {'RocksDB' if self.stores == 'rocksdb' else 'memory'}"

    def run(self, settings: Settings, lane: Lane) -> Run:
        with Processes(self.program.command(settings, self.stores), os.environ) as processes:
            return timed(processes, lane.records)

    def results(self, settings: Settings) -> Results:
        return asyncio.run(results.of_streams(settings))


class Point(NamedTuple):
    """How far all processes of a contestant were at an instant."""

    at: float
    committed: float
    cpu: float


def timed(processes: Processes, records: int) -> Run:
    """From the first assignment to the last commit, of all processes together."""
    points = list(_points(processes, records))
    last = processes.last_words()
    stages: dict[str, float] = {}
    for line in last:
        for name, seconds in line.get("stages", {}).items():
            stages[name] = stages.get(name, 0.0) + seconds
    half, first, end = reached(points, records / 2), points[0], points[-1]
    return Run(
        records=records,
        seconds=end.at - first.at,
        cpu=end.cpu - first.cpu,
        peak_mb=sum(line["peak_mb"] for line in last),
        stages=stages,
        later=Run(records // 2, end.at - half.at, end.cpu - half.cpu),
    )


def reached(points: Sequence[Point], committed: float) -> Point:
    """When so much was committed: commits are few and large, so that it lies on the line between two of them."""
    after = next(place for place, point in enumerate(points) if point.committed >= committed)
    one, other = points[max(after - 1, 0)], points[after]
    share = (committed - one.committed) / (other.committed - one.committed) if other.committed > one.committed else 1.0
    return Point(*(a + (b - a) * share for a, b in zip(one, other, strict=True)))


def _points(processes: Processes, records: int) -> Iterator[Point]:
    first: dict[int, dict[str, Any]] = {}
    newest: dict[int, dict[str, Any]] = {}
    for number, line in processes.lines():
        newest[number] = line
        first.setdefault(number, line)
        cpu = sum(newest[one]["cpu"] - first[one]["cpu"] for one in newest)
        committed = sum(line["committed"] for line in newest.values())
        yield Point(line["at"], committed, cpu)
        if committed >= records:
            break


def environment(settings: Settings) -> dict[str, str]:
    kafka = settings.kafka
    return {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)} | {
        "PYTHONPATH": str(ROOT),
        "SQM_DATA_DIR": str(settings.data_dir),
        "SQM_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "SQM_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "SQM_KAFKA__EVENTS_TOPICS": ",".join(kafka.events_topics),
        "SQM_KAFKA__GROUP": kafka.group,
        "SQM_KAFKA__PARTITIONS": str(kafka.partitions),
        "SQM_WORKER__STANDBY": str(settings.worker.standby),
    }
