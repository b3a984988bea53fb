"""Whatever ends or fails on the way, the committed state is what the events say: nothing lost, nothing twice."""

import asyncio
import json
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from consumers import topics
from consumers.broker import Broker
from consumers.committer import Checkpoint, Committer
from consumers.fold import Folder
from consumers.health import Status
from consumers.policies import FixedPolicies
from consumers.restore import restored
from consumers.settings import Settings, load
from consumers.worker import Worker
from monitor.names import Topic
from tests.kafka.traffic import (
    T0,
    as_environment,
    at_end,
    changed,
    event,
    figures,
    lives,
    oracle,
    policies,
    read_so_far,
    read_topic,
    replicated,
    running,
    send,
    send_ends,
    sender,
    until,
    until_read,
    worker_process,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 3


@pytest.fixture
def durable(settings: Settings) -> Settings:
    """As a worker runs for real, static membership and all, only quicker and by the events' clock."""
    kafka = {"partitions": PARTITIONS, "retry_pause_seconds": 1.0}
    worker = {"static": True, "checkpoint_seconds": 0.1, "snapshot_deltas": 2, "batch_records": 100}
    return changed(settings, clock="event", kafka=kafka, worker=worker)


@contextmanager
def process(settings: Settings, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    worker = worker_process(settings, folder)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def log_of(folder: Path) -> Callable[[], str]:
    return lambda: (folder / "worker.log").read_text()[-2_000:]


async def test_a_worker_killed_half_way_loses_and_doubles_nothing(durable: Settings, tmp_path: Path) -> None:
    """Three kills at random instants of a run; the last start finishes."""
    await topics.ensure(durable.kafka)
    draw = random.Random(7)
    records = lives(600)
    await send(durable, records[: len(records) // 2])
    async with replicated(durable) as replica:
        for kill in range(3):
            seen = read_so_far(replica)
            with process(durable, tmp_path) as worker:
                await until_read(replica, seen + 1, log_of(tmp_path))
                await asyncio.sleep(draw.uniform(0, 0.3))
                worker.send_signal(signal.SIGKILL)
            await send(durable, records[len(records) * (3 + kill) // 6 : len(records) * (4 + kill) // 6])
        with process(durable, tmp_path):
            await send_ends(durable, PARTITIONS)
            await until(lambda: at_end(replica, PARTITIONS), what=log_of(tmp_path))
        expected = await oracle(durable, PARTITIONS)
        assert figures(replica.states) == figures(expected)
    told = await read_topic(durable, durable.kafka.topic(Topic.REJECTED), PARTITIONS)
    origins = [tuple(dict(r.headers)[f"sqm-{name}"] for name in ("partition", "offset", "index")) for r in told]
    assert len(set(origins)) == len(origins) == figures(expected)["ledger"]["rejected"]


@pytest.mark.parametrize("written", [False, True], ids=["nothing of it is there", "all of it is there"])
async def test_with_a_commit_that_fails_goes_what_was_folded_upon_it(
    durable: Settings, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """The next checkpoint is folded while one is committed; of the latter nobody knows what became of it."""
    settings = changed(durable, kafka={"partitions": 1})
    folds, held, real_fold, real_commit = [0], asyncio.Event(), Folder.fold, Committer.commit

    def fold(folder: Folder, *arguments: Any) -> Checkpoint:
        checkpoint = real_fold(folder, *arguments)
        folds[0] += 1
        return checkpoint

    async def commit(committer: Committer, checkpoint: Checkpoint) -> None:
        if checkpoint.records and not held.is_set():
            before = folds[0]
            held.set()
            await until(lambda: folds[0] > before)
            if written:
                await real_commit(committer, checkpoint)
            raise KafkaError("no word of the commit")
        await real_commit(committer, checkpoint)

    monkeypatch.setattr(Folder, "fold", fold)
    monkeypatch.setattr(Committer, "commit", commit)
    await topics.ensure(settings.kafka)
    async with replicated(settings) as replica, working(settings):
        await send(settings, lives(50))
        await asyncio.wait_for(held.wait(), 60)
        await send(settings, lives(50, seed=2))
        await send_ends(settings, 1)
        await until(lambda: at_end(replica, 1))
        assert figures(replica.states) == figures(await oracle(settings, 1))


async def test_a_restarted_worker_gets_its_partitions_back_at_once(durable: Settings, tmp_path: Path) -> None:
    await topics.ensure(durable.kafka)
    await send(durable, lives(20))
    async with replicated(durable) as replica:
        with process(durable, tmp_path):
            await until(lambda: read_so_far(replica) > 0, what=log_of(tmp_path))
        seen = read_so_far(replica)
        await send(durable, lives(20, seed=2))
        with process(durable, tmp_path):
            # A member that is not known by its name would wait for the session of the killed one to end.
            assert durable.kafka.session_timeout_seconds == 45
            await until(lambda: read_so_far(replica) > seen, seconds=30, what=log_of(tmp_path))


async def test_what_was_restored_is_what_was_committed(durable: Settings) -> None:
    await topics.ensure(durable.kafka)
    await send(durable, lives(200))
    async with replicated(durable) as replica, working(durable):
        await send_ends(durable, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS))
    again = {number: (await restored(durable.kafka, number)).log.state for number in range(PARTITIONS)}
    assert figures(again) == figures(replica.states)
    async with replicated(durable) as late:
        await until(lambda: late.caught_up)
        assert figures(late.states) == figures(replica.states)


async def test_who_took_a_partition_over_fences_who_had_it(durable: Settings) -> None:
    await topics.ensure(durable.kafka)
    topic = durable.kafka.events_topics[0]
    zombie, heir = Committer(durable.kafka, 0), Committer(durable.kafka, 0)
    await zombie.start()
    await zombie.commit(Checkpoint([(b"delta/1/0", b"one")], {topic: 0}))
    await heir.start()
    with pytest.raises(Exception, match=r"(?i)fenced|newer"):
        await zombie.commit(Checkpoint([(b"delta/2/0", b"two of the zombie")], {topic: 0}))
    await heir.commit(Checkpoint([(b"delta/2/0", b"two")], {topic: 0}))
    await zombie.close()
    await heir.close()
    written = await read_topic(durable, durable.kafka.topic(Topic.STATE), 1)
    assert [record.value for record in written] == [b"one", b"two"]


async def test_a_batch_that_is_damaged_on_the_brokers_disk_halts_its_partition_and_no_other(tmp_path: Path) -> None:
    with Broker(tmp_path / "kafka") as broker:
        own = load(
            env_file=None,
            data_dir=tmp_path / "data",
            clock="event",
            kafka={"bootstrap": broker.bootstrap, "partitions": 2},
            worker={"checkpoint_seconds": 0.1},
        )
        await topics.ensure(own.kafka)
        async with sender(own) as client:
            for number in range(2):
                for n in range(20):
                    value = json.dumps(event(f"case-{n}", number, "interaction.opened", T0)).encode()
                    sent = await client.send_and_wait(own.kafka.events_topics[0], value, b"k", partition=number)
        await broker.astop()
        (segment,) = (tmp_path / "kafka" / "data" / f"{own.kafka.events_topics[0]}-1").glob("*.log")
        content = bytearray(segment.read_bytes())
        content[-10] ^= 0xFF
        segment.write_bytes(content)
        await broker.astart()
        async with working(own) as worker:
            await until(lambda: 1 in worker.health.partitions and worker.health.partitions[1].status == Status.HALTED)
            place, offset = worker.health.partitions[1].detail.split(", offset ")
            assert place == f"{own.kafka.events_topics[0]}, partition 1"
            assert offset.split(" or after it: ")[1].startswith(
                "Kafka gives a damaged batch, its checksum does not fit"
            )
            assert 0 <= int(offset.split()[0]) <= sent.offset
            await until(lambda: worker.health.partitions[0].committed == 20)


async def test_a_broker_that_goes_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    with Broker(tmp_path / "kafka") as broker:
        own = load(
            env_file=None,
            data_dir=tmp_path / "data",
            clock="event",
            kafka={"bootstrap": broker.bootstrap, "partitions": PARTITIONS, "retry_pause_seconds": 1.0},
            worker={"checkpoint_seconds": 0.1},
        )
        await topics.ensure(own.kafka)
        worker = Worker(own, FixedPolicies(policies()))
        async with replicated(own) as replica, running(worker.run()):
            await send(own, lives(100))
            await until(lambda: read_so_far(replica) > 300)
            assert worker.health.trouble() is None
            await asyncio.to_thread(broker.kill)
            await until(lambda: worker.health.status == Status.DISCONNECTED and replica.health.trouble() is not None)
            assert broker.bootstrap in (worker.health.trouble() or "")
            await broker.astart()
            await send(own, lives(100, seed=2))
            await send_ends(own, PARTITIONS)
            await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
            await until(lambda: worker.health.trouble() is None and replica.health.trouble() is None)
            assert figures(replica.states) == figures(await oracle(own, PARTITIONS))


def test_settings_pass_into_another_process_as_they_are(durable: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in as_environment(durable).items():
        monkeypatch.setenv(name, value)
    assert load(env_file=None) == durable
