"""The events topics read whole for a replay: all that is there, as it counts live, and nobody's place moves."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumers.client import consumer, producer, started
from consumers.events_log import read_events
from consumers.files_read import gather, sources
from consumers.follow import stopped
from consumers.replay import fold, replay
from consumers.send import outgoing
from consumers.send import send as send_file
from consumers.settings import PREFIX, Settings
from consumers.topics import TopicsUnfit
from tests.kafka.traffic import POLICY_TEXT, as_environment, changed, lives, policies, read_topic

pytestmark = pytest.mark.kafka

PARTITIONS = 3
SQM = Path(sys.executable).with_name("sqm")


@pytest.fixture
def partitioned(settings: Settings) -> Settings:
    return changed(settings, kafka={"partitions": PARTITIONS})


def wall() -> datetime:
    return datetime.now(UTC)


async def test_the_topics_replayed_are_the_file_that_was_sent(partitioned: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(value for _, value in lives(100)) + b"\n[]\n\xff\n")
    gathered = gather(sources([lines], []))
    await send_file(outgoing(gathered, future_after=None), partitioned.kafka)
    seen: list[tuple[int, int]] = []
    events = await read_events(partitioned.kafka, future_after=None, progress=lambda *done: seen.append(done))
    expected = replay(gathered, policies(), now=None, wall=wall())
    found = fold(events, policies(), now=None, wall=wall())
    assert (found.now, found.summary) == (expected.now, expected.summary)
    records = len(await read_topic(partitioned, partitioned.kafka.events_topics[0], PARTITIONS))
    assert seen[-1] == (records, records)


async def test_what_a_transaction_took_back_is_not_read_and_what_ends_one_is_no_event(partitioned: Settings) -> None:
    topic = partitioned.kafka.events_topics[0]
    await send_file(outgoing(gather([]), future_after=None), partitioned.kafka)  # makes the topics
    client = await started(producer(partitioned.kafka, f"{topic}-test"))
    try:
        values = [value for _, value in lives(3)]
        for kept in (True, False):
            await client.begin_transaction()
            for value in values:
                await client.send(topic, value, partition=0)
            await (client.commit_transaction() if kept else client.abort_transaction())
    finally:
        await client.close()
    events = await read_events(partitioned.kafka, future_after=None)
    assert events.read == len(values)


async def test_reading_commits_nothing(partitioned: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(value for _, value in lives(5)))
    await send_file(outgoing(gather(sources([lines], [])), future_after=None), partitioned.kafka)
    await read_events(partitioned.kafka, future_after=None)
    client = await started(consumer(partitioned.kafka, group_id=partitioned.kafka.group))
    try:
        partition = TopicPartition(partitioned.kafka.events_topics[0], 0)
        assert await client.committed(partition) is None
    finally:
        await stopped(client)


async def test_a_topic_that_is_not_there_is_named_and_not_made(partitioned: Settings) -> None:
    for _ in range(2):
        with pytest.raises(TopicsUnfit, match=f"has no topic {partitioned.kafka.events_topics[0]}"):
            await read_events(partitioned.kafka, future_after=None)


async def test_the_command_compares_policies_on_the_live_topic(partitioned: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "events.ndjson"
    lines.write_bytes(b"\n".join(value for _, value in lives(50)))
    gathered = gather(sources([lines], []))
    await send_file(outgoing(gathered, future_after=wall() + timedelta(minutes=5)), partitioned.kafka)
    (tmp_path / "old.yaml").write_text(POLICY_TEXT)
    (tmp_path / "new.yaml").write_text(POLICY_TEXT.replace("within: 1h", "within: 1m"))
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    compared = ("--policy", "new.yaml", "--compare", "old.yaml", "--json")

    def ran(*source: str) -> dict[str, Any]:
        words = [str(SQM), "replay", *source, *compared]
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment | as_environment(partitioned),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    live, of_file = ran("--from-kafka"), ran("events.ndjson")
    assert live["compared"] == of_file["compared"]
    assert live["compared"]["flips"]
