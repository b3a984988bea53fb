"""The commands on files, as a user runs them: what they print, and how they end."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SQM = Path(sys.executable).with_name("sqm")

MAPPING = """\
source: desk
rows: cases
case: id
time: {zone: UTC}
labels: {service: service}
events:
  - {type: interaction.opened, at: opened}
  - {type: interaction.resolved, at: closed}
"""
POLICY = """\
policy: desk
labels: [service]
limits: {min_n: 1}
targets:
  - {clock: resolution, within: 2h}
slas:
  - {id: resolved, measure: resolution, by: [service], goal: 50%, period: 30d}
"""
ROWS = """\
id,service,opened,closed
a,x,2026-01-01T10:00,2026-01-01T11:00
b,x,2026-01-01T10:00,2026-01-01T13:00
c,y,2026-01-01T10:00,2026-01-01T11:30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("mapping.yaml", MAPPING), ("policy.yaml", POLICY), ("rows.csv", ROWS)):
        (tmp_path / name).write_text(text)
    return tmp_path


def sqm(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [SQM, *words], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


REPLAY = ("replay", "rows.csv", "--mapping", "mapping.yaml", "--policy", "policy.yaml")


def test_check_says_what_a_policy_promises(folder: Path) -> None:
    done = sqm(folder, "check", str(DEPLOY / "policies/support.yaml"))
    assert done.returncode == 0
    assert "priority P1: first response within 15 minutes round the clock: Sat 10:00 -> due Sat 10:15" in done.stdout


def test_check_tells_hints_and_lets_the_policy_pass(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY.replace("50%", "90%"))
    done = sqm(folder, "check", "policy.yaml")
    assert done.returncode == 0
    assert "hint: policy.yaml:7: slas[0].goal: a goal of 90% burns at most 10 times as fast" in done.stderr


@pytest.mark.parametrize(
    ("name", "wrong", "words", "told"),
    [
        (
            "policy.yaml",
            POLICY.replace("within", "witin"),
            ("check", "policy.yaml"),
            "policy.yaml:5: targets[0].witin: ",
        ),
        ("policy.yaml", POLICY.replace("2h", "2"), REPLAY, "policy.yaml:5: targets[0].within: a bare number"),
        ("policy.yaml", POLICY.replace("[service]", "[servise]", 1), REPLAY, "(did you mean 'service'?)"),
        (
            "mapping.yaml",
            MAPPING.replace("opened}", "opend}"),
            REPLAY,
            "rows.csv: no column 'opend': there are id, serv",
        ),
        ("mapping.yaml", MAPPING.replace("rows:", "row:"), REPLAY, "mapping.yaml:2: row: unknown field"),
        ("rows.csv", "", REPLAY, "rows.csv: is empty"),
        ("x", "", ("check", "nowhere.yaml"), "nowhere.yaml: No such file or directory"),
        ("x", "", ("replay", "rows.csv"), "rows.csv: rows become events by a mapping"),
        ("x", "", (*REPLAY, "--verdicts", "out.txt"), "out.txt: verdicts are written as .csv or .parquet"),
        ("x", "", (*REPLAY, "--verdicts", "no/out.csv"), "no: there is no such folder"),
        ("x", "", (*REPLAY, "--now", "soon"), "'soon' is not an instant"),
        ("x", "", ("schema", "polcy"), "polcy"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(
    folder: Path, name: str, wrong: str, words: tuple[str, ...], told: str
) -> None:
    (folder / name).write_text(wrong)
    done = sqm(folder, *words, COLUMNS="200")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_replay_prints_one_json_object(folder: Path) -> None:
    done = sqm(folder, *REPLAY, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert list(summary) == ["ledger", "clocks", "slas", "indicators"]
    assert summary["clocks"]["resolution"]["met"] == 2
    slas: list[dict[str, Any]] = summary["slas"]
    assert [(sla["labels"], sla["good"], sla["bad"], sla["goal"]) for sla in slas] == [
        ({"service": "x"}, 1, 1, "0.5"),
        ({"service": "y"}, 1, 0, "0.5"),
    ]


def test_replay_prints_tables_for_people(folder: Path) -> None:
    done = sqm(folder, *REPLAY, "--now", "2026-01-02T00:00:00Z")
    assert done.returncode == 0
    told = " ".join(done.stdout.split())
    for expected in (
        "desk, as of 2026-01-02T00:00:00Z",
        "6 events read: 6 counted",
        "resolution 2 1 66.67%",
        "resolved service x 1 1 50.00% 0.5 0.00%",
        "Resolved within target 66.67%",
    ):
        assert expected in told


def test_the_policy_of_the_settings_is_used_where_none_is_named(folder: Path) -> None:
    words = [word for word in REPLAY if word not in ("--policy", "policy.yaml")]
    by_setting = sqm(folder, *words, "--json", SQM_POLICY="policy.yaml")
    assert by_setting.stdout == sqm(folder, *REPLAY, "--json").stdout
    built_in = json.loads(sqm(folder, *words, "--json").stdout)
    assert "promise" in built_in["clocks"]


def test_verdicts_are_written_as_csv_and_as_parquet(folder: Path) -> None:
    for name in ("v.csv", "v.parquet"):
        assert sqm(folder, *REPLAY, "--verdicts", name).returncode == 0
    text, typed = pl.read_csv(folder / "v.csv"), pl.read_parquet(folder / "v.parquet")
    assert text.columns == typed.columns
    assert text["outcome"].to_list() == typed["outcome"].to_list() == ["met", "breached", "met"]
    assert typed.schema["due"] == pl.Datetime("ms", "UTC")


def test_rows_that_cannot_be_read_are_named_and_end_with_1_only_if_strict(folder: Path) -> None:
    (folder / "rows.csv").write_text(ROWS + "d,x,whenever,\ne,x,2026-01-01T10:00\n")
    done = sqm(folder, *REPLAY, "--json")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "warning: 2 rows cannot be read; the others count",
        '  rows.csv:5: opened: "whenever" is no time (ISO 8601)',
        "  rows.csv:6: closed: the row has 3 cells, the header 4",
    ]
    summary = json.loads(done.stdout)
    assert summary["ledger"]["rows_unreadable"] == 2
    assert summary["ledger"]["read"] == 6
    assert sqm(folder, *REPLAY, "--json", "--strict").returncode == 1


def test_a_cell_that_cannot_be_read_is_no_lost_row(folder: Path) -> None:
    (folder / "rows.csv").write_text(ROWS + "d,x,whenever,2026-01-01T10:00\ne,x\n")
    done = sqm(folder, *REPLAY, "--json")
    assert done.stderr.splitlines()[0] == "warning: 1 row and 1 cell cannot be read; the rest counts"
    assert json.loads(done.stdout)["ledger"]["rows_unreadable"] == 1


def test_events_that_are_refused_are_named_and_counted(folder: Path) -> None:
    mapping = MAPPING.replace("at: opened}", "at: opened, data: {due_at: due}}")
    (folder / "mapping.yaml").write_text(mapping)
    (folder / "rows.csv").write_text("id,service,opened,closed,due\na,x,2026-01-01T10:00,,soon\n")
    done = sqm(folder, *REPLAY, "--json", "--strict")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == "warning: 1 of the events are refused"
    assert done.stderr.splitlines()[1].startswith('  rows.csv:2: data.due_at: "soon" is not RFC 3339')
    assert json.loads(done.stdout)["ledger"]["rejected_by_reason"] == {"bad_time": 1}


@pytest.mark.parametrize("what", ["policy", "mapping", "event"])
def test_schemas_are_valid_json_schemas(folder: Path, what: str) -> None:
    done = sqm(folder, "schema", what)
    assert done.returncode == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(done.stdout))


def test_a_terminal_sees_a_progress_bar(folder: Path) -> None:
    mother, child = pty.openpty()
    words = [str(SQM), *REPLAY, "--json"]
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=child, env={**os.environ, "TERM": "xterm"}
    ) as run:
        os.close(child)
        seen = b""
        while True:
            try:
                part = os.read(mother, 1024)
            except OSError:  # the other end is closed
                break
            seen += part
        assert run.stdout is not None
        json.loads(run.stdout.read())
    os.close(mother)
    assert b"reading" in seen
