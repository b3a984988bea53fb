"""When cases open and when services slow down: all that the simulated events depend on besides the clock.

A plan only ever grows beyond what was already sent, so the events before that stay as they were.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from consumers.simulate.draws import Draws, Floats, Integers
from consumers.simulate.services import SERVICES, Service

HOUR = 3_600_000_000  # microseconds
DAY = 24 * HOUR
HISTORY = timedelta(days=30)
BUSY_BEFORE = 2 * HOUR  # that long before a start the services are as busy as while one watches
CATCH_UP = 0.3  # of the usual time is what work takes after an incident, until all of it is done

ENOUGH = 1 / 6  # cases a second from which a minute tells an incident from chance
INCIDENT_LASTS = (130.0, 190.0)  # seconds
PAST_INCIDENTS = 8  # in the history


@dataclass(frozen=True, slots=True, order=True)
class Incident:
    """A service that gets little done from `start` to `end` (microseconds since 1970)."""

    start: int
    end: int
    service: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Seed, beginning (microseconds, a whole hour), the spans in which services are busy, and their incidents."""

    seed: int
    origin: int
    busy: tuple[tuple[int, int | None], ...]  # [from, to), whole hours; the last one is open
    incidents: tuple[Incident, ...]

    @classmethod
    def begin(cls, seed: int, now: datetime, services: Sequence[Service] = SERVICES) -> Self:
        """A plan whose history ends at `now`."""
        at = micros(now)
        origin = _hour(at - micros_of(HISTORY))
        past = tuple(_past_incidents(seed, origin, at, services))
        return cls(seed, origin, ((_hour(at - BUSY_BEFORE), None),), past)

    def resume(self, sent_until: datetime, now: datetime) -> Self:
        """The plan for going on at `now` after a rest: meanwhile the services were as busy as ever."""
        rest_from = -_hour(-micros(sent_until))  # the next full hour
        busy_from = _hour(micros(now) - BUSY_BEFORE)
        if busy_from <= rest_from:
            return self
        begun, _ = self.busy[-1]
        return replace(self, busy=(*self.busy[:-1], (begun, rest_from), (busy_from, None)))

    def with_incident(self, start: datetime, services: Sequence[Service] = SERVICES) -> Self:
        """The plan with an incident at `start`, of the service that is busy enough and whose turn it is."""
        at = micros(start)
        rate = {s.name: self.cases_per_second(s, at) for s in services if s.slows_to is not None}
        enough = [name for name, cases in rate.items() if cases > ENOUGH] or [max(rate, key=rate.__getitem__)]
        last = self.incidents[-1].service if self.incidents else ""
        others = [name for name in enough if name != last] or enough
        draws = Draws(self.seed, "incident", np.array([at // 1_000_000]))
        chosen = others[int(draws.uniform("service")[0] * len(others))]
        low, high = INCIDENT_LASTS
        lasts = int((low + (high - low) * draws.uniform("lasts")[0]) * 1e6)
        return replace(self, incidents=(*self.incidents, Incident(at, at + lasts, chosen)))

    def cases_per_second(self, service: Service, at: int) -> float:
        """How many cases open a second."""
        return float(_hourly(self, service, _hour(at), _hour(at) + HOUR)[0]) / 3600

    def openings(self, service: Service, start: int, end: int) -> tuple[Integers, Integers]:
        """Numbers and instants of the cases that open in [start, end).

        The n-th case opens where the sum of all arrivals expected since the origin passes n and a random part of
        one: whichever stretch is asked for, a case has the same instant.
        """
        horizon = _hour(end) + 2 * HOUR
        edges = np.arange(self.origin, horizon + HOUR, HOUR)
        total = np.concatenate([[0.0], np.cumsum(_hourly(self, service, self.origin, horizon))])
        first, last = np.interp([start, end], edges, total)
        n = np.arange(max(int(first) - 1, 0), int(last) + 1, dtype=np.int64)
        chosen = n + Draws(self.seed, service.name, n).uniform("opening")
        at = np.interp(chosen, total, edges).astype(np.int64) // 1000 * 1000
        inside = (at >= start) & (at < end)
        return n[inside], at[inside]

    def delayed(self, service: Service, at: Integers) -> Integers:
        """When what would have been done at `at` is done, given the incidents: later, but in the same order.

        In an incident a service does in ten minutes what it did in one (`slows_to` a tenth); afterwards it catches up.
        """
        for incident in sorted(i for i in self.incidents if i.service == service.name):
            start, end, pace = incident.start, incident.end, service.slows_to or 1.0
            done_by_end = start + pace * (end - start)
            slow = start + (at - start) / pace
            late = np.where(at < done_by_end, slow, np.maximum(at, end + (at - done_by_end) * CATCH_UP))
            at = np.where(at >= start, late, at).astype(np.int64)
        return at // 1000 * 1000

    def save(self, path: Path, sent_until: datetime) -> None:
        """Written whole or not at all."""
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps({"sent_until": micros(sent_until), **asdict(self)}))
        scratch.replace(path)

    @classmethod
    def load(cls, path: Path) -> tuple[Self, datetime]:
        """What `save` wrote: the plan, and the instant up to which its events were sent."""
        raw = json.loads(path.read_text())
        busy = tuple((start, end) for start, end in raw["busy"])
        incidents = tuple(Incident(**incident) for incident in raw["incidents"])
        return cls(raw["seed"], raw["origin"], busy, incidents), instant(raw["sent_until"])


def _hourly(plan: Plan, service: Service, start: int, end: int) -> Floats:
    """Cases expected in each hour from `start` to `end`."""
    hours = np.arange(start, end, HOUR)
    local = pl.Series(hours).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(service.zone)
    day = np.array(service.hours) / sum(service.hours)
    cases = day[local.dt.hour().to_numpy()] * service.cases_per_day
    cases = np.where(local.dt.weekday().to_numpy() >= 6, cases * service.weekend, cases)
    for begun, ended in plan.busy:
        inside = (hours >= begun) & (hours < (ended or np.inf))
        cases = np.where(inside, cases * service.live_factor, cases)
    return np.asarray(cases)


def _past_incidents(seed: int, origin: int, now: int, services: Sequence[Service]) -> list[Incident]:
    draws = Draws(seed, "past incidents", np.arange(PAST_INCIDENTS))
    latest = now - DAY
    starts = (origin + draws.uniform("start") * (latest - origin)).astype(np.int64)
    lasts = (draws.around("lasts", 2400.0) * 1e6).astype(np.int64)
    names = [s.name for s in services if s.slows_to is not None]
    chosen = [names[int(u * len(names))] for u in draws.uniform("service")]
    return sorted(Incident(int(s), int(s + d), name) for s, d, name in zip(starts, lasts, chosen, strict=True))


def _hour(at: int) -> int:
    return at // HOUR * HOUR


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return round(at.timestamp() * 1e6)


def micros_of(span: timedelta) -> int:
    """Microseconds of a span."""
    return span // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    """The UTC instant of microseconds since 1970."""
    return datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(microseconds=at)
