"""The judge against a real broker: an incident's alert fires, is delivered, resolves; another judge takes over."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from consumers import topics
from consumers.alerts_log import Entry
from consumers.alerts_record import AlertsRecord
from consumers.judge import Judge
from consumers.policies import FixedPolicies
from consumers.replica import Replica
from consumers.settings import Settings
from consumers.worker import Worker
from monitor.frames import ALERTS
from monitor.policy import PolicySet, load
from tests.kafka.hook import SECRET, SECRET_ENV, Hook, receiving
from tests.kafka.traffic import Event, changed, event, read_so_far, running, send, send_ends, until

pytestmark = pytest.mark.kafka

# Windows of one minute, so that an incident of the last minute is over soon.
POLICY = """
policy: support
labels: [service]
limits: {{grace: 1s}}
targets:
  - {{clock: first_response, within: 2s}}
slas:
  - id: answers
    title: Answered in time
    measure: first_response
    by: [service]
    goal: 95%
    period: 1h
    min_events: 20
    alerts: {{burn: standard, breach: each}}
    notify: [hook]
notify:
  hook: {{webhook: "{address}", secret_env: HOOK_SECRET}}
"""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv(SECRET_ENV, SECRET)
    with receiving() as made:
        yield made


@pytest.fixture
def policies(hook: Hook) -> PolicySet:
    return load([("policy.yaml", POLICY.format(address=hook.address))])


async def publish(settings: Settings, events: list[Event]) -> None:
    await send(settings, [(each["subject"].encode(), json.dumps(each).encode()) for each in events])


def measured(case: str, at: datetime, seconds: float) -> Event:
    return event(case, 0, "interaction.measured", at, service="billing", response_time_s=seconds)


def opened(case: str, at: datetime) -> Event:
    return event(case, 0, "interaction.opened", at, service="billing")


def responded(case: str, at: datetime) -> Event:
    return event(case, 1, "interaction.responded", at)


def alerts_of(replica: Replica, kind: str) -> list[tuple[str, str]]:
    rows = replica.alerts.filter(pl.col("kind") == kind).select("state", "reason").rows()
    return sorted((state, reason) for state, reason in rows)


async def test_an_incident_fires_is_told_and_resolves_when_it_is_over(
    settings: Settings, hook: Hook, policies: PolicySet
) -> None:
    settings = changed(settings, clock="event")  # so that events alone make time go on
    await topics.ensure(settings.kafka)
    fixed = FixedPolicies(policies)
    replica = Replica(settings)
    worker, judge = Worker(settings, fixed), Judge(settings, replica, fixed)
    at = datetime.now(UTC) - timedelta(minutes=5)  # no old news
    async with running(worker.run()), running(replica.run()), running(judge.run()):
        await publish(settings, [measured(f"slow-{n}", at, 60) for n in range(30)])
        await send_ends(settings, settings.kafka.partitions, at + timedelta(seconds=10))
        await until(lambda: ("firing", "burning") in alerts_of(replica, "burn"))
        await publish(settings, [measured(f"quick-{n}", at + timedelta(seconds=100), 1) for n in range(30)])
        await send_ends(settings, settings.kafka.partitions, at + timedelta(seconds=110))
        await until(lambda: ("resolved", "recovered") in alerts_of(replica, "burn"))
        await until(lambda: "resolved" in hook.told("burn"))
    assert hook.told("burn").index("firing") < hook.told("burn").index("resolved")
    first = next(body["data"] for body in hook.bodies if body["data"]["kind"] == "burn")
    assert first["title"] == "billing: Answered in time"
    assert re.match(r"billing: (\d+) of \1 answered late in the last minute; burns 1-hour budget 20 ", first["detail"])


async def test_an_overdue_case_is_told_once_however_often_the_receiver_fails(
    settings: Settings, hook: Hook, policies: PolicySet
) -> None:
    await topics.ensure(settings.kafka)
    fixed = FixedPolicies(policies)
    replica = Replica(settings)
    worker, judge = Worker(settings, fixed), Judge(settings, replica, fixed)
    hook.failures = 2
    async with running(worker.run()), running(replica.run()), running(judge.run()):
        await publish(settings, [opened("c-1", datetime.now(UTC))])
        await until(lambda: hook.told("breach") == ["firing"])
        await publish(settings, [responded("c-1", datetime.now(UTC))])
        await until(lambda: hook.told("breach") == ["firing", "resolved"])
        entries = replica.alert_log.entries
        await until(lambda: not any(entry.undelivered for entry in entries.values()))
    assert len(set(hook.ids[:3])) == 1  # twice in vain, then taken
    assert alerts_of(replica, "breach") == [("resolved", "stopped")]


async def test_another_judge_takes_over_and_repeats_nothing(
    settings: Settings, hook: Hook, policies: PolicySet
) -> None:
    settings = changed(settings, judge={"session_timeout_seconds": 6.0})
    await topics.ensure(settings.kafka)
    fixed = FixedPolicies(policies)
    replica = Replica(settings)
    worker = Worker(settings, fixed)
    first, second = Judge(settings, replica, fixed), Judge(settings, replica, fixed)
    async with running(worker.run()), running(replica.run()), AsyncExitStack() as longer:
        async with running(first.run()):
            await until(lambda: first.elected)
            await longer.enter_async_context(running(second.run()))
            await publish(settings, [opened("c-1", datetime.now(UTC))])
            await until(lambda: hook.told("breach") == ["firing"])
            assert not second.elected
        await until(lambda: second.elected, seconds=15)
        await publish(settings, [responded("c-1", datetime.now(UTC))])
        await until(lambda: "resolved" in hook.told("breach"))
    assert hook.told("breach") == ["firing", "resolved"]


async def test_a_judge_that_stops_while_it_tells_hears_the_answer_and_its_successor_repeats_nothing(
    settings: Settings, hook: Hook, policies: PolicySet
) -> None:
    await topics.ensure(settings.kafka)
    fixed = FixedPolicies(policies)
    replica = Replica(settings)
    hook.may_answer.clear()
    async with running(Worker(settings, fixed).run()), running(replica.run()):
        async with running(Judge(settings, replica, fixed).run()):
            await publish(settings, [opened("c-1", datetime.now(UTC))])
            await until(lambda: len(hook.taken) == 1)
            asyncio.get_running_loop().call_soon(hook.may_answer.set)  # after it was told to stop
        async with running(Judge(settings, replica, fixed).run()):
            await publish(settings, [responded("c-1", datetime.now(UTC))])
            await until(lambda: "resolved" in hook.told("breach"))
    assert hook.told("breach") == ["firing", "resolved"]


async def test_a_judge_that_was_frozen_is_fenced_and_records_nothing(
    settings: Settings, hook: Hook, policies: PolicySet
) -> None:
    await topics.ensure(settings.kafka)
    row = Entry(alert("a-1"))
    frozen, successor = AlertsRecord(settings.kafka), AlertsRecord(settings.kafka)
    try:
        await frozen.start()
        await frozen.commit({"a-1": row})
        await successor.start()
        found = await successor.read()
        assert list(found.entries) == ["a-1"]
        with pytest.raises(Exception, match=r"fenced|epoch|newer producer"):
            await frozen.commit({"a-2": Entry(alert("a-2"))})
        await successor.commit({"a-1": None})
        assert (await successor.read()).entries == {}
    finally:
        await frozen.close()
        await successor.close()


def alert(identity: str) -> dict[str, Any]:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    known = {"id": identity, "kind": "ledger", "severity": "page", "state": "firing", "reason": "imbalance"}
    return dict.fromkeys(ALERTS) | known | {"title": "t", "detail": "d", "since": at, "at": at, "wall": at}


async def test_a_backlog_is_worked_off_without_old_news_being_told_or_anything_twice(
    settings: Settings, hook: Hook, policies: PolicySet
) -> None:
    small = {"batch_records": 10, "checkpoint_events": 10, "checkpoint_seconds": 0.1}
    quick = {"tick_seconds": 0.1, "session_timeout_seconds": 6.0}
    settings = changed(settings, kafka={"partitions": 2}, worker=small, judge=quick)
    await topics.ensure(settings.kafka)
    begun = datetime.now(UTC)
    waiting = []  # a case every minute of three hours: each second one is answered in time, the others never
    for n in range(180):
        at = begun - timedelta(minutes=180 - n)
        waiting.append(opened(f"c-{n}", at))
        if n % 2:
            waiting.append(responded(f"c-{n}", at + timedelta(seconds=1)))
    await publish(settings, waiting)
    fixed = FixedPolicies(policies)
    replica = Replica(settings)
    records: list[tuple[str, str]] = []
    replica.on_alert.append(lambda _, row: records.append((row["id"], row["state"])))

    async with running(replica.run()):
        async with running(Worker(settings, fixed).run()), running(Judge(settings, replica, fixed).run()):
            await until(lambda: read_so_far(replica) > len(waiting) // 2)
        judge = Judge(settings, replica, fixed)
        async with running(Worker(settings, fixed).run()), running(judge.run()):  # others go on from there
            await until(lambda: read_so_far(replica) == len(waiting))
            await until(lambda: all(state.now and state.now > begun for state in replica.states.values()))
            news = {f"c-{n}" for n in range(180 - 14, 180) if n % 2 == 0}  # what breached in the last 15 minutes
            await until(
                lambda: news <= {body["data"]["case"] for body in hook.bodies if body["data"]["kind"] == "breach"}
            )
            await publish(settings, [opened("end", datetime.now(UTC))])
            await until(lambda: "end" in {body["data"]["case"] for body in hook.bodies})
    assert len(records) == len(set(records))
    told = [(body["data"]["id"], body["data"]["state"]) for body in hook.bodies]
    assert len(told) == len(set(told))
    old = {f"c-{n}" for n in range(180 - 17) if n % 2 == 0}
    assert not old & {body["data"]["case"] for body in hook.bodies}
    recorded = replica.alerts.filter((pl.col("kind") == "breach") & pl.col("case").is_in(old))
    assert recorded["state"].unique().to_list() == ["historic"]
    assert set(recorded["case"]) == old
    never = {body["data"]["case"] for body in hook.bodies if body["data"]["kind"] == "breach"}
    assert not never & {f"c-{n}" for n in range(180) if n % 2}  # no breach was invented
