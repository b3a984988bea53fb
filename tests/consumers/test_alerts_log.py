"""Records of `sqm.alerts`: what is written is read back, and what is only said of deliveries is no transition."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.alerts_log import AlertLog, Delivery, Entry, Row, decode, encode
from monitor.frames import ALERTS
from monitor.names import LABELS

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)


def row(identity: str = "a-1", **changed: Any) -> Row:
    known: Row = {"id": identity, "kind": "burn", "severity": "page", "sla": "answers", "state": "firing"}
    known |= {"reason": "burning", "title": "t", "detail": "d", "since": T0, "at": T0, "wall": T0, "values": '{"n":80}'}
    return dict.fromkeys(ALERTS) | known | changed


instants = st.integers(-(10**15), 10**15).map(lambda microseconds: T0 + timedelta(microseconds=microseconds))
texts = st.none() | st.text(max_size=20)
rows = st.builds(
    row,
    at=instants,
    ended=st.none() | instants,
    case=texts,
    detail=st.text(max_size=20),
    cycle=st.none() | st.integers(1, 9),
    **dict.fromkeys(LABELS, texts),
)


@given(rows, st.lists(st.builds(Delivery, st.text(max_size=5), rows), max_size=3).map(tuple))
def test_what_is_written_is_read_back(alert: Row, waiting: tuple[Delivery, ...]) -> None:
    entry = Entry(alert, ("ops", "leads"), waiting)
    assert decode(encode(entry)) == entry


def test_the_log_holds_the_newest_of_each_alert() -> None:
    log = AlertLog()
    fired, over = row(), row(state="resolved", at=T0 + timedelta(minutes=1), ended=T0)
    assert log.read(b"a-1", encode(Entry(fired))) == fired
    assert log.read(b"a-2", encode(Entry(row("a-2")))) is not None
    assert log.read(b"a-1", encode(Entry(over))) == over
    assert log.alerts.select("id", "state").rows() == [("a-2", "firing"), ("a-1", "resolved")]
    assert log.alerts.schema == dict(ALERTS)
    assert log.read(b"a-2", None) is None
    assert log.alerts["id"].to_list() == ["a-1"]


def test_a_record_that_only_says_what_was_delivered_is_no_transition() -> None:
    log, alert = AlertLog(), row()
    log.read(b"a-1", encode(Entry(alert, ("ops",), (Delivery("ops", alert),))))
    assert log.read(b"a-1", encode(Entry(alert, ("ops",)))) is None
    assert log.entries["a-1"].undelivered == ()


@pytest.mark.parametrize("value", [b"", b"{}", b"[1]", b'{"labels":{},"at":"soon"}'])
def test_a_record_that_no_judge_wrote_is_refused_and_changes_nothing(value: bytes) -> None:
    log = AlertLog()
    log.read(b"a-1", encode(Entry(row())))
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        log.read(b"a-1", value)
    assert list(log.entries) == ["a-1"]
