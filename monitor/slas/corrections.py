"""How many of the verdicts that an objective counts replaced a published one that a late event proved wrong."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from monitor.frames import LABEL_COLUMNS, Columns, conform, empty
from monitor.names import Change, Clock, Outcome
from monitor.policy import PolicyVersion
from monitor.policy.conditions import fits
from monitor.slas.periods import bounds
from monitor.state import State

CORRECTED: Final[Columns] = {"sla": pl.String(), **LABEL_COLUMNS, "corrected": pl.Int64()}


def corrected(states: Mapping[int, State], policy: PolicyVersion, now: datetime) -> pl.DataFrame:
    """CORRECTED in the period so far of each objective of a clock; combinations of `by` without any are left out.

    How often that happened depends on the order in which events came: this is told beside the figures, not in them.
    """
    counts = (pl.col("change") == Change.CORRECTED) & pl.col("outcome").is_in([Outcome.MET, Outcome.BREACHED])
    revised = [
        state.verdicts_where(counts).select("clock", "decided", "series").join(state.series, on="series", how="left")
        for state in states.values()
    ]
    if not revised:
        return empty(CORRECTED)
    rows, parts = pl.concat(revised), [empty(CORRECTED)]
    for sla in policy.slas:
        if not isinstance(sla.measure, Clock):
            continue
        within = pl.col("decided").is_between(bounds(sla.period, now).start, now)
        chosen = rows.filter((pl.col("clock") == sla.measure) & within & fits(sla.where))
        if chosen.height:
            counted = chosen.group_by(sla.by).len("corrected") if sla.by else chosen.select(corrected=pl.len())
            parts.append(conform(counted.with_columns(sla=pl.lit(sla.id)), CORRECTED))
    return pl.concat(parts)
