"""Indicators: golden values of the documents, exactness, and what holds for every indicator of the registry."""

import math
import re
from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cells.bins import RELATIVE_ERROR, bin_of
from monitor.frames import Columns
from monitor.indicators import BY_ID, INDICATORS, REGISTRY, Indicator, indicators
from monitor.indicators.estimates import Mean, Quantile, Ratio
from monitor.indicators.statistics import t_quantiles
from monitor.names import MEASURES
from monitor.windows import GROUPED

Values = dict[str, int | Iterable[int]]  # measure -> how many, or their values in thousandths


def cells(*groups: Values) -> pl.DataFrame:
    """Cells of those groups, numbered in their order."""
    rows = [
        {"group": number, "measure": measure, "n": 1, "value": value}
        for number, group in enumerate(groups)
        for measure, values in group.items()
        if not isinstance(values, int)
        for value in values
    ]
    counts = [
        {"group": number, "measure": measure, "n": n, "value": None}
        for number, group in enumerate(groups)
        for measure, n in group.items()
        if isinstance(n, int)
    ]
    schema: Columns = {"group": pl.UInt32(), "measure": GROUPED["measure"], "n": pl.Int64(), "value": pl.Int64()}
    frame = pl.DataFrame([*rows, *counts], schema=dict(schema))
    frame = frame.with_columns(bin=bin_of(frame["value"]), total=pl.col("value").fill_null(0))
    summed = frame.group_by("group", "measure", "bin").agg(pl.col("n", "total").sum())
    return summed.select(list(GROUPED)).sort("group", "measure", "bin")


def figure(identifier: str, group: Values, min_n: int = 1) -> dict[str, Any]:
    rows = indicators(cells(group), 1, min_n).filter(pl.col("id") == identifier)
    return rows.row(0, named=True)


CALLS: Values = {
    "case.answered_targeted": 1000,
    "case.answered_within": 860,
    "case.abandoned_targeted": 60,
    "case.abandoned_within": 20,
    "case.abandoned_short": 10,
}


@pytest.mark.parametrize(("variant", "percent"), [(1, 83.02), (2, 86.00), (3, 81.13), (4, 82.69), (5, 82.08)])
def test_service_levels_have_their_golden_values(variant: int, percent: float) -> None:
    assert round(100 * figure(f"service_level_f{variant}_ratio", CALLS)["value"], 2) == percent


CLOSED: Values = {
    "complaint.within_4_weeks": 2,
    "complaint.within_8_weeks": 1,
    "complaint.later": 1,
    "complaint.resolved": 4,
}


@pytest.mark.parametrize(
    ("identifier", "group", "value", "n"),
    [
        ("first_response_within_ratio", {"first_response.met": 18, "first_response.breached": 2}, 0.9, 20),
        ("promises_kept_ratio", {"promise.met": 3, "promise.breached": 1, "promise.open": 9}, 0.75, 4),
        ("abandonment_ratio", {"case.answered": 9, "case.abandoned": 1}, 0.1, 10),
        ("right_first_time_ratio",
         {"case.right_first_time": 3, "case.not_right_first_time": 1, "case.resolved": 9}, 0.75, 4),
        ("reopen_ratio", {"case.reopened": 1, "case.resolved": 4}, 0.25, 4),
        ("complaints_per_1000", {"case.opened": 2003, "case.opened_complaint": 3}, 1.5, 2000),
        ("complaints_upheld_ratio",
         {"complaint.upheld": 1, "complaint.partly_upheld": 1, "complaint.rejected": 2}, 0.5, 4),
        ("complaints_redress_ratio", {"complaint.redress": 1, "complaint.resolved": 4}, 0.25, 4),
        ("complaints_within_4_weeks_ratio",
         CLOSED, 0.5, 4),
        ("complaints_within_8_weeks_ratio",
         CLOSED, 0.75, 4),
        ("csat_top2_ratio", {"rating.csat": [5000, 4000, 3000, 5000], "rating.csat_top2": 3}, 0.75, 4),
        ("csat_mean", {"rating.csat": [5000, 4000, 3000, 5000]}, 4.25, 4),
        ("ces_mean", {"rating.ces": [7000, 2000]}, 4.5, 2),
        ("nps", {"rating.nps": 100, "rating.nps_promoter": 50, "rating.nps_detractor": 17}, 33.0, 100),
        ("first_response_mean_seconds",
         {"first_response.met": [1500], "first_response.late": [4500], "first_response.untargeted": [6000]}, 4.0, 3),
        ("audit_score_mean_ratio", {"audit.score": [900, 700]}, 0.8, 2),
        ("audit_passed_ratio", {"audit.passed": 3, "audit.failed": 1}, 0.75, 4),
        ("first_response_p50_seconds", {"first_response.met": [0, 0, 0, 9000]}, 0.0, 4),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_an_indicator_is_computed_as_its_formula_says(identifier: str, group: Values, value: float, n: int) -> None:
    found = figure(identifier, group)
    assert (found["value"], found["n"]) == (pytest.approx(value, rel=1e-12), n)


@pytest.mark.parametrize(
    ("identifier", "group", "low", "high"),
    [
        ("first_response_within_ratio", {"first_response.met": 18, "first_response.breached": 2}, 0.699, 0.972),
        ("first_response_within_ratio", {"first_response.met": 20}, 0.839, 1.0),
        ("nps", {"rating.nps": 600, "rating.nps_promoter": 300, "rating.nps_detractor": 100}, 27.369, 39.297),
        ("csat_mean", {"rating.csat": [1000, 2000, 3000, 4000, 5000]}, 1.0368, 4.9632),
    ],
)
def test_an_indicator_carries_its_interval(identifier: str, group: Values, low: float, high: float) -> None:
    found = figure(identifier, group)
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


def test_the_average_speed_of_answer_is_exact_without_a_distribution() -> None:
    unbinned = cells({"case.answered": [100, 301]}).group_by("group", "measure").agg(pl.col("n", "total").sum())
    rows = indicators(unbinned.with_columns(bin=pl.lit(None, dtype=pl.Int16)).select(list(GROUPED)), 1, 1)
    found = rows.filter(pl.col("id") == "answer_speed_mean_seconds")
    assert found.select("value", "low", "high", "n").row(0) == (0.2005, None, None, 2)


TIMES = st.lists(st.integers(0, 10**9), min_size=1, max_size=200)


@given(TIMES, st.sampled_from([50, 90, 95, 99]))
def test_a_quantile_is_the_value_of_its_rank_within_the_error_of_a_bin(times: list[int], percent: int) -> None:
    exact = sorted(times)[math.ceil(len(times) * percent / 100) - 1] / 1000
    found = figure(f"resolution_p{percent}_seconds", {"resolution.met": times})
    assert abs(found["value"] - exact) <= exact * RELATIVE_ERROR * (1 + 1e-9)
    assert found["low"] <= found["value"] <= found["high"]


@given(TIMES)
def test_a_mean_is_exact_and_lies_within_its_interval(times: list[int]) -> None:
    found = figure("resolution_mean_seconds", {"resolution.met": times})
    assert found["value"] == sum(times) / (1000 * len(times))
    if len(times) > 1:
        assert found["low"] <= found["value"] <= found["high"]


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=100))
def test_the_interval_of_a_mean_is_that_of_the_values_but_for_what_lies_within_bins(times: list[int]) -> None:
    """Triangle inequality: the deviations of the bins' means differ from those of the values by what lies within."""
    found = figure("resolution_mean_seconds", {"resolution.met": times})
    n = len(times)
    mean = sum(times) / n
    scale = t_quantiles([n - 1])[0] / math.sqrt(n * (n - 1)) / 1000
    exact = scale * math.sqrt(sum((time - mean) ** 2 for time in times))
    within_bins = scale * math.sqrt(sum((time * 2 * RELATIVE_ERROR) ** 2 for time in times))
    assert abs((found["high"] - found["low"]) / 2 - exact) <= within_bins * (1 + 1e-6) + 1e-9


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50), st.integers(1, 100))
def test_the_spread_is_one_where_all_are_served_alike_and_never_less(times: list[int], factor: int) -> None:
    assert figure("first_response_spread", {"first_response.met": times})["value"] >= 1
    assert figure("first_response_spread", {"first_response.met": [times[0]] * 9})["value"] == 1
    assert figure("first_response_spread", {"first_response.met": [0, 0, 0]})["value"] is None


@pytest.mark.parametrize(("n", "shown"), [(24, False), (25, True)])
def test_below_min_n_there_is_no_value_but_its_n(n: int, shown: bool) -> None:
    found = figure("first_response_within_ratio", {"first_response.met": n}, min_n=25)
    assert found["n"] == n
    assert [found[name] is not None for name in ("value", "low", "high")] == [shown] * 3


def test_without_events_no_indicator_has_a_value() -> None:
    rows = indicators(cells(), 3, 1)
    assert rows.height == 3 * len(REGISTRY)
    assert dict(rows.schema) == dict(INDICATORS)
    assert rows.select("value", "low", "high").null_count().row(0) == (rows.height,) * 3
    assert set(rows["n"]) == {0}


EVERYTHING: Values = {
    measure: [1000 * i for i in range(1, 80 if measure == "case.opened" else 40)] for measure in MEASURES
}


def test_groups_do_not_disturb_each_other() -> None:
    other: Values = {measure: [7_000, 9_000_000] for measure in MEASURES}
    together = indicators(cells(EVERYTHING, {}, other), 3, 1)
    for number, alone in ((0, EVERYTHING), (1, {}), (2, other)):
        of_group = together.filter(pl.col("group") == number).drop("group")
        assert of_group.equals(indicators(cells(alone), 1, 1).drop("group"))


@pytest.mark.parametrize("indicator", REGISTRY, ids=lambda indicator: indicator.id)
def test_every_indicator_says_what_it_is_and_reads_measures_that_exist(indicator: Indicator) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", indicator.id)
    assert indicator.id.endswith(f"_{indicator.unit}") or indicator.unit in ("points", "times")
    assert set(indicator.estimate.measures) <= set(MEASURES)
    assert all((indicator.title, indicator.formula, indicator.source))
    assert figure(indicator.id, EVERYTHING)["value"] is not None


def test_every_indicator_that_the_semantics_name_is_there_once() -> None:
    quantiles = [f"{clock}_p{q}_seconds" for clock in ("first_response", "resolution") for q in (50, 90, 95, 99)]
    service_levels = [f"service_level_f{variant}_ratio" for variant in range(1, 6)]
    named = {*quantiles, *service_levels, "first_response_within_ratio", "abandonment_ratio", "promises_kept_ratio"}
    named |= {"right_first_time_ratio", "reopen_ratio", "first_response_mean_seconds", "resolution_mean_seconds"}
    named |= {"complaints_per_1000", "complaints_upheld_ratio", "csat_top2_ratio", "csat_mean", "nps", "ces_mean"}
    assert named <= set(BY_ID)
    assert len(BY_ID) == len(REGISTRY)


def test_a_ratio_knows_what_speaks_against_it() -> None:
    assert Ratio({"a": 1}, {"a": 1, "b": 1}).rest == {"b": 1}
    assert Ratio({"a": 1}, {"n": 1}).rest == {"n": 1, "a": -1}
    assert Mean(("a",)).measures == Quantile(("a",), 50).measures == ("a",)
