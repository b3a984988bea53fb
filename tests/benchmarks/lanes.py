"""What the lanes send, and what must come of it to the unit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

POLICY: Final = """
policy: bench
labels: [service, priority]
targets:
  - {clock: first_response, when: {priority: P1}, within: 15m}
  - {clock: first_response, within: 1h}
  - {clock: resolution, within: 4h}
"""
SERVICES: Final = ("billing", "delivery", "returns", "accounts", "technical")
PRIORITIES: Final = ("P1", "P2", "P3", "P4")
FIRST_TARGET: Final = {"P1": 900}  # seconds; of the others an hour
RESOLUTION_TARGET: Final = 4 * 3_600
SPAN: Final = timedelta(minutes=15)  # in which lane A finishes: some 1,100 events a second for a million
LIFE: Final = timedelta(seconds=9_250)  # of a case from its opening to its solution, on average

Record = tuple[bytes, bytes]


@dataclass(frozen=True)
class Lane:
    """One kind of traffic: its records, and the counts of verdicts that they must end in."""

    name: str
    title: str
    records: int
    open_at_once: int = 0  # of lifecycles: about how many cases run side by side; 0: finished interactions

    def made(self, start: datetime) -> Iterator[Record]:
        """All records in the order in which they are sent."""
        if self.open_at_once == 0:
            return _measured(self.records, start)
        return _lifecycles(self.records, start, self._openings())

    def span(self) -> timedelta:
        """From its first event to its last, and no less."""
        return SPAN if self.open_at_once == 0 else self._openings() + 3 * LIFE

    def _openings(self) -> timedelta:
        """How long lifecycles take to open all their cases."""
        return LIFE * (self.records / 3 / self.open_at_once)

    def expected(self) -> dict[str, int]:
        """Verdicts by `<clock>.<outcome>`, and events counted."""
        counts: dict[str, int] = {"counted": self.records}
        cases = self.records // 3 if self.open_at_once else self.records
        for n in range(cases):
            _, priority, answered, resolved = _case(n)
            for clock, took, target in (
                ("first_response", answered, FIRST_TARGET.get(priority, 3_600)),
                ("resolution", resolved, RESOLUTION_TARGET),
            ):
                name = f"{clock}.{'met' if took <= target else 'breached'}"
                counts[name] = counts.get(name, 0) + 1
        return counts


def _case(n: int) -> tuple[str, str, float, float]:
    """Service, priority, and the seconds to the answer and to the solution of case number `n`."""
    mixed = n * 2_654_435_761 % 2**32
    answered = mixed % 4_500_000 / 1_000
    return SERVICES[mixed >> 8 & 3], PRIORITIES[mixed >> 12 & 3], answered, answered + mixed % 14_000_000 / 1_000


def _event(case: str, number: int, kind: str, when: datetime, data: dict[str, Any]) -> Record:
    event = {
        "specversion": "1.0",
        "id": f"{case}-{number}",
        "source": "https://desk.example/eu",
        "type": f"interaction.{kind}",
        "subject": case,
        "time": when.isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": data,
    }
    return case.encode(), json.dumps(event, separators=(",", ":")).encode()


def opened(n: int, start: datetime) -> Iterator[Record]:
    """The events so far of a case that is open: opened and answered; of every other one a reply of the customer."""
    service, priority, answered, _ = _case(n)
    yield went_on(n, 0, "opened", start, {"service": service, "priority": priority, "channel": "chat"})
    yield went_on(n, 1, "responded", start + timedelta(seconds=answered % 600), {"by": "agent"})
    if n % 2:
        yield went_on(n, 2, "customer_replied", start + timedelta(seconds=605), {})


def went_on(n: int, number: int, kind: str, when: datetime, data: dict[str, Any]) -> Record:
    """An event of case number `n`."""
    return _event(f"L-{n:08}", number, kind, when, data)


def _measured(count: int, start: datetime) -> Iterator[Record]:
    for n in range(count):
        service, priority, answered, resolved = _case(n)
        data = {
            "service": service,
            "priority": priority,
            "response_time_s": answered,
            "resolution_time_s": resolved,
        }
        yield _event(f"M-{n:08}", 0, "measured", start + SPAN * (n / count), data)


def _lifecycles(count: int, start: datetime, openings: timedelta) -> Iterator[Record]:
    """Opened, responded, resolved, as they happen: in the order of time."""
    cases = count // 3
    events = []
    for n in range(cases):
        service, priority, answered, resolved = _case(n)
        opened = start + openings * (n / cases)
        labels = {"service": service, "priority": priority, "channel": "chat"}
        events += [
            (opened, n, 0, "opened", labels),
            (opened + timedelta(seconds=answered), n, 1, "responded", {"by": "agent"}),
            (opened + timedelta(seconds=resolved), n, 2, "resolved", {"outcome": "solved"}),
        ]
    events.sort(key=lambda e: e[:3])
    for when, n, number, kind, data in events:
        yield _event(f"L-{n:08}", number, kind, when, data)


def beginning(lane: Lane) -> datetime:
    """So long ago that all of a lane has happened."""
    return (datetime.now(UTC) - lane.span() - timedelta(hours=1)).replace(microsecond=0)
