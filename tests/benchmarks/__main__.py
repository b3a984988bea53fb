"""`make bench`: paired runs of the contestants on the same records, results checked; writes docs/performance.md."""

import argparse
import asyncio
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console

from consumers import topics
from consumers.broker import Broker
from consumers.kafka_jars import kafka_version
from consumers.settings import Settings, load
from tests.benchmarks import streams
from tests.benchmarks.contestants import ROOT, Bare, Contestant, Run, Streams, Workers
from tests.benchmarks.lanes import Lane
from tests.benchmarks.report import Machine, Result, written
from tests.benchmarks.results import Results, check, check_same
from tests.benchmarks.sending import fill

PARTITIONS: Final = 4
PROPERTIES: Final = {
    "log.segment.bytes": str(2**30),
    "log.cleaner.enable": "false",
    "group.initial.rebalance.delay.ms": "3000",  # Kafka's own default: workers that start together are assigned once
}
console = Console(stderr=True)


def settings_of(broker: Broker, lane: Lane, run: str, folder: Path) -> Settings:
    """The same events topic in every run of a lane; topics of its own for all else."""
    name = f"bench-{lane.name.lower()}"
    return load(
        env_file=None,
        data_dir=folder / run,
        kafka={
            "bootstrap": broker.bootstrap,
            "topic_prefix": f"{name}-{run}",
            "events_topics": f"{name}.events",
            "group": f"{name}-{run}",
            "partitions": PARTITIONS,
        },
    )


def lanes_of(records: int) -> list[Lane]:
    """All lanes: the first with so many records, the others with 60 % as many."""
    fewer = records * 6 // 10 // 3 * 3
    return [
        Lane("A", "finished interactions (`interaction.measured`)", records),
        Lane("B", "lifecycles (opened, responded, resolved), some 20,000 cases open at once", fewer, 20_000),
        Lane("C", "lifecycles, some 200,000 cases open at once", fewer, 200_000),
    ]


def broker_cpu() -> float:
    """CPU seconds of the broker so far: while no contestant runs, there is no other process below this one."""
    below = psutil.Process().children(recursive=True)
    return sum(times.user + times.system for times in (process.cpu_times() for process in below))


def compete(broker: Broker, lane: Lane, turns: int, contestants: Sequence[Contestant], folder: Path) -> Result:
    """Runs of one lane, all contestants in turn, again and again; every other turn in reverse order."""
    console.print(f"lane {lane.name}: sending {lane.records:,} records")
    size = asyncio.run(fill(settings_of(broker, lane, "fill", folder), lane))
    result = Result(lane, size, {contestant.title: [] for contestant in contestants})
    for turn in range(turns):
        reference: Results | None = None
        for contestant in contestants if turn % 2 == 0 else reversed(contestants):
            settings = settings_of(broker, lane, f"run{turn}-{contestants.index(contestant)}", folder)
            run, found = one_run(contestant, settings, lane)
            result.runs[contestant.title].append(run)
            name = f"lane {lane.name}, {contestant.title}"
            console.print(f"{name}: {run.rate:,.0f} records/s, {run.cpu_a_million:.1f} CPU s a million")
            if found is not None:
                check(name, found, lane.expected())
                check_same(name, found, reference or found)
                reference = found
    return result


def one_run(contestant: Contestant, settings: Settings, lane: Lane) -> tuple[Run, Results | None]:
    """A run with topics of its own, and what it ended in."""
    asyncio.run(topics.ensure(settings.kafka))
    before = broker_cpu()
    run = contestant.run(settings, lane)
    return replace(run, broker_cpu=broker_cpu() - before), contestant.results(settings)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000, help="of lane A; the others have 60 %% as many")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--lanes", default="ABC")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], help="how many processes share the work")
    parser.add_argument("--streams", nargs="*", choices=["memory", "rocksdb"], default=["memory"], help="its stores")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "performance.md", help="where the figures go")
    told = parser.parse_args()
    machine = Machine(platform.python_version(), kafka_version(), os.cpu_count() or 0, os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch) / "kafka", properties=PROPERTIES) as broker:
        opponent = streams.compiled(Path(scratch) / "classes")
        contestants: list[Contestant] = [
            Bare(),
            *(Workers(count) for count in told.workers),
            *(Streams(opponent, stores) for stores in told.streams),
        ]
        results = [
            compete(broker, lane, told.turns, contestants, Path(scratch))
            for lane in lanes_of(told.records)
            if lane.name in told.lanes.upper()
        ]
    told.write.write_text(written(results, datetime.now(UTC), machine))
    console.print(f"wrote {told.write}")


if __name__ == "__main__":
    main()
