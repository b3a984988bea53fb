"""/v1/recent: what the page's charts show of the last minutes."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.context import Here
from api.problems import responses
from api.shapes import Instant, NoParameters, Shape

router = APIRouter(prefix="/v1", tags=["stream"])


class Values(Shape):
    """Null, or left out: there was nothing to show."""

    rate_per_second: float | None = Field(None, description="Events a second, of all services.")
    at_risk: int | None = Field(None, description="Running clocks with most of their target used.")
    first_response_p95_seconds: float | None = Field(None, description="In the last hour.")
    first_response_within_ratio: float | None = Field(None, description="In the last hour.")


class ChartPoint(Shape):
    """A tick."""

    at: Instant = Field(description="Wall time.")
    values: dict[str, Values] = Field(description="By service; the total under the empty name.")


class RecentTicks(Shape):
    items: list[ChartPoint] = Field(description="Oldest first.")


@router.get("/recent", summary="The last minutes, for charts", responses=responses("bad-parameter"))
async def recent(here: Here, _: Annotated[NoParameters, Query()]) -> RecentTicks:
    """A few values of each tick of the last 15 minutes, for the total and each service."""
    return RecentTicks.model_validate({"items": here.recent.items()})
