"""`sqm.alerts`: each alert under its id as its newest transition left it, and what of it is still to be delivered.

A record is a JSON object: the columns of ALERTS (labels gathered under `labels`, absent ones left out, instants in
RFC 3339), `receivers`, the names of those that are told, and `undelivered`, what they have not been told yet: a list
of `{"receiver": name, "alert": {…}}`; of burn alerts also `grounds`, on what each transition was judged, so that it can
be verified. An alert that is no longer remembered is tombstoned. So a judge that takes over knows from this topic
alone what was told to whom.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

from monitor.alerts.grounds import Grounds
from monitor.frames import ALERTS, INSTANT, empty
from monitor.names import LABELS

CONTENT_TYPE: Final = ("content-type", b"application/json")
_INSTANTS: Final = tuple(name for name, dtype in ALERTS.items() if dtype == INSTANT)
_PLAIN: Final = tuple(name for name in ALERTS if name not in (*LABELS, "values"))

Row = dict[str, Any]  # the columns of ALERTS


class Delivery(NamedTuple):
    """One transition that one receiver is to be told."""

    receiver: str
    alert: Row

    @property
    def key(self) -> tuple[str, str, str, datetime]:
        """The same for the same delivery."""
        return self.receiver, self.alert["id"], self.alert["state"], self.alert["at"]


class Entry(NamedTuple):
    """What a record says."""

    alert: Row
    receivers: tuple[str, ...] = ()
    undelivered: tuple[Delivery, ...] = ()
    grounds: tuple[Grounds, ...] = ()  # of each transition of a burn alert, in their order


def encode(entry: Entry) -> bytes:
    """The value of a record."""
    content = alert_json(entry.alert)
    if entry.receivers:
        content["receivers"] = entry.receivers
    if entry.undelivered:
        waiting = [{"receiver": d.receiver, "alert": alert_json(d.alert)} for d in entry.undelivered]
        content["undelivered"] = waiting
    if entry.grounds:
        content["grounds"] = entry.grounds
    return msgspec.json.encode(content)


def alert_json(alert: Row) -> dict[str, Any]:
    """An alert as a JSON object: what stands in the topic and in a webhook."""
    content = {name: alert[name] for name in _PLAIN if alert[name] is not None}
    content |= {name: _text(content[name]) for name in _INSTANTS if name in content}
    labels = {label: alert[label] for label in LABELS if alert[label] is not None}
    return content | {"labels": labels, "values": msgspec.Raw((alert["values"] or "{}").encode())}


def decode(value: bytes) -> Entry:
    """What a record says. Raises msgspec.DecodeError, KeyError or ValueError for one that no judge wrote."""
    content = msgspec.json.decode(value)
    waiting = (Delivery(d["receiver"], _row(d["alert"])) for d in content.get("undelivered", ()))
    grounds = msgspec.convert(content.get("grounds", ()), tuple[Grounds, ...], str_keys=True)
    return Entry(_row(content), tuple(content.get("receivers", ())), tuple(waiting), grounds)


def _row(content: Mapping[str, Any]) -> Row:
    row: Row = {name: content.get(name) for name in ALERTS} | dict.fromkeys(LABELS)
    row |= {name: datetime.fromisoformat(row[name]) for name in _INSTANTS if row[name] is not None}
    row |= {label: text for label, text in content["labels"].items() if label in LABELS}
    return row | {"values": msgspec.json.encode(content["values"]).decode()}


def _text(instant: datetime) -> str:
    """RFC 3339 in UTC, as fine as it is."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class AlertLog:
    """The topic as far as it was read: feed it the records in their order."""

    entries: dict[str, Entry] = field(default_factory=dict)  # by alert id
    _alerts: pl.DataFrame = field(default_factory=lambda: empty(ALERTS))
    _news: dict[str, Row | None] = field(default_factory=dict)

    @property
    def alerts(self) -> pl.DataFrame:
        """ALERTS: all that are remembered, the one that changed last at the end."""
        if self._news:
            self._alerts = upserted(self._alerts, self._news)
            self._news = {}
        return self._alerts

    def read(self, key: bytes, value: bytes | None) -> Row | None:
        """Take the next record; the transition that it tells, unless it only says what was delivered.

        Raises what `decode` does.
        """
        identity = key.decode()
        entry = None if value is None else decode(value)
        before = self.entries.pop(identity, None)
        self._news.pop(identity, None)
        if entry is None:
            self._news[identity] = None
            return None
        self.entries[identity] = entry
        self._news[identity] = entry.alert
        again = before is not None and _moment(before.alert) == _moment(entry.alert)
        return None if again else entry.alert


def upserted(alerts: pl.DataFrame, news: Mapping[str, Row | None]) -> pl.DataFrame:
    """ALERTS with those rows, by id, in the place of what was there; None takes an alert away."""
    kept = alerts.filter(~pl.col("id").is_in(list(news)))
    rows: Sequence[Row] = [row for row in news.values() if row is not None]
    return pl.concat([kept, pl.DataFrame(rows, schema=dict(ALERTS))]) if rows else kept


def _moment(alert: Row) -> tuple[str, datetime]:
    return alert["state"], alert["at"]
