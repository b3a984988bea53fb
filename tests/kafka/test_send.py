"""Files sent through Kafka end in the very figures of their replay."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewPartitions

from consumers.client import administrating
from consumers.files_read import Gathered, gather, sources
from consumers.replay import replay
from consumers.replica import Replica
from consumers.send import outgoing, send
from consumers.settings import PREFIX, Settings
from consumers.settings import load as load_settings
from consumers.tables import FileError
from consumers.topics import ensure
from monitor.mapping import load_mapping
from monitor.policy import PolicySet, load
from monitor.summary import summary
from tests.kafka.traffic import (
    PROGRAM,
    ROOT,
    as_environment,
    changed,
    lives,
    policies,
    read_so_far,
    read_topic,
    replicated,
    until,
    working,
)
from tests.kafka.traffic import send as to_kafka

pytestmark = pytest.mark.kafka

PARTITIONS = 3
BOSTON = ROOT / "deploy/examples/boston311"


@pytest.fixture
def by_events(settings: Settings) -> Settings:
    return changed(settings, clock="event", kafka={"partitions": PARTITIONS})


def wall() -> datetime:
    return datetime.now(UTC)


def files(*paths: Path, mapping: str | None = None) -> Gathered:
    return gather(sources(paths, [load_mapping("m.yaml", mapping)] if mapping else []))


def records(gathered: Gathered) -> Any:
    return outgoing(gathered, future_after=wall() + timedelta(minutes=5))


def worker_process(settings: Settings) -> "subprocess.Popen[bytes]":
    """A worker in a process of its own, that can be killed."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment | as_environment(settings), cwd=ROOT)


async def folded(replica: Replica, newest: datetime) -> None:
    """Until every partition has reached the newest time."""
    await until(
        lambda: len(replica.states) == PARTITIONS and all(state.now == newest for state in replica.states.values()),
        seconds=200,
        what=lambda: {number: (state.now, state.ledger()) for number, state in replica.states.items()},
    )


ROWS = """\
case,opened,closed,due,stars
b1,2026-03-02T10:00Z,2026-03-02T12:00Z,2026-03-02T11:00Z,4
b2,2026-03-02T10:00Z,,not a time,
b3,whenever,,,5
b4,2026-03-02T10:00Z,2026-03-02T10:00Z,,9
b4,2026-03-02T10:00Z,2026-03-02T10:00Z,,9
"""
MAPPING = """\
source: rows
rows: cases
case: case
events:
  - {type: interaction.opened, at: opened, data: {due_at: due}}
  - {type: interaction.resolved, at: closed}
  - {type: rating.submitted, at: closed, when: {stars: "*"}, data: {csat: stars}}
"""


async def test_good_and_bad_events_of_files_count_alike_live_and_replayed(by_events: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(value for _, value in lives(200)) + b"\n[]\nnull\n\xff\n")
    rows = tmp_path / "rows.csv"
    rows.write_text(ROWS)
    gathered = files(lines, rows, mapping=MAPPING)
    expected = replay(gathered, policies(), now=None, wall=wall())
    assert expected.summary["ledger"]["rejected"] > 5
    assert expected.summary["ledger"]["duplicate"] > 50
    assert expected.summary["ledger"]["rows_unreadable"] == 1
    await send(records(gathered), by_events.kafka)
    async with replicated(by_events) as replica, working(by_events):
        await folded(replica, expected.now)
        live = summary(replica.states, policies(), expected.now)
    assert live["ledger"].pop("rows_unreadable") == 0  # a stream has no rows
    expected.summary["ledger"].pop("rows_unreadable")
    assert live == expected.summary


async def test_boston_through_kafka_is_its_replay_though_a_worker_is_killed_and_two_share_the_rest(
    by_events: Settings,
) -> None:
    policy = BOSTON / "policy.yaml"
    gathered = files(BOSTON / "boston311-2015-h1.csv.gz", mapping=(BOSTON / "mapping.yaml").read_text())
    wanted: PolicySet = load([(str(policy), policy.read_text())])
    expected = replay(gathered, wanted, now=None, wall=wall())
    sent = await send(records(gathered), by_events.kafka)
    assert (sent.events, sent.advanced) == (107_245, PARTITIONS)
    async with replicated(by_events) as replica:
        small = {"batch_records": 2_000, "checkpoint_seconds": 0.1}
        first = changed(by_events, policy=(policy,), worker=small)
        killed = worker_process(first)
        try:
            await until(lambda: read_so_far(replica) > 10_000, seconds=120)
        finally:
            killed.kill()
            killed.wait()
        assert read_so_far(replica) < 100_000
        async with working(by_events, wanted), working(by_events, wanted):
            await folded(replica, expected.now)
        assert summary(replica.states, wanted, expected.now) == expected.summary


async def test_each_case_stays_in_its_partition_in_the_order_of_times_and_every_partition_is_closed(
    by_events: Settings, tmp_path: Path
) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(value for _, value in lives(50)))
    kafka = by_events.kafka
    topics = tuple(f"{kafka.topic_prefix}.{name}" for name in ("calls", "tickets"))
    two = changed(by_events, kafka={"events_topics": topics})
    out = records(files(lines))
    seen: list[tuple[int, int]] = []
    sent = await send(out, two.kafka, progress=lambda done, total: seen.append((done, total)))
    assert (sent.events, sent.advanced, sent.topics) == (len(out.values), 2 * PARTITIONS, topics)
    assert seen[-1] == (len(out.values), len(out.values))
    calls = await read_topic(two, topics[0], PARTITIONS)
    closing = [record for topic in topics for record in await read_topic(two, topic, PARTITIONS) if not record.key]
    closing = [record for record in closing if b"clock.advanced" in record.value]
    assert {(record.topic, record.partition) for record in closing} == {
        (t, n) for t in topics for n in range(PARTITIONS)
    }
    assert {json.loads(record.value)["time"] for record in closing} == {out.newest.isoformat().replace("+00:00", "Z")}
    own = [record for record in calls if b"clock.advanced" not in record.value]
    assert sorted(record.value for record in own) == sorted(out.values)
    for number in range(PARTITIONS):
        here = [record.value for record in own if record.partition == number]
        places = iter(out.values)
        assert all(value in places for value in here)  # in the order in which they went out
    cases: dict[bytes, set[int]] = {}
    for record in own:
        if record.key:
            cases.setdefault(record.key, set()).add(record.partition)
    assert all(len(where) == 1 for where in cases.values())


async def test_a_rate_is_kept_to(by_events: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(value for _, value in lives(10)))
    out = records(files(lines))
    loop = asyncio.get_running_loop()
    await send(out, by_events.kafka)  # makes the topics
    begun = loop.time()
    await send(out, by_events.kafka, rate=100)
    assert loop.time() - begun >= (len(out.values) - 5) / 100


async def test_a_record_that_kafka_does_not_take_is_named(by_events: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"{}\n" + b"x" * 17_000_000)
    with pytest.raises(FileError, match=r"events\.ndjson:2: larger than Kafka takes"):
        await send(records(files(lines)), by_events.kafka)


async def test_a_topic_that_grew_is_moved_to_a_new_one_with_all_its_cases(by_events: Settings, tmp_path: Path) -> None:
    """As docs/how-to/move-to-a-new-topic.md has it."""
    old, name = by_events.kafka, by_events.kafka.events_topics[0]
    await ensure(old)
    await to_kafka(by_events, lives(60))
    async with administrating(old) as admin:
        await admin.create_partitions({name: NewPartitions(PARTITIONS + 1)})
    await to_kafka(by_events, lives(60, seed=2))
    moved = load_settings(
        env_file=None,
        clock="event",
        data_dir=tmp_path / "data",
        kafka={
            "bootstrap": old.bootstrap,
            "topic_prefix": f"{old.topic_prefix}n",
            "partitions": 5,
        },
    )

    async def copy() -> None:
        held = await read_topic(by_events, name, PARTITIONS + 1)
        (tmp_path / "old.ndjson").write_bytes(b"".join(record.value + b"\n" for record in held))
        environment = {each: text for each, text in os.environ.items() if not each.startswith(PREFIX)}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", "from api.cli import main; main()", "send", str(tmp_path / "old.ndjson")],
            env=environment | as_environment(moved),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    await copy()
    await to_kafka(by_events, lives(20, seed=3))  # a producer that switches late
    await to_kafka(moved, lives(20, seed=4))
    await copy()
    every = [*lives(60), *lives(60, seed=2), *lives(20, seed=3), *lives(20, seed=4)]
    (tmp_path / "all.ndjson").write_bytes(b"".join(value + b"\n" for _, value in every))
    whole = replay(files(tmp_path / "all.ndjson"), policies(), now=None, wall=wall())
    async with replicated(moved) as replica, working(moved) as worker:
        await until(
            lambda: len(replica.states) == 5 and all(state.now == whole.now for state in replica.states.values()),
            what=lambda: (worker.health, whole.now),
        )
        found = summary(replica.states, policies(), whole.now)
    for each in ("clocks", "slas", "indicators"):
        assert found[each] == whole.summary[each]
