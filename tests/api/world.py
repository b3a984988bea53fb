"""Small worlds for the tests of the API: events as they come over Kafka, folded by the real engine."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from api.context import Context
from consumers.alerts_log import Row
from consumers.decode import decode
from consumers.policies import FixedPolicies
from consumers.replica import OnAlert, OnDelta, OnReread, OnRestored, Rate
from consumers.settings import load as load_settings
from consumers.verify.record import Named, Verified
from monitor import engine
from monitor.events import Read
from monitor.frames import ALERTS, empty
from monitor.keys import keys_of
from monitor.policy import PolicySet, load
from monitor.state import State

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

POLICY = """
policy: support
effective_from: 2026-01-01T00:00:00Z
labels: [service, priority]
limits: {min_n: 2}
targets:
  - {clock: first_response, when: {priority: P1}, within: 15m}
  - {clock: first_response, within: 4h}
  - {clock: resolution, within: 1d, pauses: [customer]}
  - {clock: promise}
slas:
  - id: first-response
    title: Every customer is answered in time
    owner: support-leads
    measure: first_response
    by: [service]
    goal: 95%
    period: 30d
    min_events: 2
    alerts: {burn: standard, breach: each}
  - {id: promises, measure: promise, goal: 90%, period: {calendar: month, zone: Europe/Berlin}}
notify:
  leads: {webhook: "https://example.org/secret-token"}
"""


class Record(NamedTuple):
    """What `decode` reads of a Kafka record."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int = 0


def event(case: str, kind: str, at: datetime, **data: Any) -> dict[str, Any]:
    """A CloudEvent in structured mode; its id follows from case, kind and time."""
    return {
        "specversion": "1.0",
        "id": f"{case}-{kind}-{at.isoformat()}",
        "source": "/test",
        "type": kind if "." in kind else f"interaction.{kind}",
        "subject": case,
        "time": at.isoformat(),
        "data": data,
    }


def read(events: Iterable[Mapping[str, Any] | bytes], partition: int = 0, first: int = 0) -> Read:
    """Events as a worker reads them."""
    values = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in events]
    records = [Record("sqm.events", partition, first + i, value, []) for i, value in enumerate(values)]
    return decode(records, future_after=None)


@dataclass
class Replica:
    """States that the real engine folds, partition by partition."""

    policies: PolicySet
    states: dict[int, State] = field(default_factory=dict)
    caught_up: bool = True
    alerts: pl.DataFrame = field(default_factory=lambda: empty(ALERTS))
    halts: dict[int, str] = field(default_factory=dict)
    rate: Rate = field(default_factory=Rate)
    on_delta: list[OnDelta] = field(default_factory=list)
    on_history: list[OnDelta] = field(default_factory=list)
    on_restored: list[OnRestored] = field(default_factory=list)
    on_alert: list[OnAlert] = field(default_factory=list)
    on_reread: list[OnReread] = field(default_factory=list)
    deltas: dict[int, int] = field(default_factory=dict)  # how many there were, by partition
    transitions: int = 0

    @contextmanager
    def reading(self) -> Iterator[Mapping[int, State]]:
        yield self.states

    def fold(self, events: Iterable[Mapping[str, Any] | bytes], now: datetime, partitions: int = 2) -> None:
        """Let every partition read its share of the events and come to `now`."""
        shares: dict[int, list[Mapping[str, Any] | bytes]] = {p: [] for p in range(partitions)}
        for one in events:
            case = one["subject"] if isinstance(one, Mapping) else ""
            shares[int(keys_of([case])[0]) % partitions].append(one)
        for partition, share in shares.items():
            state = self.states.setdefault(partition, State())
            first = state.offsets.get("sqm.events", 0)
            step = engine.step(
                state,
                read(share, partition, first),
                now,
                self.policies,
                grace=timedelta(0),
                offsets={"sqm.events": first + len(share)},
            )
            state.apply(step.delta)
            self.deltas[partition] = self.deltas.get(partition, 0) + 1
            for tell in self.on_delta:
                tell(partition, self.deltas[partition], step.delta)

    def judge(self, *alerts: Row) -> None:
        """Let alerts make these transitions."""
        for row in alerts:
            for tell in self.on_alert:
                tell(self.transitions, row)
            self.transitions += 1


def lives(now: datetime = NOON, count: int = 24) -> list[dict[str, Any] | bytes]:
    """Cases of two services: answered in time and late, resolved, waiting, paused, promised; and refused events."""
    events: list[dict[str, Any] | bytes] = []
    for number in range(count):
        case, opened = f"INC-{number:03d}", now - timedelta(hours=number + 1)
        labels = {"service": ("billing", "web")[number % 2], "priority": ("P1", "P2", None)[number % 3]}
        given = {name: value for name, value in labels.items() if value}
        due = {"due_at": (opened + timedelta(hours=6)).isoformat()} if number % 4 == 0 else {}
        events.append(event(case, "opened", opened, **given, **due))
        if number % 5:
            events.append(event(case, "responded", opened + timedelta(minutes=10 + 7 * number)))
        if number % 5 == 2:
            events.append(event(case, "resolved", opened + timedelta(minutes=20 + 7 * number)))
            events.append(
                event(case, "rating.submitted", opened + timedelta(minutes=40 + 7 * number), csat=number % 6 or 5)
            )
        if number % 5 == 3:
            events.append(event(case, "paused", opened + timedelta(hours=1), reason="customer"))
    events += [b"{", event("INC-900", "opened", now) | {"time": "2026-11-20 12:00"}, event("INC-901", "exploded", now)]
    return events


def policies(text: str = POLICY) -> PolicySet:
    return load([("policy.yaml", text)])


VERIFIED = Verified(
    result="different",
    at=NOON - timedelta(hours=1),
    seconds=12.5,
    events=58,
    cases=24,
    differences=3,
    named=[
        Named("cell", 1, "partition 1: first response met: live 3, recomputed 2", "3", "2", "The state was damaged.")
    ],
    unproven=["partition 0: sqm.events begins at offset 7"],
    last_equal=NOON - timedelta(hours=25),
)


def context(replica: Replica) -> Context:
    """A context around a replica, nothing rendered yet."""
    made = Context(load_settings(env_file=None), replica, FixedPolicies(replica.policies))
    made.verified = lambda: VERIFIED
    return made
