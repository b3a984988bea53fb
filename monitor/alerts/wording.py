"""Alerts in words, for somebody who was just woken: what, how bad, since when."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from monitor.names import LABELS, AlertKind, AlertReason, AlertState, Clock
from monitor.policy.durations import format_span, in_words, parse_span
from monitor.policy.model import Sla
from monitor.slas import periods

TIMES: Final = "\u00d7"
_LATE: Final = {
    Clock.FIRST_RESPONSE: "answered late",
    Clock.NEXT_RESPONSE: "answered late",
    Clock.RESOLUTION: "resolved late",
    Clock.TOTAL_RESOLUTION: "resolved late",
    Clock.ACKNOWLEDGEMENT: "acknowledged late",
    Clock.PROMISE: "past their promise",
}
_AWAITED: Final = {
    Clock.FIRST_RESPONSE: "first response",
    Clock.NEXT_RESPONSE: "next response",
    Clock.RESOLUTION: "resolution",
    Clock.TOTAL_RESOLUTION: "total resolution",
    Clock.ACKNOWLEDGEMENT: "acknowledgement",
    Clock.PROMISE: "promise",
}
_OVER: Final = {
    AlertReason.TOO_FEW: "too few events in the last {long} to go on warning",
    AlertReason.NOT_SIGNIFICANT: "what is left over the last {long} may be chance",
    AlertReason.NOT_WATCHED: "the policy in force no longer asks for it",
    AlertReason.ARCHIVED: "the case is no longer held",
}
VALUES: Final = ("bad", "n", "burn_long", "burn_short", "factor", "long", "short", "found", "partition")
_INSTANTS: Final = ("due", "started", "stopped")
_SPANS: Final = ("target", "elapsed")


def title(row: Mapping[str, Any], sla: Sla | None) -> str:
    """One line: who and what.

    :param row: CLAIMS or ALERTS columns
    :param sla: the objective it belongs to, as far as there still is one
    """
    kind = row["kind"]
    if kind == AlertKind.LEDGER:
        return f"The ledger of partition {row['partition']} does not balance"
    if kind in (AlertKind.BREACH, AlertKind.AT_RISK):
        said = "overdue" if kind == AlertKind.BREACH else "at risk"
        return f"{row['case']}: {_AWAITED[Clock(row['clock'])]} {said}"
    who = _who(row)
    what = (sla and (sla.title or sla.id)) or row["sla"]
    return f"{who}: {what}" if who else str(what)


def detail(row: Mapping[str, Any], sla: Sla | None, state: AlertState) -> str:
    """One or two sentences with the figures."""
    reason = row["reason"]
    if reason in (AlertReason.NOT_WATCHED, AlertReason.ARCHIVED):
        return _sentence(_OVER[AlertReason(reason)])
    told = {
        AlertKind.BURN: _burn,
        AlertKind.BREACH: _breach,
        AlertKind.AT_RISK: _at_risk,
        AlertKind.LEDGER: _ledger,
    }[AlertKind(row["kind"])]
    return told(row, sla, state)


def values(row: Mapping[str, Any]) -> str:
    """The figures behind an alert as a JSON object; instants in RFC 3339, spans in seconds."""
    found: dict[str, Any] = {name: row[name] for name in VALUES if row.get(name) is not None}
    found |= {name: instant_text(row[name]) for name in _INSTANTS if row.get(name) is not None}
    found |= {f"{name}_seconds": row[name].total_seconds() for name in _SPANS if row.get(name) is not None}
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds (cut)."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def _who(row: Mapping[str, Any]) -> str:
    return ", ".join(row[label] for label in LABELS if row.get(label) is not None)


def _burn(row: Mapping[str, Any], sla: Sla | None, state: AlertState) -> str:
    if row["n"] is None:
        return "The budget no longer burns too fast."
    who = _who(row)
    late = _LATE[sla.measure] if sla and isinstance(sla.measure, Clock) else "bad"
    counted = f"{row['bad']} of {row['n']} {late} in the last {_window(row['long'])}"
    told = f"{who}: {counted}" if who else _sentence(counted).rstrip(".")
    rate = f"burns {_period(sla)}budget {_times(row['burn_long'])} {TIMES} too fast"
    if state != AlertState.RESOLVED:
        return f"{told}; {rate} (limit {_times(row['factor'])}, the last {_window(row['short'])} too)."
    why = _OVER.get(AlertReason(row["reason"]))
    if why:
        return f"{told}; {why.format(long=_window(row['long']))}."
    return f"{told}; the budget burns at {_times(row['burn_long'])} {TIMES} (limit {_times(row['factor'])})."


def _breach(row: Mapping[str, Any], sla: Sla | None, state: AlertState) -> str:
    awaited = _AWAITED[Clock(row["clock"])]
    if row["reason"] == AlertReason.CORRECTED:
        return f"An event proved it wrong: the {awaited} of {row['case']} was in time, or not owed."
    if row["reason"] == AlertReason.RESTATED:
        return f"It was judged anew by other rules: the {awaited} of {row['case']} was in time, or not owed."
    within = f" (target {in_words(row['target'])})" if row["target"] else ""
    due = f"due {_at(row['due'])}{within}"
    if row["stopped"] is not None:
        late = _about(row["stopped"] - row["due"])
        return f"The {awaited} of {row['case']} came at {_at(row['stopped'])}, {late} late: {due}."
    return f"The {awaited} of {row['case']} has not come: {due}."


def _at_risk(row: Mapping[str, Any], sla: Sla | None, state: AlertState) -> str:
    awaited = _AWAITED[Clock(row["clock"])]
    if state == AlertState.RESOLVED:
        return f"The {awaited} of {row['case']} is no longer at risk."
    if row["due"] is None:
        return f"The {awaited} of {row['case']} has used most of its time."
    return f"The {awaited} of {row['case']} is due {_at(row['due'])}."


def _ledger(row: Mapping[str, Any], sla: Sla | None, state: AlertState) -> str:
    if state == AlertState.RESOLVED:
        return "The counters balance again."
    return f"Figures may be wrong: {row['found']}."


def _window(written: str | None) -> str:
    """`hour`, `5 minutes`, `3 hours 12 minutes`: what follows "in the last"."""
    if written is None:
        return ""
    return (
        in_words(parse_span(written)).removeprefix("1 ")
        if written in ("1h", "1d", "1m")
        else in_words(parse_span(written))
    )


def _period(sla: Sla | None) -> str:
    return "" if sla is None else f"{periods.in_words(sla.period)} "


def _times(rate: float | None) -> str:
    """Two or three digits: 14.6, 3, 0.93."""
    if rate is None:
        return "0"
    return f"{rate:.1f}".removesuffix(".0") if rate >= 1 else f"{rate:.2f}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _about(span: timedelta) -> str:
    """The two largest units of a span."""
    seconds = int(span.total_seconds())
    for unit in (86_400, 3_600, 60):
        if seconds >= unit:
            finer = {86_400: 3_600, 3_600: 60, 60: 1}[unit]
            return format_span(timedelta(seconds=seconds - seconds % finer))
    return f"{seconds}s"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
