"""Random policies and cases for the reference, and their form for the product.

Instants lie on a grid of ten minutes, few enough that ties, dues at a change and pauses at a due are common.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from holidays import country_holidays

from monitor.frames import HISTORY, INSTANT, conform
from monitor.keys import keys_of
from monitor.names import LABELS
from monitor.policy import PolicySet, load
from tests.reference.clocks import FINAL, TICK, Event, Line, Version

MINUTES = 10
CLOCKS = ("first_response", "next_response", "resolution", "total_resolution", "acknowledgement", "promise")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRIORITIES = ("P1", "P2", "P3")
REASONS = ("customer", "parts")
# Local days around which cases lie: an ordinary week, and changes of the clocks in the zones below.
STARTS = ("2026-03-02", "2026-03-28", "2026-10-24", "2026-04-03", "2026-10-31")
ROUND_THE_CLOCK = {"mon-sun": ["00:00-24:00"]}
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@dataclass(frozen=True)
class World:
    """One policy with cases, as the reference and as the product take them. Ticks count from `start`."""

    start: datetime
    policy: str
    policies: PolicySet
    versions: list[Version]
    cases: list[list[Event]]
    now: int
    grace: int | None
    graces: dict[int, int]
    last: int

    def at(self, tick: int) -> datetime:
        return self.start + tick * timedelta(minutes=MINUTES)

    def history(self) -> pl.DataFrame:
        """HISTORY of all cases, named by their numbers."""
        rows = [self._row(number, e) for number, events in enumerate(self.cases) for e in events]
        frame = pl.DataFrame(rows, schema={**HISTORY, "case_key": pl.Null, "event_key": pl.Null}, orient="row")
        return conform(frame.with_columns(keys_of(frame["case"]).alias("case_key")), HISTORY)

    def _row(self, number: int, e: Event) -> dict[str, Any]:
        cleared = sum(1 << LABELS.index(k) for k, v in e.labels.items() if v is None)
        return {
            "case": str(number),
            "time": self.at(e.at),
            "kind": e.kind,
            "complaint": e.complaint,
            "sequence": e.sequence,
            "source": e.source,
            "id": e.id,
            "cleared": cleared,
            "public": e.public,
            "bot": e.bot,
            "reason": e.reason,
            "due_at": None if e.due_at is None else self.at(e.due_at),
            "outcome": e.outcome,
            **{k: v for k, v in e.labels.items() if v is not None},
        }


def draw(random: Random, cases: int, office: bool) -> World:
    """A policy and some cases; with `office`, lines may name a calendar with hours."""
    first = datetime.fromisoformat(random.choice(STARTS)).replace(tzinfo=UTC)
    documents = [_document(random, office)]
    starts: list[int | None] = [random.choice([None, None, 3])]
    if random.random() < 0.3:
        documents.append(_document(random, office))
        starts.append(20)
    for document, start in zip(documents, starts, strict=True):
        if start is not None:
            document["effective_from"] = (first + start * timedelta(minutes=MINUTES)).isoformat()
    text = "\n---\n".join(json.dumps(document) for document in documents)
    versions = [_version(i, d, s, first) for i, (d, s) in enumerate(zip(documents, starts, strict=True))]
    span = random.choice([12, 40, 150, 700] if office else [12, 40, 150])
    lives = [life(random, span) for _ in range(cases)]
    return World(
        start=first,
        policy=text,
        policies=load([("policy.yaml", text)]),
        versions=versions,
        cases=lives,
        now=random.randrange(0, span + 20),
        grace=random.choice([None, 0]),
        graces={i: int(d["limits"]["grace"][:-1]) // MINUTES for i, d in enumerate(documents)},
        last=span + (2600 if office else 400),
    )


# --- policies -----------------------------------------------------------------------------------------------


def _document(random: Random, office: bool) -> dict[str, Any]:
    calendars = {"office": _calendar(random)} if office else {}
    targets = [line for clock in CLOCKS for line in _lines(random, clock, calendars)]
    if not targets:
        targets = [{"clock": "resolution", "within": "100m"}]
    grace = random.choice(["0m", "10m", "30m"])
    return {
        "policy": "drawn",
        "labels": ["priority", "team"],
        "limits": {"grace": grace},
        "calendars": calendars,
        "targets": targets,
    }


def _lines(random: Random, clock: str, calendars: dict[str, Any]) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = [{"priority": p} for p in PRIORITIES]
    conditions += [{"team": "a", "priority": "!P1"}, {"kind": "complaint", "priority": "P2", "team": "*"}]
    picked = random.sample(conditions, random.randrange(0, 4))
    if random.random() < 0.5:
        picked.append({})
    return [_line(random, clock, when, calendars) for when in sorted(picked, key=len, reverse=True)]


def _line(random: Random, clock: str, when: dict[str, Any], calendars: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"clock": clock, "when": when}
    line["at_risk"] = random.choice([0.8, 0.5, 0.33, False])
    if clock == "promise":
        return line
    line["within"] = f"{random.choice([1, 2, 3, 5, 6, 10, 30]) * MINUTES}m"
    line["on_change"] = random.choice(["retroactive", "restart", "keep"])
    line["pauses"] = random.choice([[], ["customer"], ["customer", "parts"], "*"])
    if clock in ("first_response", "next_response", "acknowledgement"):
        line["bots_answer"] = random.random() < 0.4
    if calendars and random.random() < 0.7:
        line["calendar"] = random.choice(list(calendars))
        closes = calendars[line["calendar"]]["hours"] != ROUND_THE_CLOCK
        if closes and random.random() < 0.3:
            line["within"] = f"{random.choice([1, 2, 3])} business_days"
    return line


def _calendar(random: Random) -> dict[str, Any]:
    hours = random.choice(
        [
            {"mon-fri": ["09:00-12:00", "13:00-18:00"]},
            ROUND_THE_CLOCK,
            {"mon-tue": ["22:00-06:00"], "wed": ["01:00-04:00"], "thu-sun": ["22:00-06:00"]},
            {"fri-sun": ["20:00-04:30", "01:00-03:30"], "mon-thu": ["02:00-02:30", "08:00-16:00"]},
        ]
    )
    calendar: dict[str, Any] = {"zone": random.choice(ZONES), "hours": hours}
    if random.random() < 0.3:
        calendar["holidays"] = {"add": random.sample(["2026-03-03", "2026-10-26", "2026-04-06"], 2)}
    if random.random() < 0.3:
        calendar["exceptions"] = {"2026-03-03": ["10:00-11:00"], "2026-10-25": ["01:30-05:00"], "2026-11-02": []}
    if random.random() < 0.3:
        calendar["maintenance"] = [{"from": "2026-03-02T10:00:00Z", "to": "2026-03-02T14:30:00Z"}]
    return calendar


def _version(number: int, document: dict[str, Any], start: int | None, first: datetime) -> Version:
    calendars = {name: Hours(json.dumps(c), first) for name, c in document["calendars"].items()}
    lines = tuple(_reference_line(i, line, calendars) for i, line in enumerate(document["targets"]))
    return Version(number, start, lines)


def _reference_line(number: int, line: dict[str, Any], calendars: dict[str, "Hours"]) -> Line:
    hours = calendars.get(line.get("calendar", ""))
    amount, _, unit = str(line.get("within", "")).partition(" ")
    pauses = line.get("pauses", [])
    return Line(
        number=number,
        clock=line["clock"],
        fits=_fits(line["when"]),
        within=int(amount[:-1]) // MINUTES if amount and not unit else None,
        days=int(amount) if unit else None,
        opens=hours.opens if hours else lambda tick: True,
        days_later=hours.days_later if hours else lambda tick, days: tick + days * 144,
        at_risk=None if line["at_risk"] is False else Fraction(str(line["at_risk"])),
        bots=line.get("bots_answer", False),
        pauses=frozenset([pauses] if isinstance(pauses, str) else pauses),
        on_change=line.get("on_change", "retroactive"),
    )


def _fits(when: dict[str, str]) -> Callable[[dict[str, str], bool], bool]:
    def fits(labels: dict[str, str], complaint: bool) -> bool:
        for label, wanted in when.items():
            value = ("complaint" if complaint else "interaction") if label == "kind" else labels.get(label)
            if wanted == "*":
                holds = value is not None
            elif wanted.startswith("!"):
                holds = value != wanted[1:]
            else:
                holds = value == wanted
            if not holds:
                return False
        return True

    return fits


class Hours:
    """A calendar, asked tick by tick: whether some shift, begun on a local date, is on."""

    def __init__(self, written: str, start: datetime, tick: timedelta = timedelta(minutes=MINUTES)) -> None:
        self.written, self.start, self.tick = json.loads(written), start, tick
        self.zone = ZoneInfo(self.written["zone"])
        self.opens, self.shifts = cache(self._opens), cache(self._shifts)

    def _shifts(self, day: date) -> list[tuple[datetime, datetime]]:
        hours = self._usual(day.weekday()) if not self._holiday(day) else []
        hours = self.written.get("exceptions", {}).get(day.isoformat(), hours)
        midnight = datetime.combine(day, time())
        found = []
        for text in hours:
            (h1, m1), (h2, m2) = (map(int, part.split(":")) for part in text.split("-"))
            begin, end = midnight + timedelta(hours=h1, minutes=m1), midnight + timedelta(hours=h2, minutes=m2)
            found.append((self._utc(begin), self._utc(end if end > begin else end + timedelta(days=1))))
        return found

    def _holiday(self, day: date) -> bool:
        written = self.written.get("holidays", {})
        if day.isoformat() in written.get("remove", []):
            return False
        if day.isoformat() in written.get("add", []):
            return True
        country, part = written.get("country"), written.get("subdivision")
        return country is not None and day in country_holidays(country, part, years=day.year)

    def _usual(self, weekday: int) -> list[str]:
        hours: list[str] = []
        for days, written in self.written["hours"].items():
            first, _, last = days.partition("-")
            begin, end = DAYS.index(first), DAYS.index(last or first)
            if (weekday - begin) % 7 <= (end - begin) % 7:
                hours = written
        return hours

    def _utc(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self.zone).astimezone(UTC)

    def _opens(self, tick: int) -> bool:
        instant = self.start + tick * self.tick
        for span in self.written.get("maintenance", []):
            if datetime.fromisoformat(span["from"]) <= instant < datetime.fromisoformat(span["to"]):
                return False
        day = instant.astimezone(self.zone).date()
        around = [day - timedelta(days=1), day]
        return any(begin <= instant < end for d in around for begin, end in self.shifts(d))

    def _opening(self, tick: int) -> int:
        while not self.opens(tick):
            tick += 1
        return tick

    def days_later(self, tick: int, days: int) -> int | None:
        local = (self.start + self._opening(tick) * self.tick).astimezone(self.zone)
        day = local.date()
        while days:
            day += timedelta(days=1)
            days -= bool(self.shifts(day))
        due = self._utc(datetime.combine(day, local.time().replace(fold=0)))
        return self._opening((due - self.start) // self.tick)


# --- cases --------------------------------------------------------------------------------------------------

# What happens after the opening: a bit of all, a conversation, mostly waiting, mostly changes.
USUAL = (
    ("responded", "customer_replied", "paused", "resumed", "updated", "resolved", "reopened"),
    (*("responded", "customer_replied", "updated") * 3, "resolved", "reopened"),
    ("paused", "resumed", "paused", "resumed", "updated", "responded"),
    ("updated", "updated", "updated", "paused", "resumed", "customer_replied", "reopened", "resolved"),
)
RARE = ("acknowledged", "closed", "opened", *FINAL)


def life(random: Random, span: int) -> list[Event]:
    """Events of one case: mostly opened early, then anything."""
    complaint, usual = random.random() < 0.4, random.choice(USUAL)
    rare = random.choice([0.0, 0.1])
    events = []
    if random.random() < 0.95:
        events.append(_event(random, "opened", random.randrange(0, random.choice([1, 8])), complaint, span))
    for _ in range(random.randrange(0, random.choice([6, 14, 20]))):
        kind = random.choice(RARE) if random.random() < rare else random.choice(usual)
        events.append(_event(random, kind, random.randrange(0, span), complaint, span))
    random.shuffle(events)
    return list({(e.source, e.id): e for e in events}.values())  # one event once: what is told twice is left out before


def _event(random: Random, kind: str, at: int, complaint: bool, span: int) -> Event:
    sets = kind in ("opened", "updated")
    chance = random.random
    labels: dict[str, str | None] = {}
    if sets and chance() < 0.8:
        labels["priority"] = random.choice([*PRIORITIES, None])
    if chance() < 0.3:
        labels["team"] = random.choice(["a", "b", None])
    return Event(
        at=at,
        kind=kind,
        complaint=complaint if chance() < 0.95 else not complaint,
        sequence=random.choice(["1", "2", "10"]) if chance() < 0.2 else None,
        source=random.choice("st"),
        id=str(random.randrange(1000)),
        labels=labels,
        public=random.choice([True, False]) if kind == "responded" and chance() < 0.3 else None,
        bot=random.choice([True, False]) if kind == "responded" and chance() < 0.6 else None,
        reason=random.choice([*REASONS, None]) if kind in ("paused", "resumed") else None,
        due_at=random.randrange(0, span + 20) if sets and chance() < 0.4 else None,
        outcome=random.choice(["duplicate", "merged", "done"]) if kind == "resolved" and chance() < 0.3 else None,
    )


__all__ = ["INSTANT", "TICK", "World", "draw"]
