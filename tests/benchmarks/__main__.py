"""`make bench`: paired runs of the contestants on the same records, results checked; writes docs/performance.md."""

import argparse
import asyncio
import os
import platform
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import polars as pl
from rich.console import Console

from consumers import topics
from consumers.broker import Broker
from consumers.client import producer, started
from consumers.replica import Replica
from consumers.settings import Settings, load
from tests.benchmarks.lanes import Lane, beginning
from tests.benchmarks.processes import ROOT, Processes
from tests.benchmarks.report import STAGES, Result, Run, written

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


async def fill(settings: Settings, lane: Lane) -> float:
    """Send a lane's records; how many bytes a record has on average."""
    await topics.ensure(settings.kafka)
    (topic,) = settings.kafka.events_topics
    client = await started(producer(settings.kafka, compression_type="lz4"))
    batches: list[Any] = [client.create_batch() for _ in range(PARTITIONS)]
    size = 0
    for key, value in lane.made(beginning(lane)):
        number = hash_of(key)
        size += len(value)
        if batches[number].append(timestamp=None, key=key, value=value) is None:
            await client.send_batch(batches[number], topic, partition=number)
            batches[number] = client.create_batch()
            batches[number].append(timestamp=None, key=key, value=value)
    for number, batch in enumerate(batches):
        if batch.record_count():
            await client.send_batch(batch, topic, partition=number)
    await client.close()
    return size / lane.records


def hash_of(key: bytes) -> int:
    """A partition for a case: any function will do, so long as it is one."""
    return int.from_bytes(key[-4:], "big") * 2_654_435_761 % 2**32 % PARTITIONS


async def counts(settings: Settings) -> dict[str, int]:
    """What the committed state says."""
    replica = Replica(settings)
    task = asyncio.create_task(replica.run())
    await replica.until_caught_up()
    found: dict[str, int] = {"counted": sum(s.ledger().get("counted", 0) for s in replica.states.values())}
    for state in replica.states.values():
        cells = state.tiers.window(None, None).cells
        for measure, n in cells.group_by("measure").agg(pl.col("n").sum()).iter_rows():
            found[measure] = found.get(measure, 0) + n
    task.cancel()
    await asyncio.wait([task])
    return found


def bare(settings: Settings, lane: Lane) -> Run:
    """The bare loop, in one process."""
    with Processes(settings, ["bare", str(lane.records)], 1) as processes:
        _, found = next(processes.lines())
    return Run(found["seconds"], found["cpu"])


def workers(settings: Settings, lane: Lane, count: int) -> Run:
    """So many workers of one group, from the first assignment to the last commit."""
    first: dict[int, dict[str, Any]] = {}
    newest: dict[int, dict[str, Any]] = {}
    with Processes(settings, ["worker"], count) as processes:
        for number, line in processes.lines():
            newest[number] = line
            first.setdefault(number, line)
            if sum(line["committed"] for line in newest.values()) >= lane.records:
                break
        last = processes.last_words()
    return Run(
        seconds=max(line["at"] for line in newest.values()) - min(line["at"] for line in first.values()),
        cpu=sum(newest[number]["cpu"] - first[number]["cpu"] for number in newest),
        peak_mb=sum(line["peak_mb"] for line in last),
        stages={name: sum(line["stages"].get(name, 0.0) for line in last) for name in STAGES},
    )


def check(lane: Lane, found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Results that are not those of what was sent make figures worthless."""
    wrong = {name: (found.get(name, 0), n) for name, n in expected.items() if found.get(name, 0) != n}
    if wrong:
        raise SystemExit(f"lane {lane.name}: the results differ from what was sent (found, expected): {wrong}")


def compete(broker: Broker, lane: Lane, turns: int, counts_of_workers: list[int], folder: Path) -> Result:
    """Runs of one lane, all contestants in turn, again and again."""
    console.print(f"lane {lane.name}: sending {lane.records:,} records")
    size = asyncio.run(fill(settings_of(broker, lane, "fill", folder), lane))
    expected = lane.expected()
    result = Result(lane, size, [], {count: [] for count in counts_of_workers})
    for number in range(turns):
        result.bare.append(bare(settings_of(broker, lane, f"bare{number}", folder), lane))
        for count in counts_of_workers:
            settings = settings_of(broker, lane, f"run{number}of{count}", folder)
            result.workers[count].append(workers(settings, lane, count))
            check(lane, asyncio.run(counts(settings)), expected)
            rates = [f"{lane.records / runs[-1].seconds:,.0f}" for runs in (result.bare, result.workers[count])]
            console.print(f"lane {lane.name}: bare {rates[0]} records/s, with {count} workers {rates[1]}")
    for count in counts_of_workers:
        ratios = result.ratios(count)
        told = ", ".join(f"{ratio:.0%}" for ratio in ratios)
        console.print(f"lane {lane.name}: {count} workers reach {median(ratios):.0%} of the bare loop ({told})")
    return result


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000, help="of lane A; the others have 60 % as many")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--lanes", default="ABC")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="how many processes share the work")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "performance.md", help="where the figures go")
    told = parser.parse_args()
    fewer = told.records * 6 // 10 // 3 * 3
    lanes = [
        Lane("A", "finished interactions (`interaction.measured`)", told.records),
        Lane("B", "lifecycles (opened, responded, resolved), some 20,000 cases open at once", fewer, 20_000),
        Lane("C", "lifecycles, some 200,000 cases open at once", fewer, 200_000),
    ]
    with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch) / "kafka", properties=PROPERTIES) as broker:
        results = [
            compete(broker, lane, told.turns, told.workers, Path(scratch))
            for lane in lanes
            if lane.name in told.lanes.upper()
        ]
    told.write.write_text(written(results, datetime.now(UTC), platform.python_version(), os.cpu_count() or 0))
    console.print(f"wrote {told.write}")


if __name__ == "__main__":
    main()
