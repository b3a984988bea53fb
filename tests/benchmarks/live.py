"""Many live cases in one partition: stalls of the event loop, restore, takeover by a warm copy, rescaling; a backlog.

`python -m tests.benchmarks.live [--cases 1000000] [--rate 20000] [--seconds 60] [PART ...]`; parts are stall (with the
restores before and after it), standby, rescale and backlog. Prints what was measured.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from aiokafka import TopicPartition
from rich.console import Console

from consumers import topics
from consumers.broker import Broker
from consumers.client import producer, started
from consumers.committer import Committer
from consumers.fold import Folder, chunk
from consumers.health import PartitionHealth
from consumers.settings import Settings, load
from consumers.state_log import StateLog
from monitor.names import Topic
from monitor.policy import load as load_policy
from tests.benchmarks.bench_decode import structured
from tests.benchmarks.contestants import RUNS, environment
from tests.benchmarks.lanes import POLICY, Lane, Record, opened, went_on
from tests.benchmarks.processes import Processes
from tests.benchmarks.sending import fill as fill_lane

TENTHS: Final = 10
BATCH: Final = 25_000  # cases that are folded at once when the state is made
PROPERTIES: Final = {"log.segment.bytes": str(2**30), "group.initial.rebalance.delay.ms": "3000"}
console = Console(soft_wrap=True)


def settings_of(broker: Broker, folder: Path, name: str, partitions: int, *, standby: int = 0) -> Settings:
    return load(
        env_file=None,
        data_dir=folder / name,
        kafka={"bootstrap": broker.bootstrap, "topic_prefix": name, "partitions": partitions},
        worker={"standby": standby},
    )


async def fill(settings: Settings, cases: int) -> None:
    """Write to `sqm.state` of partition 0 what a worker would have that folded so many cases, all of them open."""
    await topics.ensure(settings.kafka)
    (topic,) = settings.kafka.events_topics
    policies = load_policy([("bench", POLICY)])
    log = StateLog(settings.kafka.topic(Topic.STATE), 0)
    folder, committer = Folder(settings, log, PartitionHealth(0)), Committer(settings.kafka, 0)
    await committer.start()
    begun = time.perf_counter()
    for first in range(0, cases, BATCH):
        now = datetime.now(UTC)
        values = [
            value
            for n in range(first, min(first + BATCH, cases))
            for _, value in opened(n, now - timedelta(minutes=30))
        ]
        where, later = TopicPartition(topic, 0), now + timedelta(minutes=5)
        decoded = chunk(where, structured(values), 0, later, advancing=False)
        newest = {topic: decoded.newest_event or now}
        await committer.commit(folder.fold([decoded], now, newest, {topic: 0}, policies))
    await committer.close()
    size = sum(part.size for part in log.slices.values()) / 2**20
    rows = {"events": log.state.history.height, "contributions": log.state.contributions.height}
    took = time.perf_counter() - begun
    console.print(f"{cases:,} live cases ({rows}), slices {size:,.0f} MiB, made in {took:.0f} s")


async def traffic(settings: Settings, cases: int, rate: int, seconds: int) -> None:
    """So many events a second: old cases end, new ones begin."""
    client = await started(producer(settings.kafka, compression_type="lz4"))
    (topic,) = settings.kafka.events_topics
    partitions, begun = settings.kafka.partitions, time.perf_counter()
    for second in range(seconds):
        sent: dict[int, list[Any]] = {number: [client.create_batch()] for number in range(partitions)}
        for key, value in _second(second, cases, rate):
            batches = sent[int.from_bytes(key[-2:], "big") % partitions]
            if batches[-1].append(timestamp=None, key=key, value=value) is None:
                batches.append(client.create_batch())
                batches[-1].append(timestamp=None, key=key, value=value)
        for number, batches in sent.items():
            for batch in batches:
                await client.send_batch(batch, topic, partition=number)
        await asyncio.sleep(max(0.0, begun + second + 1 - time.perf_counter()))
    await client.close()


def _second(second: int, cases: int, rate: int) -> Iterator[Record]:
    now = datetime.now(UTC)
    for n in range(second * rate // 3, (second + 1) * rate // 3):
        yield went_on(n, 3, "resolved", now, {"outcome": "solved"})
        yield from list(opened(cases + n, now - timedelta(minutes=11)))[:2]


class Watched:
    """Workers of one group, and what they tell of themselves (see `runs.watched`)."""

    def __init__(self, settings: Settings, count: int, what: str = "watched") -> None:
        self.processes = Processes([*RUNS, what], environment(settings), count)
        self.lines: list[tuple[int, dict[str, Any]]] = []

    def listen(self, until: Any) -> float:
        """Hear them until a line fulfils a condition; when that was said."""
        for number, line in self.processes.lines():
            self.lines.append((number, line))
            if until(number, line):
                return float(line["at"])
        raise AssertionError

    def hear(self) -> tuple[int, dict[str, Any]]:
        """The next line, and whose it is."""
        return next(self.processes.lines())

    def listen_for(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        self.listen(lambda _, line: line["at"] >= end)

    def since(self, at: float, what: str) -> list[tuple[int, dict[str, Any]]]:
        return [(number, line) for number, line in self.lines if line["at"] >= at and what in line]

    def lags(self, since: float) -> list[float]:
        return [lag for _, line in self.since(since, "lags") for lag in line["lags"]]


def running(number: int, line: dict[str, Any]) -> bool:
    return line.get("status") == "running"


def spread(values: list[float]) -> str:
    p50, p99, most = np.percentile(values, [50, 99, 100])
    return f"p50 {p50:,.0f}, p99 {p99:,.0f}, most {most:,.0f} ms (of {len(values):,})"


def restore(settings: Settings, title: str) -> Watched:
    """Start a worker; how long it takes from its assignment until it runs."""
    watched = Watched(settings, 1)
    assigned = watched.listen(lambda _, line: "status" in line)
    took = watched.listen(running) - assigned
    console.print(f"restore {title}: {took:.1f} s from the assignment")
    return watched


def stall(broker: Broker, folder: Path, told: argparse.Namespace) -> None:
    settings = settings_of(broker, folder, "stall", 1)
    asyncio.run(fill(settings, told.cases))
    watched = restore(settings, "of what was filled in")
    bystander = Watched(settings, 1, "bystander")
    begun = time.perf_counter()
    asyncio.run(traffic(settings, told.cases, told.rate, told.seconds))
    sent = told.rate // 3 * 3 * told.seconds
    watched.listen(lambda _, line: line.get("committed", 0) >= sent)
    bystander.listen_for(0)
    bystander.processes.kill(0)
    folds = [line["fold"] * 1000 for _, line in watched.since(begun, "fold")]
    console.print(f"at {told.rate:,} events/s for {told.seconds} s: the loop is late by {spread(watched.lags(begun))}")
    console.print(f"a process beside it that does nothing: {spread(bystander.lags(begun))}")
    console.print(f"folding a checkpoint, in a thread: {spread(folds)}")
    watched.processes.kill(0)
    restore(settings, "after kill -9").processes.kill(0)


def standby(broker: Broker, folder: Path, told: argparse.Namespace) -> None:
    settings = settings_of(broker, folder, "standby", 1, standby=1)
    asyncio.run(fill(settings, told.cases))
    watched = Watched(settings, 2)
    active = -1

    def began(number: int, line: dict[str, Any]) -> bool:
        nonlocal active
        active = number
        return running(number, line)

    watched.listen(began)
    watched.listen(lambda number, line: number != active and line.get("warm") == 1)
    asyncio.run(traffic(settings, told.cases, told.rate, 10))
    killed = time.perf_counter()
    watched.processes.kill(active)
    assigned = watched.listen(lambda number, line: number != active and "status" in line)
    ready = watched.listen(lambda number, line: number != active and running(number, line))
    console.print(
        f"takeover by a warm copy: assigned {assigned - killed:.1f} s after kill -9, "
        f"running {ready - assigned:.2f} s after that"
    )
    watched.processes.kill(1 - active)


def rescale(broker: Broker, folder: Path, told: argparse.Namespace) -> None:
    settings = settings_of(broker, folder, "rescale", 6)
    asyncio.run(topics.ensure(settings.kafka))
    two = Watched(settings, 2)
    two.listen_for(10)
    begun = time.perf_counter()
    third = Watched(settings, 1)
    third.listen_for(10)
    middle = time.perf_counter()
    third.processes.last_words()
    third.processes.kill(0)
    two.listen_for(50)
    for title, start, end in (("2 -> 3", begun, middle), ("3 -> 2", middle, time.perf_counter())):
        commits: dict[int, list[float]] = {}
        for watched in (two, third):
            for _, line in watched.since(start - 2, "fold"):
                if line["at"] <= end:
                    commits.setdefault(line["partition"], []).append(line["at"])
        gaps = [max(np.diff(sorted(at))) for at in commits.values() if len(at) > 1]
        console.print(f"{title} workers: longest time between two commits, by partition: {np.round(sorted(gaps), 1)} s")
    for number in (0, 1):
        two.processes.kill(number)


def backlog(broker: Broker, folder: Path, told: argparse.Namespace) -> None:
    """Two workers find so many finished interactions, of which nothing but an id is held."""
    settings = settings_of(broker, folder, "backlog", 4)
    lane = Lane("A", "a backlog", told.records)
    asyncio.run(fill_lane(settings, lane))
    workers = Watched(settings, 2, "worker")
    newest: dict[int, dict[str, Any]] = {}
    begun: float | None = None
    tenth = 0
    while tenth < TENTHS:
        number, line = workers.hear()
        newest[number] = line
        begun = begun or line["at"]
        done = sum(each["committed"] for each in newest.values())
        if done >= (tenth + 1) * told.records / TENTHS:
            tenth = int(done * TENTHS / told.records)
            held = " and ".join(f"{newest[number]['mb']:,.0f}" for number in sorted(newest))
            console.print(f"{done:,} of a backlog done, {done / (line['at'] - begun):,.0f}/s, workers hold {held} MB")
    for number in newest:
        workers.processes.kill(number)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"stall": stall, "standby": standby, "rescale": rescale, "backlog": backlog}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=list(parts))
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000, help="events a second")
    parser.add_argument("--seconds", type=int, default=60, help="of traffic")
    parser.add_argument("--records", type=int, default=20_000_000, help="of the backlog")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Broker(Path(scratch) / "kafka", properties=PROPERTIES) as broker:
        for name in told.parts:
            parts[name](broker, Path(scratch), told)


if __name__ == "__main__":
    main()
