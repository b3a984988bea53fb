"""/v1/rejected: the newest refused events, so that a producing team can help itself."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.context import Here
from api.cursors import DEFAULT, MOST
from api.lists import page_items
from api.problems import responses
from api.rejected import rejected_order
from api.shapes import Instant, Next, Shape
from monitor.names import Refusal

router = APIRouter(prefix="/v1", tags=["ledger"])


class RejectedEvent(Shape):
    """An event that was refused: why, and where it stands in the log."""

    reason: Refusal = Field(examples=["bad_time"])
    field: str | None = Field(description="The field at fault; null: the record as a whole.", examples=["time"])
    message: str | None = Field(examples=["'2026-11-20 10:00' has no offset; expected RFC 3339 such as …Z"])
    source: str | None = Field(description="`source` of the event, as far as it could be read.")
    id: str | None
    type: str | None
    case: str | None
    topic: str
    partition: int
    offset: int
    index: int | None = Field(description="Position within the record.")
    at: Instant | None = Field(description="When it was refused.")


class RejectedGroup(Shape):
    """How many of the kept events came from one source for one reason."""

    source: str | None
    reason: Refusal
    n: int


class RejectedList(Shape):
    items: list[RejectedEvent]
    next: Next
    groups: list[RejectedGroup] = Field(description="The kept events by source and reason, the most first.")
    kept: int = Field(description="How many of the newest refused events are kept here.")


class RejectedQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source: list[str] = Field([], description="Only from this source; repeat for several.")
    reason: list[Refusal] = Field([], description="Only for this reason; repeat for several.")
    limit: int = Field(DEFAULT, ge=1, le=MOST, description="The most rows of one answer.")
    cursor: str | None = Field(None, max_length=4096, description="`next` of the answer before.")


@router.get("/rejected", summary="Newest refused events", responses=responses("bad-parameter", "bad-cursor"))
async def rejected(here: Here, query: Annotated[RejectedQuery, Query()]) -> RejectedList:
    """The newest refused events, the latest first. `/v1/ledger` has the counts of all that ever were."""
    kept = here.rejected.newest()
    chosen = [
        item
        for item in kept
        if (not query.source or item["source"] in query.source) and (not query.reason or item["reason"] in query.reason)
    ]
    listing = page_items(
        chosen,
        rejected_order,
        resource="rejected",
        filters=query.model_dump(exclude={"limit", "cursor"}, exclude_defaults=True),
        limit=query.limit,
        cursor=query.cursor,
    )
    items = [{name: item[name] for name in RejectedEvent.model_fields} for item in listing["items"]]
    return RejectedList.model_validate(
        {"items": items, "next": listing["next"], "groups": here.rejected.groups(), "kept": len(kept)}
    )
