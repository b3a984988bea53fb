"""The judge: one of all that run is elected, judges every second, records transitions, and has them delivered.

The election is the assignment of the one partition of `sqm.judge`: of several judges one holds it, and keeps it
while it lives. A judge that was frozen may think itself elected still; its record is fenced then, so that it can
neither record nor tell anything new.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from consumers import topics
from consumers.alerts_log import AlertLog, Delivery, Entry, Row
from consumers.alerts_record import AlertsRecord
from consumers.client import HEARTBEAT_SECONDS, PATIENCE, Pauses, consumer, passing, persist, said, started
from consumers.follow import stopped
from consumers.health import RoleHealth, Status
from consumers.judging import grounds_of, judge, see
from consumers.notify import Courier
from consumers.policies import Policies
from consumers.replica import Replica
from consumers.settings import Settings
from consumers.to_the_end import to_the_end
from monitor.alerts import Step
from monitor.alerts.grounds import Grounds
from monitor.names import AlertState, Topic
from monitor.policy import PolicySet, PolicyVersion

log = structlog.get_logger()

News = dict[str, Entry | None]  # by alert id; None: forgotten

CALLS: Final = (AlertState.FIRING, AlertState.RESOLVED)  # states that somebody is told of


class CannotJudge(Exception):
    """A tick failed, for a reason that lies in this program."""

    retriable = True


class Judge(ConsumerRebalanceListener):
    """Judges while it is elected, until it is cancelled. `health` says how it fares.

    :param replica: run by somebody else; may be shared with an API
    """

    def __init__(self, settings: Settings, replica: Replica, policies: Policies) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._replica = replica
        self._policies = policies
        self._presiding: asyncio.Task[None] | None = None
        self.health = RoleHealth("judge")
        self.courier = Courier(self.health.deliveries)

    @property
    def elected(self) -> bool:
        """Whether it is the one that judges, as far as it knows."""
        return self._presiding is not None and not self._presiding.done()

    async def run(self) -> None:
        """Stand for election until cancelled; goes on by itself after any trouble with Kafka.

        Raises what `topics.ensure` does.
        """
        pauses = Pauses(self._kafka.retry_pause_seconds)
        try:
            while True:
                try:
                    await self._stand(pauses)
                except KafkaError as error:
                    self.health.set(Status.DISCONNECTED, f"the judge stands for election anew: {said(error)}")
                    log.warning("the judge stands for election anew", error=said(error))
                    await asyncio.sleep(pauses.next())
        finally:
            await self.courier.close()
            self.health.set(Status.STOPPED)

    # --- election ---
    async def _stand(self, pauses: Pauses) -> None:
        """Be a member of the group until a failure, which is raised."""
        await topics.ensure(self._kafka)
        seconds = self._settings.judge.session_timeout_seconds
        # A class of its own for each member: aiokafka keeps what a member holds in the class.
        sticky = type("JudgeAssignor", (StickyPartitionAssignor,), {})
        options: dict[str, Any] = {
            "group_id": f"{self._kafka.group}-judge",
            "partition_assignment_strategy": (sticky,),
            "session_timeout_ms": int(seconds * 1000),
            "heartbeat_interval_ms": int(HEARTBEAT_SECONDS * 1000),
            "auto_offset_reset": "latest",
        }
        ballot = await persist("standing for election", self._kafka, lambda: started(consumer(self._kafka, **options)))
        try:
            ballot.subscribe([self._kafka.topic(Topic.JUDGE)], listener=self)
            await self._hold(ballot, pauses)
        finally:
            await self._end()
            await stopped(ballot)

    async def _hold(self, ballot: AIOKafkaConsumer, pauses: Pauses) -> None:
        while True:
            # Nothing is in that topic; who does not ask for more is taken for dead.
            await ballot.getmany(timeout_ms=250)
            if self._presiding is not None and self._presiding.done():
                self._presiding.result()
            pauses.reset()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """A new election: who held the seat mostly keeps it, so nothing is stopped yet."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        if not list(assigned):
            await self._end()
            self.health.set(Status.RUNNING, "another judge is elected")
        elif not self.elected:
            log.info("elected judge")
            self._presiding = asyncio.create_task(self._preside(), name="judge")

    async def _end(self) -> None:
        presiding, self._presiding = self._presiding, None
        if presiding is not None:
            presiding.cancel()
            await asyncio.wait([presiding])
            if not presiding.cancelled() and (error := presiding.exception()) is not None:
                log.info("the judge ended", why=said(error))

    # --- judging ---
    async def _preside(self) -> None:
        """Judge until cancelled or fenced. What is being delivered goes on through trouble with Kafka."""
        pauses = Pauses(self._kafka.retry_pause_seconds)
        try:
            while True:
                record = AlertsRecord(self._kafka)
                try:
                    await self._term(record, pauses)
                except KafkaError as error:
                    if not passing(error):
                        raise  # somebody else is judge
                    self.health.set(Status.DISCONNECTED, f"Kafka at {self._kafka.bootstrap}: {said(error)}")
                    log.warning("the record is taken up anew", error=said(error))
                    await asyncio.sleep(pauses.next())
                finally:
                    await record.close()
        finally:
            await self.courier.close()

    async def _term(self, record: AlertsRecord, pauses: Pauses) -> None:
        """Judge with one producer until it fails."""
        self.health.set(Status.RESTORING, "the judge reads what was recorded")
        await record.start()
        term = Term(self._settings, self._replica, self.courier, record, await record.read())
        try:
            await self._tick(term, pauses)
        except asyncio.CancelledError:
            await term.leave()
            raise

    async def _tick(self, term: "Term", pauses: Pauses) -> None:
        """Judge every so often."""
        policies = await self._policies.first()
        await self._replica.until_caught_up()
        pauses.reset()
        every = self._settings.judge.tick_seconds
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            policies = self._policies.current or policies
            try:
                await term.tick(policies)
                self.health.set(Status.RUNNING)
            except CannotJudge as error:
                # It is tried again: what cannot be judged now must not silence all else for good.
                self.health.set(Status.FAILING, str(error))
                log.exception("a tick failed")
            await asyncio.sleep(max(0.0, begun + every - clock()))


class Term:
    """The alerts as recorded, carried from tick to tick."""

    def __init__(
        self, settings: Settings, replica: Replica, courier: Courier, record: AlertsRecord, found: AlertLog
    ) -> None:
        self._settings = settings
        self._replica = replica
        self._courier = courier
        self._record = record
        self._alerts = found.alerts
        self._entries = dict(found.entries)
        waiting = [delivery for entry in found.entries.values() for delivery in entry.undelivered]
        self._waiting = sorted(waiting, key=lambda delivery: delivery.alert["at"])
        self._undecided = False  # a record has begun, and nobody knows what became of it

    async def tick(self, policies: PolicySet) -> None:
        """Judge once; what changed is recorded first, then told. Raises CannotJudge, KafkaError."""
        policy = policies.newest
        self._courier.use(policy.notify)
        self._courier.send(self._waiting)
        self._waiting = []
        wall = datetime.now(UTC)
        try:
            step, grounds = await asyncio.to_thread(self._judge, policy, wall)
        except Exception as error:
            raise CannotJudge(f"the judge cannot judge: {type(error).__name__}: {error}") from error
        settled = self._courier.settled()
        news = self._less(settled)
        deliveries = self._add(news, step, policy, grounds)
        await self._write(news, settled)
        self._alerts = step.alerts
        _tell_log(step)
        self._courier.send(deliveries)
        self._courier.repeat(self._firing, wall)

    async def leave(self) -> None:
        """Tell nothing more, and record what was told since the last tick, so that a successor does not repeat it."""
        await self._courier.stop()
        settled = self._courier.settled()
        if self._undecided:
            log.warning(
                "what was told last is not recorded: the record before it has no outcome", deliveries=len(settled)
            )
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._written(self._less(settled), settled)
        except (KafkaError, TimeoutError) as error:
            log.warning("what was told last could not be recorded", error=said(error))

    def _judge(self, policy: PolicyVersion, wall: datetime) -> tuple[Step, dict[str, tuple[Grounds, ...]]]:
        """What became of the alerts, and on what each burn alert that changed was judged, by its id."""
        with self._replica.reading() as states:
            seen = see(states, policy, self._alerts, wall, self._settings.clock)
        if seen is None:
            return Step(self._alerts, self._alerts.clear(), []), {}
        step = judge(seen, policy, self._alerts)
        return step, grounds_of(step.transitions, seen, policy)

    def _less(self, settled: Iterable[Delivery]) -> News:
        """The alerts that something was told of, with what is still to be told."""
        news: News = {}
        for delivery in settled:
            identity = delivery.alert["id"]
            if entry := news.get(identity) or self._entries.get(identity):
                left = tuple(waiting for waiting in entry.undelivered if waiting.key != delivery.key)
                news[identity] = entry._replace(undelivered=left)
        return news

    def _add(
        self, news: News, step: Step, policy: PolicyVersion, grounds: Mapping[str, tuple[Grounds, ...]]
    ) -> list[Delivery]:
        """Add what a step made to `news`; what is to be told once it is recorded."""
        made: list[Delivery] = []
        for row in step.transitions.iter_rows(named=True):
            before = news.get(row["id"]) or self._entries.get(row["id"]) or Entry(row)
            receivers = _receivers(row, policy, before.receivers)
            told = [Delivery(name, row) for name in receivers] if row["state"] in CALLS else []
            known = (*before.grounds, *grounds.get(row["id"], ()))
            news[row["id"]] = Entry(row, receivers, (*before.undelivered, *told), known)
            made += told
        news |= dict.fromkeys(step.forgotten)
        return made

    async def _write(self, news: News, settled: Iterable[Delivery]) -> None:
        await to_the_end(self._written(news, settled), PATIENCE)

    async def _written(self, news: News, settled: Iterable[Delivery]) -> None:
        if news:
            self._undecided = True
            await self._record.commit(news)
            self._undecided = False
        for identity, entry in news.items():
            if entry is None:
                self._entries.pop(identity, None)
            else:
                self._entries[identity] = entry
        self._courier.recorded(settled)

    def _firing(self, receiver: str) -> list[Row]:
        return [
            entry.alert
            for entry in self._entries.values()
            if entry.alert["state"] == AlertState.FIRING and receiver in entry.receivers
        ]


def _receivers(row: Row, policy: PolicyVersion, before: tuple[str, ...]) -> tuple[str, ...]:
    """Who is told: those of the objective, all of them where there is none; of an end, also who heard of its begin."""
    wanted = next((sla.notify for sla in policy.slas if sla.id == row["sla"]), () if row["sla"] else policy.notify)
    return tuple(dict.fromkeys((*before, *wanted)))


def _tell_log(step: Step) -> None:
    """Transitions as log lines: each that somebody is called for, of history only how much of it."""
    historic = 0
    for row in step.transitions.iter_rows(named=True):
        if row["state"] == AlertState.HISTORIC:
            historic += 1
            continue
        log.info("alert", state=row["state"], reason=row["reason"], severity=row["severity"], title=row["title"])
    if historic:
        log.info("alerts of what lies long ago were recorded, nobody is called", alerts=historic)
