"""Burn alerts on record against what their judges saw, worked out again: each transition, and which stood beside it.

Only instants at which some burn alert changed are on record. At each of them all that burnt has to stand on record, and
what stood has to burn; what a judge saw in between nobody can work out again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from monitor.alerts import KEPT_FOR
from monitor.alerts.claims import burn_claims, subject
from monitor.alerts.wording import instant_text
from monitor.cells.grains import finest
from monitor.frames import conform
from monitor.names import AlertKind
from monitor.slas import judgements
from monitor.slas.burning import burning
from monitor.slas.counts import COUNTS, Counted
from monitor.verify import words
from monitor.verify.findings import MOST_NAMED, Difference, Figure, Findings
from monitor.verify.looks import WINDOWED, Look, Told, only_burning

WRONG: Final = "The judge judged otherwise than the events say, or its record was damaged."
UNTOLD: Final = "Its record is gone, or the judge did not record it."
STALE: Final = "The judge did not resolve it, or its record was damaged."


@dataclass(frozen=True)
class _Read:
    """Windows as they were counted (WINDOWED), for `judgements`. Since ever: whatever any of them holds."""

    counted: pl.DataFrame

    def __call__(self, start: datetime | None, end: datetime, *, anchored: bool = False) -> Counted:
        rows = self.counted if start is None else self.counted.filter(pl.col("start") == start)
        return Counted(conform(rows, COUNTS), finest(end, start))


def compare_burns(recorded: pl.DataFrame, look: Look, counted: Sequence[pl.DataFrame], newest: datetime) -> Findings:
    """Hold the burn alerts of one look against the record.

    :param recorded: ALERTS
    :param counted: WINDOWED of all parts of all partitions
    :param newest: the latest time of any partition
    """
    findings = Findings()
    version, now = only_burning(look), look.now
    judged = judgements(_Read(pl.concat([pl.DataFrame(schema=WINDOWED), *counted])), version, now)
    claims = burn_claims(burning(judged, version, now), now).with_columns(subject())
    by_subject = {row["subject"]: row for row in claims.iter_rows(named=True)}
    subjects = _subjects([told.alert for told in look.told], recorded)
    wrong = [
        found
        for told, name in zip(look.told, subjects, strict=True)
        if (found := _compared(told, by_subject.get(name))) is not None
    ]
    burns = recorded.filter(pl.col("kind") == AlertKind.BURN).with_columns(subject())
    # Time may stand still: what began or ended in another look at the same instant tells nothing of this one.
    open_to_doubt = burns.filter((pl.col("since") == now) | (pl.col("ended") == now))["subject"].to_list()
    others = ~pl.col("subject").is_in([*subjects, *open_to_doubt])
    standing = burns.filter((pl.col("since") <= now) & (pl.col("ended") > now).fill_null(True), others)
    holding = claims.filter("holds", others)
    if now > newest - KEPT_FOR:  # of those of before, some are forgotten
        missing = holding.join(standing, on="subject", how="anti")
        wrong += [_missing(row, now) for row in missing.head(MOST_NAMED).iter_rows(named=True)]
    if look.grounds.current:
        stale = standing.join(holding, on="subject", how="anti")
        wrong += [_stale(row, by_subject.get(row["subject"]), now) for row in stale.iter_rows(named=True)]
    findings.compared[Figure.ALERT] += len(look.told) + standing.height
    if wrong:
        findings.found(Figure.ALERT, len(wrong), wrong)
    return findings


def _subjects(alerts: Sequence[Mapping[str, Any]], recorded: pl.DataFrame) -> list[str]:
    return pl.DataFrame(alerts, schema=dict(recorded.schema)).select(subject()).to_series().to_list()


def _compared(told: Told, claim: Mapping[str, Any] | None) -> Difference | None:
    """What differs between a transition and the claim that was worked out again (None: nothing lay in its windows)."""
    values = told.grounds.values
    holds = claim is not None and claim["holds"]
    ours = {name: claim[name] for name in ("bad", "n", "long")} if claim is not None else {"bad": 0, "n": 0}
    figures = {name: values[name] for name in ours if name in values}
    if told.holds == holds and all(ours[name] == figure for name, figure in figures.items()):
        return None
    name = f"{_name(told.alert)}, {told.grounds.state} at {instant_text(told.grounds.at)}"
    shown = _said(told.holds, values), _said(holds, ours)
    return Difference(Figure.ALERT, None, name, *shown, WRONG, _place(told.alert))


def _missing(claim: Mapping[str, Any], now: datetime) -> Difference:
    name = f"{_name(claim)} at {instant_text(now)}"
    return Difference(Figure.ALERT, None, name, "no alert", _said(True, claim), UNTOLD, _place(claim))


def _stale(alert: Mapping[str, Any], claim: Mapping[str, Any] | None, now: datetime) -> Difference:
    name = f"{_name(alert)} at {instant_text(now)}"
    return Difference(Figure.ALERT, None, name, "firing", _said(False, claim or {}), STALE, _place(alert))


def _name(row: Mapping[str, Any]) -> str:
    return f"the burn alert of {row['sla']}, {words.labels(row)} ({row['severity']})"


def _place(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"sla": row["sla"], "severity": row["severity"], "labels": words.held(row)}


def _said(holds: bool, figures: Mapping[str, Any]) -> str:
    burns = "burning" if holds else "not burning"
    if figures.get("n") is None:
        return burns
    over = f" over {figures['long']}" if figures.get("long") else ""
    return f"{burns} ({figures['bad']:,} bad of {figures['n']:,}{over})"
