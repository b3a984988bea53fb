"""/v1/indicators: service quality by dimension, window and label, each value with its interval and n."""

from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query
from pydantic import Field

from api import cursors
from api.context import Newest
from api.indicator_items import ORDER, indicator_items
from api.problems import choose, responses
from api.shapes import LabelValues, Next, Paging, Shape, fits

router = APIRouter(prefix="/v1", tags=["indicators"])


class IndicatorRow(Shape):
    """One indicator over one window, of everything or of one value of one label."""

    id: str = Field(examples=["first_response_p95_seconds"])
    title: str = Field(examples=["Response time, 95th percentile"])
    dimension: str = Field(examples=["responsiveness"])
    unit: str = Field(examples=["seconds"])
    better: Literal["higher", "lower", "neither"]
    window: str = Field(examples=["1h"])
    labels: LabelValues
    value: float | None = Field(description="null below `min_n`: too few to say anything.")
    low: float | None = Field(description="Lower end of the 95 % interval, where there is one.")
    high: float | None = Field(description="Upper end of the 95 % interval, where there is one.")
    n: int = Field(description="How many things the value is made of.")
    min_n: int = Field(description="Below as many, `value` is null.", examples=[25])
    long_run: float | None = Field(None, description="The cumulative level, where the window is a part of it.")


class IndicatorList(Shape):
    items: list[IndicatorRow]
    next: Next


class IndicatorQuery(Paging):
    window: str = Field("1h", description="Rolling (`5m` … `90d`) or calendar (`day`, `week`, `month` …) window.")
    id: list[str] | None = Field(None, description="Only this indicator; repeat for several.")
    dimension: list[str] | None = Field(None, description="Only this dimension; repeat for several.")
    by: str | None = Field(None, description="Only rows of this label's values, or `total`.")


@router.get(
    "/indicators",
    summary="Indicators of service quality",
    responses=responses("bad-parameter", "bad-cursor", "not-ready"),
)
async def indicators(board: Newest, query: Annotated[IndicatorQuery, Query()]) -> IndicatorList:
    """The total and each value of each single label, over one window."""
    frame = board.indicators
    choose("window", query.window, board.windows)
    condition = (pl.col("window") == query.window) & fits(query.wanted())
    for name in query.id or []:
        choose("id", name, board.indicator_ids)
    for name in query.dimension or []:
        choose("dimension", name, board.dimensions)
    if query.id:
        condition &= pl.col("id").is_in(query.id)
    if query.dimension:
        condition &= pl.col("dimension").is_in(query.dimension)
    if query.by is not None:
        condition &= pl.col("by") == choose("by", query.by, ("total", *board.labels))
    page = cursors.page(
        frame.filter(condition),
        ORDER,
        limit=query.limit,
        cursor=query.cursor,
        bound=cursors.binding("indicators", query.filters()),
    )
    return IndicatorList.model_validate({"items": indicator_items(page.rows), "next": page.next})
