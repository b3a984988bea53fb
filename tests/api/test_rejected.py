"""The newest refused events, from the headers of the rejected topic."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiokafka import ConsumerRecord

from api.rejected import Rejected
from consumers.kept import Kept
from consumers.outputs import records_at, rejected
from tests.api.world import NOON, event, read


def record(offset: int, headers: list[tuple[str, bytes]], partition: int = 0, second: int = 0) -> ConsumerRecord:
    milliseconds = int(NOON.timestamp() * 1000) + second * 1000
    return ConsumerRecord("sqm.rejected", partition, offset, milliseconds, 0, b"case", b"{", None, 4, 1, tuple(headers))


@pytest.fixture
def refused() -> list[ConsumerRecord]:
    """What a worker writes of a broken record and of an event with a wrong time."""
    wrong = event("INC-1", "opened", NOON) | {"time": "2026-11-20 12:00"}
    found = read([b"{", wrong], partition=3, first=7).refused
    kept = Kept(np.array([7, 8]), [b"INC-1", b"INC-1"], [b"{", b"{}"], None)
    messages = rejected(found, records_at(found, [("sqm.events", kept)]))
    return [record(i, message.headers, second=i) for i, message in enumerate(messages)]


def test_what_a_worker_writes_is_read_back(refused: list[ConsumerRecord]) -> None:
    kept = Rejected()
    kept.add(refused)
    wrong, broken = kept.newest()
    assert (broken["reason"], broken["field"], broken["source"]) == ("malformed_json", None, None)
    assert (wrong["reason"], wrong["field"], wrong["source"]) == ("bad_time", "time", "/test")
    assert (wrong["case"], wrong["type"]) == ("INC-1", "interaction.opened")
    assert (wrong["topic"], wrong["partition"], wrong["offset"], wrong["index"]) == ("sqm.events", 3, 8, 0)
    assert wrong["at"] == "2026-11-20T12:00:01.000Z"


def test_the_newest_are_kept_and_come_first(refused: list[ConsumerRecord]) -> None:
    kept = Rejected(kept=3)
    kept.add([replace(refused[0], offset=n, timestamp=refused[0].timestamp + n) for n in range(10)])
    assert [item["place"] for item in kept.newest()] == [9, 8, 7]
    assert kept.groups() == [{"source": None, "reason": "malformed_json", "n": 3}]


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ([], {"reason": "damaged_record", "topic": "sqm.rejected", "partition": 0, "offset": 5, "index": None}),
        ([("sqm-reason", b"no_such_reason")], {"reason": "damaged_record"}),
        ([("sqm-offset", b"x"), ("sqm-index", b"-1")], {"offset": 5, "index": -1}),
        ([("sqm-source", b"\xff"), ("sqm-message", b"x" * 5_000)], {"source": "\ufffd", "message": "x" * 1_000}),
        ([("reason", b"bad_time")], {"reason": "damaged_record"}),  # a producer's own header
        ([("sqm-field", b"")], {"field": None}),
    ],
)
def test_headers_that_no_worker_wrote_do_no_harm(headers: list[tuple[str, bytes]], shown: dict[str, Any]) -> None:
    kept = Rejected()
    kept.add([record(5, headers)])
    [item] = kept.newest()
    assert {name: item[name] for name in shown} == shown
