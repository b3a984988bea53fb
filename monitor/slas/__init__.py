"""Judging objectives: good and bad over each window, compliance, burn rate, budget left, and the burn pairs.

    compliance  = good / (good + bad)
    burn        = (1 - compliance) / (1 - goal)      1 spends the budget exactly over the period
    budget left = 1 - burn                           of the period so far; below 0 it is overspent

Without events there is no value. Source: Google, The Site Reliability Workbook (2018), chapters 2 and 5.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import polars as pl

from monitor.frames import JUDGEMENTS, conform, empty
from monitor.indicators.sample import Sample
from monitor.policy import PolicyVersion
from monitor.policy.conditions import fits
from monitor.policy.durations import format_span
from monitor.policy.model import CalendarPeriod, Sla
from monitor.slas import burn
from monitor.slas.burn import Pair
from monitor.slas.counts import Counted
from monitor.slas.objectives import Counting, Objective, Valuing, objective
from monitor.slas.periods import LONGEST, USUAL, bounds

PERIOD: Final = "period"


class Reads(Protocol):
    """What `counts.Counts` does."""

    def __call__(self, start: datetime | None, end: datetime, *, anchored: bool = False) -> Counted: ...


class Asked(NamedTuple):
    """A window of an objective, by its name in JUDGEMENTS."""

    window: str
    start: datetime
    anchored: bool  # grows from a fixed start


def pairs_of(sla: Sla, now: datetime) -> tuple[Pair, ...]:
    """The burn pairs of an objective as of `now` (factors follow a month's real length); () where it has none."""
    period = bounds(sla.period, now)
    return _pairs(sla, period.length, period.longest)


def usual_pairs(sla: Sla) -> tuple[Pair, ...]:
    """The burn pairs of an objective whatever the time: factors are those of a month of 31 days and the like."""
    if isinstance(sla.period, timedelta):
        return _pairs(sla, sla.period, sla.period)
    return _pairs(sla, USUAL[sla.period.calendar], LONGEST[sla.period.calendar])


def _pairs(sla: Sla, length: timedelta, longest: timedelta) -> tuple[Pair, ...]:
    wanted = objective(sla)
    if sla.alerts.burn == "none" or not isinstance(wanted, Counting):
        return ()
    return burn.pairs(wanted.goal, length, longest)


def asked(sla: Sla, now: datetime) -> tuple[Asked, ...]:
    """The windows that an objective is judged over: its period so far, then those of its pairs, shortest first."""
    watched = burn.windows(pairs_of(sla, now))
    return (
        Asked(PERIOD, bounds(sla.period, now).start, isinstance(sla.period, CalendarPeriod)),
        *(Asked(format_span(window), now - window, False) for window in watched),
    )


def judgements(counts: Reads, policy: PolicyVersion, now: datetime) -> pl.DataFrame:
    """How every objective does in every window it is judged over.

    :param counts: what the measures of the policy's objectives come to, see `counts.Counts`
    :param policy: the newest version: its objectives are in force
    :param now: end of all windows
    :returns: JUDGEMENTS, a row for each objective, combination of `by` that ever had an event, and window; an
        objective without `by` always has its rows. All windows of an objective have the same order of combinations
    """
    parts = [_judged(counts, sla, policy, now) for sla in policy.slas]
    return pl.concat(parts) if parts else empty(JUDGEMENTS)


def _judged(counts: Reads, sla: Sla, policy: PolicyVersion, now: datetime) -> pl.DataFrame:
    wanted = objective(sla)
    chosen = [counts(window.start, now, anchored=window.anchored) for window in asked(sla, now)]
    rows = _grid(counts, sla, wanted, now)
    fewest = policy.limits.min_n
    sums = pl.concat(
        _summed(_of(counted, sla, wanted), sla, wanted, fewest).with_columns(place=pl.lit(place, dtype=pl.UInt32))
        for place, counted in enumerate(chosen)
    )
    rows = rows.with_columns(grain=pl.Series([c.tier for c in chosen]).gather(rows["place"]))
    rows = rows.join(sums, on=["place", *sla.by], how="left", nulls_equal=True, maintain_order="left")
    rows = rows.with_columns(pl.lit(sla.id).alias("sla"), pl.lit(now).alias("to"))
    figures = _counted(rows, wanted) if isinstance(wanted, Counting) else _valued(rows, wanted)
    return conform(figures, JUDGEMENTS)


def _grid(counts: Reads, sla: Sla, wanted: Objective, now: datetime) -> pl.DataFrame:
    """Each combination of `by` that ever had an event with each window: by…, place, window, from."""
    windows = asked(sla, now)
    places = pl.DataFrame(
        {"window": [window.window for window in windows], "from": [window.start for window in windows]},
        schema={name: JUDGEMENTS[name] for name in ("window", "from")},
    ).with_row_index("place")
    if not sla.by:
        return places
    ever = _of(counts(None, now), sla, wanted).select(sla.by).unique().sort(sla.by, nulls_last=True)
    return ever.join(places, how="cross", maintain_order="left_right")


def _of(counted: Counted, sla: Sla, wanted: Objective) -> pl.DataFrame:
    """The rows of COUNTS that an objective is about."""
    return counted.counts.filter(pl.col("measure").is_in(wanted.measures) & fits(sla.where))


def _summed(rows: pl.DataFrame, sla: Sla, wanted: Objective, fewest: int) -> pl.DataFrame:
    """(by…) -> good, bad; or value, n. One row where there is no `by`."""
    if isinstance(wanted, Counting):
        sums = wanted.sums()
        return rows.group_by(sla.by).agg(sums) if sla.by else rows.select(sums)
    groups = rows.select(sla.by).unique() if sla.by else pl.DataFrame({"group": [0]})
    groups = groups.select(sla.by).with_row_index("group") if sla.by else groups.cast(pl.UInt32)
    grouped = rows.join(groups, on=sla.by, nulls_equal=True) if sla.by else rows.join(groups, how="cross")
    cells = grouped.group_by("group", "measure", "bin").agg(pl.col("n", "total").sum())
    figure = wanted.estimate.of(Sample(cells, groups.height))
    value = pl.Series("value", figure.value, dtype=pl.Float64).fill_nan(None)
    counted = groups.with_columns(value, pl.Series("n", figure.n, dtype=pl.Int64))
    enough = pl.col("n") >= max(fewest, 1)
    return counted.drop("group").with_columns(value=pl.when(enough).then("value"))


def _counted(rows: pl.DataFrame, wanted: Counting) -> pl.DataFrame:
    good, bad, n = pl.col("good"), pl.col("bad"), pl.col("n")
    rows = rows.with_columns(good.fill_null(0), bad.fill_null(0), goal=pl.lit(wanted.goal_text))
    left_to_miss = burn.miss(wanted.goal)
    share, whole = left_to_miss.numerator, left_to_miss.denominator
    rows = rows.with_columns(n=good + bad)
    some = n > 0
    rows = rows.with_columns(
        compliance=pl.when(some).then(good / n),
        burn=pl.when(some).then(bad * whole / (n * share)),
        kept=pl.when(some).then(bad * whole <= n * share),
    )
    return rows.with_columns(budget_left=pl.when(pl.col("window") == PERIOD).then(1 - pl.col("burn")))


def _valued(rows: pl.DataFrame, wanted: Valuing) -> pl.DataFrame:
    value, threshold = pl.col("value"), pl.lit(float(wanted.threshold))
    kept = value >= threshold if wanted.at_least else value <= threshold
    return rows.with_columns(pl.col("n").fill_null(0), threshold=threshold, kept=kept)
