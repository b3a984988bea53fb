"""`sqm explain` and the timeline of `/v1/cases/{id}`: the same, wherever the events come from."""

import asyncio
import json
import subprocess
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from api.context import Context
from tests.api.serving import served
from tests.api.test_commands import DEPLOY, folder, sqm  # noqa: F401  (a fixture)

EXAMPLE = DEPLOY / "examples/dispute"
EVENTS, POLICY = str(EXAMPLE / "events.ndjson"), str(EXAMPLE / "policy.yaml")
FROM_FILE = ("explain", "INC-4711", "--from", EVENTS, "--policy", POLICY)


def told(timeline: dict[str, Any], clock: str) -> list[str]:
    return [entry["words"] for one in timeline["clocks"] if one["clock"] == clock for entry in one["entries"]]


async def test_a_case_says_why_its_verdicts_are_so(http: httpx2.AsyncClient) -> None:
    case = (await http.get("/v1/cases/INC-003")).json()
    timeline = case["timeline"]
    assert (timeline["policy"], timeline["policy_from"]) == ("support", "2026-01-01T00:00:00.000Z")
    assert told(timeline, "resolution") == [
        "opened: line 3 (every case), 24 h round the clock: 0 m of 24 h used, due Sat 08:00",
        "paused for customer: 1 h of 24 h used, no due while paused",
        "now open: 1 h of 24 h used, no due while paused",
    ]
    verdicts = {verdict["clock"]: verdict for verdict in case["verdicts"]}
    for clock in timeline["clocks"]:
        if clock["clock"] not in verdicts:
            assert clock["outcome"] == "no_target"
            continue
        same = ("outcome", "line", "started", "due", "stopped", "elapsed_seconds", "paused_seconds", "target_seconds")
        assert {name: clock[name] for name in same} == {name: verdicts[clock["clock"]][name] for name in same}
        behind = [one for one in clock["stretches"] if not one["ahead"]]
        assert sum(one["counted_seconds"] for one in behind) == clock["elapsed_seconds"]
        assert all(
            0 <= entry["event"] < len(case["events"]) for entry in clock["entries"] if entry["event"] is not None
        )


def test_a_file_explains_a_case_in_the_zone_of_its_calendar(tmp_path: Path) -> None:
    done = sqm(tmp_path, *FROM_FILE, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[1].startswith("It was opened Thu 2026-04-02 14:30 +02:00: judged by policy support")
    assert "resolution: breached on arrival at Tue 2026-04-07 15:30 +02:00" in lines
    assert "Fri 2026-04-03 09:00 +02:00 to 12:00 3 h closed: holiday Good Friday" in lines
    assert "2 h 30 m + 1 h 30 m + 4 h 20 m = 8 h 20 m used, 2 h 30 m paused" in lines
    assert (
        "without the pause for customer (Thu 2026-04-02 17:00 +02:00 to Tue 10:30): breached on arrival at "
        "Tue 2026-04-07 15:30 +02:00, 10 h 50 m used"
    ) in lines


def test_rows_with_a_mapping_are_explained_as_replay_judges_them(folder: Path) -> None:  # noqa: F811
    given = ("--mapping", "mapping.yaml", "--policy", "policy.yaml")
    found = json.loads(sqm(folder, "explain", "b", "--from", "rows.csv", *given, "--json").stdout)
    assert (found["case"], found["now"]) == ("b", "2026-01-01T13:00:00.000Z")
    assert found["timeline"]["clocks"][0]["words"] == "breached at Thu 2026-01-01 12:00 +00:00"
    early = sqm(folder, "explain", "b", "--from", "rows.csv", *given, "--now", "2026-01-01T11:00:00Z", "--json")
    assert json.loads(early.stdout)["now"] == "2026-01-01T11:00:00.000Z"


def test_what_cannot_be_explained_is_said_in_one_sentence(folder: Path) -> None:  # noqa: F811
    unknown = sqm(folder, "explain", "INC-471", "--from", EVENTS)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr == f"sqm: INC-471: no event of it is in {EVENTS}; did you mean 'INC-4711'?\n"
    other = sqm(folder, "explain", "imc-4711", "--from", EVENTS)
    assert other.stderr.endswith("; did you mean 'INC-4711'?\n"), "also where the first letters are wrong"
    alone = sqm(folder, "explain", "INC-4711", "--url", "http://127.0.0.1:9")
    assert alone.returncode == 2
    assert alone.stderr.startswith("sqm: no sqm answers at http://127.0.0.1:9 (")


def test_events_of_the_case_that_were_refused_are_named(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "source": "desk", "subject": "c"}
    lines = [
        event | {"id": "1", "type": "interaction.opened", "time": "2026-03-02T09:00:00Z"},
        event | {"id": "2", "type": "interaction.resolve", "time": "2026-03-02T10:00:00Z"},
    ]
    (tmp_path / "e.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = sqm(tmp_path, "explain", "c", "--from", "e.ndjson", COLUMNS="300")
    assert "An event of it was refused (e.ndjson:2): type: " in done.stdout


def test_a_case_whose_events_were_all_refused_is_not_called_missing(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "source": "desk", "subject": "c", "time": "2026-03-02T10:00:00Z", "id": "1"}
    (tmp_path / "e.ndjson").write_text(json.dumps(event | {"type": "interaction.resolve"}) + "\n")
    done = sqm(tmp_path, "explain", "c", "--from", "e.ndjson")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "sqm: c: no event of it in e.ndjson can be used. An event of it was refused (e.ndjson:1): type: "
    )


def test_what_lies_after_now_is_not_told(tmp_path: Path) -> None:
    def explained(now: str) -> "subprocess.CompletedProcess[str]":
        return sqm(tmp_path, *FROM_FILE, "--now", now, COLUMNS="200")

    early = explained("2026-04-07T10:00:00Z")
    events = [json.loads(line) for line in Path(EVENTS).read_text().splitlines()]
    later = [event for event in events if datetime.fromisoformat(event["time"]) > datetime(2026, 4, 7, 10, tzinfo=UTC)]
    assert 0 < len(later) < len(events)
    assert f"{len(later)} of its events lie after 2026-04-07T10:00:00Z: they are left out." in early.stdout
    assert "resolved" not in early.stdout
    assert explained("2026-01-01T00:00:00Z").stderr == (
        f"sqm: INC-4711: all its events in {EVENTS} lie after 2026-01-01T00:00:00Z\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mapping", "m.yaml"), "--mapping says how rows of files become events: name the files with --from"),
        (("--policy", "p.yaml"), "--policy: a running sqm judges by its own policy and time; use it with --from"),
        (("--now", "2026-01-01T00:00:00Z"), "--now: a running sqm judges by its own policy and time; use it with"),
        (("--from", "e.ndjson", "--from-kafka"), "--from and --from-kafka: a case is read from one of them"),
        (("--from", "e.ndjson", "--url", "http://127.0.0.1:9"), "--url and --from: a case is read from one of them"),
        (("--from-kafka", "--mapping", "m.yaml"), "--mapping says how rows of files become events"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_that_would_not_count_is_refused(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = sqm(tmp_path, "explain", "c", *options)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith(f"sqm: {said}")


def test_help_offers_only_settings_that_explain_reads(tmp_path: Path) -> None:
    shown = sqm(tmp_path, "explain", "--help", COLUMNS="200").stdout
    assert all(option in shown for option in ("--port", "--clock", "--bootstrap", "--policy"))
    assert not any(option in shown for option in ("--verdicts", "--data-dir", "SQM_API__STREAMS"))


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"[]"), (200, b"{}"), (404, b'{"detail": "Not Found"}'), (500, b"1")]
)
def test_another_service_at_the_address_is_told_apart(status: int, body: bytes, tmp_path: Path) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        done = sqm(tmp_path, "explain", "c", "--url", url)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith(f"sqm: what answers at {url} is no sqm: name one with --url")


def test_measured_interactions_are_explained_too(tmp_path: Path) -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "desk",
        "subject": "call-1",
        "type": "interaction.measured",
        "time": "2026-03-02T09:00:00Z",
        "data": {"response_time_s": 95},
    }
    (tmp_path / "e.ndjson").write_text(json.dumps(event) + "\n")
    (tmp_path / "p.yaml").write_text("policy: p\ntargets:\n  - {clock: first_response, within: 90s}\n")
    done = sqm(tmp_path, "explain", "call-1", "--from", "e.ndjson", "--policy", "p.yaml", COLUMNS="200")
    assert (
        "first response: 1 m 35 s reported at 2026-03-02T09:00:00Z, line 1 (every case) wants 1 m 30 s: breached"
        in done.stdout
    )


async def test_a_running_sqm_is_asked_by_its_address(ticked: Context, tmp_path: Path) -> None:
    async with served(ticked) as address:
        done = await asyncio.to_thread(sqm, tmp_path, "explain", "INC-003", "--url", address, "--json")
        found = json.loads(done.stdout)
        assert told(found["timeline"], "resolution")[1] == "paused for customer: 1 h of 24 h used, no due while paused"
        unknown = await asyncio.to_thread(sqm, tmp_path, "explain", "INC-0031", "--url", address)
        assert unknown.returncode == 2
        assert unknown.stderr.startswith("sqm: no live case 'INC-0031'; did you mean 'INC-003'?")
        assert "--from-kafka" in unknown.stderr


@pytest.mark.parametrize("case", ["a/b c", "Größe ✓", "x" * 500])
def test_any_id_can_be_asked_for(case: str, tmp_path: Path) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "subject": case, "type": "interaction.opened"}
    (tmp_path / "e.ndjson").write_text(json.dumps(event | {"time": "2026-03-02T09:00:00Z"}) + "\n")
    found = json.loads(sqm(tmp_path, "explain", case, "--from", "e.ndjson", "--json").stdout)
    assert found["case"] == case
