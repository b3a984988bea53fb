"""Files of several kinds together: their order, their mappings, what is refused and what is unreadable."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from consumers.files_read import Gathered, gather, read, sources
from consumers.replay import replay, verdicts
from consumers.send import outgoing
from consumers.tables import FileError
from monitor.mapping import load_mapping
from monitor.policy import load
from monitor.verdict_rows import csv_text, verdict_rows

WALL = datetime(2026, 6, 1, tzinfo=UTC)
MAPPING = load_mapping(
    "m.yaml",
    """\
source: desk
rows: cases
case: id
events:
  - {type: interaction.opened, at: opened}
  - {type: interaction.resolved, at: closed}
""",
)
ONCE = load_mapping(
    "once.yaml", "rows: events\ncase: id\nevents: [{type: interaction.opened, at: opened, once: first}]"
)
POLICY = load(
    [("p.yaml", "policy: p\ntargets: [{clock: resolution, within: 2h}, {clock: first_response, within: 1h}]")]
)


def event(kind: str, at: str, case: str = "1", **data: Any) -> str:
    body = {"specversion": "1.0", "id": f"{kind}-{at}-{case}", "source": "s", "type": kind, "time": at, "subject": case}
    return json.dumps({**body, "data": data})


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def gathered(*paths: Path, mapping: Any = MAPPING) -> Gathered:
    return gather(sources(paths, [mapping]))


def test_events_of_all_files_come_in_the_order_of_their_times_then_of_files_and_lines(tmp_path: Path) -> None:
    late = write(tmp_path / "late.ndjson", event("interaction.opened", "2026-01-01T12:00:00Z", "n"))
    rows = write(
        tmp_path / "rows.csv",
        "id,opened,closed",
        "b,2026-01-01T11:00Z,2026-01-01T13:00Z",
        "a,2026-01-01T11:00Z,2026-01-01T11:00Z",
    )
    frame = pl.DataFrame({"id": [7], "opened": [datetime(2026, 1, 1, 10, tzinfo=UTC)], "closed": [None]})
    frame.write_parquet(tmp_path / "old.parquet")
    events = read(gathered(late, rows, tmp_path / "old.parquet"), future_after=None).events
    assert events.select("case", "kind").rows() == [
        ("7", "opened"),
        ("b", "opened"),
        ("a", "opened"),
        ("a", "resolved"),
        ("n", "opened"),
        ("b", "resolved"),
    ]
    origin = events.select(pl.col("topic").str.split("/").list.last(), "partition", "offset", "index").rows()
    assert origin[0] == ("old.parquet", 2, 1, 0)
    assert origin[1:4] == [("rows.csv", 1, 2, 0), ("rows.csv", 1, 3, 0), ("rows.csv", 1, 3, 1)]


def test_once_first_sees_a_case_across_files(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", "id,opened", "a,", "b,2026-01-02T00:00Z")
    two = write(tmp_path / "two.csv", "id,opened", "a,2026-01-03T00:00Z", "b,2026-01-01T00:00Z")
    events = read(gathered(one, two, mapping=ONCE), future_after=None).events
    assert events.select("case", "offset", "partition").rows() == [("b", 3, 0), ("a", 2, 1)]


@pytest.mark.parametrize(
    ("names", "mappings", "chosen"),
    [
        (["a.csv", "b.parquet"], [MAPPING], [MAPPING, MAPPING]),
        (["a.csv", "b.csv"], [MAPPING, ONCE], [MAPPING, ONCE]),
        (["a.csv", "b.ndjson"], [MAPPING], [MAPPING, None]),
        (["a.ndjson", "b.csv", "c.csv"], [ONCE, MAPPING], [None, ONCE, MAPPING]),
        (["a.jsonl", "b.csv.gz"], [ONCE, MAPPING], [None, MAPPING]),
        (["a.ndjson"], [], [None]),
        (["a.csv"], [], "name one with --mapping"),
        (["a.csv", "b.csv", "c.csv"], [MAPPING, ONCE], "2 mappings for 3 files"),
        (["a.xlsx"], [MAPPING], "the kind of a file is told by its name"),
    ],
)
def test_one_mapping_is_for_all_files_or_each_has_its_own(names: list[str], mappings: list[Any], chosen: Any) -> None:
    paths = [Path(name) for name in names]
    if isinstance(chosen, str):
        with pytest.raises(FileError, match=chosen):
            sources(paths, mappings)
    else:
        assert [source.mapping for source in sources(paths, mappings)] == chosen


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.csv: No such file"):
        gathered(tmp_path / "nowhere.csv")


def test_rows_without_event_are_counted_outside_the_ledger_and_lines_that_are_no_events_within(tmp_path: Path) -> None:
    rows = write(
        tmp_path / "rows.csv",
        "id,opened,closed",
        "a,2026-01-01T11:00Z,2026-01-01T12:00Z",
        "b,soon,",
        ",2026-01-01T11:00Z,",
        "c,2026-01-01T11:00Z,later",
        "d,,",
        "e,2026-01-01T11:00Z",
    )
    lines = write(
        tmp_path / "events.ndjson",
        event("interaction.opened", "2026-01-01T12:00:00Z", "n"),
        "",
        "{not json",
        event("interaction.opened", "2026-01-01T12:00:00", "m"),
        event("interaction.opened", "2099-01-01T12:00:00Z", "far"),
        event("clock.advanced", "2026-01-02T00:00:00Z"),
    )
    files = gathered(rows, lines)
    result = replay(files, POLICY, now=None, wall=WALL)
    ledger = result.summary["ledger"]
    assert ledger["rows_unreadable"] == 4
    assert (ledger["read"], ledger["counted"], ledger["rejected"]) == (7, 4, 3)
    assert ledger["rejected_by_reason"] == {"bad_time": 1, "future_time": 1, "malformed_json": 1}
    assert result.now == datetime(2026, 1, 2, tzinfo=UTC)
    told = files.unreadable.select("line", "column", "lost").rows()
    assert told == [
        (3, "opened", True),
        (4, "id", True),
        (5, "closed", False),
        (6, "opened", True),
        (7, "closed", True),
    ]


def test_a_replay_ends_at_the_newest_event_or_where_it_is_told_to(tmp_path: Path) -> None:
    file = write(tmp_path / "e.ndjson", event("interaction.opened", "2026-01-01T12:00:00Z"))
    assert replay(gathered(file), POLICY, now=None, wall=WALL).summary["clocks"]["resolution"]["open"] == 1
    later = replay(gathered(file), POLICY, now=WALL, wall=WALL)
    assert later.summary["clocks"]["resolution"]["breached"] == 1
    nothing = replay(gathered(write(tmp_path / "none.ndjson")), POLICY, now=None, wall=WALL)
    assert (nothing.now, nothing.summary["ledger"]["read"]) == (WALL, 0)


def test_verdict_rows_are_written_as_the_manual_says(tmp_path: Path) -> None:
    file = write(
        tmp_path / "e.ndjson",
        event("interaction.opened", "2026-01-01T10:00:00Z", "a"),
        event("interaction.resolved", "2026-01-01T11:30:00.0016Z", "a"),
        event("interaction.opened", "2026-01-01T10:00:00Z", "b"),
        event("interaction.cancelled", "2026-01-01T10:30:00Z", "b"),
        event("interaction.measured", "2026-01-01T10:00:00Z", "c", resolution_time_s=7200.25),
        event("interaction.opened", "2026-01-01T11:00:00Z", "d"),
        event("clock.advanced", "2026-01-01T12:30:00Z"),
    )
    text = csv_text(verdict_rows(verdicts(replay(gathered(file), POLICY, now=None, wall=WALL), POLICY), POLICY))
    assert text.splitlines() == [
        "case,clock,cycle,policy_from,target_seconds,started,due,stopped,outcome,elapsed_seconds,paused_seconds",
        "a,first_response,1,,3600.000,2026-01-01T10:00:00.000Z,2026-01-01T11:00:00.000Z,2026-01-01T11:30:00.001Z,"
        "breached,5400.002,0.000",
        "a,resolution,1,,7200.000,2026-01-01T10:00:00.000Z,2026-01-01T12:00:00.000Z,2026-01-01T11:30:00.001Z,"
        "met,5400.002,0.000",
        "b,first_response,1,,,2026-01-01T10:00:00.000Z,,,excluded,,",
        "b,resolution,1,,,2026-01-01T10:00:00.000Z,,,excluded,,",
        "c,resolution,1,,7200.000,,,2026-01-01T10:00:00.000Z,breached,7200.250,0.000",
        "d,first_response,1,,3600.000,2026-01-01T11:00:00.000Z,2026-01-01T12:00:00.000Z,,breached,5400.000,0.000",
        "d,resolution,1,,7200.000,2026-01-01T11:00:00.000Z,2026-01-01T13:00:00.000Z,,open,5400.000,0.000",
    ]


def test_what_is_sent_goes_out_in_the_order_of_times_with_the_unreadable_behind_the_event_before_it(
    tmp_path: Path,
) -> None:
    lines = [
        "garbage before all",
        event("interaction.opened", "2026-01-01T12:00:00Z", "late"),
        "garbage behind late",
        event("interaction.opened", "2026-01-01T10:00:00Z", "early"),
        event("interaction.opened", "no time", "refused"),
        event("interaction.opened", "2099-01-01T00:00:00Z", "future"),
    ]
    rows = write(tmp_path / "rows.csv", "id,opened,closed", "row,2026-01-01T11:00Z,")
    sent = outgoing(gathered(write(tmp_path / "e.ndjson", *lines), rows), future_after=WALL + timedelta(minutes=5))
    assert sent.values[:1] + sent.values[1:4] == [line.encode() for line in (lines[0], lines[3], lines[4], lines[5])]
    assert sent.values[5:] == [lines[1].encode(), lines[2].encode()]
    assert sent.keys == [None, b"early", b"refused", b"future", b"row", b"late", None]
    assert sent.newest == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert [place.split("/")[-1] for place in sent.places[:2]] == ["e.ndjson:1", "e.ndjson:4"]
    assert json.loads(sent.values[4])["subject"] == "row"
