"""The verification: each partition's state as it is now, its events read again up to the very offsets, and compared.

Runs beside production: it joins no group and writes nothing. One partition is looked at after the other, each at an
instant of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Final

import polars as pl

from consumers import topics
from consumers.judging import is_current
from consumers.policies import published
from consumers.policy_log import PolicyLog
from consumers.settings import Settings
from consumers.verify.burns import last_hole, looks_of, unproven
from consumers.verify.given import of_this_log
from consumers.verify.limits import decisions_gone, out_of_reach, spans, tell_cut_off
from consumers.verify.live import Live, read_alerts, read_given, read_live
from consumers.verify.pieces import Pieces
from consumers.verify.reader import Reader
from consumers.verify.source import Brought, FromFiles, FromTopics, Source
from consumers.verify.spill import Spill
from monitor.names import Topic
from monitor.policy import PolicySet
from monitor.state import SEMANTICS, SLICES, State
from monitor.verify import Check, Findings, Head, Look, Reach, Terms, compare_alerts, compare_burns, provable

Progress = Callable[[int, int], None]  # records done, of all; each is read and then folded

DEFAULT_MEMORY: Final = 1_000_000_000
BASE_BYTES: Final = 350_000_000  # of a process that has read and folded a little
EVENT_BYTES: Final = 2_500  # that folding and comparing take for each event of a part, at their most
LEAST_ROWS: Final = 20_000  # of a part
ALERT_TRIES: Final = 5  # a tick apart
POLICY_TRIES: Final = 10  # with a second between: a policy that has just come into force is adopted within seconds


class Unverifiable(Exception):
    """There is nothing that could be compared; the message says why."""

    retriable = False


@dataclass
class Outcome:
    """What a verification found."""

    began: datetime
    findings: Findings
    seconds: float = 0.0
    cases: int = 0
    events: int = 0  # read again
    partitions: dict[int, datetime] = field(default_factory=dict)  # `now` of each that was compared
    breached: list[pl.DataFrame] = field(default_factory=list)  # claims.WATCHED: clocks whose alerts should stand
    current: bool = True  # every partition keeps up


@dataclass(frozen=True)
class Options:
    """How it is done."""

    memory: int  # bytes that it may take, about
    patience: float  # seconds that Kafka may stay silent
    folder: Path  # on whose disk events wait
    progress: Progress | None = None


async def verify(settings: Settings, options: Options, files: FromFiles | None = None) -> Outcome:
    """Compare all partitions. Raises Unverifiable, KafkaAway, FrameError, RecordsGone.

    :param files: that hold the events; None: the events topics are read
    """
    outcome, begun = Outcome(datetime.now(UTC), Findings()), monotonic()
    async with Reader(settings.kafka, options.patience) as reader:
        partitions = await _partitions(settings, reader)
        policies, log = await _policies(settings, reader)
        # The record before the states: what a judge saw by then lies in them.
        record = await read_alerts(settings.kafka, reader)
        looks = _Looks(*looks_of(record, log))
        source: Source = files.over(partitions) if files else FromTopics(settings.kafka, reader)
        meter = _Meter(options.progress, 2 * await source.expected(range(partitions)))
        for number in range(partitions):
            job = _Job(settings, options, reader, source, policies, log, meter, looks)
            await job.run(number, outcome)
        if not outcome.partitions:
            state = settings.kafka.topic(Topic.STATE)
            raise Unverifiable(f"{state} holds no commit of any partition: nothing was counted yet; does a worker run?")
        await _alerts(settings, reader, policies, outcome)
        await asyncio.to_thread(looks.compare, record.alerts, outcome)
    outcome.seconds = monotonic() - begun
    return outcome


async def _partitions(settings: Settings, reader: Reader) -> int:
    there = await reader.patiently(topics.partitions(settings.kafka))
    kafka = settings.kafka
    needed = (
        *kafka.events_topics,
        *(kafka.topic(topic) for topic in (Topic.STATE, Topic.POLICY, Topic.REJECTED, Topic.ALERTS)),
    )
    if missing := [topic for topic in needed if topic not in there]:
        raise Unverifiable(
            f"{kafka.bootstrap} has no topic {', '.join(missing)}: there is no state to verify; sqm run makes one"
        )
    return int(there[kafka.topic(Topic.STATE)])


async def _policies(settings: Settings, reader: Reader) -> tuple[PolicySet, PolicyLog]:
    follower = await reader.patiently(published(settings.kafka))
    if follower.current is None:
        trouble = follower.health.trouble() if follower.log.in_force else None
        raise Unverifiable(trouble or f"{settings.kafka.topic(Topic.POLICY)} holds no policy: nothing was judged yet")
    return follower.current, follower.log


async def _alerts(settings: Settings, reader: Reader, policies: PolicySet, outcome: Outcome) -> None:
    """Compare the alerts; a judge may be about to record what has just become true."""
    for tries in range(ALERT_TRIES):
        recorded = (await read_alerts(settings.kafka, reader)).alerts
        verdicts = pl.concat(outcome.breached)
        instants = outcome.partitions.values()
        current = outcome.current and (settings.clock == "wall" or len(set(instants)) == 1)
        found = compare_alerts(recorded, verdicts, policies.newest, min(instants), current=current)
        if found.equal or tries + 1 == ALERT_TRIES:
            outcome.findings.add(found)
            return
        await asyncio.sleep(settings.judge.tick_seconds)


@dataclass
class _Looks:
    """The looks of judges by which burn alerts changed, and what the partitions say of them."""

    known: list[Look]
    unproven: list[str]
    why: dict[int, str] = field(default_factory=dict)  # what cannot be worked out again, by number
    counted: dict[int, list[pl.DataFrame]] = field(default_factory=dict)  # WINDOWED by number

    def compare(self, recorded: pl.DataFrame, outcome: Outcome) -> None:
        """Hold them against the record (ALERTS)."""
        for number, look in enumerate(self.known):
            if number not in self.why:
                newest = max(outcome.partitions.values())
                outcome.findings.add(compare_burns(recorded, look, self.counted.get(number, []), newest))
        outcome.findings.unproven += [*self.unproven, *unproven(self.known, self.why)]


class _Meter:
    """Adds up progress."""

    def __init__(self, tell: Progress | None, expected: int) -> None:
        self._tell, self._done, self._all = tell, 0, expected

    def advance(self, records: int) -> None:
        self._done += records
        if self._tell:
            self._tell(min(self._done, self._all), self._all)


@dataclass
class _Job:
    """One partition."""

    settings: Settings
    options: Options
    reader: Reader
    source: Source
    policies: PolicySet
    log: PolicyLog
    meter: _Meter
    looks: _Looks

    async def run(self, number: int, outcome: Outcome) -> None:
        pieces = Pieces(self.options.folder)
        try:
            await self._compare(number, pieces, outcome)
        finally:
            pieces.close()

    async def _compare(self, number: int, pieces: Pieces, outcome: Outcome) -> None:
        live = await self._live(number, pieces)
        state = live.sums
        outcome.current &= state.now is not None and is_current({number: state}, datetime.now(UTC), self.settings.clock)
        if state.now is None or not state.offsets:
            outcome.findings.unproven.append(f"partition {number}: nothing was committed yet")
            return
        recorded, rejected_from = await read_given(self.settings.kafka, self.reader, number)
        decided = of_this_log(recorded, state.holes)
        most = max(LEAST_ROWS, (self.options.memory - BASE_BYTES) // EVENT_BYTES)
        spill = Spill(pieces, _parts(await self.source.expected([number]), most))
        brought = await self.source.bring(number, state.offsets, decided, spill, self.meter.advance)
        check = self._check(live, brought)
        check.findings.unproven += decisions_gone(number, state, brought, rejected_from)
        tell_cut_off(number, state, brought, check.findings)
        await asyncio.to_thread(live.cut, spill.parts)
        for group in spill.groups(most):
            rows = await asyncio.to_thread(_part, check, live, spill, group)
            self.meter.advance(rows)
        found = await asyncio.to_thread(check.finish, state.tiers.rows(), brought.arrived, spill.find)
        outcome.findings.add(found)
        self.looks.why |= check.looks.why
        for look, counted in check.looks.counted.items():
            self.looks.counted.setdefault(look, []).extend(counted)
        outcome.partitions[number] = state.now
        outcome.cases += check.cases
        outcome.breached += check.breached
        outcome.events += brought.events

    async def _live(self, number: int, pieces: Pieces) -> Live:
        """The state of the partition, once it is judged by the rules in force."""
        for tries in range(POLICY_TRIES):
            live = await read_live(self.settings.kafka, self.reader, number, pieces)
            state = live.sums
            if state.now is None or (state.policies == self.policies.judging and state.semantics == SEMANTICS):
                return live
            if tries + 1 < POLICY_TRIES:
                await asyncio.sleep(1.0)
        if state.semantics != SEMANTICS:
            raise Unverifiable(
                f"partition {number} was judged by another version of sqm (semantics {state.semantics}, this one has "
                f"{SEMANTICS}): verify with that version, or let workers of this one judge it anew"
            )
        raise Unverifiable(
            f"partition {number} is judged by another policy than the one in force ({self.policies.name}, "
            f"{self.policies.digest[:12]}): does its worker run?"
        )

    def _check(self, live: Live, brought: Brought) -> Check:
        state = live.sums
        assert state.now is not None
        head = Head(
            live.partition,
            state.newest_event,
            state.series,
            state.published,
            state.ledger(),
            state.ids.frame(),
            state.ids.kept_from,
            state.archived.of,
        )
        grace = timedelta(0) if self.settings.clock == "event" else None
        since, why = out_of_reach(live.partition, state, brought, self.policies)
        terms = Terms(state.now, self.policies, grace, spans(state, self.policies, self.log, placed=self.source.placed))
        looks, beyond = provable(
            self.looks.known, live.partition, terms, self._lost_before(state, since), last_hole(state)
        )
        self.looks.why |= beyond
        check = Check(head, terms, self.source.topics, reach=Reach(since), whole=not why, looks=looks)
        check.findings.unproven += why
        return check

    def _lost_before(self, state: State, since: datetime | None) -> datetime | None:
        """What is of before cannot be read again, or belongs to cases of which some may be archived; None: all can."""
        if since is None or state.newest_event is None:
            return since
        return max(since, state.newest_event - self.policies.newest.limits.retention)


def _part(check: Check, live: Live, spill: Spill, group: range) -> int:
    events = spill.take(group)
    check.part(live.cases(group), events)
    return events.height


def _parts(records: int, most: int) -> int:
    """A power of two: so many that some of them fill a pass, whatever each record holds."""
    return max(SLICES, 1 << (4 * records // most).bit_length())
