"""The replica and the policies that all follow, against a real broker."""

import asyncio
import threading

import pytest
from aiokafka import TopicPartition

from api.news import published
from consumers import topics
from consumers.client import producer, started
from consumers.follow import Tail
from consumers.health import Status
from consumers.policies import PolicyFollower, publish
from consumers.settings import Settings
from consumers.worker import Worker
from monitor.names import Topic
from monitor.policy import load
from monitor.state import Delta, State
from tests.kafka.traffic import (
    POLICY_TEXT,
    at_end,
    changed,
    figures,
    lives,
    policies,
    read_so_far,
    read_topic,
    replicated,
    running,
    send,
    send_ends,
    until,
    until_read,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 2


@pytest.fixture
def own(settings: Settings) -> Settings:
    worker = {"checkpoint_seconds": 0.1, "snapshot_deltas": 1, "batch_records": 50}
    return changed(settings, clock="event", kafka={"partitions": PARTITIONS}, worker=worker)


async def test_an_empty_topic_is_caught_up_with(own: Settings) -> None:
    await topics.ensure(own.kafka)
    async with replicated(own) as replica:
        await until(lambda: replica.caught_up)
        assert replica.states.keys() == {0, 1}
        assert replica.health.trouble() is None
        assert replica.alerts.is_empty()


async def test_every_delta_is_told_once_and_adds_up_to_the_state(own: Settings) -> None:
    await topics.ensure(own.kafka)
    made: dict[int, State] = {}
    told: list[int] = []

    def restored(partition: int, state: State) -> None:
        assert state.now is None
        made[partition] = State()

    def on_delta(partition: int, number: int, delta: Delta) -> None:
        made[partition].apply(delta)
        told.append(partition)

    async with replicated(own) as replica:
        replica.on_restored.append(restored)
        replica.on_delta.append(on_delta)
        await until(lambda: replica.caught_up)
        async with working(own):
            await send(own, lives(150))
            await send_ends(own, PARTITIONS)
            await until(lambda: at_end(replica, PARTITIONS))
        assert figures(made) == figures(replica.states)
        assert set(told) == {0, 1}
        assert replica.rate.per_second is not None


async def test_a_replica_that_comes_later_sees_the_same_with_deltas_tombstoned(own: Settings) -> None:
    await topics.ensure(own.kafka)
    async with replicated(own) as replica, working(own):
        for seed in range(12):
            before = read_so_far(replica)
            await send(own, lives(20, seed=seed))
            await until_read(replica, before + 1)
        await send_ends(own, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS))
    keys = {record.key for record in await read_topic(own, own.kafka.topic(Topic.STATE), PARTITIONS)}
    assert any(key.startswith(b"slice/") for key in keys)
    async with replicated(own) as late:
        await until(lambda: late.caught_up)
        assert figures(late.states) == figures(replica.states)


async def test_who_reads_the_deltas_later_is_told_the_same_of_those_that_are_left(own: Settings) -> None:
    await topics.ensure(own.kafka)
    live: dict[tuple[int, int], Delta] = {}
    later: dict[tuple[int, int], Delta] = {}
    spans: dict[int | None, tuple[int, int]] = {}
    async with replicated(own) as replica:
        replica.on_delta.append(lambda partition, number, delta: live.setdefault((partition, number), delta))
        await until(lambda: replica.caught_up)
        async with working(own):
            for seed in range(8):
                before = read_so_far(replica)
                await send(own, lives(10, seed=seed))
                await until_read(replica, before + 1)
            await send_ends(own, PARTITIONS)
            await until(lambda: at_end(replica, PARTITIONS))
    async with replicated(own) as late:
        late.on_history.append(lambda partition, number, delta: later.setdefault((partition, number), delta))
        late.on_reread.append(lambda partition, begin, end: spans.setdefault(partition, (begin, end)))
        await until(lambda: late.caught_up)
    assert spans.keys() == {0, 1, None}
    for partition in (0, 1):
        begin, end = spans[partition]
        assert begin < end == max(number for of, number in live if of == partition) + 1
        for number in range(begin, end):
            one, other = live[partition, number], later[partition, number]
            assert published(one).equals(published(other))
    assert any(published(delta).height for delta in later.values())


async def test_a_damaged_frame_is_named_and_the_other_partitions_go_on(own: Settings) -> None:
    await topics.ensure(own.kafka)
    topic = own.kafka.topic(Topic.STATE)
    client = await started(producer(own.kafka))
    await client.send_and_wait(topic, b"not a frame", b"delta/1/0", partition=1)
    await client.close()
    async with replicated(own) as replica:
        await until(lambda: replica.health.status == Status.HALTED)
        assert replica.health.trouble() == f"{topic}, partition 1, offset 0: this is no frame of sqm's state (11 bytes)"
        assert not replica.caught_up
        assert replica.states.keys() == {0}


async def test_a_reader_is_at_the_end_only_if_nothing_was_committed_since_it_last_asked(own: Settings) -> None:
    await topics.ensure(own.kafka)
    where = TopicPartition(own.kafka.topic(Topic.STATE), 0)
    client = await started(producer(own.kafka, "a writer"))
    async with Tail(own.kafka, [where]) as tail:
        assert await tail.at_end(where)
        async with client.transaction():
            await client.send_and_wait(where.topic, b"", b"delta/1/0", partition=0)
        assert not await tail.at_end(where)
        while not await tail.at_end(where):
            await tail.take()
    await client.close()


async def test_published_policies_reach_every_role(own: Settings) -> None:
    await topics.ensure(own.kafka)
    follower = PolicyFollower(own.kafka)
    async with running(follower.run()):
        await follower.read.wait()
        assert follower.current is None
        await publish(own.kafka, policies())
        assert await follower.first() == policies()
        seen: list[str] = []
        follower.changed.append(lambda new: seen.append(new.digest))
        newer = load(
            [("a", POLICY_TEXT), ("b", POLICY_TEXT.replace("1h", "2h") + "\neffective_from: 2026-05-01T00:00:00Z")]
        )
        await publish(own.kafka, newer)
        await until(lambda: follower.current == newer)
        assert seen == [newer.digest]
        await publish(own.kafka, policies())
        await until(lambda: follower.current == policies())


async def test_a_worker_waits_for_policies_and_says_so(own: Settings) -> None:
    await topics.ensure(own.kafka)
    follower = PolicyFollower(own.kafka)
    worker = Worker(own, follower)
    async with running(follower.run()), running(worker.run()), replicated(own) as replica:
        await until(lambda: "waiting for policies" in (worker.health.trouble() or ""))
        await send(own, lives(10))
        await publish(own.kafka, policies())
        await until(lambda: read_so_far(replica) == len(lives(10)))
        assert worker.health.trouble() is None
        states = list(replica.states.values())
        assert {state.policies for state in states if state.policies} == {policies().judging}


async def test_policies_that_cannot_be_read_leave_those_in_force(own: Settings) -> None:
    await topics.ensure(own.kafka)
    follower = PolicyFollower(own.kafka)
    async with running(follower.run()):
        await publish(own.kafka, policies())
        await follower.first()
        client = await started(producer(own.kafka))
        await client.send_and_wait(
            own.kafka.topic(Topic.POLICY), b'{"versions": ["of the future"], "digest": "x"}', b"set", partition=0
        )
        await client.close()
        await until(lambda: follower.health.status == Status.HALTED)
        assert "holds policies that this sqm cannot use" in follower.health.detail
        assert follower.current == policies()


async def test_a_new_policy_judges_the_live_cases_anew(own: Settings) -> None:
    await topics.ensure(own.kafka)
    lenient = load([("p", POLICY_TEXT.replace("15m", "90d").replace("1h", "90d"))])
    follower = PolicyFollower(own.kafka)
    worker = Worker(own, follower)
    async with running(follower.run()), running(worker.run()), replicated(own) as replica:
        await publish(own.kafka, lenient)
        await send(own, lives(60))
        await send_ends(own, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS))
        before = figures(replica.states)["clocks"]["first_response"]
        assert before["breached"] == 0
        await publish(own.kafka, policies())
        await until(lambda: {state.policies for state in replica.states.values()} == {policies().judging})
        after = figures(replica.states)["clocks"]["first_response"]
        assert after["breached"] > 20
        assert sum(after.values()) == sum(before.values())


async def test_reading_in_a_thread_keeps_deltas_waiting_and_the_loop_going(own: Settings) -> None:
    await topics.ensure(own.kafka)
    release = threading.Event()
    async with replicated(own) as replica, working(own) as worker:
        await until(lambda: replica.caught_up)

        def look() -> tuple[int, int]:
            with replica.reading():
                first = read_so_far(replica)
                release.wait(60)
                return first, read_so_far(replica)

        looking = asyncio.create_task(asyncio.to_thread(look))
        await send(own, lives(10))
        await until(lambda: sum(p.records for p in worker.health.partitions.values()) == len(lives(10)))
        release.set()
        first, last = await looking
        assert first == last
        await until(lambda: read_so_far(replica) == len(lives(10)))
