"""One run of one contestant in a process of its own: `python -m tests.benchmarks.runs bare|worker`.

Settings come by the environment. Prints one JSON object: seconds and CPU seconds from the assignment to the last
record read, or committed.
"""

import asyncio
import json
import resource
import sys
import time
from typing import Any

from aiokafka import TopicPartition

from consumers import logs, topics
from consumers.client import consumer, started
from consumers.policies import FixedPolicies
from consumers.settings import Settings, load
from consumers.worker import Worker
from monitor.policy import load as load_policy
from tests.benchmarks.lanes import POLICY


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


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


async def worker(settings: Settings, records: int) -> dict[str, Any]:
    """Fold everything into committed state."""
    await topics.ensure(settings.kafka)
    work = Worker(settings, FixedPolicies(load_policy([("bench", POLICY)])))
    task = asyncio.create_task(work.run())
    partitions = work.health.partitions
    while not partitions:  # noqa: ASYNC110 - what is timed is left as it is: nothing signals an assignment
        await asyncio.sleep(0.005)
    start, busy = time.perf_counter(), cpu()
    while sum(p.committed for p in partitions.values()) < records:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    found = {"seconds": time.perf_counter() - start, "cpu": cpu() - busy}
    stages: dict[str, float] = {}
    for partition in partitions.values():
        for stage, seconds in partition.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work.stop()
    await task
    return {**found, "stages": stages, "peak_mb": peak / 1024}


def main() -> None:
    """See the module."""
    settings = load(env_file=None, log_level="error")
    logs.configure(settings)
    run = {"bare": bare, "worker": worker}[sys.argv[1]]
    print(json.dumps(asyncio.run(run(settings, int(sys.argv[2])))))


if __name__ == "__main__":
    main()
