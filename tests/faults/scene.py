"""What a row of the fault table is played on: a load on its way, a judge with somebody to tell, and the same end."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from consumers import topics
from consumers.judge import Judge
from consumers.judging import Clock
from consumers.notify import Result
from consumers.policies import FixedPolicies, publish
from consumers.replica import Replica
from consumers.settings import Settings, load
from monitor.policy import PolicySet
from monitor.policy import load as load_policy
from tests.faults import ending
from tests.faults.damage import Message
from tests.faults.load import Dirt, Sent, made, oracle
from tests.faults.roles import Role, role
from tests.faults.sending import Sending
from tests.kafka.hook import SECRET_ENV, Hook, receiving
from tests.kafka.traffic import at_end, changed, ends, figures, read_so_far, replicated, running, send_ends, until

PARTITIONS: Final = 3
OTHER: Final = 1_000_003  # from the seed of one load to that of the next
PATIENCE: Final = 120.0  # seconds for the end to be reached

POLICY: Final = """\
policy: faults
labels: [service, priority]
limits: {{grace: 1s}}
targets:
  - {{clock: first_response, when: {{priority: P0}}, within: 1m}}
  - {{clock: first_response, when: {{priority: P1}}, within: 15m}}
  - {{clock: first_response, within: 1h}}
  - {{clock: resolution, within: 4h, pauses: [customer]}}
  - {{clock: next_response, within: 30m}}
slas:
  - id: answers
    title: Answered in time
    measure: first_response
    by: [service]
    goal: 90%
    period: 7d
    alerts: {{burn: standard, breach: each}}
    notify: [hook]
notify:
  hook: {{webhook: "{address}", secret_env: {secret_env}}}
"""


@dataclass(frozen=True)
class Length:
    """How long a row takes: in the tests, or as a soak."""

    cases: int  # of a load, some five records each
    rate: float  # records sent a second
    at_once: int  # records of one transaction of the producers
    rounds: int  # of what a row does again and again


SHORT: Final = Length(cases=200, rate=120, at_once=25, rounds=1)
LONG: Final = Length(cases=5_000, rate=500, at_once=500, rounds=10)


@dataclass
class Scene:
    """One row under way. `settings` are those of the test, `hurt` those of what is to be broken."""

    settings: Settings
    hurt: Settings
    seed: int
    length: Length
    folder: Path
    hook: Hook
    policies: PolicySet
    replica: Replica
    end: datetime
    draw: random.Random
    deliveries: Counter[tuple[str, str]]  # what became of tries to tell, by receiver and `Result`
    sent: Sent
    to_kafka: Sending
    poisoned: int = 0  # records of the load that have to be refused
    crashes: int = 0  # of a judge
    _advanced: bool = False
    _loads: int = 0

    @asynccontextmanager
    async def sending(self, dirt: Dirt | None = None) -> AsyncIterator[None]:
        """Send loads meanwhile, one after the other, and the last one to its end."""
        enough = asyncio.Event()
        async with running(self._send(dirt, enough)) as task:
            yield
            enough.set()
            await asyncio.wait([task])

    async def _send(self, dirt: Dirt | None, enough: asyncio.Event) -> None:
        while True:
            self._loads += 1
            load = made(self.seed + self._loads * OTHER, self.length.cases, self.end, dirt)
            self.poisoned += load.poisoned
            await self.to_kafka.send(load, self.length.rate, enough)
            if enough.is_set():
                return

    @asynccontextmanager
    async def worker(self, *hit: str, slot: int = 0, clock: Path | None = None) -> AsyncIterator[Role]:
        """A worker in a process of its own, and where it is to be hit."""
        settings = changed(self.hurt, worker={"slot": slot})
        async with role("worker", settings, self.folder, *hit, clock=clock) as process:
            yield process

    async def progress(self, records: int = 1) -> None:
        """Wait until so many more records are committed."""
        seen = read_so_far(self.replica)
        await until(lambda: read_so_far(self.replica) >= seen + records, PATIENCE, lambda: self.said())

    async def caught_up(self) -> None:
        """Wait until all that was sent so far is committed."""
        sent = len(self.sent.messages)
        await until(lambda: read_so_far(self.replica) >= sent, PATIENCE, lambda: self.said())

    def said(self) -> str:
        """What the processes logged last."""
        logs = sorted(self.folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        return "".join(f"\n--- {path.name}\n{path.read_text(errors='replace')[-1_500:]}" for path in logs[-3:])

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Send these as they are, and wait until they are there."""
        await self.to_kafka.deliver(messages)

    async def advance(self) -> None:
        """Tell every partition that time has come to the end."""
        self._advanced = True
        await send_ends(self.settings, PARTITIONS, self.end)

    async def read_to_the_end(self) -> None:
        """Tell every partition that time has come to the end, and wait until all is committed."""
        if not self._advanced:
            await self.advance()
        await until(lambda: at_end(self.replica, PARTITIONS, self.end), PATIENCE, lambda: self.said())

    async def the_end(self, patience: float = PATIENCE) -> None:
        """The same for every row: all that was promised holds.

        :param patience: seconds for those who wait for alerts to be told
        """
        await self.read_to_the_end()
        closing = [Message(None, value) for *_, value in ends(self.settings, PARTITIONS, self.end)]
        must = oracle([*self.sent.messages, *closing], self.end, self.policies)
        assert must.ledger().get("rejected", 0) == self.poisoned
        found = figures(self.replica.states, self.end, self.policies)
        await ending.verified(self.settings)
        ending.check_figures(found, figures({0: must}, self.end, self.policies), self.sent)
        await ending.nothing_is_there_twice(self.settings, PARTITIONS)
        overdue = ending.overdue_at_the_end(must, self.end, self.policies)
        await until(lambda: overdue <= ending.called_for(self.replica), patience)
        await until(lambda: not self.untold(), patience, lambda: f"still to be told: {self.untold()}")
        await self.everybody_was_told()
        await ending.nothing_is_open(self.settings)

    async def everybody_was_told(self) -> None:
        """Every alert was delivered, and none again without a reason."""
        unanswered = sum(n for (_, result), n in self.deliveries.items() if result == Result.RETRIED)
        await ending.everybody_was_told(self.settings, self.hook, crashes=self.crashes, unanswered=unanswered)

    def untold(self) -> Sequence[str]:
        """Alerts that somebody is still to be told of."""
        return [name for name, entry in self.replica.alert_log.entries.items() if entry.undelivered]


def settings_for(bootstrap: str, folder: Path, clock: Clock, **more: object) -> Settings:
    """Topics, group and data folder of one row, as a worker runs for real, only quicker and by the events' clock."""
    name = f"f{uuid.uuid4().hex[:12]}"
    settings = load(
        env_file=None,
        data_dir=folder / "data",
        clock=clock,
        kafka={
            "bootstrap": bootstrap,
            "topic_prefix": name,
            "group": name,
            "partitions": PARTITIONS,
            "retry_pause_seconds": 1.0,
            "session_timeout_seconds": 6.0,
        },
        worker={"checkpoint_seconds": 0.1, "snapshot_deltas": 2, "batch_records": 100, "host": name},
        judge={"session_timeout_seconds": 6.0},
        api={"port": 0},
    )
    return settings.model_copy(update=more)


@asynccontextmanager
async def scene(
    bootstrap: str,
    seed: int,
    length: Length,
    folder: Path,
    *,
    hurt: str | None = None,
    judge: bool = True,
    clock: Clock = "event",
) -> AsyncIterator[Scene]:
    """Topics of its own, a replica, and a judge that somebody hears of, all of which stay whole meanwhile.

    :param bootstrap: how the test reaches Kafka
    :param hurt: how workers do, if otherwise
    :param judge: whether one runs beside the test; else the row starts its own
    """
    with receiving() as hook:
        policy = folder / "policy.yaml"
        policy.write_text(POLICY.format(address=hook.address, secret_env=SECRET_ENV))
        policies = load_policy([(str(policy), policy.read_text())])
        settings = settings_for(bootstrap, folder, clock, policy=(policy,))
        await topics.ensure(settings.kafka)
        await publish(settings.kafka, policies)
        async with replicated(settings) as replica:
            beside = Judge(settings, replica, FixedPolicies(policies))
            async with running(beside.run()) if judge else nullcontext():
                sent = Sent()
                to_kafka = Sending(settings.kafka, random.Random(seed), sent, length.at_once)
                try:
                    yield Scene(
                        settings=settings,
                        hurt=changed(settings, kafka={"bootstrap": hurt or bootstrap}),
                        seed=seed,
                        length=length,
                        folder=folder,
                        hook=hook,
                        policies=policies,
                        replica=replica,
                        end=datetime.now(UTC).replace(microsecond=0),
                        draw=random.Random(seed),
                        deliveries=beside.health.deliveries,
                        sent=sent,
                        to_kafka=to_kafka,
                    )
                finally:
                    await to_kafka.close()
