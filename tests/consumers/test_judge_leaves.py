"""A judge that is stopped within a tick, while its record is being written: what it told is on record once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers import judge
from consumers.alerts_log import AlertLog, Delivery, Entry, encode
from consumers.alerts_record import AlertsRecord
from consumers.judge import Term
from consumers.notify import Courier
from consumers.replica import Replica
from consumers.settings import Settings
from monitor.frames import ALERTS
from monitor.policy import load

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
POLICIES = load([("policy.yaml", "policy: p\ntargets:\n  - {clock: first_response, within: 1h}\n")])


class Held(AlertsRecord):
    """A record whose writing takes as long as it is held."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.kafka)
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.written: list[Mapping[str, Entry | None]] = []

    async def commit(self, entries: Mapping[str, Entry | None]) -> None:
        self.begun.set()
        await self.may_end.wait()
        self.written.append(entries)


@pytest.fixture
async def courier() -> AsyncIterator[Courier]:
    made = Courier()
    yield made
    await made.close()


def with_something_to_tell() -> AlertLog:
    """An alert that is to be told to somebody whom the policy does not name: it is settled at once, as given up."""
    known = {"id": "a-1", "kind": "burn", "severity": "page", "state": "firing", "reason": "burning", "title": "t"}
    row: dict[str, Any] = dict.fromkeys(ALERTS) | known | {"since": T0, "at": T0, "wall": T0}
    found = AlertLog()
    found.read(b"a-1", encode(Entry(row, ("gone",), (Delivery("gone", row),))))
    return found


async def stopped_while_it_writes(courier: Courier, record: Held) -> tuple[Term, "asyncio.Task[None]"]:
    settings = Settings()
    term = Term(settings, Replica(settings), courier, record, with_something_to_tell())

    async def tick() -> None:
        while True:  # until somebody was told, and that is to be recorded
            await term.tick(POLICIES)

    ticking = asyncio.create_task(tick())
    await record.begun.wait()
    ticking.cancel()
    return term, ticking


async def test_a_record_that_was_being_written_is_ended_and_not_written_again(courier: Courier) -> None:
    record = Held(Settings())
    term, ticking = await stopped_while_it_writes(courier, record)
    asyncio.get_running_loop().call_soon(record.may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await ticking
    await term.leave()
    (entries,) = record.written
    assert {name: entry.undelivered for name, entry in entries.items() if entry} == {"a-1": ()}
    assert courier.settled() == []


async def test_after_a_record_without_an_outcome_nothing_is_written(
    courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "PATIENCE", 0.01)
    record = Held(Settings())
    term, ticking = await stopped_while_it_writes(courier, record)
    with pytest.raises(asyncio.CancelledError):
        await ticking
    record.may_end.set()
    await term.leave()
    assert record.written == []
