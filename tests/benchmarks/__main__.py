"""`make bench`: paired runs of both contestants on the same records, results checked; writes docs/performance.md."""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
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
from consumers.settings import PREFIX, Settings, load
from tests.benchmarks.lanes import Lane, beginning
from tests.benchmarks.report import written

ROOT: Final = Path(__file__).parents[2]
PARTITIONS: Final = 4
PROPERTIES: Final = {"log.segment.bytes": str(2**30), "log.cleaner.enable": "false"}
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
    for key, value in lane.made(beginning()):
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


def run(contestant: str, settings: Settings, lane: Lane) -> dict[str, Any]:
    """One run in a process of its own."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    kafka = settings.kafka
    told = {
        "SQM_DATA_DIR": str(settings.data_dir),
        "SQM_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "SQM_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "SQM_KAFKA__EVENTS_TOPICS": ",".join(kafka.events_topics),
        "SQM_KAFKA__GROUP": kafka.group,
        "SQM_KAFKA__PARTITIONS": str(kafka.partitions),
    }
    command = [sys.executable, "-m", "tests.benchmarks.runs", contestant, str(lane.records)]
    done = subprocess.run(command, env=environment | told, cwd=ROOT, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise SystemExit(f"the run of {contestant} failed:\n{done.stderr[-4_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    console.print(f"lane {lane.name} {contestant}: {lane.records / found['seconds']:,.0f} records/s")
    return found


def check(lane: Lane, found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Results that are not those of what was sent make figures worthless."""
    wrong = {name: (found.get(name, 0), n) for name, n in expected.items() if found.get(name, 0) != n}
    if wrong:
        raise SystemExit(f"lane {lane.name}: the results differ from what was sent (found, expected): {wrong}")


def compete(broker: Broker, lane: Lane, pairs: int, folder: Path) -> dict[str, Any]:
    """Paired runs of one lane."""
    console.print(f"lane {lane.name}: sending {lane.records:,} records")
    size = asyncio.run(fill(settings_of(broker, lane, "fill", folder), lane))
    expected = lane.expected()
    runs = []
    for number in range(pairs):
        settings = settings_of(broker, lane, f"run{number}", folder)
        pair = {"bare": run("bare", settings, lane), "worker": run("worker", settings, lane)}
        check(lane, asyncio.run(counts(settings)), expected)
        runs.append(pair)
    ratios = [pair["bare"]["seconds"] / pair["worker"]["seconds"] for pair in runs]
    console.print(f"lane {lane.name}: {median(ratios):.0%} of the bare loop ({', '.join(f'{r:.0%}' for r in ratios)})")
    return {"lane": lane, "bytes": size, "runs": runs, "ratio": median(ratios)}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="of lane A; lane B has 60 % as many")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--lanes", default="AB")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "performance.md", help="where the figures go")
    told = parser.parse_args()
    lanes = [
        Lane("A", "finished interactions (`interaction.measured`)", told.records),
        Lane("B", "lifecycles (opened, responded, resolved)", told.records * 6 // 10 // 3 * 3),
    ]
    with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch) / "kafka", properties=PROPERTIES) as broker:
        results = [
            compete(broker, lane, told.pairs, Path(scratch)) for lane in lanes if lane.name in told.lanes.upper()
        ]
    told.write.write_text(written(results, datetime.now(UTC), platform.python_version(), os.cpu_count() or 0))
    console.print(f"wrote {told.write}")


if __name__ == "__main__":
    main()
