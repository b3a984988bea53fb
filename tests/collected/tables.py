"""Cases collected from what other SLA engines got wrong: one a row of the YAML tables next to this file.

A row says its case in a sentence, where it was seen, what was promised, what happened, and what is right, worked out
by hand from the rules. Times are local ones of `zone` (default: that of the calendar that the targets name, else
UTC); where the clocks show a time twice its offset is written. A time without a date is of the day before it in
`life`, elsewhere of the day on which the life begins. `now` is the newest event's time unless written.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

FOLDER = Path(__file__).parent
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
INSTANTS = ("due", "started", "stopped")
SPANS = ("elapsed", "paused")
_TIME = re.compile(r"(?:(\w{3}) (\d{4}-\d\d-\d\d) )?(\d\d:\d\d(?::\d\d)?)([+-]\d\d:\d\d)?")

Expected = Mapping[str, object]


@dataclass(frozen=True)
class Row:
    """One collected case."""

    table: str
    name: str
    source: str
    versions: tuple[Mapping[str, Any], ...]  # documents of the policy, as data
    events: tuple[tuple[datetime, str], ...]  # when, and the words of `tests.monitor.lives`
    now: datetime
    expect: Mapping[str, tuple[Expected, ...]]  # by clock, a row a cycle: outcome and what else is said

    def __str__(self) -> str:
        return f"{self.table}: {self.name}"


def rows() -> list[Row]:
    """All collected cases."""
    return [row for path in sorted(FOLDER.glob("*.yaml")) for row in _read(path)]


def span(text: str) -> timedelta:
    """`1d2h30m15s`."""
    units = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
    parts = re.findall(r"(\d+)([dhms])", text)
    assert "".join(map("".join, parts)) == text, text
    return timedelta(**{units[unit]: int(n) for n, unit in parts})


def _read(path: Path) -> Iterator[Row]:
    table = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # every scalar as it was written
    for written in table["cases"]:
        try:
            yield _row(path.stem, table.get("calendars", {}), written)
        except Exception as error:
            raise ValueError(f"{path.name}: {written.get('name')}: {error}") from error


def _row(table: str, shared: Mapping[str, Any], written: Mapping[str, Any]) -> Row:
    unknown = set(written) - {"name", "source", "zone", "calendars", "targets", "later", "life", "now", "expect"}
    assert not unknown, unknown
    known = {**shared, **written.get("calendars", {})}
    documents = [{"targets": written["targets"]}, *([written["later"]] if "later" in written else [])]
    named = dict.fromkeys(line["calendar"] for d in documents for line in d["targets"] if "calendar" in line)
    zone = ZoneInfo(written.get("zone") or next((known[name]["zone"] for name in named), "UTC"))
    versions = tuple(
        {"policy": "collected", "labels": ["priority", "team"], "calendars": {n: known[n] for n in named}, **document}
        for document in documents
    )
    events, day = [], ""
    for text in filter(None, map(str.strip, written["life"].split(";"))):
        at, day, words = _instant(text, day, zone)
        events.append((at, words.strip()))
    first = written["life"].split()[1]
    now = _instant(written["now"], first, zone)[0] if "now" in written else max(at for at, _ in events)
    expect = {clock: _expected(said, first, zone) for clock, said in written["expect"].items()}
    return Row(table, written["name"], written["source"], versions, tuple(events), now, expect)


def _instant(text: str, day: str, zone: ZoneInfo) -> tuple[datetime, str, str]:
    """The instant a text begins with, its date, and the rest."""
    found = _TIME.match(text)
    assert found, f"no time: {text!r}"
    weekday, date, clock, offset = found.groups()
    local = datetime.fromisoformat(f"{date or day}T{clock}{offset or ''}")
    assert not weekday or DAYS[local.weekday()] == weekday, f"{date} is no {weekday}"
    if not offset:
        twice = {local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
        assert len(twice) == 1, f"{text!r}: write the offset of a time that is shown twice, or never"
        local = local.replace(tzinfo=zone)
    return local.astimezone(UTC), date or day, text[found.end() :]


def _expected(said: str | list[str], day: str, zone: ZoneInfo) -> tuple[Expected, ...]:
    """`met, due Tue 2026-03-03 11:00, elapsed 4h`: the outcome, then what else is said; `none`: there is none."""
    found = []
    for row in [said] if isinstance(said, str) else said:
        outcome, *rest = (part.strip() for part in row.split(","))
        values: dict[str, object] = {"outcome": outcome}
        for part in rest:
            name, _, value = part.partition(" ")
            if name in INSTANTS:
                values[name] = None if value == "none" else _instant(value, day, zone)[0]
            elif name in SPANS:
                values[name] = span(value)
            elif name == "line":
                values["line"] = int(value) - 1  # written from 1, as a reader counts
            else:
                assert part == "on arrival", part
                values["on_arrival"] = True
        found.append(values)
    return tuple(found)
