"""The Boston example comes out to the unit: from the file, from any shuffle of it, in time and in memory."""

import gzip
import json
import random
import subprocess
import sys
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
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def test_it_takes_at_most_ten_seconds_and_a_gigabyte() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE, *command(DATA)], capture_output=True, check=True, text=True)
    # Seconds of the processor, so that what else runs on the machine does not count.
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds < SECONDS
    assert kilobytes < MEGABYTES * 1_000


def test_the_manual_of_the_example_states_these_figures() -> None:
    text = (FOLDER / "README.md").read_text()
    for figure in ("27,255", "10,025", "5,701", "571", "| 40 |", "14,527", "107,245"):
        assert figure in text
