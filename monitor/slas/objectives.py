"""What an objective counts, and what it is held against.

| measure | good | bad | held against |
|---|---|---|---|
| a clock | met | breached | `goal` |
| a ratio, `at_least: x` | its numerator | the rest of its denominator | x |
| a ratio, `at_most: x` | the rest of its denominator | its numerator | 1 - x |
| another indicator (mean, quantile, rate) | - | - | its value over the period against the threshold |

The threshold of an indicator takes the place of the goal. Only what is counted has a budget that can burn: the last
kind is kept or not kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from monitor.indicators import REGISTRY
from monitor.indicators.estimates import Estimate, Ratio
from monitor.names import Clock, Outcome
from monitor.policy.model import IndicatorMeasure, Sla
from monitor.policy.values import decimal_text

Weights = Mapping[str, int]  # measure -> how often each of its things counts

_ESTIMATES = {indicator.id: indicator.estimate for indicator in REGISTRY}


@dataclass(frozen=True, slots=True)
class Counting:
    """Good and bad are counted, and held against a goal strictly between 0 and 1."""

    good: Weights
    bad: Weights
    goal: Decimal

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.good, *self.bad)))

    @property
    def goal_text(self) -> str:
        return decimal_text(self.goal)

    def sums(self) -> tuple[pl.Expr, pl.Expr]:
        """Aggregations of (measure, n) rows into `good` and `bad`."""
        return _sum(self.good).alias("good"), _sum(self.bad).alias("bad")


@dataclass(frozen=True, slots=True)
class Valuing:
    """A value is held against a threshold."""

    estimate: Estimate
    threshold: Decimal
    at_least: bool

    @property
    def measures(self) -> tuple[str, ...]:
        return self.estimate.measures


Objective = Counting | Valuing


class Measures(NamedTuple):
    """What objectives read."""

    counted: tuple[str, ...]  # only how many
    valued: tuple[str, ...]  # values and bins as well


def objective(sla: Sla) -> Objective:
    """How an SLA is judged."""
    if isinstance(sla.measure, Clock):
        met, breached = (f"{sla.measure}.{outcome}" for outcome in (Outcome.MET, Outcome.BREACHED))
        return Counting({met: 1}, {breached: 1}, sla.goal)
    return _of_indicator(sla.measure)


def _of_indicator(measure: IndicatorMeasure) -> Objective:
    estimate = _ESTIMATES[measure.indicator]
    at_least = measure.at_least is not None
    threshold = measure.at_least if measure.at_least is not None else measure.at_most
    assert threshold is not None
    if isinstance(estimate, Ratio) and 0 < threshold < 1:
        if at_least:
            return Counting(estimate.part, estimate.rest, threshold)
        return Counting(estimate.rest, estimate.part, 1 - threshold)
    return Valuing(estimate, threshold, at_least)


def measures(slas: Iterable[Sla]) -> Measures:
    """Everything that judging those SLAs reads, each measure once."""
    every = [objective(sla) for sla in slas]
    valued = dict.fromkeys(m for wanted in every if isinstance(wanted, Valuing) for m in wanted.measures)
    counted = dict.fromkeys(m for wanted in every if isinstance(wanted, Counting) for m in wanted.measures)
    return Measures(tuple(m for m in counted if m not in valued), tuple(valued))


def _sum(weights: Weights) -> pl.Expr:
    measure, n = pl.col("measure"), pl.col("n")
    by_weight: dict[int, list[str]] = {}
    for name, weight in weights.items():
        by_weight.setdefault(weight, []).append(name)
    parts = [n.filter(measure.is_in(names)).sum() * weight for weight, names in by_weight.items()]
    return pl.sum_horizontal(parts)
