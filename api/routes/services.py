"""/v1/services: one row a service, the one that is worst off first."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.context import Newest
from api.cursors import DEFAULT, MOST
from api.items import service_order
from api.lists import page_items
from api.problems import responses
from api.shapes import Next, Shape
from monitor.names import SlaState

router = APIRouter(prefix="/v1", tags=["services"])


class Service(Shape):
    """One value of the label `service`, with what is open there and how its SLAs stand."""

    service: str = Field(examples=["billing"])
    state: SlaState = Field(description="The worst state of its SLAs.")
    open: int = Field(description="Cases opened and not ended.")
    running: int = Field(description="Clocks that run and are not breached.")
    at_risk: int = Field(description="Of these, clocks with most of their target used.")
    breached_open: int = Field(description="Clocks past due that still run.")
    waiting: int = Field(description="Cases that wait for their first response.")
    oldest_waiting_seconds: float | None = Field(description="How long the one waiting longest has waited.")
    slas: dict[str, int] = Field(description="How many of its SLA rows are in each state.")
    alerts: int = Field(description="Alerts that fire for it.")


class ServiceList(Shape):
    items: list[Service]
    next: Next


class ServiceQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(DEFAULT, ge=1, le=MOST, description="The most rows of one answer.")
    cursor: str | None = Field(None, max_length=4096, description="`next` of the answer before.")


@router.get(
    "/services",
    summary="Services, the worst off first",
    responses=responses("bad-parameter", "bad-cursor", "not-ready"),
)
async def services(board: Newest, query: Annotated[ServiceQuery, Query()]) -> ServiceList:
    """Each service with its open cases, running clocks and the state of its SLAs."""
    listing = page_items(
        board.services,
        service_order,
        resource="services",
        filters={},
        limit=query.limit,
        cursor=query.cursor,
    )
    return ServiceList.model_validate(listing)
