"""One process: `python -m tests.benchmarks.runs bare RECORDS`, or with `worker`, `watched`, `bystander`.

Settings come by the environment. What was measured is printed as JSON objects, one a line.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
from aiokafka import TopicPartition

from consumers import logs, topics
from consumers.client import consumer, started
from consumers.garbage import collect_rarely
from consumers.health import RoleHealth
from consumers.policies import FixedPolicies
from consumers.settings import Settings, load
from consumers.worker import Worker
from monitor.policy import load as load_policy
from tests.benchmarks.lanes import POLICY

FOLDING = ("step", "apply", "encode", "outputs")


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def held_mb() -> float:
    """What this process holds of the memory now."""
    return psutil.Process().memory_info().rss / 2**20


async def bare(settings: Settings, records: int) -> dict[str, Any]:
    """Read everything with getmany, and nothing else."""
    client = await started(consumer(settings.kafka))
    try:
        numbers = range(settings.kafka.partitions)
        where = [TopicPartition(topic, number) for topic in settings.kafka.events_topics for number in numbers]
        client.assign(where)
        await client.seek_to_beginning(*where)
        start, busy, read = time.perf_counter(), cpu(), 0
        while read < records:
            for batch in (await client.getmany(timeout_ms=250)).values():
                read += len(batch)
        return {"seconds": time.perf_counter() - start, "cpu": cpu() - busy}
    finally:
        await client.stop()


@asynccontextmanager
async def folding(settings: Settings) -> AsyncIterator[tuple[RoleHealth, Callable[[], bool]]]:
    """A worker that works meanwhile: how it fares, and whether to go on; that is until this process's input ends."""
    collect_rarely()  # as every role does
    await topics.ensure(settings.kafka)
    work = Worker(settings, FixedPolicies(load_policy([("bench", POLICY)])))
    task = asyncio.create_task(work.run())
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))

    def goes_on() -> bool:
        if task.done():
            task.result()
        return not over.done()

    yield work.health, goes_on
    work.stop()
    await task


async def worker(settings: Settings) -> None:
    """Fold everything into committed state, and tell of each commit."""
    async with folding(settings) as (health, goes_on):
        partitions, told = health.partitions, None
        while goes_on():
            if partitions:
                committed = sum(p.committed for p in partitions.values())
                if committed != told:
                    at = time.perf_counter()  # of one clock for all processes
                    tell(committed=committed, cpu=cpu(), mb=held_mb(), at=at)
                    told = committed
            await asyncio.sleep(0.01)  # what is timed is left as it is: nothing signals a commit
        stages: dict[str, float] = {}
        for partition in partitions.values():
            for stage, seconds in partition.seconds.items():
                stages[stage] = stages.get(stage, 0.0) + seconds
    tell(stages=stages, peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


async def watched(settings: Settings) -> None:
    """A worker that tells how it fares: each status and commit of a partition, how late its loop is, warm copies."""
    known: dict[int, tuple[Any, Any, float]] = {}  # status, last commit, seconds of folding so far
    lags: list[float] = []
    async with folding(settings) as (health, goes_on):
        while goes_on():
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            lags.append(round((now - before - 0.01) * 1000, 1))
            if len(lags) == 50:
                tell(lags=lags, warm=health.warm, at=now)
                lags = []
            for number, partition in health.partitions.items():
                status, commit, folded = known.get(number, (None, None, 0.0))
                if partition.status != status:
                    tell(partition=number, status=partition.status, at=now)
                if partition.last_commit not in (commit, None):
                    seconds = sum(partition.seconds.get(stage, 0.0) for stage in FOLDING)
                    tell(partition=number, fold=max(0.0, seconds - folded), committed=partition.committed, at=now)
                    folded = seconds
                known[number] = (partition.status, partition.last_commit, folded)
    tell(peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, at=time.perf_counter())


async def bystander() -> None:
    """Does nothing, and tells how late it is all the same: what the machine's other work adds to every loop."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(0.01)
        now = time.perf_counter()
        tell(lags=[round((now - before - 0.01) * 1000, 1)], at=now)


def tell(**found: Any) -> None:
    """A line for who started this process."""
    print(json.dumps(found), flush=True)


def main() -> None:
    """See the module."""
    settings = load(env_file=None, log_level="error")
    logs.configure(settings)
    if sys.argv[1] == "bare":
        tell(**asyncio.run(bare(settings, int(sys.argv[2]))))
    elif sys.argv[1] == "bystander":
        asyncio.run(bystander())
    elif sys.argv[1] == "watched":
        asyncio.run(watched(settings))
    else:
        asyncio.run(worker(settings))


if __name__ == "__main__":
    main()
