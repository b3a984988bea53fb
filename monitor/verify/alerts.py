"""Alerts on single cases against the verdicts that were recomputed.

A breach alert stands while its clock is breached and runs: that is a function of the events, but for the seconds that a
judge takes. For burn alerts see burns.py.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import polars as pl

from monitor.alerts.claims import WATCHED, breach_claims, subject, watched_clocks
from monitor.frames import LABEL_COLUMNS, conform
from monitor.names import AlertKind, Outcome, spoken
from monitor.policy import PolicyVersion
from monitor.verify import words
from monitor.verify.findings import Difference, Figure, Findings

SETTLED: Final = timedelta(minutes=1)  # a due that has passed for so long has been judged

UNTOLD: Final = "No judge runs, it is behind, or its record was damaged."
STALE: Final = "The judge did not resolve it, or its record was damaged."


def breached(verdicts: pl.DataFrame, series: pl.DataFrame, policy: PolicyVersion) -> pl.DataFrame:
    """WATCHED of STATE_VERDICTS: the clocks that run past their due and whose breaches raise alerts."""
    clocks = [str(clock) for clock in watched_clocks(policy)]
    running = verdicts.filter(
        pl.col("outcome") == Outcome.BREACHED, pl.col("stopped").is_null(), pl.col("clock").is_in(clocks)
    )
    return conform(words.labelled(running, series.select("series", *LABEL_COLUMNS)), WATCHED)


def compare_alerts(
    recorded: pl.DataFrame, verdicts: pl.DataFrame, policy: PolicyVersion, at: datetime, *, current: bool
) -> Findings:
    """Hold the record against what should stand.

    :param recorded: ALERTS, read after the verdicts
    :param verdicts: WATCHED: recomputed, of all partitions (`breached`)
    :param at: the least `now` of the partitions
    :param current: whether all partitions keep up: without, no alert is resolved
    """
    findings = Findings()
    claims = breach_claims(verdicts, policy).with_columns(subject())
    known = recorded.filter(pl.col("kind") == AlertKind.BREACH).with_columns(subject())
    standing = known.filter(pl.col("ended").is_null())
    told = known.filter(pl.col("ended").is_null() | (pl.col("at") >= at))
    untold = claims.filter(pl.col("news") < at - SETTLED).join(told, on="subject", how="anti")
    tell = partial(_told, live="no alert", ours="breached and running", cause=UNTOLD)
    findings.took(Figure.ALERT, claims.height, untold, tell)
    if current:
        stale = standing.filter(pl.col("at") <= at).join(claims, on="subject", how="anti")
        tell = partial(_told, live="firing", ours="not running past its due", cause=STALE)
        findings.took(Figure.ALERT, standing.height, stale, tell)
    return findings


def _told(row: Mapping[str, Any], *, live: str, ours: str, cause: str) -> Difference:
    cycle = f" (cycle {row['cycle']})" if (row["cycle"] or 1) > 1 else ""
    name = f"the breach alert of {row['sla']}, case {row['case']}, {spoken(row['clock'])}{cycle}"
    place = {part: row[part] for part in ("sla", "case", "clock", "cycle")} | {"labels": words.held(row)}
    return Difference(Figure.ALERT, None, name, live, ours, cause, place)
