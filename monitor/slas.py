"""Judging objectives: good and bad over each window, compliance, burn rate, budget left, and the burn pairs.

    compliance  = good / (good + bad)
    burn        = (1 - compliance) / (1 - goal)      1 spends the budget exactly over the period
    budget left = 1 - burn                           of the period so far; below 0 it is overspent

Without events there is no value. Source: Google, The Site Reliability Workbook (2018), chapters 2 and 5.
"""

from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from monitor import burn
from monitor.burn import Pair
from monitor.counts import Counted, Counts
from monitor.frames import JUDGEMENTS, conform, empty
from monitor.objectives import Objective, objective
from monitor.periods import bounds
from monitor.policy import PolicyVersion
from monitor.policy.conditions import fits
from monitor.policy.durations import format_span
from monitor.policy.model import Sla

PERIOD: Final = "period"


class Asked(NamedTuple):
    """A window of an objective, by its name in JUDGEMENTS."""

    window: str
    start: datetime


def pairs_of(sla: Sla, now: datetime) -> tuple[Pair, ...]:
    """The burn pairs of an objective as of `now` (factors follow a month's real length); () where it wants none."""
    if sla.alerts.burn == "none":
        return ()
    period = bounds(sla.period, now)
    return burn.pairs(objective(sla).goal, period.length, period.longest)


def asked(sla: Sla, now: datetime) -> tuple[Asked, ...]:
    """The windows that an objective is judged over: its period so far, then those of its pairs, shortest first."""
    watched = burn.windows(pairs_of(sla, now))
    return (
        Asked(PERIOD, bounds(sla.period, now).start),
        *(Asked(format_span(window), now - window) for window in watched),
    )


def judgements(counts: Counts, policy: PolicyVersion, now: datetime) -> pl.DataFrame:
    """How every objective does in every window it is judged over.

    :param counts: numbers of the policy's measures (see `objectives.measures`)
    :param policy: the newest version: its objectives are in force
    :param now: end of all windows
    :returns: JUDGEMENTS, a row for each objective, combination of `by` that ever had an event, and window; an
        objective without `by` always has its rows. All windows of an objective have the same order of combinations
    """
    parts = [_judged(counts, sla, now) for sla in policy.slas]
    return pl.concat(parts) if parts else empty(JUDGEMENTS)


def _judged(counts: Counts, sla: Sla, now: datetime) -> pl.DataFrame:
    wanted = objective(sla)
    windows = asked(sla, now)
    read = [counts(window.start, now) for window in windows]
    places = pl.DataFrame(
        {
            "window": [window.window for window in windows],
            "from": [window.start for window in windows],
            "tier": [counted.tier for counted in read],
        },
        schema={name: JUDGEMENTS[name] for name in ("window", "from", "tier")},
    ).with_row_index("place")
    ever = _summed(counts(None, now), sla, wanted)
    combinations = ever.select(sla.by) if sla.by else pl.DataFrame({"": [None]}).select([])
    rows = _every(combinations, places, bool(sla.by))
    sums = pl.concat(
        _summed(counted, sla, wanted).with_columns(place=pl.lit(place, dtype=pl.UInt32))
        for place, counted in enumerate(read)
    )
    rows = rows.join(sums, on=["place", *sla.by], how="left", nulls_equal=True, maintain_order="left")
    return conform(_figures(rows, sla, wanted).with_columns(to=pl.lit(now)), JUDGEMENTS)


def _every(combinations: pl.DataFrame, places: pl.DataFrame, split: bool) -> pl.DataFrame:
    """Each combination of `by` with each window, combinations in the order of their values."""
    if not split:
        return places
    ordered = combinations.sort(combinations.columns, nulls_last=True)
    return ordered.join(places, how="cross", maintain_order="left_right")


def _summed(counted: Counted, sla: Sla, wanted: Objective) -> pl.DataFrame:
    """(by…) -> good, bad of one window; one row where there is no `by`."""
    chosen = counted.counts.filter(pl.col("measure").is_in(wanted.measures) & fits(sla.where))
    sums = wanted.sums()
    return chosen.group_by(sla.by).agg(sums) if sla.by else chosen.select(sums)


def _figures(rows: pl.DataFrame, sla: Sla, wanted: Objective) -> pl.DataFrame:
    good, bad = pl.col("good"), pl.col("bad")
    n = good + bad
    rows = rows.with_columns(pl.lit(sla.id).alias("sla"), good.fill_null(0), bad.fill_null(0))
    rows = rows.with_columns(compliance=pl.when(n > 0).then(good / n), goal=pl.lit(wanted.goal_text))
    left_to_miss = burn.miss(wanted.goal)
    rate = bad * left_to_miss.denominator / (n * left_to_miss.numerator)
    rows = rows.with_columns(burn=pl.when(n > 0).then(rate))
    return rows.with_columns(budget_left=pl.when(pl.col("window") == PERIOD).then(1 - pl.col("burn")))
