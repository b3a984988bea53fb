"""Alerts: what holds now, compared with the alerts there were, makes transitions. Pure; the judge records them.

    claim              alert before          becomes
    -----------------  --------------------  ---------------------------------------------------------
    holds              none, or ended        firing; historic if it is old news
    holds              firing                -
    holds, is no news  historic              firing (a backlog was caught up with, and it is still true)
    over, or gone      firing                resolved   } but not while a partition lags: what is missing
    over, or gone      historic, still true  historic   } there could prove it still true
    over               none                  firing, then resolved; historic if it is old news
                                             (a single event only: a breach that is read when it is over)

Old news is what lay more than 15 min before wall time when it was judged. It is recorded, and nobody is called.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import polars as pl
import xxhash

from monitor.alerts import wording
from monitor.alerts.claims import CLAIMS, at_risk_claims, breach_claims, burn_claims, ledger_claims, subject
from monitor.frames import ALERTS, empty
from monitor.names import AlertKind, AlertReason, AlertState, Change
from monitor.policy import PolicyVersion
from monitor.policy.model import Sla

OLD_AFTER: Final = timedelta(minutes=15)
LATER: Final = timedelta(milliseconds=1)  # of two transitions of an alert while time stands still
KEPT_FOR: Final = timedelta(days=30)  # how long an alert that is over is remembered, and longer while it could recur


class Step(NamedTuple):
    """What a tick did to the alerts."""

    alerts: pl.DataFrame  # ALERTS: all that are remembered
    transitions: pl.DataFrame  # ALERTS: one row a transition, in the order in which they are to be told
    forgotten: list[str]  # ids of alerts that are no longer remembered


@dataclass(frozen=True, slots=True)
class Tick:
    """When and under which circumstances alerts are judged."""

    now: datetime  # end of the windows
    wall: datetime
    current: bool  # every partition keeps up


def step(
    previous: pl.DataFrame,
    pairs: pl.DataFrame,
    verdicts: pl.DataFrame,
    ledgers: Mapping[int, Mapping[str, int]],
    policy: PolicyVersion,
    tick: Tick,
) -> Step:
    """The alerts after a tick, and what became of them in it.

    :param previous: ALERTS as the last step left them
    :param pairs: PAIRS, see `burning.burning`
    :param verdicts: claims.WATCHED: all breached and at-risk verdicts of `claims.watched_clocks`, and every verdict
        of the cases that have an alert which still holds
    :param ledgers: partition -> counters
    :param policy: the newest version
    """
    claims = pl.concat(
        [
            burn_claims(pairs, tick.now),
            breach_claims(verdicts, policy),
            at_risk_claims(verdicts, policy, tick.now),
            ledger_claims(ledgers, tick.wall),
        ]
    )
    return reconcile(previous, claims, verdicts, policy, tick)


def reconcile(
    previous: pl.DataFrame, claims: pl.DataFrame, verdicts: pl.DataFrame, policy: PolicyVersion, tick: Tick
) -> Step:
    """`step` for claims of any kind (CLAIMS)."""
    claims = claims.with_columns(subject())
    known = previous.with_columns(subject())
    latest = known.sort("at", maintain_order=True).unique("subject", keep="last", maintain_order=True)
    slas = {sla.id: sla for sla in policy.slas}
    made = [
        *_from_claims(claims, latest, slas, tick),
        *_from_absence(claims, latest, verdicts, slas, tick),
    ]
    transitions = pl.DataFrame(made, schema=dict(ALERTS), orient="row") if made else empty(ALERTS)
    alerts = previous
    if made:
        alerts = pl.concat([previous, transitions]).unique("id", keep="last", maintain_order=True)
    forgotten = _forgotten(known, claims, tick)
    if forgotten:
        alerts = alerts.filter(~pl.col("id").is_in(forgotten))
    return Step(alerts, transitions, forgotten)


def _from_claims(
    claims: pl.DataFrame, latest: pl.DataFrame, slas: Mapping[str, Sla], tick: Tick
) -> Iterator[dict[str, Any]]:
    """Transitions of what is claimed, holding or over."""
    before = latest.select(
        "subject", *(pl.col(c).alias(f"old_{c}") for c in ("id", "state", "reason", "since", "ended", "at"))
    )
    rows = claims.join(before, on="subject", how="left", maintain_order="left")
    is_new = pl.col("old_id").is_null()
    open_ = ~is_new & pl.col("old_ended").is_null()
    old_news = pl.col("news") < tick.wall - OLD_AFTER
    holds, state = pl.col("holds"), pl.col("old_state")
    retracted = pl.col("old_reason").is_in([AlertReason.CORRECTED, AlertReason.RESTATED])
    begins = holds & ~open_
    promoted = holds & open_ & (state == AlertState.HISTORIC) & ~old_news
    in_and_out = ~holds & pl.col("single") & (is_new | (~open_ & retracted))
    ends = ~holds & open_ & pl.lit(tick.current)
    rows = rows.with_columns(
        old_news=old_news,
        what=pl.when(begins)
        .then(pl.lit("begins"))
        .when(promoted)
        .then(pl.lit("promoted"))
        .when(in_and_out)
        .then(pl.lit("in_and_out"))
        .when(ends)
        .then(pl.lit("ends")),
    ).filter(pl.col("what").is_not_null())
    for row in rows.iter_rows(named=True):
        yield from _told(row, slas.get(row["sla"]), tick)


def _told(row: dict[str, Any], sla: Sla | None, tick: Tick) -> Iterator[dict[str, Any]]:
    """The transitions of one claim, in their order."""
    since = row["since"] or tick.now
    calls = AlertState.HISTORIC if row["old_news"] else AlertState.FIRING
    match row["what"]:
        case "begins":
            yield _alert(row, sla, tick, _identify(row, since), calls, since, None)
        case "promoted":
            yield _alert(row, sla, tick, row["old_id"], AlertState.FIRING, row["old_since"], None)
        case "in_and_out" if calls == AlertState.HISTORIC:
            yield _alert(row, sla, tick, _identify(row, since), calls, since, row["ended"] or tick.now)
        case "in_and_out":
            fired = {**row, "reason": str(AlertReason.BREACHED)}
            yield _alert(fired, sla, tick, _identify(row, since), calls, since, None)
            if tick.current:
                yield _alert(row, sla, tick, _identify(row, since), AlertState.RESOLVED, since, row["ended"])
        case "ends":
            state = AlertState.RESOLVED if row["old_state"] == AlertState.FIRING else AlertState.HISTORIC
            yield _alert(row, sla, tick, row["old_id"], state, row["old_since"], row["ended"] or tick.now)


def _from_absence(
    claims: pl.DataFrame, latest: pl.DataFrame, verdicts: pl.DataFrame, slas: Mapping[str, Sla], tick: Tick
) -> Iterator[dict[str, Any]]:
    """Transitions of alerts that hold but are claimed no more."""
    if not tick.current:
        return
    gone = latest.filter(pl.col("ended").is_null()).join(claims, on="subject", how="anti")
    if gone.height == 0:
        return
    gone = gone.join(
        verdicts.select(
            "case", "clock", "cycle", "outcome", "due", "stopped", "started", "target", "elapsed", "change"
        ),
        on=["case", "clock", "cycle"],
        how="left",
        maintain_order="left",
    )
    for row in gone.iter_rows(named=True):
        sla = slas.get(row["sla"])
        state = AlertState.RESOLVED if row["state"] == AlertState.FIRING else AlertState.HISTORIC
        told = {**dict.fromkeys(CLAIMS), **row, "reason": str(_why_gone(row, sla)), "old_at": row["at"]}
        yield _alert(told, sla, tick, row["id"], state, row["since"], tick.now)


def _why_gone(row: Mapping[str, Any], sla: Sla | None) -> AlertReason:
    if row["kind"] == AlertKind.LEDGER:
        return AlertReason.BALANCED
    watched = {
        AlertKind.BURN: sla is not None and sla.alerts.burn != "none",
        AlertKind.BREACH: sla is not None and sla.alerts.breach == "each",
        AlertKind.AT_RISK: sla is not None and sla.alerts.at_risk,
    }[AlertKind(row["kind"])]
    if not watched or row["kind"] == AlertKind.BURN:
        return AlertReason.NOT_WATCHED
    if row["outcome"] is None:
        return AlertReason.ARCHIVED
    if row["kind"] != AlertKind.BREACH:
        return AlertReason.ENDED
    return AlertReason.RESTATED if row["change"] == Change.RESTATED else AlertReason.CORRECTED


def _alert(
    row: Mapping[str, Any],
    sla: Sla | None,
    tick: Tick,
    identity: str,
    state: AlertState,
    since: datetime,
    ended: datetime | None,
) -> dict[str, Any]:
    kept = {name: row.get(name) for name in ALERTS}
    reason = str(AlertReason.OLD_NEWS) if state == AlertState.HISTORIC and ended is None else row["reason"]
    return kept | {
        "id": identity,
        "state": str(state),
        "reason": reason,
        "title": wording.title(row, sla),
        "detail": wording.detail(row, sla, state),
        "since": since,
        "ended": ended,
        "at": _after(row["old_at"], tick.now),
        "wall": tick.wall,
        "values": wording.values(row),
    }


def _after(before: datetime | None, now: datetime) -> datetime:
    """The instant of a transition: later than the one before, also while `now` stands still, as it does where a clock
    was set back. Receivers know a transition by it, and would take the second firing of an alert for the first."""
    return now if before is None else max(now, before + LATER)


def _identify(row: Mapping[str, Any], since: datetime) -> str:
    """The id of a new alert. A breach happens once; anything else can come back, and is another alert then."""
    text = str(row["subject"])
    if row["kind"] != AlertKind.BREACH:
        text += f"\x1f{since.isoformat()}"
    return xxhash.xxh3_128_hexdigest(text.encode())


def _forgotten(known: pl.DataFrame, claims: pl.DataFrame, tick: Tick) -> list[str]:
    """Ids of alerts that were over long ago; a breach whose case is still held would otherwise be told again."""
    over = known.filter(pl.col("ended").is_not_null() & (pl.col("at") < tick.now - KEPT_FOR))
    if over.height == 0:
        return []
    return over.join(claims.filter("single"), on="subject", how="anti")["id"].to_list()
