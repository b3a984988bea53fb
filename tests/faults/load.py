"""What is sent: seeded lives of cases as dirty as a bad day, and what must come of them whatever happens on the way."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from consumers.decode import decode
from monitor.engine import step
from monitor.policy import PolicySet
from monitor.state import State
from tests.faults.damage import DAMAGES, Event, Message, sound
from tests.kafka.traffic import event, life

SPAN: Final = timedelta(days=3)  # from the first event to the time that everything ends with
INCIDENTS: Final = 20  # cases that are overdue for two minutes at the end: somebody has to be told


@dataclass(frozen=True)
class Dirt:
    """Shares of what goes wrong on the way to Kafka."""

    poisoned: float = 0.01
    duplicates: float = 0.3
    disordered: float = 0.2  # come up to two hours later than they should
    late: float = 0.01  # come a day later
    aborted: float = 0.1  # of the producers' transactions


@dataclass(frozen=True)
class Load:
    """Messages in the order in which they are sent, and the time that they end with."""

    messages: Sequence[Message]
    end: datetime
    poisoned: int  # messages among them that have to be refused
    aborted: float


def made(seed: int, cases: int, end: datetime, dirt: Dirt | None = None) -> Load:
    """A load; the same for the same seed, but for `end`, which all its times refer to."""
    dirt = dirt or Dirt()
    draw = random.Random(seed)
    begin = end - SPAN
    arriving: list[tuple[float, int, Message]] = []
    poisoned = 0
    for each in _events(draw, seed, cases, begin):
        at = datetime.fromisoformat(each["time"]).timestamp() + _delay(draw, dirt)
        arriving.append((at, len(arriving), sound(each)))
        if draw.random() < dirt.duplicates:
            arriving.append((at + draw.uniform(0, 3600), len(arriving), sound(each)))
        if draw.random() < dirt.poisoned:
            damage = DAMAGES[draw.choice(list(DAMAGES))]
            arriving.append((at, len(arriving), damage(draw, each)))
            poisoned += 1
    return Load([message for *_, message in sorted(arriving)], end, poisoned, dirt.aborted)


def one_of_each(seed: int, end: datetime) -> list[Message]:
    """Every kind of damage once."""
    draw = random.Random(seed)
    whole = event("damaged", 0, "interaction.opened", end - SPAN, service="a")
    return [damage(draw, whole) for damage in DAMAGES.values()]


def ghosts(number: int, end: datetime) -> list[Message]:
    """Events of a transaction that is aborted: were they counted, figures would show it."""
    return [sound(event(f"ghost-{number}", 0, "interaction.opened", end - SPAN, service="a"))]


def _events(draw: random.Random, seed: int, cases: int, begin: datetime) -> Iterator[Event]:
    for n in range(cases):
        yield from life(draw, f"case-{seed}-{n}", begin)
    for n in range(INCIDENTS):  # P2 is to be answered within an hour
        opened = begin + SPAN - timedelta(minutes=62, seconds=n)
        yield event(f"incident-{seed}-{n}", 0, "interaction.opened", opened, service="c", priority="P2")


def _delay(draw: random.Random, dirt: Dirt) -> float:
    what = draw.random()
    if what < dirt.late:
        return 86_400.0
    return draw.uniform(0, 7_200) if what < dirt.late + dirt.disordered else 0.0


@dataclass
class Sent:
    """What Kafka is known to have, in the order in which it was acknowledged."""

    messages: list[Message] = field(default_factory=list)
    unsure: int = 0  # records that were sent again since nobody knows whether they arrived
    aborted: int = 0  # transactions


@dataclass(frozen=True)
class _Record:
    """As much of a ConsumerRecord as is read."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    offset: int
    topic: str = "sent"
    partition: int = 0


def oracle(messages: Sequence[Message], end: datetime, policies: PolicySet) -> State:
    """What must come of that: the engine over all of it in one batch, as if there were neither Kafka nor time."""
    records: list[Any] = [_Record(m.value, m.headers, number) for number, m in enumerate(messages)]
    read = decode(records, future_after=datetime.now(UTC) + timedelta(minutes=5))
    state = State()
    state.apply(step(state, read, end, policies, grace=timedelta(0)).delta)
    return state
