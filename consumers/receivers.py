"""The ways to tell a receiver: webhook (Standard Webhooks), Apprise address, Alertmanager's API v2.

Addresses and secrets never reach a log: what went wrong is said without them.
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from consumers.alerts_log import Row, alert_json
from monitor.names import LABELS, AlertState, Severity
from monitor.policy.model import Receiver
from monitor.zones import EPOCH

MILLISECOND: Final = timedelta(milliseconds=1)
FORGET_AFTER: Final = timedelta(minutes=5)  # how long Alertmanager believes what it is not told again
REFUSALS: Final = frozenset({400, 410, 413, 422})  # saying it again does not help


class NotDelivered(Exception):
    """A receiver could not be told; the message says why, without address or secret."""

    retriable = True


class Refused(NotDelivered):
    """The receiver will never take this."""

    retriable = False


async def tell(receiver: Receiver, alerts: Sequence[Row], client: httpx2.AsyncClient) -> None:
    """Tell a receiver of transitions. Raises NotDelivered."""
    match receiver.kind:
        case "webhook":
            for alert in alerts:
                await _webhook(receiver, alert, client)
        case "apprise":
            for alert in alerts:
                await _apprise(receiver, alert)
        case "alertmanager":
            await _alertmanager(receiver, alerts, client)


def delivery_id(alert: Row) -> str:
    """The id of a transition: the same however often it is sent."""
    return f"{alert['id']}.{alert['state']}.{(alert['at'] - EPOCH) // MILLISECOND}"


def headline(alert: Row) -> str:
    """One line for people: `FIRING (page) billing: Answered in time`."""
    return f"{alert['state'].upper()} ({alert['severity']}) {alert['title']}"


def webhook_body(alert: Row) -> str:
    """The payload of a webhook, as Standard Webhooks advises: type, timestamp, data."""
    content = alert_json(alert) | {"values": json.loads(alert["values"] or "{}")}
    payload = {"type": f"sqm.alert.{alert['state']}", "timestamp": content["at"], "data": content}
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


def alertmanager_alert(alert: Row, wall: datetime) -> dict[str, Any]:
    """One alert for Alertmanager. Its labels tell alerts apart there, so they hold nothing that moves."""
    labels = {"alertname": f"sqm_{alert['kind']}", "severity": alert["severity"]}
    names = ("sla", "case", "clock", "cycle", "partition", *(() if alert["case"] else LABELS))
    labels |= {name: str(alert[name]) for name in names if alert[name] is not None}
    over = alert["state"] == AlertState.RESOLVED
    ends = min(alert["ended"] or wall, wall) if over else wall + FORGET_AFTER
    return {
        "labels": labels,
        "annotations": {"summary": alert["title"], "description": alert["detail"]},
        "startsAt": min(alert["since"], ends).isoformat(),
        "endsAt": ends.isoformat(),
    }


async def _webhook(receiver: Receiver, alert: Row, client: httpx2.AsyncClient) -> None:
    identity, body, at = delivery_id(alert), webhook_body(alert), datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
    }
    if secret := _secret(receiver.secret_env, receiver.secret_file):
        headers["webhook-signature"] = _signature(secret, identity, at, body)
    await _post(client, str(receiver.webhook), body, headers)


async def _alertmanager(receiver: Receiver, alerts: Sequence[Row], client: httpx2.AsyncClient) -> None:
    wall = datetime.now(UTC)
    body = json.dumps([alertmanager_alert(alert, wall) for alert in alerts], ensure_ascii=False)
    address = str(receiver.url).rstrip("/") + "/api/v2/alerts"
    await _post(client, address, body, {"content-type": "application/json"})


async def _post(client: httpx2.AsyncClient, address: str, body: str, headers: Mapping[str, str]) -> None:
    try:
        response = await client.post(address, content=body.encode(), headers=dict(headers))
    except httpx2.HTTPError as error:
        raise NotDelivered(f"no answer ({type(error).__name__})") from None
    except (httpx2.InvalidURL, UnicodeError):
        raise Refused("its address is not usable") from None
    if response.status_code in REFUSALS:
        raise Refused(f"it answers {response.status_code}")
    if not response.is_success:
        raise NotDelivered(f"it answers {response.status_code}")


async def _apprise(receiver: Receiver, alert: Row) -> None:
    address = _secret(receiver.apprise_env, receiver.apprise_file)
    await asyncio.to_thread(_by_apprise, address or "", alert)


def _by_apprise(address: str, alert: Row) -> None:
    import apprise  # here, since it takes seconds and most have no need of it

    kinds = {Severity.PAGE: apprise.NotifyType.FAILURE}
    kind = kinds.get(alert["severity"], apprise.NotifyType.WARNING)
    if alert["state"] == AlertState.RESOLVED:
        kind = apprise.NotifyType.SUCCESS
    messenger = apprise.Apprise()
    if not messenger.add(address):
        raise NotDelivered("its address is none that Apprise knows")
    if not messenger.notify(alert["detail"], headline(alert), kind):
        raise NotDelivered("Apprise could not tell it")


def _signature(secret: str, identity: str, at: datetime, body: str) -> str:
    try:
        return Webhook(secret).sign(identity, at, body)
    except (ValueError, RuntimeError, EmptyWebhookSecretError) as error:
        raise NotDelivered(f"its secret is not usable ({type(error).__name__}): it is whsec_ and base64") from None


def _secret(variable: str | None, file: str | None) -> str | None:
    """The content of an environment variable or file; None where the policy names neither."""
    if variable is not None:
        if found := os.environ.get(variable):
            return found
        raise NotDelivered(f"the environment variable {variable} is not set")
    if file is not None:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise NotDelivered(f"{file} cannot be read ({type(error).__name__})") from None
    return None
