"""/v1/slas: every objective with its compliance, error budget and burn, the worst first."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api.context import Newest
from api.items import sla_order
from api.lists import page_items
from api.problems import responses, unknown
from api.shapes import Instant, LabelValues, Next, NoParameters, Paging, Ratio, Shape, fits_labels
from monitor.names import Judged, Severity, SlaState

router = APIRouter(prefix="/v1", tags=["SLAs"])


class Burn(Shape):
    """One pair of windows: both must burn faster than `factor` to fire."""

    window: str = Field(description="The long window.", examples=["1h"])
    short_window: str = Field(examples=["5m"])
    seconds: float = Field(description="Length of the long window.", examples=[3600.0])
    burn: float | None = Field(description="The lesser of the two burn rates: what `factor` is held against.")
    long: float | None = Field(description="Burn rate over the long window; null without events.")
    short: float | None = Field(description="Burn rate over the short window.")
    factor: float = Field(examples=[14.4])
    severity: Severity
    judged: Judged = Field(description="Why it fires or keeps quiet.")
    firing: bool


class Sla(Shape):
    """One objective for one combination of the labels in its `by`."""

    id: str = Field(examples=["first-response"])
    title: str = Field(examples=["Every customer is answered in time"])
    owner: str | None = Field(examples=["support-leads"])
    measure: str = Field(description="A clock, or an indicator with its threshold.", examples=["first_response"])
    labels: LabelValues
    goal: Ratio = Field(examples=[0.95])
    period: str = Field(description="Rolling length or calendar period.", examples=["30d"])
    window_from: Instant | None = Field(description="First instant of the period so far.")
    window_to: Instant | None
    good: int | None = Field(description="null where the objective has nothing to count: see `value`.")
    bad: int | None
    corrected: int = Field(description="Of these, verdicts that replaced one that a late event proved wrong.")
    holes: int = Field(description="Accepted holes in the events of the period: it lacks records; see the ledger.")
    compliance: Ratio | None = Field(description="good / (good + bad); null without events.")
    budget_left: float | None = Field(description="1 minus the share of the error budget used; may be negative.")
    value: float | None = Field(description="Of an indicator, in its unit, where the objective is a threshold of one.")
    threshold: float | None
    burn: list[Burn]
    state: SlaState = Field(description="`breached`: more than the budget is used; `burning`: an alert pair fires.")
    min_events: int = Field(description="Below as many events nothing is said of it: `too_few`.")


class SlaList(Shape):
    items: list[Sla]
    next: Next


class SlaDetail(Shape):
    """An objective: all its rows, the worst first."""

    id: str
    title: str
    owner: str | None
    measure: str
    period: str
    goal: Ratio
    state: SlaState = Field(description="The worst state of its rows.")
    items: list[Sla]


class SlaQuery(Paging):
    state: list[SlaState] = Field([], description="Only rows in this state; repeat for several.")
    owner: str | None = Field(None, description="Only SLAs of this owner.")


@router.get(
    "/slas", summary="Objectives, the worst first", responses=responses("bad-parameter", "bad-cursor", "not-ready")
)
async def slas(board: Newest, query: Annotated[SlaQuery, Query()]) -> SlaList:
    """Compliance, budget and burn of every objective, one row for each combination of the labels in its `by`."""
    wanted = query.wanted()
    items = [
        item
        for item in board.slas
        if fits_labels(item["labels"], wanted)
        and (not query.state or item["state"] in query.state)
        and query.owner in (None, item["owner"])
    ]
    listing = page_items(
        items, sla_order, resource="slas", filters=query.filters(), limit=query.limit, cursor=query.cursor
    )
    return SlaList.model_validate(listing)


@router.get("/slas/{id}", summary="One objective", responses=responses("unknown-resource", "not-ready"))
async def sla(
    board: Newest, id: Annotated[str, Path(examples=["first-response"])], _: Annotated[NoParameters, Query()]
) -> SlaDetail:
    """One objective with a row for each combination of the labels in its `by`."""
    items = [item for item in board.slas if item["id"] == id]
    if not items:
        raise unknown("SLA", id, {item["id"] for item in board.slas})
    shared = {name: items[0][name] for name in ("id", "title", "owner", "measure", "period", "goal", "state")}
    return SlaDetail.model_validate({**shared, "items": items})
