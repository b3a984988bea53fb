"""What happens when records are gone: the partition says so and halts, and goes on only when somebody accepts it.

Each hole is made in a real broker. What comes of accepting it is held against an oracle: one batch over all that was
read before and all that is left.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from consumers import topics
from consumers.changelog import Kind, encode
from consumers.client import administrating, producer, started
from consumers.decode import decode
from consumers.health import Status
from consumers.policies import publish
from consumers.replica import Replica
from consumers.settings import Settings
from consumers.verify.run import DEFAULT_MEMORY, Options, verify
from consumers.worker import Worker
from monitor.engine import step
from monitor.frames import latest
from monitor.names import Topic
from monitor.state import State
from tests.kafka.traffic import (
    Sent,
    at_end,
    changed,
    figures,
    lives,
    policies,
    read_topic,
    replicated,
    send,
    send_ends,
    until,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 2
HOLED = 1  # the partition that is looked at


@pytest.fixture
def holed(settings: Settings) -> Settings:
    kafka = {"partitions": PARTITIONS, "retry_pause_seconds": 1.0}
    worker = {"checkpoint_seconds": 0.1, "snapshot_deltas": 2, "batch_records": 20, "checkpoint_events": 20}
    return changed(settings, clock="event", kafka=kafka, worker=worker)


def accepting(settings: Settings, *names: str) -> Settings:
    return changed(settings, worker={"accept_loss": names})


async def lived(settings: Settings, records: Sequence[Sent], commits: int = 1) -> tuple[Replica, list[Any]]:
    """A first run that reads all of these in so many portions or more; its last state, and the records as the topic
    held them."""
    await topics.ensure(settings.kafka)
    name = settings.kafka.events_topics[0]
    portion = -(-len(records) // commits)
    async with replicated(settings) as replica, working(settings):
        for begin in range(0, len(records), portion):
            await send(settings, records[begin : begin + portion])
            total = min(begin + portion, len(records))
            await until(partial(_read_up_to, replica, name, total))
    return replica, await read_topic(settings, name, PARTITIONS)


def _read_up_to(replica: Replica, topic: str, records: int) -> bool:
    return sum(state.offsets.get(topic, 0) for state in replica.states.values()) == records


async def remove_records(settings: Settings, before: int) -> None:
    async with administrating(settings.kafka) as admin:
        where = TopicPartition(settings.kafka.events_topics[0], HOLED)
        await admin.delete_records({where: RecordsToDelete(before_offset=before)})


async def make_anew(settings: Settings, topic: str) -> None:
    async with administrating(settings.kafka) as admin:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():  # noqa: ASYNC110 - nothing tells when it is gone
            await asyncio.sleep(0.05)
    await topics.ensure(settings.kafka)


def over(records: Sequence[Any]) -> dict[int, State]:
    """The engine over these records in one batch for each partition."""
    states = {}
    for number in range(PARTITIONS):
        state = State()
        found = [r for r in records if r.partition == number]
        read = decode(found, future_after=datetime.now(UTC) + timedelta(minutes=5))
        now = max(t for t in (latest(read.events["time"]), datetime(2026, 3, 5, 9, tzinfo=UTC)) if t)
        state.apply(step(state, read, now, policies(), grace=timedelta(0)).delta)
        states[number] = state
    return states


def compared(states: Any) -> dict[str, Any]:
    """All figures without how often the same was read."""
    return {name: value for name, value in figures(states).items() if name != "ledger"}


async def halted(worker: Worker, number: int = HOLED) -> str:
    found = worker.health.partitions
    await until(
        lambda: number in found and found[number].status == Status.HALTED, what=lambda: worker.health.partitions
    )
    return found[number].detail


async def gone_on(settings: Settings, names: Sequence[str], read: Sequence[Any]) -> Replica:
    """Accept these holes; the figures are those of what was read before and of what is there now."""
    willing = accepting(settings, *names)
    async with replicated(willing) as replica, working(willing) as worker:
        await send_ends(willing, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
        left = await read_topic(willing, willing.kafka.events_topics[0], PARTITIONS)
        assert compared(replica.states) == compared(over([*read, *left]))
        assert all(s.ledger()["read"] == sum(s.ledger().get(c, 0) for c in WENT) for s in replica.states.values())
        await publish(willing.kafka, policies())
        found = (await verify(willing, Options(DEFAULT_MEMORY, 30.0, willing.data_dir))).findings
        assert found.equal, found.first
        assert any("a hole was accepted" in told for told in found.unproven) == _lacks_counted(replica)
    return replica


def _lacks_counted(replica: Replica) -> bool:
    """Whether events are gone that had been counted, so that not all can be proven."""
    gone = pl.col("kind").is_in(["truncated", "replaced"])
    return any(state.holes.filter(gone).height for state in replica.states.values())


WENT = ("counted", "duplicate", "late", "rejected")


def holes(replica: Replica) -> list[dict[str, Any]]:
    return replica.states[HOLED].holes.to_dicts()


async def test_records_that_expired_unread_are_accepted_once_and_by_name(holed: Settings) -> None:
    replica, read = await lived(holed, lives(20))
    name = holed.kafka.events_topics[0]
    stored = replica.states[HOLED].offsets[name]
    await send(holed, lives(40, seed=2))
    await remove_records(holed, stored + 3)
    last, first = (
        datetime.fromtimestamp(r.timestamp / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for r in (
            [r for r in read if r.partition == HOLED][-1],
            (await read_topic(holed, name, PARTITIONS))[-1:][0],
        )
    )
    this = f"{name}/{HOLED}@{stored}"
    other_name = accepting(holed, f"{name}/{HOLED}@{stored + 1}")
    async with replicated(holed) as watching, working(other_name) as worker:
        said = await halted(worker)
        assert said == (
            f"{name}, partition {HOLED}: the state ends at offset {stored}, the topic begins at {stored + 3}: "
            f"3 records are gone that were never counted, those between {last} and {first}. Two ways on: put the "
            "topic back from a copy with the same offsets, and start the workers again; or go on with what is there: "
            f"start the workers with --accept-loss {this}, and the ledger keeps the hole for ever"
        )
        await until(lambda: worker.health.partitions[0].status == Status.RUNNING)  # the other one works on
        assert worker.health.trouble() == said
        await until(lambda: watching.halts == {HOLED: said})
    replica = await gone_on(holed, [this], read)
    assert replica.halts == {}
    (hole,) = holes(replica)
    assert (hole["kind"], hole["from_offset"], hole["to_offset"]) == ("expired", stored, stored + 3)
    assert (hole["missing"], hole["counted"], hole["resumed_at"]) == (3, False, stored + 3)
    assert replica.states[0].holes.height == 0

    stored = replica.states[HOLED].offsets[name]
    await send(holed, lives(40, seed=3))
    await remove_records(holed, stored + 1)
    async with working(accepting(holed, this)) as worker:  # it is left switched on, and accepts nothing else
        assert f"--accept-loss {name}/{HOLED}@{stored}," in await halted(worker)


async def test_a_topic_made_anew_is_found_out_though_it_is_longer_than_before(holed: Settings) -> None:
    replica, read = await lived(holed, lives(20))
    name = holed.kafka.events_topics[0]
    stored = {number: state.offsets[name] for number, state in replica.states.items()}
    await make_anew(holed, name)
    await send(holed, lives(60, seed=2))
    async with working(holed) as worker:
        assert await halted(worker) == (
            f"{name}, partition {HOLED}: the record at offset {stored[HOLED] - 1} is not the one that was read there, "
            "and none that was read is there any more: the topic was made anew or emptied; how many came after offset "
            f"{stored[HOLED]} and were never counted cannot be told. Two ways on: put the topic back from a copy with "
            "the same offsets, and start the workers again; or go on with what is there: start the workers with "
            f"--accept-loss {name}/{HOLED}@{stored[HOLED]}, and the ledger keeps the hole for ever"
        )
        await halted(worker, 0)
        assert f"{name}/0@{stored[0]}" in (worker.health.trouble() or "")
        assert f"{name}/{HOLED}@{stored[HOLED]}" in (worker.health.trouble() or "")
    replica = await gone_on(holed, [f"{name}/{number}@{at}" for number, at in stored.items()], read)
    (hole,) = holes(replica)
    assert (hole["kind"], hole["to_offset"], hole["missing"]) == ("replaced", stored[HOLED], None)
    assert (hole["counted"], hole["resumed_at"]) == (True, 0)


async def test_a_topic_that_is_shorter_than_what_was_read_halts(holed: Settings) -> None:
    replica, read = await lived(holed, lives(20))
    name = holed.kafka.events_topics[0]
    stored = {number: state.offsets[name] for number, state in replica.states.items()}
    await make_anew(holed, name)
    async with working(holed) as worker:
        said = await halted(worker)
        assert f"the state ends at offset {stored[HOLED]}, the topic at 0, and none that was read is there" in said
    await gone_on(holed, [f"{name}/{number}@{at}" for number, at in stored.items()], read)


async def test_a_topic_that_was_cut_off_and_written_on_is_read_again_from_what_it_still_bears(holed: Settings) -> None:
    replica, read = await lived(holed, lives(40), commits=8)
    name = holed.kafka.events_topics[0]
    stored = replica.states[HOLED].offsets[name]
    whole = [r for r in read if r.partition != HOLED]
    kept = [r for r in read if r.partition == HOLED][: stored * 3 // 4]
    await make_anew(holed, name)
    client = await started(producer(holed.kafka))
    for r in [*whole, *kept]:
        await client.send_and_wait(name, r.value, r.key, partition=r.partition, timestamp_ms=r.timestamp)
    others = [(key, value) for key, value in lives(40, seed=5)]
    for key, value in others:
        await client.send_and_wait(name, value, key, partition=HOLED)
    await client.close()
    async with working(holed) as worker:
        said = await halted(worker)
        assert f"the record at offset {stored - 1} is not the one that was read there: the topic was cut off" in said
        await until(lambda: worker.health.partitions[0].status == Status.RUNNING)
    replica = await gone_on(holed, [f"{name}/{HOLED}@{stored}"], read)
    (hole,) = holes(replica)
    assert (hole["kind"], hole["to_offset"], hole["counted"]) == ("truncated", stored, True)
    assert len(kept) // 2 < hole["resumed_at"] <= len(kept)
    assert hole["from_offset"] == hole["resumed_at"] == stored - hole["missing"]


async def test_a_topic_that_is_made_anew_while_it_is_read_halts(
    holed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.worker.METADATA_SECONDS", 1.0)
    await topics.ensure(holed.kafka)
    name = holed.kafka.events_topics[0]
    await send(holed, lives(20))
    async with replicated(holed) as replica, working(holed) as worker:
        await until(lambda: sum(s.offsets.get(name, 0) for s in replica.states.values()) == len(lives(20)))
        await make_anew(holed, name)
        assert "the topic at 0, and none that was read is there any more" in await halted(worker)


async def test_a_state_topic_that_is_gone_is_no_first_start(holed: Settings) -> None:
    replica, _ = await lived(holed, lives(20))
    name, state = holed.kafka.events_topics[0], holed.kafka.topic(Topic.STATE)
    stored = {number: s.offsets[name] for number, s in replica.states.items()}
    await make_anew(holed, state)
    async with working(holed) as worker:
        assert await halted(worker) == (
            f"{state}, partition {HOLED} is empty, but the group {holed.kafka.group} has read {name} up to offset "
            f"{stored[HOLED]}; no record of the events topics is missing, all figures can be made anew from them. "
            "Two ways on: put the state topic back from a copy, and start the workers again; or go on with what is "
            f"there: start the workers with --accept-loss {state}/{HOLED}@{stored[HOLED]}, and the ledger keeps the "
            "hole for ever"
        )
    replica = await gone_on(holed, [f"{state}/{number}@{at}" for number, at in stored.items()], [])
    (hole,) = holes(replica)
    assert (hole["kind"], hole["missing"], hole["resumed_at"]) == ("state_lost", 0, 0)
    told = await read_topic(holed, holed.kafka.topic(Topic.VERDICTS), PARTITIONS)
    ids = [json.loads(record.value)["id"] for record in told]  # those of before the loss among them
    assert len(ids) == len(set(ids))


async def test_a_state_that_is_gone_with_some_of_its_events_says_what_cannot_be_counted_again(holed: Settings) -> None:
    replica, _ = await lived(holed, lives(20))
    name, state = holed.kafka.events_topics[0], holed.kafka.topic(Topic.STATE)
    stored = {number: s.offsets[name] for number, s in replica.states.items()}
    await remove_records(holed, 5)
    await make_anew(holed, state)
    async with working(holed) as worker:
        assert f"{name} begins at offset 5, what lies before cannot be counted again" in await halted(worker)
    replica = await gone_on(holed, [f"{state}/{number}@{at}" for number, at in stored.items()], [])
    (hole,) = holes(replica)
    assert (hole["kind"], hole["missing"], hole["resumed_at"]) == ("state_lost", 5, 5)


async def test_a_state_that_is_gone_while_its_group_forgot_its_offsets_is_known_by_what_it_made(
    holed: Settings,
) -> None:
    replica, _ = await lived(holed, lives(60))
    rejected = await read_topic(holed, holed.kafka.topic(Topic.REJECTED), PARTITIONS)
    touched = rejected[0].partition
    other = changed(holed, kafka={"group": f"{holed.kafka.group}-x"})
    await make_anew(other, other.kafka.topic(Topic.STATE))
    async with working(other) as worker:
        assert "holds what was made with it, up to offset" in await halted(worker, touched)
    assert replica.states


async def test_a_damaged_state_halts_its_partition_and_is_made_anew_once_accepted(holed: Settings) -> None:
    replica, read = await lived(holed, lives(40))
    state = holed.kafka.topic(Topic.STATE)
    key, value = encode({}, Kind.DELTA, 10_000)[0]
    client = await started(producer(holed.kafka))
    sent = await client.send_and_wait(state, value[:-1] + b"!", key, partition=HOLED)
    await client.close()
    async with replicated(holed) as following:
        async with working(holed) as worker:
            said = await halted(worker)
            assert said.startswith(
                f"{state}, partition {HOLED}, offset {sent.offset}: the frame is damaged, its checksum does not fit "
                "its bytes; no record of the events topics is missing, all figures can be made anew from them. Two ways"
            )
            await until(lambda: worker.health.partitions[0].status == Status.RUNNING)
            await until(lambda: following.health.status == Status.HALTED)
        replica = await gone_on(holed, [f"{state}/{HOLED}@{sent.offset}"], read)
        await until(lambda: at_end(following, PARTITIONS), what=lambda: following.health)
        assert compared(following.states) == compared(replica.states)
        await until(lambda: following.health.status == Status.RUNNING)
    (hole,) = holes(replica)
    assert (hole["kind"], hole["missing"]) == ("state_damaged", 0)
    async with replicated(holed) as again, working(holed) as worker:  # nothing of it is needed any more
        await until(lambda: again.caught_up and worker.health.trouble() is None, what=lambda: worker.health)
        assert again.states[HOLED].holes.equals(replica.states[HOLED].holes)


async def test_holes_travel_with_snapshots(holed: Settings) -> None:
    replica, read = await lived(holed, lives(20))
    name = holed.kafka.events_topics[0]
    stored = replica.states[HOLED].offsets[name]
    await send(holed, lives(20, seed=2))
    await remove_records(holed, stored + 3)
    replica = await gone_on(holed, [f"{name}/{HOLED}@{stored}"], read)
    before = replica.states[HOLED].holes
    async with replicated(holed) as following, working(holed) as worker:
        for seed in range(3, 20):  # each slice is written anew
            await send(holed, lives(20, seed=seed))
        await until(lambda: worker.health.trouble() is None)
        async with replicated(holed) as late:
            await until(lambda: late.caught_up)
            assert late.states[HOLED].holes.equals(before)
        assert following.states[HOLED].marks.filter(pl.col("offset") >= stored).height > 0
