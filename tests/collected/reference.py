"""A collected row as the slow reference takes it: events and calendars on a grid fine enough for all its times."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import gcd
from typing import Any

import pytest

from tests.collected.tables import INSTANTS, SPANS, Row, span
from tests.reference import clocks
from tests.reference.clocks import Event, Line, Version, verdicts
from tests.reference.draw import Hours

LABELS = ("priority", "team")
MARGIN = timedelta(days=10)  # how far beyond what a row speaks of calendars are asked


def judged(row: Row, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The reference's rows, with instants and spans as a table has them."""
    start = row.events[0][0].replace(minute=0, second=0)
    tick = timedelta(seconds=_grid(row, start))
    monkeypatch.setattr(clocks, "TICK", tick // timedelta(microseconds=1))

    def at(instant: datetime) -> int:
        return (instant - start) // tick

    versions = [_version(number, document, start, tick) for number, document in enumerate(row.versions)]
    events = [_event(when, words, number, at) for number, (when, words) in enumerate(row.events)]
    last = at(max(_instants(row)) + MARGIN)
    found = verdicts(events, versions, at(row.now), 0, last, dict.fromkeys(range(len(versions)), 0))
    for verdict in found:
        for name in INSTANTS:
            if (value := verdict[name]) is not None:
                verdict[name] = start + int(str(value)) * timedelta(microseconds=1)
        for name in SPANS:
            if (value := verdict[name]) is not None:
                verdict[name] = int(str(value)) * timedelta(microseconds=1)
    return found


def _instants(row: Row) -> Iterator[datetime]:
    yield row.now
    yield from (at for at, _ in row.events)
    expected = (value for rows in row.expect.values() for want in rows for value in want.values())
    yield from (value for value in expected if isinstance(value, datetime))
    for _, words in row.events:
        yield from (datetime.fromisoformat(w.removeprefix("due=")) for w in words.split() if w.startswith("due="))
    for document in row.versions:
        if "effective_from" in document:
            yield datetime.fromisoformat(document["effective_from"])
        for calendar in document["calendars"].values():
            yield from (datetime.fromisoformat(m[end]) for m in calendar.get("maintenance", []) for end in m)


def _grid(row: Row, start: datetime) -> int:
    """Seconds that divide all times of a row; opening hours and changes of clocks lie on quarters of an hour."""
    seconds = [900, *((at - start) // timedelta(seconds=1) for at in _instants(row))]
    for document in row.versions:
        seconds += [
            span(line["within"]) // timedelta(seconds=1)
            for line in document["targets"]
            if "within" in line and " " not in line["within"]
        ]
        for calendar in document["calendars"].values():
            shifts = [*calendar["hours"].values(), *calendar.get("exceptions", {}).values()]
            times = [time for day in shifts for shift in day for time in shift.split("-")]
            seconds += [60 * int(time[3:]) for time in times]
    return gcd(*seconds)


def _version(number: int, document: Mapping[str, Any], start: datetime, tick: timedelta) -> Version:
    calendars = {name: Hours(json.dumps(c), start, tick) for name, c in document["calendars"].items()}
    since = document.get("effective_from")
    return Version(
        number,
        None if since is None else (datetime.fromisoformat(since) - start) // tick,
        tuple(_line(i, line, calendars, tick) for i, line in enumerate(document["targets"])),
    )


def _line(number: int, line: Mapping[str, Any], calendars: Mapping[str, Hours], tick: timedelta) -> Line:
    hours = calendars.get(line.get("calendar", ""))
    within, when = line.get("within", ""), line.get("when", {})
    days = int(within.split()[0]) if " " in within else None
    pauses = line.get("pauses", [])
    at_risk = line.get("at_risk", "0.8")
    return Line(
        number=number,
        clock=line["clock"],
        fits=lambda labels, complaint: all(_holds(labels.get(label), value) for label, value in when.items()),
        within=span(within) // tick if within and days is None else None,
        days=days,
        opens=hours.opens if hours else lambda tick: True,
        days_later=hours.days_later if hours else lambda tick, days: None,
        at_risk=None if at_risk == "false" else Fraction(at_risk),
        bots=line.get("bots_answer") == "true",
        pauses=frozenset([pauses] if isinstance(pauses, str) else pauses),
        on_change=line.get("on_change", "retroactive"),
    )


def _holds(value: str | None, wanted: str) -> bool:
    return value != wanted[1:] if wanted.startswith("!") else value == wanted


def _event(when: datetime, words: str, number: int, at: Any) -> Event:
    kind, *rest = words.split()
    event = Event(at(when), kind, complaint="complaint" in rest, source="test", id=str(number))
    for word in rest:
        name, _, value = word.partition("=")
        if name in LABELS:
            event = replace(event, labels={**event.labels, name: value or None})
        elif name == "bot":
            event = replace(event, bot=True)
        elif name == "private":
            event = replace(event, public=False)
        elif name == "due":
            event = replace(event, due_at=at(datetime.fromisoformat(value).astimezone(UTC)))
        elif name != "complaint":
            said: dict[str, Any] = {{"seq": "sequence"}.get(name, name): value}
            event = replace(event, **said)
    return event
