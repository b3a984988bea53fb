"""The Boston example comes out to the unit: from the file, from any shuffle of it, in time and in memory."""

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

FOLDER = Path(__file__).parents[1] / "deploy/examples/boston311"
DATA = FOLDER / "boston311-2015-h1.csv.gz"
SQM = Path(sys.executable).with_name("sqm")

SECONDS, MEGABYTES = 10, 1_000

CLOCK = {"met": 27_255, "breached": 15_726, "inconsistent": 40, "excluded": 0, "no_target": 14_527}


def command(data: Path) -> list[str | Path]:
    return [SQM, "replay", data, "--mapping", FOLDER / "mapping.yaml", "--policy", FOLDER / "policy.yaml", "--json"]


def replay(data: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run([*command(data), *more], capture_output=True, check=True, text=True)
    assert done.stderr == ""
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return replay(DATA)


def test_the_table_comes_out_to_the_unit(summary: dict[str, Any]) -> None:
    clock = summary["clocks"]["promise"]
    assert {name: clock[name] for name in CLOCK} == CLOCK
    assert clock["open"] + clock["at_risk"] == 571
    ledger = summary["ledger"]
    assert (ledger["read"], ledger["counted"], ledger["rejected"]) == (107_245, 107_245, 0)
    assert (ledger["cases_opened"], ledger["cases_inconsistent"], ledger["rows_unreadable"]) == (58_119, 84, 0)
    assert ledger["cases_opened"] == ledger["cases_closed"] + ledger["cases_open"]


def test_each_department_has_its_objective(summary: dict[str, Any]) -> None:
    requests = pl.read_csv(DATA, infer_schema=False)
    promised = requests.filter(pl.col("TARGET_DT").is_not_null())["Department"].unique()
    assert {sla["labels"]["team"] for sla in summary["slas"]} == set(promised)


def test_breached_clocks_are_those_closed_late_and_those_still_open(tmp_path: Path) -> None:
    out = tmp_path / "verdicts.parquet"
    replay(DATA, "--verdicts", str(out))
    rows = pl.read_parquet(out)
    breached = rows.filter(pl.col("outcome") == "breached")
    assert breached["stopped"].is_not_null().sum() == 10_025
    assert breached["stopped"].is_null().sum() == 5_701
    assert (breached["due"] < breached["stopped"]).all()  # null, where it still runs, is not false
    assert rows.height == sum(CLOCK.values()) - CLOCK["no_target"] + 571


def test_open_promises_are_told_with_their_chance() -> None:
    for_people = [argument for argument in command(DATA) if argument != "--json"]
    said = subprocess.run(for_people, capture_output=True, check=True, text=True).stdout
    assert "Of 571 open clocks 300 breaches are to be expected" in said
    likeliest = next(line.split() for line in said.splitlines() if line.startswith("101001241785"))
    assert likeliest == ["101001241785", "promise", "7d", "19h", "98%", "98%", "2,197"]


@pytest.mark.parametrize("seed", [1, 2])
def test_any_shuffle_of_the_file_gives_the_same_figures(summary: dict[str, Any], tmp_path: Path, seed: int) -> None:
    header, *rows = gzip.decompress(DATA.read_bytes()).splitlines(keepends=True)
    random.Random(seed).shuffle(rows)
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_bytes(header + b"".join(rows))
    assert replay(shuffled) == summary


# A process counts as its own the memory of the one that made it, up to its exec: one that is small has to make it.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""


def measured(command: Sequence[object]) -> tuple[dict[str, Any], float, float]:
    """What it prints, the seconds of the processor that it takes (what else runs does not count), and kilobytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, command)], capture_output=True, check=True, text=True
    )
    seconds, kilobytes = map(float, done.stderr.split())
    return json.loads(done.stdout), seconds, kilobytes


def test_it_takes_at_most_ten_seconds_and_a_gigabyte() -> None:
    _, seconds, kilobytes = measured(command(DATA))
    assert seconds < SECONDS
    assert kilobytes < MEGABYTES * 1_000


def test_the_manual_of_the_example_states_these_figures() -> None:
    text = (FOLDER / "README.md").read_text()
    for figure in ("27,255", "10,025", "5,701", "571", "| 40 |", "14,527", "107,245"):
        assert figure in text


OFFICE = """
policy: boston-office
labels: [service, priority, team]
calendars:
  office:
    zone: America/New_York
    hours: {mon-fri: ["08:00-17:00"], sat: ["09:00-12:00"]}
    holidays: {country: US, subdivision: MA}
targets:
  - {clock: resolution, when: {priority: P1}, within: 8h, calendar: office, pauses: [customer]}
  - {clock: resolution, within: 3 business_days, calendar: office, pauses: [customer]}
  - {clock: first_response, within: 16h, calendar: office, on_change: restart}
  - {clock: promise}
slas:
  - {id: resolution, measure: resolution, by: [team], goal: 80%, period: 365d}
"""
MORE_EVENTS = """
  - {type: interaction.updated, at: {column: OPEN_DT, plus: CHANGED}, data: {priority: PRIORITY}}
  - {type: interaction.paused, at: {column: OPEN_DT, plus: PAUSED}, data: {reason: {value: customer}}}
  - {type: interaction.resumed, at: {column: OPEN_DT, plus: RESUMED}, data: {reason: {value: customer}}}
"""


def test_with_changes_pauses_and_an_office_calendar_it_takes_at_most_fifteen_seconds(tmp_path: Path) -> None:
    rows = pl.read_csv(DATA, infer_schema=False).with_row_index("n")
    number = pl.col("n").cast(pl.Int64)
    rows.select(
        pl.exclude("n"),
        (number % 5 * 3_600 + 600).alias("CHANGED"),
        (number % 7 * 7_200 + 1_200).alias("PAUSED"),
        (number % 7 * 7_200 + 1_200 + number % 11 * 5_400).alias("RESUMED"),
        pl.format("P{}", number % 3 + 1).alias("PRIORITY"),
    ).write_csv(tmp_path / "more.csv")
    (tmp_path / "policy.yaml").write_text(OFFICE)
    (tmp_path / "mapping.yaml").write_text((FOLDER / "mapping.yaml").read_text() + MORE_EVENTS)
    told = ["--mapping", tmp_path / "mapping.yaml", "--policy", tmp_path / "policy.yaml", "--json"]
    found, seconds, _ = measured([SQM, "replay", tmp_path / "more.csv", *told])
    assert found["ledger"]["counted"] == 107_245 + 3 * rows.height
    for clock in ("resolution", "first_response", "promise"):
        assert sum(found["clocks"][clock].values()) == rows.height, clock
    assert found["clocks"]["resolution"]["breached"] > 0 < found["clocks"]["resolution"]["met"]
    assert seconds < 15
