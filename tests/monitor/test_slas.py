"""Judgements of objectives, and which burn pairs fire.

30 d                                        1 h   5 m  now
|--------------------------------------------|-----|---|
 good 990, bad 10: budget of 5 % = 50, 10 used
                                              bad 12 of 80: 15 % / 5 % = burns 3 x
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from monitor.frames import JUDGEMENTS, PAIRS, conform
from monitor.policy import PolicySet, load
from monitor.slas import Reads, asked, judgements
from monitor.slas.burning import burning, states
from monitor.slas.counts import COUNTS, Counted

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

POLICY = """
policy: support
labels: [service, tier]
targets:
  - {clock: first_response, within: 4h}
  - {clock: resolution, within: 3d}
slas:
"""


def policy(*slas: str) -> PolicySet:
    return load([("policy.yaml", POLICY + "".join(f"  - {sla}\n" for sla in slas))])


ANSWERS = "{id: answers, measure: first_response, by: [service], goal: 95%, period: 30d, min_events: 50}"

# (labels, seconds before now, good, bad)
Happened = tuple[Mapping[str, str], timedelta, int, int]


def counted(happened: Sequence[Happened], clock: str = "first_response") -> Reads:
    """Counts over what happened: an event counts in a window that began before it."""

    def read(start: datetime | None, end: datetime, *, anchored: bool = False) -> Counted:
        rows: list[dict[str, Any]] = []
        for labels, ago, good, bad in happened:
            if start is None or end - ago >= start:
                rows.append({**labels, "measure": f"{clock}.met", "n": good})
                rows.append({**labels, "measure": f"{clock}.breached", "n": bad})
        return Counted(pl.DataFrame(rows, schema=COUNTS), "all" if start is None else "1m")

    return read


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def of_window(frame: pl.DataFrame, window: str, **labels: str | None) -> dict[str, Any]:
    row = frame.filter(
        pl.col("window") == window, *(pl.col(label).eq_missing(value) for label, value in labels.items())
    )
    return row.row(0, named=True)


def test_compliance_burn_and_budget_of_the_period() -> None:
    frame = judgements(counted([({"service": "billing"}, 2 * DAY, 990, 10)]), policy(ANSWERS).newest, NOW)
    assert frame.schema == dict(JUDGEMENTS)
    row = of_window(frame, "period", service="billing")
    assert (row["good"], row["bad"], row["compliance"], row["goal"]) == (990, 10, 0.99, "0.95")
    assert row["burn"] == pytest.approx(0.2)
    assert row["budget_left"] == pytest.approx(0.8)
    assert (row["from"], row["to"]) == (NOW - 30 * DAY, NOW)


def test_an_overspent_budget_is_negative() -> None:
    frame = judgements(counted([({"service": "billing"}, DAY, 80, 20)]), policy(ANSWERS).newest, NOW)
    assert of_window(frame, "period")["budget_left"] == pytest.approx(-3)


def test_without_events_there_is_no_value() -> None:
    sla = "{id: answers, measure: first_response, goal: 95%, period: 30d}"
    frame = judgements(counted([]), policy(sla).newest, NOW)
    assert frame["window"].to_list() == ["period", "5m", "30m", "1h", "2h", "6h", "1d", "3d"]
    assert frame["good"].to_list() == frame["bad"].to_list() == [0] * 8
    assert frame.select("compliance", "burn", "budget_left").null_count().row(0) == (8, 8, 8)


def test_all_failing_burns_at_exactly_the_greatest_rate() -> None:
    frame = judgements(counted([({"service": "billing"}, DAY, 0, 7)]), policy(ANSWERS).newest, NOW)
    assert of_window(frame, "period")["burn"] == 20.0


def test_each_combination_of_by_is_an_objective_also_when_it_fell_silent() -> None:
    happened = [({"service": "billing"}, DAY, 9, 1), ({"service": "delivery"}, 60 * DAY, 5, 5)]
    frame = judgements(counted(happened), policy(ANSWERS).newest, NOW).filter(pl.col("window") == "period")
    assert frame.select("service", "compliance").rows() == [("billing", 0.9), ("delivery", None)]


def test_cases_without_the_label_are_an_objective_of_their_own() -> None:
    happened: list[Happened] = [({"service": "billing"}, DAY, 9, 1), ({}, DAY, 1, 1)]
    frame = judgements(counted(happened), policy(ANSWERS).newest, NOW).filter(pl.col("window") == "period")
    assert frame.select("service", "compliance").rows() == [("billing", 0.9), (None, 0.5)]


def test_where_limits_an_objective_to_labels() -> None:
    happened = [({"service": "a", "tier": "gold"}, DAY, 3, 1), ({"service": "a", "tier": "free"}, DAY, 0, 9)]
    sla = "{id: gold, measure: first_response, where: {tier: gold}, goal: 50%, period: 30d}"
    assert of_window(judgements(counted(happened), policy(sla).newest, NOW), "period")["compliance"] == 0.75


def test_rows_of_several_partitions_add_up() -> None:
    happened = [({"service": "a", "tier": t}, DAY, 10, 1) for t in ("x", "y", "z")]
    row = of_window(judgements(counted(happened), policy(ANSWERS).newest, NOW), "period", service="a")
    assert (row["good"], row["bad"]) == (30, 3)


def test_a_calendar_period_counts_so_far() -> None:
    sla = (
        "{id: m, measure: first_response, goal: 95%, period: {calendar: month, zone: Europe/Berlin}, "
        "alerts: {burn: none}}"
    )
    happened: list[Happened] = [({}, 19 * DAY, 5, 0), ({}, 20 * DAY, 0, 5)]  # 1 November 12:00, 31 October 12:00
    frame = judgements(counted(happened), policy(sla).newest, NOW)
    assert frame["window"].to_list() == ["period"]
    row = of_window(frame, "period")
    assert row["from"] == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (row["good"], row["bad"]) == (5, 0)


def test_the_grain_that_was_read_is_named() -> None:
    frame = judgements(counted([({}, DAY, 5, 0)]), policy(ANSWERS).newest, NOW)
    assert set(frame["grain"]) == {"1m"}


# ----- indicators -----


def scores(*rows: tuple[str, str, int, int]) -> Reads:
    """Counts of (service, measure, n, total)."""
    columns = {"service": pl.String, "measure": pl.String, "n": pl.Int64, "total": pl.Int64}
    frame = conform(pl.DataFrame(rows, schema=columns, orient="row"), COUNTS)

    def read(start: datetime | None, end: datetime, *, anchored: bool = False) -> Counted:
        return Counted(frame, "1m")

    return read


CSAT = "{id: csat, measure: {indicator: csat_top2_ratio, at_least: 0.85}, goal: 95%, period: 30d}"


def test_a_ratio_is_counted_and_its_threshold_takes_the_goals_place() -> None:
    newest = policy(CSAT).newest
    frame = judgements(scores(("a", "rating.csat", 200, 0), ("a", "rating.csat_top2", 180, 0)), newest, NOW)
    row = of_window(frame, "period")
    assert (row["good"], row["bad"], row["compliance"], row["goal"], row["kept"]) == (180, 20, 0.9, "0.85", True)
    assert row["budget_left"] == pytest.approx(1 / 3)
    assert burning(frame, newest, NOW).height == 4


def test_a_ratio_that_must_stay_low_counts_its_numerator_as_bad() -> None:
    sla = "{id: gone, measure: {indicator: abandonment_ratio, at_most: 5%}, goal: 95%, period: 30d}"
    counts = scores(("a", "case.abandoned", 8, 0), ("a", "case.answered", 92, 0))
    row = of_window(judgements(counts, policy(sla).newest, NOW), "period")
    assert (row["good"], row["bad"], row["goal"], row["kept"]) == (92, 8, "0.95", False)


VALUES = {"kept": (29, 100_000, True), "missed": (61, 100_000, False), "too few": (61, 24, None), "none": (0, 0, None)}


@pytest.mark.parametrize(("seconds", "n", "kept"), VALUES.values(), ids=VALUES)
def test_any_other_indicator_is_held_against_its_threshold(seconds: int, n: int, kept: bool | None) -> None:
    sla = (
        "{id: fast, measure: {indicator: answer_speed_mean_seconds, at_most: 60}, by: [service], goal: 95%, "
        "period: 30d}"
    )
    newest = policy(sla).newest
    frame = judgements(scores(("a", "case.answered", n, seconds * n * 1000)), newest, NOW)
    assert frame["window"].to_list() == ["period"]
    row = frame.row(0, named=True)
    assert (row["value"], row["threshold"], row["n"]) == (float(seconds) if n >= 25 else None, 60.0, n)
    assert (row["kept"], row["good"], row["burn"], row["budget_left"]) == (kept, None, None, None)
    state = states(frame, burning(frame, newest, NOW), newest)["state"][0]
    assert state == ("ok" if kept else "breached" if kept is False else "too_few" if n else "no_data")


# ----- burn pairs -----

QUIET = ({"service": "billing"}, 10 * DAY, 10_000, 0)

PAIRS_TABLE = {
    "both windows burn: page": (
        [(({"service": "billing"}), 2 * MINUTE, 10, 90)],
        ["burning", "burning", "burning", "burning"],
    ),
    "it is over: the short window is empty": (
        [(({"service": "billing"}), 50 * MINUTE, 10, 90), (({"service": "billing"}), MINUTE, 100, 0)],
        # 30 m holds only good ones; 2 h and 6 h still burn, at 90 of 200: 9 x
        ["not_burning", "not_burning", "burning", "burning"],
    ),
    "it has only begun: the long window does not burn yet": (
        [(({"service": "billing"}), 50 * MINUTE, 2_000, 0), (({"service": "billing"}), MINUTE, 10, 90)],
        ["not_burning", "not_burning", "not_burning", "not_burning"],
    ),
    "fewer than 50 events": (
        [(({"service": "billing"}), MINUTE, 9, 40)],
        ["too_few", "too_few", "too_few", "too_few"],
    ),
    "it may be chance": (
        # 4 of 60: 6.7 %, burns 1.33 x; P(X >= 4) = 0.35
        [(({"service": "billing"}), MINUTE, 56, 4)],
        ["not_burning", "not_burning", "not_burning", "not_significant"],
    ),
    "nothing happens": ([], ["no_events", "no_events", "no_events", "no_events"]),
}


@pytest.mark.parametrize(("happened", "expected"), PAIRS_TABLE.values(), ids=PAIRS_TABLE)
def test_a_pair_fires_where_both_windows_burn_and_it_is_no_chance(
    happened: list[Happened], expected: list[str]
) -> None:
    newest = policy(ANSWERS).newest
    frame = judgements(counted([QUIET, *happened]), newest, NOW)
    pairs = burning(frame, newest, NOW)
    assert pairs.schema == dict(PAIRS)
    assert pairs["judged"].to_list() == expected
    assert pairs["severity"].to_list() == ["page", "page", "ticket", "ticket"]


def test_a_burn_rate_equal_to_the_factor_does_not_fire() -> None:
    newest = policy("{id: a, measure: first_response, goal: 99%, period: 30d}").newest
    at_factor = judgements(counted([({}, MINUTE, 856, 144)]), newest, NOW)  # 14.4 % of 1 % is 14.4 exactly
    beyond = judgements(counted([({}, MINUTE, 855, 145)]), newest, NOW)
    assert burning(at_factor, newest, NOW)["judged"][0] == "not_burning"
    assert burning(beyond, newest, NOW)["judged"][0] == "burning"


def test_a_factor_below_one_does_not_fire_while_the_goal_is_kept() -> None:
    newest = policy("{id: a, measure: first_response, goal: 95%, period: 7d}").newest
    kept = judgements(counted([({}, MINUTE, 9_600, 400)]), newest, NOW)  # 4 %: burns 0.8 x
    pairs = burning(kept, newest, NOW)
    assert pairs["factor"].round(3).to_list() == [3.36, 1.4, 0.7, 0.233]
    assert pairs["judged"].to_list() == ["not_burning", "not_burning", "not_significant", "not_significant"]


def test_windows_that_were_widened_are_named_with_what_they_were() -> None:
    newest = policy("{id: a, measure: first_response, goal: 80%, period: 30d}").newest
    pairs = burning(judgements(counted([]), newest, NOW), newest, NOW)
    assert pairs.select("long", "short", "widened_from").rows() == [
        ("3h12m", "16m", "1h"),
        ("8h", "40m", "6h"),
        ("1d", "2h", None),
        ("3d", "6h", None),
    ]


def test_an_objective_without_burn_alerts_has_no_windows_for_them() -> None:
    sla = policy("{id: a, measure: first_response, goal: 80%, period: 30d, alerts: {burn: none}}").newest.slas[0]
    assert [window.window for window in asked(sla, NOW)] == ["period"]


STATES: dict[str, list[Happened]] = {
    "no_data": [],
    "too_few": [({}, 10 * DAY, 1, 1)],
    "ok": [({}, 10 * DAY, 99, 1)],
    "breached": [({}, 10 * DAY, 90, 10)],
    "burning": [({}, 10 * DAY, 10_000, 0), ({}, MINUTE, 10, 90)],
}


@pytest.mark.parametrize(("state", "happened"), STATES.items(), ids=STATES)
def test_an_objective_in_one_word(state: str, happened: list[Happened]) -> None:
    newest = policy("{id: a, measure: first_response, goal: 95%, period: 30d}").newest
    frame = judgements(counted(happened), newest, NOW)
    assert states(frame, burning(frame, newest, NOW), newest)["state"].to_list() == [state]
