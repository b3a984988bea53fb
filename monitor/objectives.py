"""What an objective counts: which measures are good, which are bad, and the goal they are held against."""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from monitor.names import Clock, Outcome
from monitor.policy.model import Sla
from monitor.policy.values import decimal_text


@dataclass(frozen=True, slots=True)
class Objective:
    """How an SLA is counted."""

    good: tuple[str, ...]
    bad: tuple[str, ...]
    goal: Decimal

    @property
    def measures(self) -> tuple[str, ...]:
        return (*self.good, *self.bad)

    @property
    def goal_text(self) -> str:
        return decimal_text(self.goal)

    def sums(self) -> tuple[pl.Expr, pl.Expr]:
        """Aggregations of (measure, n) rows into `good` and `bad`."""
        measure, n = pl.col("measure"), pl.col("n")
        good, bad = (n.filter(measure.is_in(list(names))).sum() for names in (self.good, self.bad))
        return good.alias("good"), bad.alias("bad")


def objective(sla: Sla) -> Objective:
    assert isinstance(sla.measure, Clock)
    return Objective((f"{sla.measure}.{Outcome.MET}",), (f"{sla.measure}.{Outcome.BREACHED}",), sla.goal)
