"""The page that `make bench` writes, and when it refuses to write one."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from tests.benchmarks.contestants import Point, Run, reached
from tests.benchmarks.lanes import Lane
from tests.benchmarks.report import STAGES, Machine, Result, written
from tests.benchmarks.results import BREACHES, SUMS, Results, check, check_same

LANE = Lane("A", "finished interactions", 1_000_000)
MACHINE = Machine(python="3.11.7", kafka="4.1.1", cores=2, load=0.1)


def run(seconds: float, cpu: float, *, later: float | None = None, stages: float = 0.0) -> Run:
    return Run(
        records=LANE.records,
        seconds=seconds,
        cpu=cpu,
        peak_mb=0.0 if later is None else 700.0,
        stages=dict.fromkeys(STAGES, stages) if stages else {},
        later=None if later is None else Run(LANE.records // 2, later, cpu / 4),
        broker_cpu=1.5,
    )


def rows(page: str) -> dict[str, list[str]]:
    """Table rows by their first cell."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    return {first: rest for first, *rest in cells}


def test_ratios_are_medians_of_turns_and_rates_stand_beside_cpu_seconds() -> None:
    result = Result(
        LANE,
        309.0,
        {
            "bare loop": [run(2, 2), run(4, 2), run(2, 2)],
            "sqm, 2 workers": [
                run(4, 8, later=2, stages=1.5),
                run(5, 8, later=2, stages=1.5),
                run(8, 8, later=2, stages=1.5),
            ],
            "Kafka Streams, stores in memory": [run(8, 10, later=3), run(5, 10, later=3), run(8, 10, later=3)],
        },
    )
    page = rows(written([result], datetime(2026, 11, 23, tzinfo=UTC), MACHINE))
    assert page["bare loop"] == ["500,000", "", "", "2.0", "1.5", "", "", "", ""]
    assert page["sqm, 2 workers"] == [
        *("200,000", "**50%**", "**1.00 x**", "8.0", "1.5"),
        *("250,000", "**1.50 x**", "4.0", "700 MB"),
    ]
    assert page["Kafka Streams, stores in memory"] == [
        *("125,000", "**25%**", "", "10.0", "1.5"),
        *("166,667", "", "5.0", "700 MB"),
    ]
    assert page["decode"][0] == "1.50"


def test_of_two_kinds_of_stores_the_faster_is_what_others_are_measured_by() -> None:
    runs = {
        "sqm, 1 worker": [run(10, 8, later=5)],
        "Kafka Streams, stores in memory": [run(10, 10, later=5)],
        "Kafka Streams, stores in RocksDB": [run(20, 20, later=10)],
    }
    page = rows(written([Result(LANE, 309.0, runs)], datetime(2026, 11, 23, tzinfo=UTC), MACHINE))
    assert page["sqm, 1 worker"][2] == "**1.00 x**"
    assert page["Kafka Streams, stores in RocksDB"][2] == "**0.50 x**"


@pytest.mark.parametrize(
    ("committed", "at"), [(0, 10.0), (50, 10.5), (100, 11.0), (200, 12.0), (300, 13.0)], ids="{}".format
)
def test_the_half_way_point_lies_between_the_commits_around_it(committed: int, at: float) -> None:
    points = [Point(10.0, 0, 1.0), Point(11.0, 100, 2.0), Point(13.0, 300, 6.0)]
    assert reached(points, committed).at == at


SAME = Results(
    counted=2,
    sums=pl.DataFrame(
        [("billing", "P1", "resolution.breached", None, 1, 0), ("billing", "P1", "resolution.met", 2_048, 1, 990)],
        schema={**SUMS, "n": pl.Int64, "total": pl.Int64},
        orient="row",
    ),
    breaches=pl.DataFrame([("L-1", "resolution")], schema=BREACHES, orient="row"),
)
OTHERS = {
    "a sum": replace(SAME, sums=SAME.sums.with_columns(total=pl.col("total") + 1)),
    "a breach told twice": replace(SAME, breaches=pl.concat([SAME.breaches, SAME.breaches])),
    "a breach untold": replace(SAME, breaches=SAME.breaches.clear()),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_contestants_that_end_in_different_results_stop_the_bench(other: Results) -> None:
    check_same("opponent", SAME, SAME)
    with pytest.raises(SystemExit, match=r"^opponent: the (sums|breaches) differ"):
        check_same("opponent", other, SAME)


@pytest.mark.parametrize(
    "expected",
    [
        {"counted": 3, "resolution.met": 1, "resolution.breached": 1},
        {"counted": 2, "resolution.met": 1, "resolution.breached": 1, "resolution.open": 1},
        {"counted": 2, "resolution.met": 1},
    ],
)
def test_results_that_are_not_those_of_what_was_sent_stop_the_bench(expected: dict[str, int]) -> None:
    check("sqm", SAME, {"counted": 2, "resolution.met": 1, "resolution.breached": 1})
    with pytest.raises(SystemExit, match="differ from what was sent"):
        check("sqm", SAME, expected)
