"""The worker against a real broker: what it commits is what the events say, and bad input stops nobody."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions
from structlog.testing import capture_logs

from consumers import changelog, topics
from consumers.changelog import Kind
from consumers.client import administrating, consumer, producer, started
from consumers.health import Status
from consumers.replica import Replica
from consumers.settings import Settings, load
from consumers.slots import SlotTaken, held
from consumers.topics import TopicsUnfit
from monitor.names import Topic
from tests.kafka.traffic import (
    END,
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
    send,
    send_ends,
    sender,
    until,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 3


@pytest.fixture
def by_events(settings: Settings) -> Settings:
    """Time is the events', so that every figure is a function of what was sent."""
    fast = {"checkpoint_seconds": 0.1, "snapshot_deltas": 2, "batch_records": 200}
    return changed(settings, clock="event", kafka={"partitions": PARTITIONS}, worker=fast)


async def test_the_committed_figures_are_those_of_one_batch_over_all_events(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    async with replicated(by_events) as replica, working(by_events) as worker:
        await send(by_events, lives(300))
        await until(lambda: read_so_far(replica) > 500)
        await send(by_events, lives(100, seed=2))
        await send_ends(by_events, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
        expected = figures(await oracle(by_events, PARTITIONS))
        assert figures(replica.states) == expected
        assert expected["ledger"]["duplicate"] > 50
        assert expected["ledger"]["rejected"] > 5


async def test_several_events_topics_are_folded_together(by_events: Settings) -> None:
    names = tuple(f"{by_events.kafka.topic_prefix}.{name}" for name in ("calls", "tickets"))
    both = changed(by_events, kafka={"events_topics": names})
    await topics.ensure(both.kafka)
    calls, tickets = lives(100), lives(100, seed=2)
    await send(both, calls, names[0])
    await send(both, tickets, names[1])
    async with replicated(both) as replica, working(both) as worker:
        await until(lambda: read_so_far(replica) == len(calls) + len(tickets), what=lambda: worker.health)
        assert not at_end(replica, PARTITIONS)
        await send_ends(both, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
        assert figures(replica.states) == figures(await oracle(both, PARTITIONS))


async def test_two_workers_share_the_partitions_and_one_takes_over_what_the_other_leaves(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    async with replicated(by_events) as replica, working(by_events) as one:
        await send(by_events, lives(200))
        async with working(by_events) as other:
            await until(lambda: bool(one.health.partitions) and bool(other.health.partitions))
            await send(by_events, lives(100, seed=2))
            await until(lambda: set(one.health.partitions) | set(other.health.partitions) == set(range(PARTITIONS)))
            assert not set(one.health.partitions) & set(other.health.partitions)
        await until(lambda: len(one.health.partitions) == PARTITIONS)
        await send(by_events, lives(100, seed=3))
        await send_ends(by_events, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: one.health)
        assert figures(replica.states) == figures(await oracle(by_events, PARTITIONS))


async def test_a_rebalance_restores_only_what_came_from_another_worker(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    async with working(by_events) as one:
        await send(by_events, lives(30))
        await until(lambda: sum(p.committed for p in one.health.partitions.values()) == len(lives(30)))
        with capture_logs() as said:
            async with working(by_events) as other:
                both = (one.health.partitions, other.health.partitions)
                await until(lambda: sum(map(len, both)) == PARTITIONS and all(both))
                await until(lambda: one.health.trouble() is None and other.health.trouble() is None)
                taken = set(other.health.partitions)
        restores = [each for each in said if each["event"] == "restored"]
        assert {each["partition"] for each in restores if not each["warm"]} == taken
        assert all(each["records"] == 0 for each in restores if each["warm"])


async def test_refused_events_go_to_their_topic_with_reason_and_origin(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    broken = [
        (b"c1", b"{nope"),
        (
            b"c2",
            json.dumps(event("c2", 1, "interaction.opened", END).copy() | {"time": "2026-03-02T09:00:00"}).encode(),
        ),
        (b"c3", b"x" * 950_000),
        (b"", b"\x00"),
    ]
    good = [(b"c4", json.dumps(event("c4", 1, "interaction.opened", END)).encode())]
    async with replicated(by_events) as replica, working(by_events):
        await send(by_events, [*broken, *good])
        await until(lambda: read_so_far(replica) == 5)
    rejected = await read_topic(by_events, by_events.kafka.topic(Topic.REJECTED), PARTITIONS)
    by_key = {record.key: (record, dict(record.headers)) for record in rejected}
    assert by_key.keys() == {b"c1", b"c2", b"c3", b""}
    record, headers = by_key[b"c1"]
    assert record.value == b"{nope"
    assert headers["sqm-reason"] == b"malformed_json"
    assert headers["sqm-topic"].decode() == by_events.kafka.events_topics[0]
    assert int(headers["sqm-partition"]) == record.partition
    assert headers["sqm-offset"].isdigit()
    assert headers["sqm-index"] == b"0"
    assert (by_key[b"c2"][1]["sqm-reason"], by_key[b"c2"][1]["sqm-field"]) == (b"bad_time", b"time")
    record, headers = by_key[b"c3"]
    assert (len(record.value), headers["sqm-value-bytes"]) == (900_000, b"950000")
    ledger = figures(replica.states)["ledger"]
    assert (ledger["read"], ledger["counted"], ledger["rejected"]) == (5, 1, 4)


async def test_of_a_refused_record_so_many_headers_are_kept_and_the_others_counted(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    headers = [(f"h{n}" + "x" * 2_000 * (n == 0), b"v" * 2_000) for n in range(100)] + [("sqm-reason", b"not ours")]
    client = await started(producer(by_events.kafka))
    await client.send_and_wait(by_events.kafka.events_topics[0], b"{nope", headers=headers)
    await client.close()
    async with replicated(by_events) as replica, working(by_events):
        await until(lambda: read_so_far(replica) == 1)
    [record] = await read_topic(by_events, by_events.kafka.topic(Topic.REJECTED), PARTITIONS)
    told = dict(record.headers)
    assert (told["sqm-reason"], told["sqm-headers-left-out"]) == (b"malformed_json", b"68")
    own = [(name, content) for name, content in record.headers if not name.startswith("sqm-")]
    assert [name for name, _ in own] == ["h0" + "x" * 998, *(f"h{n}" for n in range(1, 32))]
    assert {len(content) for _, content in own} == {1_000}


async def test_record_timestamps_are_the_brokers_however_far_ahead_a_producers_clock_is(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    name = by_events.kafka.events_topics[0]
    ahead = datetime.now(UTC) + timedelta(hours=3)
    async with sender(by_events) as client:
        await client.send_and_wait(name, b"{}", partition=0, timestamp_ms=int(ahead.timestamp() * 1000))
    [record] = await read_topic(by_events, name, PARTITIONS)
    assert datetime.fromtimestamp(record.timestamp / 1000, UTC) < ahead - timedelta(hours=2)


async def test_changed_verdicts_are_published_as_cloudevents(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    opened = END - timedelta(days=1)
    sent = [
        event("late", 0, "interaction.opened", opened, service="a"),
        event("late", 1, "interaction.responded", opened + timedelta(hours=2)),
        event("fine", 0, "interaction.opened", opened, service="a"),
        event("fine", 1, "interaction.responded", opened + timedelta(minutes=2)),
    ]
    async with replicated(by_events) as replica, working(by_events):
        await send(by_events, [(e["subject"].encode(), json.dumps(e).encode()) for e in sent])
        await send_ends(by_events, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS))
    found = await read_topic(by_events, by_events.kafka.topic(Topic.VERDICTS), PARTITIONS)
    told = [json.loads(record.value) for record in found]
    first = next(e for e in told if e["subject"] == "late" and e["data"]["clock"] == "first_response")
    assert first["type"] == "sqm.verdict.breached"
    assert first["time"] == first["data"]["due"] == (opened + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert first["data"]["target_seconds"] == 3_600
    assert first["data"]["labels"]["service"] == "a"
    assert {e["type"] for e in told} == {"sqm.verdict.breached"}
    assert len({e["id"] for e in told}) == len(told)
    assert all(("content-type", b"application/cloudevents+json") in record.headers for record in found)


async def test_all_verdicts_are_published_when_asked_for(by_events: Settings) -> None:
    everything = changed(by_events, verdicts="all")
    await topics.ensure(everything.kafka)
    opened = END - timedelta(days=1)
    sent = [
        event("fine", 0, "interaction.opened", opened, service="a"),
        event("fine", 1, "interaction.responded", opened + timedelta(minutes=2)),
        event("total", 0, "interaction.measured", opened, service="b", response_time_s=4),
        event("total", 0, "interaction.measured", opened, service="b", response_time_s=4),
        event("totals", 0, "interaction.measured", opened, service="b", response_time_s=4_000),
    ]
    async with replicated(everything) as replica, working(everything):
        await send(everything, [(e["subject"].encode(), json.dumps(e).encode()) for e in sent])
        await until(lambda: read_so_far(replica) == len(sent))
    told = [
        json.loads(r.value) for r in await read_topic(everything, everything.kafka.topic(Topic.VERDICTS), PARTITIONS)
    ]
    first = sorted((e["subject"], e["type"]) for e in told if e["data"]["clock"] == "first_response")
    assert first == [("fine", "sqm.verdict.met"), ("total", "sqm.verdict.met"), ("totals", "sqm.verdict.breached")]


async def test_an_open_clock_ripens_without_events(settings: Settings) -> None:
    live = changed(settings, worker={"checkpoint_seconds": 0.1}, kafka={"partitions": 1})
    await topics.ensure(live.kafka)
    async with replicated(live) as replica, working(live):
        await until(lambda: 0 in replica.states and replica.states[0].now is not None)
        now = datetime.now(UTC)
        overdue = event("waits", 0, "interaction.opened", now - timedelta(minutes=60, seconds=24), service="a")
        await send(live, [(b"waits", json.dumps(overdue).encode())])
        await until(lambda: read_so_far(replica) == 1)
        first = replica.states[0].verdicts.filter(clock="first_response")
        assert first["outcome"].to_list() == ["at_risk"]  # its due has passed, but not the grace
        await until(
            lambda: replica.states[0].verdicts.filter(clock="first_response")["outcome"].to_list() == ["breached"]
        )
        state = replica.states[0]
        assert state.ledger() == {"read": 1, "counted": 1}
        assert state.now is not None
        assert state.now > now + timedelta(seconds=2)


def times(replica: Replica) -> list[datetime]:
    return [state.now for _, state in sorted(replica.states.items()) if state.now is not None]


async def test_time_goes_on_while_nothing_comes(settings: Settings) -> None:
    live = changed(settings, worker={"checkpoint_seconds": 0.1}, kafka={"partitions": 2})
    await topics.ensure(live.kafka)
    async with replicated(live) as replica, working(live):
        await until(lambda: len(replica.states) == 2 and all(s.now is not None for s in replica.states.values()))
        before = times(replica)
        await until(lambda: all(now > then for now, then in zip(times(replica), before, strict=True)))
        assert all(abs(datetime.now(UTC) - s.now) < timedelta(seconds=5) for s in replica.states.values() if s.now)


async def test_committed_group_offsets_are_those_of_the_state(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    async with replicated(by_events) as replica, working(by_events):
        await send(by_events, lives(50))
        await send_ends(by_events, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS))
    group = await started(_group_reader(by_events))
    try:
        for number, state in replica.states.items():
            for topic, offset in state.offsets.items():
                assert await group.committed(TopicPartition(topic, number)) == offset
    finally:
        await group.stop()


def _group_reader(settings: Settings) -> Any:
    return consumer(settings.kafka, group_id=settings.kafka.group)


async def test_a_damaged_frame_halts_its_partition_and_no_other(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    topic = by_events.kafka.topic(Topic.STATE)
    good = changelog.encode({}, Kind.DELTA, 1)[0]
    client = await started(producer(by_events.kafka))
    await client.send_and_wait(topic, good[1], good[0], partition=1)
    await client.send_and_wait(topic, b"SQMF" + good[1][4:-1] + b"!", b"delta/2/0", partition=1)
    await client.close()
    async with working(by_events) as worker:
        await until(lambda: {p.status for p in worker.health.partitions.values()} == {Status.RUNNING, Status.HALTED})
        assert worker.health.partitions[1].status == Status.HALTED
        said = worker.health.trouble()
        assert (said or "").startswith(f"{topic}, partition 1, offset 1: the frame is damaged, its checksum")
        await send(by_events, lives(50))
        others = (worker.health.partitions[0], worker.health.partitions[2])
        await until(lambda: all(p.records > 0 for p in others))


async def test_a_state_of_a_newer_format_halts_with_what_to_do(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    key, value = changelog.encode({}, Kind.DELTA, 1)[0]
    client = await started(producer(by_events.kafka))
    await client.send_and_wait(by_events.kafka.topic(Topic.STATE), value[:4] + b"\x09" + value[5:], key, partition=0)
    await client.close()
    async with working(by_events) as worker:
        await until(lambda: 0 in worker.health.partitions and worker.health.partitions[0].status == Status.HALTED)
        assert "in format 9, by a newer sqm" in worker.health.partitions[0].detail


async def test_events_topics_of_unequal_partition_counts_are_refused(settings: Settings) -> None:
    prefix = settings.kafka.topic_prefix
    for name, partitions in (("one", 1), ("two", 2)):
        await topics.ensure(
            changed(
                settings,
                kafka={
                    "events_topics": (f"{prefix}.{name}",),
                    "topic_prefix": f"{prefix}{name}",
                    "partitions": partitions,
                },
            ).kafka
        )
    both = changed(settings, kafka={"events_topics": (f"{prefix}.one", f"{prefix}.two")})
    with pytest.raises(TopicsUnfit, match=rf"same number of partitions.*{prefix}\.one has 1, {prefix}\.two has 2"):
        await topics.ensure(both.kafka)


async def test_a_state_topic_that_does_not_fit_the_events_is_refused(settings: Settings) -> None:
    await topics.ensure(changed(settings, kafka={"partitions": 1}).kafka)
    more = changed(settings, kafka={"events_topics": (f"{settings.kafka.topic_prefix}.more",), "partitions": 2})
    await topics.ensure(changed(more, kafka={"topic_prefix": f"{settings.kafka.topic_prefix}x"}).kafka)
    with pytest.raises(TopicsUnfit, match=r"more has 2 partitions and \w+\.state has 1: the events topic has grown"):
        await topics.ensure(more.kafka)


async def test_an_events_topic_that_grows_is_refused_while_it_is_read_and_at_the_next_start(
    by_events: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.worker.METADATA_SECONDS", 0.5)
    await topics.ensure(by_events.kafka)
    name = by_events.kafka.events_topics[0]
    async with replicated(by_events) as replica, working(by_events) as worker:
        await send(by_events, lives(20))
        await until(lambda: read_so_far(replica) == len(lives(20)), what=lambda: worker.health)
        async with administrating(by_events.kafka) as admin:
            await admin.create_partitions({name: NewPartitions(PARTITIONS + 1)})
        await until(lambda: worker.health.status == Status.HALTED)
        said = worker.health.trouble() or ""
        assert said.startswith(
            f"{name} has 4 partitions and {by_events.kafka.topic(Topic.STATE)} has 3: the events topic has grown. "
            "A case has to stay in its partition"
        )
        assert not worker.health.partitions
        await send(by_events, lives(20, seed=2))
    with pytest.raises(TopicsUnfit) as refused:
        await topics.ensure(by_events.kafka)
    assert str(refused.value) == said
    assert read_so_far(replica) == len(lives(20))


async def test_an_unreachable_broker_is_named_and_waiting_for_it_can_be_stopped(tmp_path: Path) -> None:
    nowhere = load(env_file=None, data_dir=tmp_path, kafka={"bootstrap": "127.0.0.1:1", "retry_pause_seconds": 60})
    async with working(nowhere, policies()) as worker:
        await until(lambda: "127.0.0.1:1" in (worker.health.trouble() or ""))
        assert worker.health.status != Status.RUNNING
    assert worker.health.status == Status.STOPPED


def test_workers_of_one_folder_hold_different_slots(tmp_path: Path) -> None:
    with held(tmp_path, None) as first, held(tmp_path, None) as second:
        assert (first, second) == (0, 1)
        with pytest.raises(SlotTaken, match="slot 1 belongs to another worker"), held(tmp_path, 1):
            pass
    with held(tmp_path, None) as again:
        assert again == 0
