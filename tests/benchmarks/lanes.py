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
SPAN: Final = timedelta(minutes=15)  # some 1,100 events a second for a million: busy, not dense

Record = tuple[bytes, bytes]


@dataclass(frozen=True)
class Lane:
    """One kind of traffic: its records, and the counts of verdicts that they must end in."""

    name: str
    title: str
    records: int

    def made(self, start: datetime) -> Iterator[Record]:
        """All records in the order in which they are sent."""
        return _measured(self.records, start) if self.name == "A" else _lifecycles(self.records, start)

    def expected(self) -> dict[str, int]:
        """Verdicts by `<clock>.<outcome>`, and events counted."""
        counts: dict[str, int] = {"counted": self.records}
        cases = self.records if self.name == "A" else self.records // 3
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


def _lifecycles(count: int, start: datetime) -> Iterator[Record]:
    """Opened, responded, resolved; of many cases at once, in the order of time within some ten thousand cases."""
    cases = count // 3
    block = 20_000
    for first in range(0, cases, block):
        events = []
        for n in range(first, min(first + block, cases)):
            service, priority, answered, resolved = _case(n)
            opened = start + SPAN * (n / cases)
            case = f"L-{n:08}"
            labels = {"service": service, "priority": priority, "channel": "chat"}
            events += [
                (opened, case, 0, "opened", labels),
                (opened + timedelta(seconds=answered), case, 1, "responded", {"by": "agent"}),
                (opened + timedelta(seconds=resolved), case, 2, "resolved", {"outcome": "solved"}),
            ]
        events.sort(key=lambda e: e[0])
        for when, case, number, kind, data in events:
            yield _event(case, number, kind, when, data)


def beginning() -> datetime:
    """So long ago that all of a lane has happened."""
    return (datetime.now(UTC) - SPAN - timedelta(hours=12)).replace(microsecond=0)
