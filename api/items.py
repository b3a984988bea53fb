"""Judgements, pairs, alerts and indicators as the API shows them: frames in, dicts out, times and labels in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from api.lists import Item
from api.shapes import instant, instant_text, labels_of, seconds
from monitor.frames import ALERTS, JUDGEMENTS, PAIRS
from monitor.holes import touching
from monitor.names import LABELS, AlertState, Judged, SlaState
from monitor.policy import CalendarPeriod, IndicatorMeasure, PolicyVersion, Sla
from monitor.policy.durations import format_span, parse_span
from monitor.slas import PERIOD

RANK: Final[Mapping[str, int]] = {state: rank for rank, state in enumerate(SlaState)}  # worst first

_Key = tuple[str | None, ...]


def sla_items(
    judgements: pl.DataFrame,
    pairs: pl.DataFrame,
    states: pl.DataFrame,
    corrected: pl.DataFrame,
    holes: pl.DataFrame,
    version: PolicyVersion,
) -> list[Item]:
    """One dict for each objective and combination of its `by`, the worst first.

    :param judgements: JUDGEMENTS; rows of the window "period" make the items
    :param pairs: PAIRS of the same objectives
    :param states: (sla, labels) -> state, see `burning.states`
    :param corrected: CORRECTED
    :param holes: HOLES of all partitions
    """
    slas = {sla.id: sla for sla in version.slas}
    burns: dict[_Key, list[Item]] = {}
    for row in pairs.select(list(PAIRS)).sort("pair").to_dicts():
        burns.setdefault(_key(row), []).append(_burn(row))
    periods = judgements.select(list(JUDGEMENTS)).filter(pl.col("window") == PERIOD)
    for further in (states, corrected):
        periods = periods.join(further, on=["sla", *LABELS], how="left", nulls_equal=True, maintain_order="left")
    items = [
        _sla_item(row, slas[row["sla"]], burns.get(_key(row), []), touching(holes, row["from"]))
        for row in periods.to_dicts()
        if row["sla"] in slas
    ]
    return sorted(items, key=sla_order)


def sla_order(item: Item) -> tuple[Any, ...]:
    """Sort key: worst state first, then the least budget left, then by name."""
    left = item["budget_left"]
    return (RANK[item["state"]], 1e9 if left is None else left, item["id"], str(sorted(item["labels"].items())))


def _key(row: Mapping[str, Any]) -> _Key:
    return (row["sla"], *(row[label] for label in LABELS))


def _sla_item(row: Mapping[str, Any], sla: Sla, burn: list[Item], holes: int) -> Item:
    period = sla.period
    return {
        "id": sla.id,
        "title": sla.title or sla.id,
        "owner": sla.owner or None,
        "measure": _measure(sla),
        "labels": labels_of(row),
        "goal": float(sla.goal),
        "period": f"calendar {period.calendar}" if isinstance(period, CalendarPeriod) else format_span(period),
        "window_from": instant(row["from"]),
        "window_to": instant(row["to"]),
        "good": row["good"],
        "bad": row["bad"],
        "corrected": row["corrected"] or 0,
        "holes": holes,
        "compliance": row["compliance"],
        "budget_left": row["budget_left"],
        "value": row["value"],
        "threshold": row["threshold"],
        "burn": burn,
        "state": row["state"],
        "min_events": sla.min_events,
    }


def _measure(sla: Sla) -> str:
    measure = sla.measure
    if not isinstance(measure, IndicatorMeasure):
        return str(measure)
    if measure.at_least is not None:
        return f"{measure.indicator} at least {measure.at_least}"
    return f"{measure.indicator} at most {measure.at_most}"


def _burn(row: Mapping[str, Any]) -> Item:
    long, short = row["burn_long"], row["burn_short"]
    return {
        "window": row["long"],
        "short_window": row["short"],
        "seconds": parse_span(row["long"]).total_seconds(),
        "burn": None if long is None or short is None else min(long, short),
        "long": long,
        "short": short,
        "factor": round(row["factor"], 6),
        "severity": row["severity"],
        "judged": row["judged"],
        "firing": row["judged"] == Judged.BURNING,
    }


def alert_items(alerts: pl.DataFrame) -> list[Item]:
    """One dict for each alert (ALERTS): firing ones first, then those that ended, the newest first in each."""
    return sorted(transition_items(alerts), key=alert_order)


def transition_items(alerts: pl.DataFrame) -> list[Item]:
    """One dict for each row of ALERTS, in their order."""
    instants = (instant_text(name).alias(name) for name in ("since", "ended", "at"))
    rows = alerts.select(list(ALERTS)).with_columns(*instants)
    return [_alert_item(row) for row in rows.to_dicts()]


def alert_order(item: Item) -> tuple[int, int, str]:
    """Sort key: firing alerts first, then the newest transition; ids tell those of one instant apart."""
    at = datetime.fromisoformat(item["at"]).timestamp() if item["at"] else 0
    return (0 if item["state"] == AlertState.FIRING else 1, -round(at * 1000), item["id"])


def _alert_item(row: Mapping[str, Any]) -> Item:
    kept = ("id", "kind", "severity", "state", "sla", "title", "detail", "reason", "since", "at", "case", "clock")
    return {name: row[name] for name in kept} | {"labels": labels_of(row), "resolved_at": row["ended"]}


def service_items(
    sla_rows: Sequence[Item],
    alerts: Sequence[Item],
    standing: pl.DataFrame,
    open_cases: Mapping[str, int],
    now: datetime,
) -> list[Item]:
    """One dict for each value of the label `service`, the one worst off first.

    :param standing: figures.STANDING
    :param open_cases: service -> cases opened and not ended
    """
    states: dict[str, Counter[str]] = {}
    for row in sla_rows:
        if "service" in row["labels"]:
            states.setdefault(row["labels"]["service"], Counter())[row["state"]] += 1
    firing = Counter(a["labels"].get("service") for a in alerts if a["state"] == AlertState.FIRING)
    clocks = {row["service"]: row for row in standing.filter(pl.col("service").is_not_null()).to_dicts()}
    found = [
        {
            "service": name,
            "state": min(states.get(name) or [SlaState.NO_DATA], key=RANK.__getitem__),
            "open": open_cases.get(name, 0),
            **_standing(clocks.get(name), now),
            "slas": dict(states.get(name, {})),
            "alerts": firing[name],
        }
        for name in {*open_cases, *states, *clocks}
    ]
    return sorted(found, key=service_order)


def service_order(item: Item) -> tuple[int, int, str]:
    """Sort key: worst state first, then the most clocks past due, then by name."""
    return (RANK[item["state"]], -item["breached_open"], item["service"])


def _standing(row: Mapping[str, Any] | None, now: datetime) -> Item:
    counts = row or {"open": 0, "at_risk": 0, "breached": 0, "waiting": 0, "oldest": None}
    return {
        "running": counts["open"],
        "at_risk": counts["at_risk"],
        "breached_open": counts["breached"],
        "waiting": counts["waiting"],
        "oldest_waiting_seconds": None if counts["oldest"] is None else seconds(now - counts["oldest"]),
    }
