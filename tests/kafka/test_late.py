"""What comes too late, through a real broker: kept with its reason, counted, and never counted twice."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from consumers import topics
from consumers.replica import Replica
from consumers.settings import Settings
from monitor.names import Topic
from monitor.state import SLICES
from tests.kafka.traffic import (
    Sent,
    changed,
    event,
    read_so_far,
    read_topic,
    replicated,
    send,
    until,
    until_read,
    working,
)

pytestmark = pytest.mark.kafka


def sent(case: str, number: int, kind: str, ago: timedelta, **data: object) -> Sent:
    when = datetime.now(UTC) - ago
    return case.encode(), json.dumps(event(case, number, kind, when, **data)).encode()


def counted(replica: Replica, name: str) -> int:
    return sum(state.ledger().get(name, 0) for state in replica.states.values())


def held(replica: Replica) -> set[str]:
    return {case for state in replica.states.values() for case in state.history.frame()["case"]} - {"now"}


async def test_an_event_of_an_archived_case_goes_to_the_rejected_topic_and_counts_nowhere(settings: Settings) -> None:
    settings = changed(settings, worker={"checkpoint_seconds": 0.05}, kafka={"partitions": 1})
    await topics.ensure(settings.kafka)
    old = [
        sent("old", number, f"interaction.{kind}", timedelta(days=40))
        for number, kind in enumerate(("opened", "responded", "resolved"))
    ]
    async with replicated(settings) as replica, working(settings):
        await send(settings, old)
        await until(lambda: held(replica) == {"old"})
        for turn in range(SLICES + 1):  # in each checkpoint one slice of the cases has its turn
            before = read_so_far(replica)
            await send(
                settings, [sent("now", turn, "rating.submitted", timedelta(hours=2) - turn * timedelta(minutes=4))]
            )
            await until_read(replica, before + 1)
        await until(lambda: held(replica) == set())
        opened = replica.states[0].tiers.window(None, None).cells
        await send(settings, [*old, sent("old", 3, "interaction.reopened", timedelta())])
        await until(lambda: counted(replica, "late") == 4)
        assert replica.states[0].tiers.window(None, None).cells.equals(opened)
        assert counted(replica, "read") == counted(replica, "counted") + counted(replica, "late")
    rejected = await read_topic(settings, settings.kafka.topic(Topic.REJECTED), 1)
    assert [record.value for record in rejected[:3]] == [value for _, value in old]
    for record in rejected:
        headers = {name: value.decode() for name, value in record.headers}
        assert headers["sqm-reason"] == "late"
        assert headers["sqm-case"] == "old"
        assert headers["sqm-message"].startswith("its case was archived at ")
