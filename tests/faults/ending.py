"""How every row of the fault table ends, whatever was broken on the way."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from aiokafka import TopicPartition

from consumers.alerts_log import decode
from consumers.client import consumer, started
from consumers.follow import stopped
from consumers.receivers import delivery_id
from consumers.replica import Replica
from consumers.settings import Settings
from consumers.topics import partitions
from consumers.verify.record import recorded
from consumers.verify.run import DEFAULT_MEMORY, Options
from monitor.names import AlertState, Clock, Outcome, Topic
from monitor.policy import PolicySet
from monitor.state import State
from monitor.summary import COUNTERS
from tests.faults.load import Sent
from tests.kafka.hook import Hook
from tests.kafka.traffic import read_topic

TOLD: Final = (AlertState.FIRING, AlertState.RESOLVED)
ANSWER_SECONDS: Final = 60.0  # that Kafka may take
NEWS: Final = timedelta(minutes=10)  # what broke no longer ago than that before the end is no old news


def check_figures(found: dict[str, Any], expected: dict[str, Any], sent: Sent) -> None:
    """What is shown is what was sent, but for records whose arrival nobody can know: these may have come once more."""
    counted = found["ledger"]
    assert counted["read"] == sum(counted[name] for name in COUNTERS if name != "read"), counted
    if sent.unsure:
        bounds = {name: (found["ledger"].pop(name), expected["ledger"].pop(name)) for name in _BY_ARRIVAL}
        assert all(there - sent.unsure <= n <= there + sent.unsure for n, there in bounds.values()), bounds
        for each in (found, expected):
            each["ledger"].pop("rejected_by_reason")
    differing = {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}
    assert not differing, f"found and expected differ: {differing}"


_BY_ARRIVAL: Final = ("read", "duplicate", "rejected")


async def verified(settings: Settings) -> None:
    """`sqm verify` says equal, and leaves nothing out."""
    options = Options(DEFAULT_MEMORY, ANSWER_SECONDS, settings.data_dir)
    found = await recorded(settings, options, record=False)
    assert found.result == "equal", [(each.said, each.cause) for each in found.named]
    assert not found.unproven, found.unproven


async def nothing_is_open(settings: Settings) -> None:
    """No transaction is: who reads committed records gets as far as who reads all."""
    own = (*settings.kafka.events_topics, *map(settings.kafka.topic, Topic))
    where = [
        TopicPartition(name, n) for name, count in (await partitions(settings.kafka)).items() for n in range(count)
    ]
    where = [each for each in where if each.topic in own]
    ends = []
    for level in ("read_committed", "read_uncommitted"):
        client = await started(consumer(settings.kafka, isolation_level=level))
        try:
            ends.append(await client.end_offsets(where))
        finally:
            await stopped(client)
    assert ends[0] == ends[1], {tp: (ends[0][tp], ends[1][tp]) for tp in ends[0] if ends[0][tp] != ends[1][tp]}


async def nothing_is_there_twice(settings: Settings, count: int) -> None:
    """Every committed verdict event has an id of its own, and every refused event is kept once."""
    told = await read_topic(settings, settings.kafka.topic(Topic.VERDICTS), count)
    ids = Counter((r.partition, r.value.split(b'"id":"', 1)[1].split(b'"', 1)[0]) for r in told)
    assert not (twice := [each for each, n in ids.items() if n > 1]), twice
    refused = await read_topic(settings, settings.kafka.topic(Topic.REJECTED), count)
    names = ("sqm-topic", "sqm-partition", "sqm-offset", "sqm-index")
    origins = Counter(tuple(dict(r.headers)[name] for name in names) for r in refused)
    assert not (twice := [each for each, n in origins.items() if n > 1]), twice


async def deliveries_due(settings: Settings) -> set[str]:
    """Ids of all that somebody was to be told of, as the judge recorded it."""
    records = await read_topic(settings, settings.kafka.topic(Topic.ALERTS), 1)
    entries = [decode(record.value) for record in records if record.value is not None]
    return {delivery_id(e.alert) for e in entries if e.alert["state"] in TOLD and e.receivers} | {
        delivery_id(waiting.alert) for e in entries for waiting in e.undelivered
    }


async def everybody_was_told(settings: Settings, hook: Hook, *, crashes: int, unanswered: int) -> None:
    """What was to be told was, and nothing else; again only after a crash, or where the judge had no answer."""
    due = await deliveries_due(settings)
    told = Counter(hook.taken)
    assert told.keys() == due, f"not told: {due - told.keys()}; not recorded: {told.keys() - due}"
    again = {each: n for each, n in told.items() if n > 1}
    assert all(n - 1 <= crashes + unanswered for n in again.values()), f"told again, and no crash between: {again}"


def overdue_at_the_end(expected: State, end: datetime, policies: PolicySet) -> set[str]:
    """Cases whose answer is overdue since so short a time that somebody has to be called."""
    first = expected.verdicts.filter(clock=str(Clock.FIRST_RESPONSE), outcome=str(Outcome.BREACHED))
    rows = first.select("case", "due", "stopped").iter_rows()
    return {case for case, due, stopped in rows if stopped is None and due >= end - NEWS}


def called_for(replica: Replica) -> set[str]:
    """Cases that an alert fires for."""
    return {e.alert["case"] for e in replica.alert_log.entries.values() if e.alert["state"] == AlertState.FIRING}
