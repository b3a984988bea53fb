"""Cases in a few words, for tables: `10:00 opened priority=P3; 11:00 updated priority=P1; Tue 09:00 resolved`.

Times are those of Monday 2026-03-02 (UTC) or of the weekday of that week that is named; a full date is fine too
(`2026-11-20T16:30+08:00 opened`). Words with `=` are labels (`priority=` clears it) or one of the fields below;
others are flags: `bot`, `private`, `complaint`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from monitor.clocks import derive
from monitor.frames import HISTORY, conform
from monitor.keys import event_key_text, keys_of
from monitor.names import LABELS
from monitor.policy import PolicySet, load

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FIELDS = {"reason": "reason", "seq": "sequence", "outcome": "outcome", "source": "source", "id": "id"}
FLAGS: Mapping[str, tuple[str, bool]] = {"bot": ("bot", True), "private": ("public", False)}


def at(text: str) -> datetime:
    """`10:00`, `10:00:30.5`, `Tue 09:00` or an ISO instant."""
    if "-" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    day, _, clock = text.rpartition(" ")
    hours, minutes, *seconds = clock.split(":")
    span = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds[0]) if seconds else 0)
    return MONDAY + (timedelta(days=DAYS.index(day)) if day else timedelta(0)) + span


def event(text: str, number: int) -> dict[str, Any]:
    """One event as a row of HISTORY."""
    words = text.split()
    time = " ".join(words[: 2 if words[0] in DAYS else 1])
    kind, *rest = words[len(time.split()) :]
    row: dict[str, Any] = {"time": at(time), "kind": kind, "source": "test", "id": str(number), "cleared": 0}
    row["complaint"] = "complaint" in rest
    for word in rest:
        name, equals, value = word.partition("=")
        if name in LABELS:
            row[name] = value or None
            row["cleared"] |= 0 if value else 1 << LABELS.index(name)
        elif name in FIELDS:
            row[FIELDS[name]] = value
        elif name == "due":
            row["due_at"] = at(value.replace("_", " "))
        elif not equals and name in FLAGS:
            row[FLAGS[name][0]] = FLAGS[name][1]
        elif name != "complaint":
            raise ValueError(f"{word!r} in {text!r}")
    return row


def history(**lives: str) -> pl.DataFrame:
    """HISTORY of cases by name, in the order they are written."""
    rows = [
        {"case": case, **event(text.strip(), number)}
        for case, life in lives.items()
        for number, text in enumerate(filter(str.strip, life.split(";")))
    ]
    frame = pl.DataFrame(rows, schema={**HISTORY, "case_key": pl.Null, "event_key": pl.Null}, orient="row")
    named = [event_key_text(*row) for row in frame.select("case", "source", "id").iter_rows()]
    return conform(frame.with_columns(keys_of(frame["case"]).alias("case_key"), event_key=keys_of(named)), HISTORY)


def policy(*lines: str, **more: str) -> PolicySet:
    """A policy of these target lines (as YAML flow mappings without braces); `more`: other top-level entries."""
    head = {"policy": "test", "labels": "[service, priority, team]", "limits": "{grace: 30s}", **more}
    targets = "targets:\n" + "".join(f"  - {{{line}}}\n" for line in lines) if lines else "targets: []\n"
    return load([("policy.yaml", "".join(f"{name}: {value}\n" for name, value in head.items()) + targets)])


def verdicts(
    policies: PolicySet, now: str = "23:00", grace: timedelta | None = timedelta(0), /, **lives: str
) -> pl.DataFrame:
    """VERDICTS of these cases."""
    return derive(history(**lives), policies, at(now), grace)


def told(row: Mapping[str, Any]) -> dict[str, str]:
    """A verdict's values as a table writes them: `due=12:00`, `elapsed=2:30`; what is null is left out."""
    found = {}
    for name, value in row.items():
        if isinstance(value, datetime):
            day = "" if value.date() == MONDAY.date() else f"{DAYS[value.weekday()]}_"
            clock = value.strftime("%H:%M:%S.%f").rstrip("0").rstrip(".").removesuffix(":00")
            found[name] = day + clock if timedelta(0) <= value - MONDAY < timedelta(7) else value.isoformat()
        elif isinstance(value, timedelta):
            found[name] = str(value).removesuffix(":00")
        elif value is not None:
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def check(rows: pl.DataFrame, clock: str, expected: str) -> None:
    """The rows of one clock, by cycle, are as told: `met due=12:00 stopped=11:00 | breached due=…`; words that are
    not said do not matter, `due=-` says that there is none."""
    ours = [told(row) for row in rows.filter(pl.col("clock") == clock).sort("case", "cycle").iter_rows(named=True)]
    wanted = [dict(_word(word) for word in part.split()) for part in expected.split("|")] if expected else []
    shown = [{name: row.get(name, "-") for name in want} for row, want in zip(ours, wanted, strict=False)]
    assert (len(ours), shown) == (len(wanted), wanted), f"{clock}: {ours}"


def _word(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    return (name, value) if equals else ("outcome", word)
