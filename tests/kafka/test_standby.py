"""Workers that stand by: they take over what they have warm, without reading the whole state."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers import topics
from consumers.restore import Copy, restored
from consumers.settings import Settings
from consumers.state_log import StateLog
from monitor.names import Topic
from tests.kafka.traffic import (
    at_end,
    changed,
    figures,
    lives,
    oracle,
    read_so_far,
    replicated,
    send,
    send_ends,
    until,
    worker_process,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 4


@pytest.fixture
def standing_by(settings: Settings) -> Settings:
    """As workers run for real, one copy of each partition, the shortest session that brokers allow."""
    kafka = {"partitions": PARTITIONS, "retry_pause_seconds": 1.0, "session_timeout_seconds": 6.0}
    worker = {"static": True, "standby": 1, "checkpoint_seconds": 0.1, "batch_records": 100}
    return changed(settings, clock="event", kafka=kafka, worker=worker)


@pytest.fixture
def by_events(settings: Settings) -> Settings:
    """One partition and quick commits, by the events' clock."""
    worker = {"checkpoint_seconds": 0.1, "batch_records": 50}
    return changed(settings, clock="event", kafka={"partitions": 1}, worker=worker)


class Process:
    """A worker in a process of its own, and what it logged."""

    def __init__(self, settings: Settings, folder: Path, number: int) -> None:
        place = folder / f"worker-{number}"
        place.mkdir(exist_ok=True)
        self._log = place / "worker.log"
        self.process = worker_process(changed(settings, worker={"slot": number}), place)

    def said(self, what: str) -> list[dict[str, Any]]:
        """Log lines of that event."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == what]

    def folds(self) -> set[int]:
        """The partitions that it was given last."""
        given = self.said("partitions assigned")
        return set(given[-1]["partitions"]) if given else set()

    def warm(self) -> set[int]:
        """The partitions of which it has ever had a warm copy."""
        given = {number for line in self.said("standing by") for number in line["warm"]}
        return given | {line["partition"] for line in self.said("a copy is warm")}

    def restored(self) -> dict[int, dict[str, Any]]:
        """By partition: what it said of its newest restore."""
        return {line["partition"]: line for line in self.said("restored")}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def text(self) -> str:
        return self._log.read_text()[-2_000:]


@contextmanager
def workers(settings: Settings, folder: Path, count: int) -> Iterator[list[Process]]:
    started = [Process(settings, folder, number) for number in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()


async def test_a_worker_killed_is_replaced_by_those_that_have_its_partitions_warm(
    standing_by: Settings, tmp_path: Path
) -> None:
    await topics.ensure(standing_by.kafka)
    records = lives(600)
    async with replicated(standing_by) as replica:
        with workers(standing_by, tmp_path, 3) as all_three:

            def words() -> str:
                return "\n".join(worker.text() for worker in all_three)

            first, *others = all_three
            await until(lambda: all(worker.folds() for worker in all_three), what=words)
            await send(standing_by, records[: len(records) // 2])
            await until(lambda: read_so_far(replica) == len(records) // 2, what=words)
            lost = first.folds()
            await until(lambda: lost <= others[0].warm() | others[1].warm(), what=words)
            first.kill()
            await send(standing_by, records[len(records) // 2 :])
            await send_ends(standing_by, PARTITIONS)
            await until(lambda: at_end(replica, PARTITIONS), what=words)
            restores = {number: line for worker in others for number, line in worker.restored().items()}
            for number in lost:
                assert restores[number]["warm"]
                assert restores[number]["records"] < restores[number]["delta"], "no more than the last ones were read"
        assert figures(replica.states) == figures(await oracle(standing_by, PARTITIONS))


async def test_of_a_copy_only_what_it_lacks_is_read(by_events: Settings) -> None:
    await topics.ensure(by_events.kafka)
    async with replicated(by_events) as replica, working(by_events):
        await send(by_events, lives(100))
        await until(lambda: read_so_far(replica) == len(lives(100)))
        behind = await restored(by_events.kafka, 0)
        await send(by_events, lives(100, seed=2))
        await send_ends(by_events, 1)
        await until(lambda: at_end(replica, 1))
    with capture_logs() as said:
        caught_up = await restored(by_events.kafka, 0, behind)
        again = await restored(by_events.kafka, 0, Copy(caught_up.log, caught_up.position))
        lost = Copy(StateLog(by_events.kafka.topic(Topic.STATE), 0), caught_up.position + 1_000)
        lost.log.settle()
        anew = await restored(by_events.kafka, 0, lost)
    expected = figures(await oracle(by_events, 1))
    assert [figures({0: copy.log.state}) for copy in (caught_up, again, anew)] == [expected] * 3
    first, second, third = (line for line in said if line["event"] == "restored")
    assert 0 < first["records"] < third["records"]
    assert (second["records"], second["warm"]) == (0, True)
    assert not third["warm"]
