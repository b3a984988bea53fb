"""`sqm.alerts`: each alert under its id as its newest transition left it, and what of it is still to be delivered.

A record is a JSON object: the columns of ALERTS (labels gathered under `labels`, absent ones left out, instants in
RFC 3339), and `undelivered`, a list of `{"receiver": name, "alert": {…}}` without those that were delivered. An
alert that is no longer remembered is tombstoned. So a judge that takes over knows from this topic alone what was
told to whom.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

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


def encode(alert: Row, undelivered: Iterable[Delivery] = ()) -> bytes:
    """The value of a record."""
    content = alert_json(alert)
    waiting = [{"receiver": d.receiver, "alert": alert_json(d.alert)} for d in undelivered]
    return msgspec.json.encode(content | ({"undelivered": waiting} if waiting else {}))


def alert_json(alert: Row) -> dict[str, Any]:
    """An alert as a JSON object: what stands in the topic and in a webhook."""
    content = {name: alert[name] for name in _PLAIN if alert[name] is not None}
    content |= {name: _text(content[name]) for name in _INSTANTS if name in content}
    labels = {label: alert[label] for label in LABELS if alert[label] is not None}
    return content | {"labels": labels, "values": msgspec.Raw((alert["values"] or "{}").encode())}


def decode(value: bytes) -> tuple[Row, list[Delivery]]:
    """The alert of a record and what of it is still to be delivered. Raises msgspec.DecodeError, ValueError."""
    content = msgspec.json.decode(value)
    return _row(content), [Delivery(d["receiver"], _row(d["alert"])) for d in content.get("undelivered", ())]


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

    undelivered: dict[str, list[Delivery]] = field(default_factory=dict)  # by alert id
    _alerts: pl.DataFrame = field(default_factory=lambda: empty(ALERTS))
    _news: dict[str, Row | None] = field(default_factory=dict)
    _last: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    @property
    def alerts(self) -> pl.DataFrame:
        """ALERTS: all that are remembered."""
        if self._news:
            rows = [row for row in self._news.values() if row is not None]
            kept = self._alerts.filter(~pl.col("id").is_in(list(self._news)))
            self._alerts = pl.concat([kept, pl.DataFrame(rows, schema=dict(ALERTS))]) if rows else kept
            self._news = {}
        return self._alerts

    def read(self, key: bytes, value: bytes | None) -> Row | None:
        """Take the next record; the transition that it tells, unless it only says what was delivered.

        Raises msgspec.DecodeError or ValueError for a record that no judge wrote.
        """
        identity = key.decode()
        if value is None:
            self._news[identity] = None
            self._last.pop(identity, None)
            self.undelivered.pop(identity, None)
            return None
        row, waiting = decode(value)
        self._news.pop(identity, None)
        self._news[identity] = row
        self.undelivered.pop(identity, None)
        if waiting:
            self.undelivered[identity] = waiting
        told = (row["state"], row["at"])
        if self._last.get(identity) == told:
            return None
        self._last[identity] = told
        return row
