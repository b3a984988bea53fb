"""Everything read, in one object: what `sqm replay --json` prints and `/v1/summary` answers.

It is made of sums of integers over all partitions and put in order at the end, so that neither the partitioning nor
the order in which events came can show in it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from monitor.indicators import indicators
from monitor.names import LABELS, MEASURES, OUTCOMES
from monitor.policy import PolicySet
from monitor.slas import PERIOD, judgements
from monitor.slas.counts import Counts
from monitor.slas.objectives import measures
from monitor.state import State
from monitor.windows import read

# Counters of the ledger in the order in which it balances: read = counted + duplicate + late + rejected.
COUNTERS: Final = ("read", "counted", "duplicate", "late", "rejected")
CASES: Final = ("opened", "closed", "open", "unopened", "inconsistent")
REJECTED: Final = "rejected."


def summary(
    states: Mapping[int, State], policies: PolicySet, now: datetime, rows_unreadable: int = 0
) -> dict[str, Any]:
    """The summary as POLICY.md describes it; floats, integers, strings and null only.

    :param now: the greatest of the partitions, end of the SLAs' periods
    :param rows_unreadable: rows of files from which no event could be made; a stream has none
    """
    counted = _counted(states)
    return {
        "ledger": {
            **ledger(states),
            "rows_unreadable": rows_unreadable,
            **{f"cases_{name}": counted[f"case.{name}"] for name in CASES},
        },
        "clocks": {
            str(clock): {str(outcome): counted[f"{clock}.{outcome}"] for outcome in OUTCOMES}
            for clock in policies.clocks
        },
        "slas": _slas(states, policies, now),
        "indicators": _indicators(states, policies, now),
    }


def ledger(states: Mapping[int, State]) -> dict[str, Any]:
    """Where every event went, over all partitions."""
    total = dict.fromkeys(COUNTERS, 0)
    for state in states.values():
        for counter, n in state.ledger().items():
            total[counter] = total.get(counter, 0) + n
    reasons = {
        counter.removeprefix(REJECTED): n for counter, n in sorted(total.items()) if counter.startswith(REJECTED) and n
    }
    return {**{counter: total[counter] for counter in COUNTERS}, "rejected_by_reason": reasons}


def _counted(states: Mapping[int, State]) -> dict[str, int]:
    """How many there are of each measure, of all time."""
    total = dict.fromkeys(MEASURES, 0)
    for state in states.values():
        cells = state.tiers.window(None, None).cells
        for measure, n in cells.group_by("measure").agg(pl.col("n").sum()).iter_rows():
            total[measure] += n
    return total


def _slas(states: Mapping[int, State], policies: PolicySet, now: datetime) -> list[dict[str, Any]]:
    counts = Counts(states, measures(policies.newest.slas))
    judged = judgements(counts, policies.newest, now).filter(pl.col("window") == PERIOD)
    return [
        {
            "id": row["sla"],
            "labels": _labels(row),
            **{name: row[name] for name in ("good", "bad", "compliance", "goal", "budget_left")},
        }
        for row in judged.iter_rows(named=True)
    ]


def _indicators(states: Mapping[int, State], policies: PolicySet, now: datetime) -> list[dict[str, Any]]:
    window = read(states, policies.newest.labels, None, now)
    figures = indicators(window.cells, window.groups.height, policies.newest.limits.min_n)
    # A value under which nothing counts any more (a late event moved it elsewhere) must not show that it once did.
    counting = (pl.col("group") == 0) | pl.col("group").is_in(window.cells["group"].unique().implode())
    rows = figures.filter(counting).join(window.groups, on="group", how="left", maintain_order="left")
    return [
        {
            "id": row["id"],
            "dimension": row["dimension"],
            "labels": _labels(row),
            **{name: row[name] for name in ("value", "low", "high", "n")},
        }
        for row in rows.iter_rows(named=True)
    ]


def _labels(row: Mapping[str, Any]) -> dict[str, str]:
    return {label: row[label] for label in LABELS if row[label] is not None}
