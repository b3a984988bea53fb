"""How much of its target a clock has used (rule 11): elapsed time as a share of the whole.

The whole is the target; for working days the calendar time from the start to the due without pauses; for a promise
the wall time from the opening to the promised time.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import polars as pl

from monitor.calendars import NEVER
from monitor.cases import Ints
from monitor.clocks.business_days import span_of_days
from monitor.clocks.rules import Mask, Rules, microseconds, rules_of
from monitor.frames import SPAN
from monitor.names import Clock
from monitor.policy import PolicySet


def wholes(rows: pl.DataFrame, policies: PolicySet) -> pl.Series:
    """What the share of each row is a share of (SPAN); null where there is none.

    :param rows: clock, policy, line, target, started, due, as in VERDICTS
    """
    promise = pl.col("clock") == Clock.PROMISE
    known = rows.select(pl.when(promise).then(pl.col("due") - pl.col("started")).otherwise("target").alias("whole"))
    whole = known.to_series()
    rules, line = _lines(rows, policies)
    in_days = (rules.business_days[line] > 0) & rows["started"].is_not_null().to_numpy()
    if not in_days.any():
        return whole
    found = np.full(rows.height, NEVER, dtype=np.int64)
    started = _instants(rows["started"])
    for some, calendar in _calendars(rules, line, in_days):
        found[some] = span_of_days(rules.calendars[calendar], started[some], rules.business_days[line[some]])
    of_days = pl.Series(found).set(pl.Series(found == NEVER), None).cast(SPAN)
    return of_days.zip_with(pl.Series(in_days), whole).alias("whole")


def left(rows: pl.DataFrame, policies: PolicySet, now: datetime) -> pl.Series:
    """Calendar time from `now` until each due, zero once it has passed (SPAN); null where there is no due.

    :param rows: clock, policy, line, due, as in VERDICTS
    """
    rules, line = _lines(rows, policies)
    line = np.where((rows["clock"] == Clock.PROMISE).to_numpy(), -1, line)  # calendars do not move a promise
    at = microseconds(now)
    known = rows["due"].is_not_null()
    due = np.maximum(_instants(rows["due"]), at)
    span = np.zeros(rows.height, dtype=np.int64)
    for some, calendar in _calendars(rules, line, known.to_numpy()):
        position = rules.calendars[calendar].position(np.append(due[some], at))
        span[some] = position[:-1] - position[-1]
    return pl.Series("left", span).set(~known, None).cast(SPAN)


def _lines(rows: pl.DataFrame, policies: PolicySet) -> tuple[Rules, Ints]:
    """The rules, and the global number of each row's line (-1: none)."""
    rules = rules_of(policies)
    local = rows["line"].fill_null(-1).cast(pl.Int64).to_numpy()
    return rules, np.where(local < 0, -1, local + rules.first_line[rows["policy"].to_numpy()])


def _calendars(rules: Rules, line: Ints, among: Mask) -> Iterator[tuple[Ints, int]]:
    """Rows that share a calendar, by its place in `rules`."""
    calendar = rules.calendar[line]
    for place in np.unique(calendar[among]).tolist():
        yield np.flatnonzero(among & (calendar == place)), place


def _instants(column: pl.Series) -> Ints:
    """Microseconds since 1970; 0 for null."""
    return column.to_physical().fill_null(0).to_numpy()
