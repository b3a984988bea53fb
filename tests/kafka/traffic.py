"""Events for the tests with a broker, how they are sent, and what must come of them whatever happens on the way."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import TopicPartition

from consumers.client import consumer, producer, started
from consumers.decode import decode
from consumers.follow import stopped
from consumers.policies import FixedPolicies
from consumers.replica import Replica
from consumers.settings import PREFIX, Settings, described
from consumers.worker import Worker
from monitor.engine import step
from monitor.policy import PolicySet, load
from monitor.state import State
from monitor.summary import summary

ROOT = Path(__file__).parents[2]
T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
END = T0 + timedelta(days=3)

POLICY_TEXT = """
policy: traffic
labels: [service, priority]
targets:
  - {clock: first_response, when: {priority: P1}, within: 15m}
  - {clock: first_response, within: 1h}
  - {clock: resolution, within: 4h, pauses: [customer]}
  - {clock: next_response, within: 30m}
slas:
  - {id: answers, title: Answered in time, measure: first_response, by: [service], goal: 90%, period: 7d}
"""

T = TypeVar("T")
Event = dict[str, Any]
Sent = tuple[bytes, bytes]  # key, value


def changed(settings: Settings, **updates: Any) -> Settings:
    """Other settings: a group of them is given by what is changed in it."""
    groups = {
        name: getattr(settings, name).model_copy(update=update) if isinstance(update, dict) else update
        for name, update in updates.items()
    }
    return settings.model_copy(update=groups)


def policies() -> PolicySet:
    return load([("policy.yaml", POLICY_TEXT)])


def event(case: str, number: int, kind: str, when: datetime, **data: Any) -> Event:
    return {
        "specversion": "1.0",
        "id": f"{case}/{number}",
        "source": "test",
        "type": kind,
        "subject": case,
        "time": when.isoformat(),
        "data": data,
    }


def lives(cases: int, seed: int = 1) -> list[Sent]:
    """Lifecycles, measured interactions, ratings, duplicates and a few events that are refused, in shuffled order."""
    draw = random.Random(seed)
    written: list[Sent] = []
    for n in range(cases):
        case = f"case-{seed}-{n}"
        written += [(case.encode(), json.dumps(each).encode()) for each in life(draw, case)]
        if n % 50 == 0:
            written.append((case.encode(), draw.choice([b"{nope", b"\xff\xfe", b"[]", b'{"specversion":"1.0"}'])))
    written += draw.sample(written, len(written) // 10)
    # Each case's events stay near one another, as they do in life.
    order = sorted(range(len(written)), key=lambda i: i + draw.uniform(0, 400))
    return [written[i] for i in order]


def life(draw: random.Random, case: str, begin: datetime = T0) -> list[Event]:
    """One case's events in their order, all of them within three days of `begin`."""
    start = begin + timedelta(seconds=draw.randrange(2 * 86_400))
    labels = {"service": draw.choice("abc"), "priority": draw.choice(["P1", "P2"])}
    if draw.random() < 0.3:
        return [event(case, 0, "interaction.measured", start, **labels, response_time_s=draw.randrange(1, 9_000))]
    minutes = sorted(draw.sample(range(1, 1_000), 6))
    at = [start + timedelta(minutes=m) for m in minutes]
    events = [
        event(case, 0, "interaction.opened", start, **labels),
        event(case, 1, "interaction.responded", at[0]),
        event(case, 2, "interaction.paused", at[1], reason="customer"),
        event(case, 3, "interaction.resumed", at[2]),
        event(case, 4, "interaction.customer_replied", at[3]),
        event(case, 5, "interaction.responded", at[4]),
        event(case, 6, "interaction.resolved", at[5]),
        event(case, 7, "rating.submitted", at[5], csat=draw.randrange(1, 6)),
    ]
    return events[: draw.randrange(1, len(events) + 1)]


def ends(settings: Settings, partitions: int, end: datetime = END) -> list[tuple[str, int, bytes]]:
    """What ends every partition of every events topic with the same time."""
    over = {"specversion": "1.0", "id": "end", "source": "test", "type": "clock.advanced", "time": end.isoformat()}
    value = json.dumps(over).encode()
    return [(topic, number, value) for topic in settings.kafka.events_topics for number in range(partitions)]


@asynccontextmanager
async def sender(settings: Settings) -> AsyncIterator[Any]:
    client = await started(producer(settings.kafka))
    try:
        yield client
    finally:
        await client.close()


async def send(settings: Settings, records: Sequence[Sent], topic: str | None = None) -> None:
    async with sender(settings) as client:
        waiting = [await client.send(topic or settings.kafka.events_topics[0], value, key) for key, value in records]
        await asyncio.gather(*waiting)


async def send_ends(settings: Settings, partitions: int, end: datetime = END) -> None:
    async with sender(settings) as client:
        for topic, number, value in ends(settings, partitions, end):
            await client.send_and_wait(topic, value, partition=number)


async def read_topic(settings: Settings, topic: str, partitions: int, **options: Any) -> list[Any]:
    """All committed records of a topic, by partition and offset."""
    client = await started(consumer(settings.kafka, **options))
    found: list[Any] = []
    try:
        where = [TopicPartition(topic, number) for number in range(partitions)]
        client.assign(where)
        await client.seek_to_beginning(*where)
        end = await client.end_offsets(where)
        while any([await client.position(tp) < end[tp] for tp in where]):
            for records in (await client.getmany(timeout_ms=100)).values():
                found += records
    finally:
        await stopped(client)
    return sorted(found, key=lambda r: (r.partition, r.offset))


async def oracle(
    settings: Settings, partitions: int, now: datetime = END, policy_set: PolicySet | None = None
) -> dict[int, State]:
    """What the events topics say: the engine over all events of each partition in one batch."""
    states = {}
    records = [r for topic in settings.kafka.events_topics for r in await read_topic(settings, topic, partitions)]
    for number in range(partitions):
        state = State()
        read = decode(
            [r for r in records if r.partition == number], future_after=datetime.now(UTC) + timedelta(minutes=5)
        )
        state.apply(step(state, read, now, policy_set or policies(), grace=timedelta(0)).delta)
        states[number] = state
    return states


def figures(states: Mapping[int, State], now: datetime = END, policy_set: PolicySet | None = None) -> dict[str, Any]:
    return summary(states, policy_set or policies(), now)


async def until(true: Callable[[], bool], seconds: float = 60, what: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what()}"
        await asyncio.sleep(0.05)


async def until_read(replica: Replica, records: int, what: Callable[[], object] = lambda: "") -> None:
    """Wait until so many records are committed."""
    await until(lambda: read_so_far(replica) >= records, what=what)


@asynccontextmanager
async def running(work: Awaitable[T]) -> AsyncIterator["asyncio.Task[T]"]:
    """A role that runs meanwhile; its failure is the test's."""
    task = asyncio.ensure_future(work)
    try:
        yield task
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def working(settings: Settings, policy_set: PolicySet | None = None) -> AsyncIterator[Worker]:
    """A worker in this process, stopped in good order at the end."""
    worker = Worker(settings, FixedPolicies(policy_set or policies()))
    async with running(worker.run()) as task:
        yield worker
        worker.stop()
        await asyncio.wait([task], timeout=30)


@asynccontextmanager
async def replicated(settings: Settings) -> AsyncIterator[Replica]:
    replica = Replica(settings)
    async with running(replica.run()):
        yield replica


def at_end(replica: Replica, partitions: int, end: datetime = END) -> bool:
    """Whether every partition's state has reached the time that all of them end with."""
    return len(replica.states) == partitions and all(state.now == end for state in replica.states.values())


def read_so_far(replica: Replica) -> int:
    return sum(state.ledger().get("read", 0) for state in replica.states.values())


PROGRAM = """
import asyncio
from consumers import logs
from consumers.policies import FixedPolicies
from consumers.settings import load
from consumers.worker import Worker
from monitor.policy import load as load_policy
from pathlib import Path

settings = load(env_file=None)
logs.configure(settings)
policies = load_policy([(str(path), Path(path).read_text()) for path in settings.policy])
asyncio.run(Worker(settings, FixedPolicies(policies)).run())
"""


def worker_process(settings: Settings, folder: Path) -> "subprocess.Popen[bytes]":
    """A worker in a process of its own, that can be killed."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY_TEXT)
    content = changed(settings, policy=(policy,))
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    with (folder / "worker.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment | as_environment(content),
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables that make these settings."""
    found = {}
    for name, _ in described():
        value: Any = settings
        for part in name.removeprefix(PREFIX).lower().split("__"):
            value = getattr(value, part)
        if value is not None and value != ():
            found[name] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return found
