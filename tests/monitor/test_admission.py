"""Admission: first come, first admitted; beyond the limit labels are rolled up from the last one backwards."""

import polars as pl
import pytest

from monitor.admission import admit
from monitor.frames import LABEL_COLUMNS, SERIES, empty
from monitor.names import OTHER

POLICY_LABELS = ("service", "agent")


def rows(*pairs: tuple[str | None, str | None]) -> pl.DataFrame:
    frame = pl.DataFrame({"service": [p[0] for p in pairs], "agent": [p[1] for p in pairs]}, strict=False)
    missing = [pl.lit(None, dtype=pl.String).alias(label) for label in LABEL_COLUMNS if label not in frame.columns]
    return frame.cast(pl.String).with_columns(missing).select(list(LABEL_COLUMNS))


def labels_of(frame: pl.DataFrame, series: pl.DataFrame) -> list[tuple[str | None, str | None]]:
    return frame.join(series, on="series", how="left", maintain_order="left").select(POLICY_LABELS).rows()


def test_each_combination_gets_one_number_in_the_order_of_its_coming() -> None:
    first = admit(rows(("a", "x"), ("b", "x"), ("a", "x"), ("a", None)), empty(SERIES), POLICY_LABELS, 10)
    assert first.rows["series"].to_list() == [0, 1, 0, 2]
    again = admit(rows(("b", "x"), ("c", None)), first.series, POLICY_LABELS, 10)
    assert again.rows["series"].to_list() == [1, 3]
    assert again.series["service"].to_list() == ["c"]


def test_labels_that_the_policy_does_not_list_make_no_series() -> None:
    many = rows(("a", "x"), ("a", "y"))
    result = admit(many, empty(SERIES), ("service",), 10)
    assert result.rows["series"].to_list() == [0, 0]
    assert result.series["agent"].to_list() == [None]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_beyond_the_limit_the_last_label_becomes_other_and_services_stay_whole(chunk: int) -> None:
    values = [(service, f"agent-{n}") for n in range(50) for service in ("a", "b")]
    series, seen = empty(SERIES), []
    for start in range(0, len(values), chunk):
        part = admit(rows(*values[start : start + chunk]), series, POLICY_LABELS, 4)
        series = pl.concat([series, part.series])
        seen += labels_of(part.rows, series)
    expected = [("a", "agent-0"), ("b", "agent-0"), ("a", "agent-1"), ("b", "agent-1")]
    assert seen[:4] == expected
    assert set(seen[4:]) == {("a", OTHER), ("b", OTHER)}
    assert series.height == 6


def test_when_even_the_rolled_up_combinations_are_too_many_everything_becomes_other() -> None:
    result = admit(rows(*((f"s{n}", "x") for n in range(9))), empty(SERIES), POLICY_LABELS, 2)
    assert labels_of(result.rows, result.series) == [
        ("s0", "x"),
        ("s1", "x"),
        ("s2", OTHER),
        ("s3", OTHER),
        *[(OTHER, OTHER)] * 5,
    ]
    assert result.overflowed == 7


def test_a_combination_once_rolled_up_stays_rolled_up() -> None:
    first = admit(rows(("a", "x"), ("a", "y")), empty(SERIES), POLICY_LABELS, 1)
    again = admit(rows(("a", "y"), ("a", "x")), first.series, POLICY_LABELS, 1)
    assert labels_of(again.rows, first.series) == [("a", OTHER), ("a", "x")]
