"""`sqm verify` against a real broker: equal after whatever traffic, and each kind of damage is found and named."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from consumers import changelog, topics
from consumers.changelog import Kind
from consumers.client import administrating, producer, started
from consumers.files_read import Source, gather
from consumers.files_read import read as read_files
from consumers.judge import Judge
from consumers.policies import FixedPolicies, publish
from consumers.replica import Replica
from consumers.restore import restored
from consumers.send import outgoing
from consumers.send import send as publish_files
from consumers.settings import PREFIX, Settings
from consumers.verify.record import VerifiedFollower, newest
from consumers.verify.run import BASE_BYTES, EVENT_BYTES, LEAST_ROWS, Options, Outcome, Unverifiable, verify
from consumers.verify.schedule import Schedule
from consumers.verify.source import FromFiles
from monitor.frames import OUTCOME
from monitor.names import Topic
from monitor.policy import load as load_policy
from monitor.state import State
from monitor.verify import Difference, Figure
from tests.kafka.traffic import (
    POLICY_TEXT,
    T0,
    as_environment,
    at_end,
    changed,
    event,
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
    worker_process,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 2
SMALL = BASE_BYTES + EVENT_BYTES * LEAST_ROWS


@pytest.fixture
def by_events(settings: Settings) -> Settings:
    """Time is the events', so that every figure is a function of what was sent."""
    worker = {"checkpoint_seconds": 0.1, "snapshot_deltas": 2, "batch_records": 200, "static": False}
    return changed(settings, clock="event", kafka={"partitions": PARTITIONS}, worker=worker)


async def begun(settings: Settings) -> None:
    await topics.ensure(settings.kafka)
    await publish(settings.kafka, policies())


async def folded(settings: Settings, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Have a worker fold these records and what ends them."""
    await begun(settings)
    await send(settings, records)
    async with replicated(settings) as replica, working(settings) as worker:
        await send_ends(settings, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)


async def verified(settings: Settings, memory: int = SMALL) -> Outcome:
    return await verify(settings, Options(memory, 30.0, settings.data_dir))


def first(outcome: Outcome) -> Difference:
    found = outcome.findings.first
    assert found is not None
    return found


async def test_equal_after_messy_traffic(by_events: Settings) -> None:
    await begun(by_events)
    async with replicated(by_events) as replica, working(by_events) as worker:
        await send(by_events, lives(300))
        await until(lambda: read_so_far(replica) > 200)
        ahead = event("ahead", 0, "interaction.opened", datetime.now(UTC) + timedelta(days=9), service="a")
        await send(by_events, [*lives(100, seed=2), (b"ahead", json.dumps(ahead).encode())])
        await send_ends(by_events, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
    outcome = await verified(by_events)
    assert outcome.findings.equal, outcome.findings.first
    assert outcome.findings.unproven == []
    ledgers = [state.ledger() for state in replica.states.values()]
    assert outcome.events == sum(ledger["counted"] + ledger["duplicate"] for ledger in ledgers)
    assert outcome.findings.compared[Figure.EVENT] == sum(s.history.height for s in replica.states.values())
    assert outcome.findings.compared[Figure.CELL] == sum(s.tiers.rows().height for s in replica.states.values())


async def test_equal_after_kill_9_and_while_the_next_worker_goes_on(by_events: Settings, tmp_path: Path) -> None:
    await begun(by_events)
    await send(by_events, lives(300))
    async with replicated(by_events) as replica:
        worker = worker_process(by_events, tmp_path)
        try:
            await until(lambda: read_so_far(replica) > 0)
            worker.send_signal(signal.SIGKILL)
        finally:
            worker.kill()
            worker.wait()
        await send(by_events, lives(100, seed=2))
        async with working(by_events) as next_one:
            await until(lambda: any(p.records for p in next_one.health.partitions.values()))
            outcome = await verified(by_events)
    assert outcome.findings.equal, outcome.findings.first


async def tampered(settings: Settings, partition: int, tables: Mapping[str, pl.DataFrame]) -> None:
    """Write a delta into the state as a worker would."""
    number = (await restored(settings.kafka, partition)).log.number + 1
    client = await started(producer(settings.kafka))
    try:
        for key, value in changelog.encode(tables, Kind.DELTA, number):
            await client.send_and_wait(settings.kafka.topic(Topic.STATE), value, key, partition=partition)
    finally:
        await client.close()


async def busiest(settings: Settings) -> tuple[int, State]:
    states = {number: (await restored(settings.kafka, number)).log.state for number in range(PARTITIONS)}
    return max(states.items(), key=lambda item: item[1].history.height)


async def test_a_cell_that_was_changed_is_named(by_events: Settings) -> None:
    await folded(by_events, lives(60))
    partition, state = await busiest(by_events)
    rows = state.tiers.rows().filter(pl.col("tier") == "15m", pl.col("measure") == "first_response.breached").head(1)
    await tampered(by_events, partition, {"cells": rows.drop("tier").with_columns(n=pl.lit(7, pl.Int64))})
    outcome = await verified(by_events)
    found = first(outcome)
    assert found.figure == Figure.CELL
    was = rows["n"][0]
    assert found.live.startswith(f"{was + 7}")
    assert found.recomputed.startswith(f"{was}")
    assert "first response breached" in found.subject
    assert f"partition {partition}" in str(found)
    assert "the sums in the state were damaged" in found.cause


async def test_a_verdict_that_was_removed_is_named(by_events: Settings) -> None:
    await folded(by_events, lives(60))
    partition, state = await busiest(by_events)
    row = state.verdicts.filter(pl.col("outcome") == "breached").head(1)
    gone = row.with_columns(outcome=pl.lit(None, OUTCOME))
    await tampered(by_events, partition, {"verdicts": gone})
    outcome = await verified(by_events)
    found = first(outcome)
    assert outcome.findings.differing == {Figure.VERDICT: 1}
    assert f"case {row['case'][0]}" in found.subject
    assert (found.live, found.recomputed) == ("no verdict", "breached")


async def test_events_that_a_state_claims_and_does_not_hold_are_named(by_events: Settings) -> None:
    """Its offsets say that they were read."""
    await folded(by_events, lives(60))
    partition, state = await busiest(by_events)
    topic = by_events.kafka.events_topics[0]
    lost = event("lost-case", 0, "interaction.opened", T0, service="a", priority="P1")
    client = await started(producer(by_events.kafka))
    await client.send_and_wait(topic, json.dumps(lost).encode(), b"lost-case", partition=partition)
    await client.close()
    at = state.offsets[topic]
    offsets = pl.DataFrame({"topic": [topic], "next_offset": [at + 1]})
    await tampered(by_events, partition, {"offsets": offsets})
    found = first(await verified(by_events))
    assert found.figure == Figure.EVENT
    assert "case lost-case, event lost-case/0 of test (opened, 2026-03-02T09:00:00Z)" in found.subject
    assert found.live == "not there"
    assert found.recomputed == f"counted ({topic}, offset {at})"
    assert "lost on its way" in found.cause


async def test_a_span_that_the_topic_no_longer_holds_is_named_and_what_can_be_compared_is(by_events: Settings) -> None:
    await folded(by_events, lives(200))
    partition, state = await busiest(by_events)
    topic = by_events.kafka.events_topics[0]
    where = TopicPartition(topic, partition)
    async with administrating(by_events.kafka) as admin:
        await admin.delete_records({where: RecordsToDelete(before_offset=200)})
    outcome = await verified(by_events)
    assert outcome.findings.equal, outcome.findings.first
    told = " ".join(outcome.findings.unproven)
    assert f"partition {partition}: {topic} begins at offset 200" in told
    assert f"of {state.ledger()['read']:,} events that were counted" in told
    assert "live cases have events that cannot be read again" in told
    # what is still in reach is not taken on trust
    row = state.verdicts.filter(pl.col("outcome") == "breached").tail(1)
    await tampered(by_events, partition, {"verdicts": row.with_columns(outcome=pl.lit(None, OUTCOME))})
    assert set((await verified(by_events)).findings.differing) <= {Figure.VERDICT}


async def test_the_end_of_a_topic_that_was_cut_off_is_named(by_events: Settings) -> None:
    await folded(by_events, lives(20))
    partition, state = await busiest(by_events)
    topic = by_events.kafka.events_topics[0]
    at = state.offsets[topic]
    offsets = pl.DataFrame({"topic": [topic], "next_offset": [at + 100]})
    await tampered(by_events, partition, {"offsets": offsets})
    found = first(await verified(by_events))
    assert (found.live, found.recomputed) == (f"read up to offset {at + 100:,}", f"it ends at offset {at:,}")
    assert "truncated or made anew" in found.cause


def sqm(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs `sqm verify` as a user does."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(
        [Path(sys.executable).with_name("sqm"), "verify", *words],
        env=environment | as_environment(settings),
        cwd=settings.data_dir.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )


async def test_the_command_tells_people_machines_and_cron(by_events: Settings) -> None:
    quiet = changed(by_events, log_level="error")
    await folded(quiet, lives(60))
    done = await asyncio.to_thread(sqm, quiet, "--record", "--memory", "500MB")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Equal.\n")
    assert "Partitions as of 0: 2026-03-05T09:00:00Z, 1: 2026-03-05T09:00:00Z" in done.stdout
    before = await newest(quiet.kafka)
    assert before is not None
    assert (before.result, before.last_equal) == ("equal", before.at)

    partition, state = await busiest(quiet)
    row = state.verdicts.filter(pl.col("outcome") == "breached").head(1)
    await tampered(quiet, partition, {"verdicts": row.with_columns(outcome=pl.lit(None, OUTCOME))})
    done = await asyncio.to_thread(sqm, quiet, "--record", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["result"], told["differing"]) == (1, "different", {"verdict": 1})
    assert told["named"][0]["place"]["case"] == row["case"][0]
    after = await newest(quiet.kafka)
    assert after is not None
    assert (after.result, after.last_equal) == ("different", before.at)  # it is known when all was well

    done = await asyncio.to_thread(sqm, quiet)
    assert done.returncode == 1
    assert done.stdout.startswith(
        f"Different: 1 difference.\nThe first: partition {partition}: case {row['case'][0]}, "
    )
    assert "Likely cause: The events of the case are equal" in done.stdout


async def test_what_cannot_be_verified_is_said_with_exit_code_2(by_events: Settings) -> None:
    done = await asyncio.to_thread(sqm, by_events)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"has no topic {by_events.kafka.events_topics[0]}" in done.stderr
    await topics.ensure(by_events.kafka)
    done = await asyncio.to_thread(sqm, by_events)
    assert done.returncode == 2
    assert f"{by_events.kafka.topic(Topic.POLICY)} holds no policy: nothing was judged yet" in done.stderr
    await begun(by_events)
    done = await asyncio.to_thread(sqm, by_events)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{by_events.kafka.topic(Topic.STATE)} holds no commit of any partition" in done.stderr
    away = changed(by_events, kafka={"bootstrap": "127.0.0.1:1"})
    done = await asyncio.to_thread(sqm, away, "--timeout", "1")
    assert done.returncode == 2
    assert "sqm: Kafka at 127.0.0.1:1 did not answer for 1 s" in done.stderr


async def test_a_state_that_another_policy_judged_is_not_compared(
    by_events: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await folded(by_events, lives(5))
    monkeypatch.setattr("consumers.verify.run.POLICY_TRIES", 1)
    await publish(by_events.kafka, load_policy([("other.yaml", POLICY_TEXT.replace("within: 1h", "within: 2h"))]))
    with pytest.raises(Unverifiable, match="is judged by another policy than the one in force"):
        await verified(by_events)


OTHER_RULES = POLICY_TEXT.replace("within: 1h", "within: 2h")


def finished(settings: Settings, number: int, partition: int) -> tuple[str, int, bytes]:
    """A measured interaction that took 90 minutes: late within 1 h, in time within 2 h."""
    when = T0 + timedelta(minutes=number)
    one = event(f"m-{number}", number, "interaction.measured", when, service="b", priority="P2", response_time_s=5400)
    return settings.kafka.events_topics[0], partition, json.dumps(one).encode()


async def to_partitions(settings: Settings, records: Sequence[tuple[str, int, bytes]]) -> None:
    client = await started(producer(settings.kafka))
    for topic, partition, value in records:
        await client.send_and_wait(topic, value, json.loads(value)["subject"].encode(), partition=partition)
    await client.close()


async def test_after_the_rules_changed_what_was_judged_once_is_proven_by_those_of_its_day(by_events: Settings) -> None:
    await begun(by_events)
    sent = lives(60)
    await send(by_events, sent)
    async with replicated(by_events) as replica:
        for number, rules in enumerate((policies(), load_policy([("other.yaml", OTHER_RULES)])), start=1):
            await publish(by_events.kafka, rules)
            await to_partitions(by_events, [finished(by_events, 10 * number + p, p) for p in range(PARTITIONS)])
            expected = len(sent) + PARTITIONS * number
            async with working(by_events, rules):
                await until(lambda expected=expected: consumed(replica) == expected)  # type: ignore[misc]
        async with working(by_events, rules) as worker:
            await send_ends(by_events, PARTITIONS)
            await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
    assert [state.in_force["number"].max() for state in replica.states.values()] == [2, 2]
    outcome = await verified(by_events)
    assert outcome.findings.equal, outcome.findings.first
    assert outcome.findings.unproven == []
    # what the first rules judged is not taken on trust
    partition, state = await busiest(by_events)
    late = pl.col("measure") == "first_response.breached"
    row = state.tiers.rows().filter(pl.col("tier") == "15m", late, pl.col("bucket") == int(T0.timestamp()) // 10)
    assert row["n"].sum() > 0
    await tampered(by_events, partition, {"cells": row.drop("tier").with_columns(n=pl.lit(1, pl.Int64))})
    found = first(await verified(by_events))
    assert found.figure == Figure.CELL
    assert "first response breached, bucket of 2026-03-02T09:00:00Z, service b" in found.subject


def consumed(replica: Replica) -> int:
    """How many records the states have read."""
    return sum(sum(state.offsets.values()) for state in replica.states.values())


async def test_the_files_that_were_sent_stand_in_for_a_topic_that_is_gone(by_events: Settings, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    lines = [value for _, value in lives(80)]
    path.write_bytes(b"\n".join(lines))
    await begun(by_events)
    gathered = gather([Source(path, None)])
    await publish_files(outgoing(gathered, future_after=datetime.now(UTC)), by_events.kafka)
    async with replicated(by_events) as replica, working(by_events) as worker:
        await send_ends(by_events, PARTITIONS)
        await until(lambda: at_end(replica, PARTITIONS), what=lambda: worker.health)
    options = Options(SMALL, 30.0, by_events.data_dir)
    whole = await verify(by_events, options, FromFiles(read_files(gathered, future_after=None)))
    assert whole.findings.equal, whole.findings.first
    case = next(json.loads(line)["subject"] for line in lines if b"interaction.opened" in line)
    path.write_bytes(b"\n".join(line for line in lines if case.encode() not in line))
    fewer = FromFiles(read_files(gather([Source(path, None)]), future_after=None))
    found = first(await verify(by_events, options, fewer))
    assert f"case {case}, event" in found.subject
    assert found.recomputed == "not in the topic"


class Seat:
    """Of the judge: held when it is told so."""

    elected = False


async def test_the_elected_judge_has_it_done_by_the_clock(by_events: Settings) -> None:
    await folded(by_events, lives(20))
    seat, record = Seat(), VerifiedFollower(by_events.kafka)
    schedule = Schedule(by_events, timedelta(seconds=1), seat, record)
    async with running(record.run()), running(schedule.run()):
        await until(record.read.is_set)
        seat.elected = True
        await until(lambda: record.newest is not None and record.newest.result == "equal")
        first_one = record.newest
        await until(lambda: record.newest is not first_one)


async def test_events_that_were_refused_as_too_late_are_taken_as_refused(by_events: Settings) -> None:
    """The wall clock, since only with it is anything forgotten."""
    live = changed(by_events, clock="wall")
    now = datetime.now(UTC)
    await begun(live)
    held = event("m", 1, "interaction.measured", now, service="a", response_time_s=4)
    late = event("m", 2, "interaction.measured", now - timedelta(days=9), service="a", response_time_s=4)
    async with replicated(live) as replica, working(live):
        for number, one in enumerate((held, late), start=1):
            await send(live, [(b"m", json.dumps(one).encode())])
            await until_read(replica, number)
        assert sum(state.ledger().get("late", 0) for state in replica.states.values()) == 1
        outcome = await verified(live)
    assert outcome.findings.equal, outcome.findings.first
    assert outcome.findings.compared[Figure.MEASURED] == 1


EACH_BREACH = """
policy: alerts
labels: [service]
targets:
  - {clock: first_response, within: 1m}
slas:
  - {id: answers, title: Answered, measure: first_response, goal: 90%, period: 7d, alerts: {breach: each}}
"""


async def test_an_alert_that_vanished_from_the_record_is_named(by_events: Settings) -> None:
    live = changed(by_events, clock="wall")
    rules = load_policy([("policy.yaml", EACH_BREACH)])
    await topics.ensure(live.kafka)
    await publish(live.kafka, rules)
    waits = event("waits", 0, "interaction.opened", datetime.now(UTC) - timedelta(minutes=9), service="a")
    async with replicated(live) as replica, working(live, rules):
        judge = Judge(live, replica, FixedPolicies(rules))
        async with running(judge.run()):
            await send(live, [(b"waits", json.dumps(waits).encode())])
            await until(lambda: replica.alerts.filter(pl.col("kind") == "breach").height == 1)
            outcome = await verified(live)
            assert outcome.findings.equal, outcome.findings.first
            assert outcome.findings.compared[Figure.ALERT] == 2  # what should stand, and what stands
    client = await started(producer(live.kafka))
    await client.send_and_wait(live.kafka.topic(Topic.ALERTS), None, replica.alerts["id"][0].encode(), partition=0)
    await client.close()
    found = first(await verified(live))
    assert str(found) == (
        "the breach alert of answers, case waits, first response: live no alert, recomputed breached and running"
    )
    assert found.cause == "No judge runs, it is behind, or its record was damaged."


BURNS = """
policy: burns
labels: [service]
targets:
  - {clock: first_response, within: 1m}
slas:
  - {id: answers, measure: first_response, by: [service], goal: 90%, period: 7d, min_events: 5}
"""


def interactions(first_one: int, when: datetime, seconds: float, many: int) -> list[tuple[bytes, bytes]]:
    return [
        (
            b"m",
            json.dumps(event(f"m-{n}", n, "interaction.measured", when, service="a", response_time_s=seconds)).encode(),
        )
        for n in range(first_one, first_one + many)
    ]


async def test_a_burn_alert_is_proven_by_what_its_judge_saw_and_named_where_its_record_was_changed(
    by_events: Settings,
) -> None:
    live = by_events.model_copy(update={"clock": "wall"})
    rules = load_policy([("policy.yaml", BURNS)])
    await topics.ensure(live.kafka)
    await publish(live.kafka, rules)
    now = datetime.now(UTC)

    def states() -> set[str]:
        return set(replica.alerts["state"])

    async with replicated(live) as replica, working(live, rules):
        judge = Judge(live, replica, FixedPolicies(rules))
        async with running(judge.run()):
            await send(live, interactions(0, now, 600, 20))
            await until(lambda: states() == {"firing"})
            # Of before, and come later: the figures of then are others today.
            await send(live, interactions(100, now - timedelta(minutes=1), 1, 500))
            await until(lambda: states() == {"resolved"})
            outcome = await verified(live)
    assert outcome.findings.equal, outcome.findings.first
    assert outcome.findings.unproven == []
    fired = len(replica.alerts)
    assert outcome.findings.compared[Figure.ALERT] >= 2 * fired

    record = await alert_records(live)
    identity, value = next(iter(record.items()))
    ground = value["grounds"][0]
    ground["values"]["bad"] -= 1
    client = await started(producer(live.kafka))
    where = live.kafka.topic(Topic.ALERTS)
    await client.send_and_wait(where, json.dumps(value).encode(), identity, partition=0)
    await client.close()
    outcome = await verified(live)
    found = first(outcome)
    assert outcome.findings.differing == {Figure.ALERT: 1}
    assert found.subject.startswith(f"the burn alert of answers, service a ({value['severity']}), firing at ")
    assert found.live == f"burning ({ground['values']['bad']} bad of 20 over {ground['values']['long']})"
    assert found.recomputed == f"burning (20 bad of 20 over {ground['values']['long']})"


async def alert_records(settings: Settings) -> dict[bytes, dict[str, Any]]:
    """What stands in the alerts topic, by id."""
    records = await read_topic(settings, settings.kafka.topic(Topic.ALERTS), 1)
    return {record.key: json.loads(record.value) for record in records if record.value}
