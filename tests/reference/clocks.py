"""A slow reference of the clocks: one case at a time, one tick after the other, written from the rules alone.

It shares no code with `monitor`. Events lie on a grid of ticks; results are exact microseconds since tick 0, so
that shares of a target may fall between ticks. It is meant to be read next to the rules (docs/reference/clocks.md),
which it cites, and stays in one file so that it can be read as one text.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

TICK = 600_000_000  # microseconds
KINDS = (
    "opened",
    "responded",
    "acknowledged",
    "resolved",
    "closed",
    "cancelled",
    "abandoned",
    "paused",
    "resumed",
    "reopened",
    "customer_replied",
    "updated",
)
FINAL = ("cancelled", "abandoned")


@dataclass(frozen=True)
class Event:
    at: int  # tick
    kind: str
    complaint: bool = False
    sequence: str | None = None
    source: str = "s"
    id: str = "1"
    labels: dict[str, str | None] = field(default_factory=dict)  # None: cleared
    public: bool | None = None
    bot: bool | None = None
    reason: str | None = None
    due_at: int | None = None  # tick
    outcome: str | None = None


@dataclass(frozen=True)
class Line:
    number: int
    clock: str
    fits: Callable[[dict[str, str], bool], bool]  # labels, complaint
    within: int | None  # ticks
    days: int | None
    opens: Callable[[int], bool]  # whether the calendar is open in [tick, tick + 1)
    days_later: Callable[[int, int], int | None]  # tick, working days -> tick
    at_risk: Fraction | None
    bots: bool
    pauses: frozenset[str]
    on_change: str


@dataclass(frozen=True)
class Version:
    number: int
    start: int | None  # tick
    lines: tuple[Line, ...]


class Case:
    """One case: its events in the order of rule 2, and for every tick what is on."""

    def __init__(self, events: list[Event], versions: list[Version], last: int) -> None:
        self.events = sorted(events, key=order)
        self.known: dict[tuple[frozenset[str], bool, int], dict[int, tuple[int, bool]]] = {}
        self.last = last  # no calendar is asked about ticks from here on
        opened = [i for i, e in enumerate(self.events) if e.kind == "opened"]
        self.opened = opened[0] if opened else None
        finals = [i for i, e in enumerate(self.events) if e.kind in FINAL]
        self.final = finals[0] if finals else len(self.events)
        if self.opened is None:
            return
        self.start = self.events[self.opened].at
        self.complaint = self.events[self.opened].complaint
        known = [v for v in versions if v.start is None or v.start <= self.start]
        self.version = known[-1] if known else None
        self._turns()
        self._labels()

    def _turns(self) -> None:
        """Which events resolve and reopen: `closed` while not resolved does, `resolved` while resolved does not."""
        self.resolves, self.reopens = set(), set()
        resolved = False
        for i, e in enumerate(self.events[: self.final]):
            if e.kind in ("resolved", "closed") and not resolved:
                self.resolves.add(i)
                resolved = True
            if e.kind == "reopened" and resolved:
                self.reopens.add(i)
                resolved = False
        turns = sorted(self.resolves | self.reopens)
        self.void = bool(turns) and self.events[turns[-1]].outcome in ("duplicate", "merged")
        self.void = self.void and turns[-1] in self.resolves

    def _labels(self) -> None:
        """Rule 4: set by the earliest `opened` and by updates."""
        self.labels: list[dict[str, str]] = []
        now: dict[str, str] = {}
        for i, e in enumerate(self.events):
            if i == self.opened or e.kind == "updated":
                now = {k: v for k, v in {**now, **e.labels}.items() if v is not None}
            self.labels.append(now)

    def resolved_before(self, index: int) -> bool:
        turns = [i for i in self.resolves | self.reopens if i <= index]
        return bool(turns) and max(turns) in self.resolves

    def chosen(self, clock: str, index: int) -> Line | None:
        """The first line that fits the labels after an event."""
        lines = self.version.lines if self.version else ()
        fitting = [x for x in lines if x.clock == clock and x.fits(self.labels[index], self.complaint)]
        return fitting[0] if fitting else None

    def since(self, reasons: frozenset[str], total: bool, until: int) -> dict[int, tuple[int, bool]]:
        """For each tick in which time stands still (from tick 0): the least begin of what stops it, and whether it
        is the time of a resolved case. Nothing is on from `until`."""
        if (reasons, total, until) in self.known:
            return self.known[reasons, total, until]
        found: dict[int, tuple[int, bool]] = self.known.setdefault((reasons, total, until), {})
        pause: int | None = None
        gap: int | None = None
        events = list(enumerate(self.events))
        for t in range(min(e.at for e in self.events), self.last):
            while events and events[0][1].at <= t:
                i, e = events.pop(0)
                if e.kind == "paused" and pause is None and ("*" in reasons or e.reason in reasons):
                    pause = t
                if e.kind == "resumed":
                    pause = None
                if i in self.resolves and total:
                    gap = t
                if i in self.reopens:
                    gap = None
            begins = [b for b in (pause, gap) if b is not None]
            if begins and t < until:
                found[t] = (min(begins), gap is not None)
        return found

    # --- how time runs under a line ---------------------------------------------------------------------

    def amount(self, line: Line | None, total: bool, start: int, end: int, paused: bool = False) -> int:
        """Ticks in [start, end) that count, or those that pauses took."""
        reasons = line.pauses if line else frozenset[str]()
        still = self.since(reasons, total, self.last)
        opens = [t for t in range(start, end) if line is None or line.opens(t)]
        if paused:
            return sum(1 for t in opens if t in still and not still[t][1])
        return sum(1 for t in opens if t not in still)

    def reached(self, line: Line, total: bool, start: int, amount: int, until: int) -> int | None:
        """The first instant (µs) at which `amount` µs have counted since `start`."""
        still = self.since(line.pauses, total, until)
        used, t = 0, start
        while t < self.last:
            if t not in still and line.opens(t):
                if used + TICK >= amount:
                    return t * TICK + amount - used
                used += TICK
            t += 1
        return None

    def due(self, line: Line, total: bool, base: int, until: int | None = None) -> int | None:
        """When the target is used up (µs), nothing being paused from `until` on."""
        until = self.last if until is None else until
        if line.within is not None:
            return self.reached(line, total, base, line.within * TICK, until)
        due = unpaused = line.days_later(base, line.days or 0)
        still = self.since(line.pauses, total, until)
        t, pushed = base, 0
        while t < self.last and due is not None:
            if t >= due and not (t in still and still[t][0] < t):
                return t * TICK
            if t in still and line.opens(t):
                pushed += 1
                due = unpaused
                left = pushed
                while left and due is not None and due < self.last:
                    left -= line.opens(due)
                    due += 1
            t += 1
        return None

    def risk(self, line: Line, total: bool, base: int) -> int | None:
        """From when on the share of the target is used (µs)."""
        if line.at_risk is None:
            return None
        whole = line.within
        if whole is None:
            unpaused = line.days_later(base, line.days or 0)
            if unpaused is None:
                return None
            whole = sum(1 for t in range(base, unpaused) if line.opens(t))
        return self.reached(line, total, base, ceil(line.at_risk * whole * TICK), self.last)


def order(e: Event) -> tuple[object, ...]:
    return (e.at, e.kind != "opened", e.sequence is not None, e.sequence or "", KINDS.index(e.kind), e.source, e.id)


@dataclass
class Meter:
    """A running clock: its line, what it is measured from, and whether its due has passed."""

    case: Case
    clock: str
    line: Line | None
    base: int
    at: int  # event at which the line was last chosen
    promise: int | None = None  # tick
    given: int = 0  # tick at which the promise was given
    targeted: bool = False
    dropped: int | None = None  # event since which no line fits
    breach: dict[str, object] | None = None

    @property
    def total(self) -> bool:
        return self.clock == "total_resolution"

    def due(self) -> int | None:
        if self.line is None:
            return None
        if self.clock == "promise":
            return None if self.promise is None else self.promise * TICK
        return self.case.due(self.line, self.total, self.base)

    def check(self, instant: int) -> None:
        """A due that lies before `instant` (µs) has passed."""
        due = self.due()
        if self.breach is None and due is not None and due < instant:
            self.breach = {"due": due, "line": self.line, "base": self.base, "at": self.at, "on_arrival": False}

    def arrive(self, index: int) -> None:
        """After a target was chosen at an event: its due may lie before it."""
        t = self.case.events[index].at if index > (self.case.opened or 0) else self.case.start
        due = self.due()
        self.targeted |= due is not None or (self.line is not None and self.clock != "promise")
        if self.breach is None and due is not None and due < t * TICK:
            self.breach = {"due": t * TICK, "line": self.line, "base": self.base, "at": index, "on_arrival": True}

    def change(self, index: int) -> None:
        """Rule 5, at an event that sets labels or reopens."""
        new, old = self.case.chosen(self.clock, index), self.line
        moves = self.clock != "promise"  # on_change never moves a promise
        if not moves or new is None or old is None or (new.number != old.number and new.on_change != "keep"):
            self.line = new
        changed = self.line is not None and (old is None or self.line.number != old.number)
        if moves and changed and self.line is not None and self.line.on_change == "restart":
            self.base = self.case.events[index].at
        missing = self.line is None or (self.clock == "promise" and self.promise is None)
        self.dropped = None if not missing else index if self.dropped is None else self.dropped
        self.at = index
        self.arrive(index)


def started(case: Case, clock: str, index: int, base: int, promise: int | None = None) -> Meter:
    line = case.chosen(clock, index)
    meter = Meter(case, clock, line, base, index, promise, base)
    if line is None or (clock == "promise" and promise is None):
        meter.dropped = index
    meter.arrive(index)
    return meter


def verdicts(
    events: list[Event], versions: list[Version], now: int, grace: int | None, last: int, graces: dict[int, int]
) -> list[dict[str, object]]:
    """All rows of a case; `grace` None: that of its version."""
    case = Case(events, versions, last)
    if case.opened is None:
        return []
    wait = grace if grace is not None else graces[case.version.number] if case.version else 0
    named = {line.clock for line in case.version.lines} if case.version else set()
    rows: list[dict[str, object]] = []
    first, stop = watch(case, "first_response", now, wait)
    rows.append(first)
    if "next_response" in named:
        rows += cycles(case, stop, now, wait)
    rows.append(watch(case, "resolution", now, wait)[0])
    if "total_resolution" in named:
        rows.append(watch_total(case, now, wait))
    if "acknowledgement" in named and case.complaint:
        rows.append(watch(case, "acknowledgement", now, wait)[0])
    if "promise" in named:
        rows.append(watch(case, "promise", now, wait)[0])
    return rows


def stops(case: Case, clock: str, i: int, line: Line | None) -> bool:
    """Whether an event stops a clock that runs under `line`."""
    e = case.events[i]
    if i in case.resolves:
        return True
    if clock in ("resolution", "promise"):
        return False
    if e.kind == "acknowledged":
        return clock == "acknowledgement"
    return e.kind == "responded" and e.public is not False and (not e.bot or (line is not None and line.bots))


def promise_at_opening(case: Case) -> int | None:
    """The last one given up to the opening."""
    found = None
    for i, e in enumerate(case.events[: (case.opened or 0) + 1]):
        if (e.kind == "updated" and i < case.final) or i == case.opened:
            found = found if e.due_at is None else e.due_at
    return found


def watch(case: Case, clock: str, now: int, wait: int) -> tuple[dict[str, object], int | None]:
    """first_response, resolution, acknowledgement or promise; and the event that stopped it."""
    opened = case.opened or 0
    first = case.chosen(clock, opened)
    early = [i for i in range(min(opened, case.final)) if stops(case, clock, i, first)]
    meter = started(case, clock, opened, case.start, promise_at_opening(case) if clock == "promise" else None)
    if early:
        return row(meter, now, wait, None, "contradictory"), early[0]
    if case.final < opened:
        return row(meter, now, wait, case.start, "lapsed"), None
    for i in range(opened + 1, min(case.final, len(case.events))):
        e = case.events[i]
        if stops(case, clock, i, meter.line):
            meter.check(e.at * TICK)
            return row(meter, now, wait, e.at, "stopped"), i
        if e.kind == "updated":
            meter.check(e.at * TICK)
            if e.due_at is not None and clock == "promise" and not overdue(meter, e.at):
                meter.promise, meter.given = e.due_at, e.at
            meter.change(i)
    if case.final < len(case.events):
        end = case.events[case.final].at
        meter.check(end * TICK)
        return row(meter, now, wait, end, "cut"), None
    return row(meter, now, wait, None, "running"), None


def overdue(meter: Meter, at: int) -> bool:
    """Whether the promise in force had passed at a tick, or when it was given (whatever line fits)."""
    return meter.promise is not None and meter.promise < max(at, meter.given)


def watch_total(case: Case, now: int, wait: int) -> dict[str, object]:
    """total_resolution: stops at the last resolve; what lies between a resolve and a reopening does not count."""
    opened = case.opened or 0
    meter = started(case, "total_resolution", opened, case.start)
    if any(i < opened for i in case.resolves):
        return row(meter, now, wait, None, "contradictory")
    if case.final < opened:
        return row(meter, now, wait, case.start, "lapsed")
    stopped: int | None = None
    for i in range(opened + 1, min(case.final, len(case.events))):
        e = case.events[i]
        if i in case.resolves:
            meter.check(e.at * TICK)
            stopped = e.at
        elif i in case.reopens:
            meter.check(e.at * TICK)
            stopped = None
            meter.change(i)
        elif e.kind == "updated" and stopped is None:
            meter.check(e.at * TICK)
            meter.change(i)
    if stopped is not None:
        return row(meter, now, wait, stopped, "stopped")
    if case.final < len(case.events):
        end = case.events[case.final].at
        meter.check(end * TICK)
        return row(meter, now, wait, end, "cut")
    return row(meter, now, wait, None, "running")


def cycles(case: Case, stop: int | None, now: int, wait: int) -> list[dict[str, object]]:
    """next_response: from the earliest unanswered reply; a resolve settles; rule 14."""
    if stop is None:
        return []
    rows: list[dict[str, object]] = []
    meter: Meter | None = None
    waiting = False

    def end(at: int | None, how: str) -> None:
        nonlocal meter
        assert meter is not None
        if at is not None:
            meter.check(at * TICK)
        rows.append(row(meter, now, wait, at, how, len(rows) + 1))
        meter = None

    for i in range(max(stop, case.opened or 0) + 1, min(case.final, len(case.events))):
        e = case.events[i]
        if i in case.resolves:
            if meter is not None:
                end(e.at, "cut")
            waiting = False
        elif e.kind == "responded" and e.public is not False:
            line = meter.line if meter is not None else case.chosen("next_response", i)
            if not e.bot or (line is not None and line.bots):
                if meter is not None:
                    end(e.at, "stopped")
                waiting = False
        elif e.kind == "customer_replied" and meter is None:
            if case.resolved_before(i):
                waiting = True
            else:
                meter = started(case, "next_response", i, e.at)
        elif i in case.reopens and waiting:
            waiting = False
            meter = started(case, "next_response", i, e.at)
        elif e.kind == "updated" and meter is not None:
            meter.check(e.at * TICK)
            meter.change(i)
    if meter is not None and case.final < len(case.events):
        end(case.events[case.final].at, "cut")
    elif meter is not None:
        end(None, "running")
    return rows


def row(meter: Meter, now: int, wait: int, end: int | None, how: str, cycle: int = 1) -> dict[str, object]:
    """The verdict row of a clock: `end` is the tick at which it stopped or the case ended, None while it runs."""
    case, clock = meter.case, meter.clock
    if how == "running":
        meter.check((now - wait) * TICK)
    kept = how not in ("contradictory", "lapsed")
    outcome = outcome_of(meter, how)
    breach = meter.breach if outcome == "breached" else None
    line = breach["line"] if breach else meter.line
    base = breach["base"] if breach else meter.base
    at = breach["at"] if breach else meter.at
    if outcome == "excluded" and kept and meter.dropped is not None and not meter.breach and not case.void:
        at = meter.dropped
    if outcome == "no_target":
        line = None
    assert isinstance(base, int)
    assert isinstance(at, int)
    assert line is None or isinstance(line, Line)
    found: dict[str, object] = {
        "clock": clock,
        "cycle": cycle,
        "complaint": case.complaint,
        "policy": case.version.number if case.version else -1,
        "line": None,
        "target": None,
        "started": base * TICK,
        "due": None,
        "stopped": None,
        "outcome": outcome,
        "cut": False,
        "on_arrival": bool(breach and breach["on_arrival"]),
        "elapsed": None,
        "paused": None,
        "decided": None,
        "wake": None,
        "labels": case.labels[at],
    }
    if outcome == "excluded":
        found["decided"] = (case.start if how == "lapsed" else end or 0) * TICK
        if meter.dropped is not None and kept:
            found["decided"] = case.events[at].at * TICK
        if case.void:
            last = max(case.resolves)
            found["decided"], found["labels"] = case.events[last].at * TICK, case.labels[last]
    if outcome in ("excluded", "inconsistent") or not kept or case.void:
        return found
    found["cut"] = how == "cut"
    measured_by = None if clock == "promise" else line
    until = max(now, base) if end is None else end
    found["elapsed"] = case.amount(measured_by, meter.total, base, until) * TICK
    found["paused"] = case.amount(measured_by, meter.total, base, until, paused=True) * TICK
    found["stopped"] = None if end is None else end * TICK
    if outcome == "no_target":
        return found
    assert line is not None
    found["line"], found["target"] = line.number, None if line.within is None else line.within * TICK
    judged(found, meter, line, base, breach, end, now, wait)
    return found


def outcome_of(meter: Meter, how: str) -> str:
    kept = how not in ("contradictory", "lapsed")
    targeted = meter.targeted if kept else meter.line is not None and meter.dropped is None
    if not targeted:
        return "no_target"
    if meter.case.void:
        return "excluded"
    if how == "contradictory":
        return "inconsistent"
    if how == "lapsed":
        return "excluded"
    if meter.breach:
        return "breached"
    if meter.dropped is not None or how == "cut":
        return "excluded"
    return "met" if how == "stopped" else "open"


def judged(
    found: dict[str, object],
    meter: Meter,
    line: Line,
    base: int,
    breach: dict[str, object] | None,
    end: int | None,
    now: int,
    wait: int,
) -> None:
    """Due, decided and wake of a row that is met, breached, open or at risk."""
    case = meter.case
    if breach:
        found["due"] = found["decided"] = breach["due"]
    elif found["outcome"] == "met":
        assert end is not None
        found["decided"] = end * TICK
        if meter.clock == "promise":
            found["due"] = meter.due()
        else:
            found["due"] = case.due(line, meter.total, base, until=end)
    else:
        due = found["due"] = meter.due()
        if meter.clock != "promise":
            risk = case.risk(line, meter.total, base)
        elif line.at_risk is None or due is None:
            risk = None
        else:
            risk = base * TICK + ceil(line.at_risk * (due - base * TICK))
        if risk is not None and risk < now * TICK:
            found["outcome"] = "at_risk"
            risk = None
        ripe = None if due is None else due + wait * TICK
        found["wake"] = risk if risk is not None and (due is None or risk < due) else ripe
