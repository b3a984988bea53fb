"""/v1/alerts: what needs a person, each with its reason."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.context import Newest
from api.items import alert_order
from api.lists import page_items
from api.problems import responses
from api.shapes import Instant, LabelValues, Next, Paging, Shape, fits_labels
from monitor.names import AlertKind, AlertReason, AlertState, Severity

router = APIRouter(prefix="/v1", tags=["alerts"])


class Alert(Shape):
    """An alert as of its last transition."""

    id: str = Field(description="Stable: the same alert has the same id whenever it is sent.")
    kind: AlertKind
    severity: Severity
    state: AlertState
    sla: str | None = Field(examples=["first-response"])
    labels: LabelValues
    title: str = Field(examples=["billing burns its error budget 15 times too fast"])
    detail: str
    reason: AlertReason = Field(description="Why it fires or has ended.")
    since: Instant | None = Field(description="When it began to fire.")
    at: Instant | None = Field(description="When this transition was decided.")
    resolved_at: Instant | None
    case: str | None
    clock: str | None


class AlertList(Shape):
    items: list[Alert]
    next: Next


class AlertQuery(Paging):
    state: list[AlertState] = Field([], description="Only in this state; repeat for several.")
    kind: list[AlertKind] = Field([], description="Only of this kind; repeat for several.")
    severity: list[Severity] = Field([], description="Only of this severity; repeat for several.")
    sla: str | None = Field(None, description="Only of this SLA.")


@router.get(
    "/alerts", summary="Alerts, firing ones first", responses=responses("bad-parameter", "bad-cursor", "not-ready")
)
async def alerts(board: Newest, query: Annotated[AlertQuery, Query()]) -> AlertList:
    """Firing alerts, then those that ended, each the newest first."""
    wanted = query.wanted()
    items = [
        item
        for item in board.alerts
        if fits_labels(item["labels"], wanted)
        and (not query.state or item["state"] in query.state)
        and (not query.kind or item["kind"] in query.kind)
        and (not query.severity or item["severity"] in query.severity)
        and query.sla in (None, item["sla"])
    ]
    listing = page_items(
        items, alert_order, resource="alerts", filters=query.filters(), limit=query.limit, cursor=query.cursor
    )
    return AlertList.model_validate(listing)
