"""/v1/indicators: service quality by dimension, window and label, each value with its interval and n."""

from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query
from pydantic import Field

from api import cursors
from api.board import Board
from api.context import Here, Newest
from api.indicator_items import DIMENSIONS, ORDER, TOTAL, indicator_items, placed
from api.problems import choose, responses
from api.shapes import LabelValues, Next, Paging, Shape, fits
from monitor.figures import SHOWN, newest, shown_indicators
from monitor.indicators import BY_ID
from monitor.windows import WINDOWS

router = APIRouter(prefix="/v1", tags=["indicators"])


class IndicatorRow(Shape):
    """One indicator over one window, of everything or of one value of one label."""

    id: str = Field(examples=["first_response_p95_seconds"])
    title: str = Field(examples=["Response time, 95th percentile"])
    dimension: str = Field(examples=["responsiveness"])
    unit: str = Field(examples=["seconds"])
    better: Literal["higher", "lower"]
    window: str = Field(examples=["1h"])
    labels: LabelValues
    value: float | None = Field(description="null below `min_n`: too few to say anything.")
    low: float | None = Field(description="Lower end of the 95 % interval, where there is one.")
    high: float | None = Field(description="Upper end of the 95 % interval, where there is one.")
    n: int = Field(description="How many things the value is made of.")
    min_n: int = Field(description="Below as many, `value` is null.", examples=[25])


class IndicatorList(Shape):
    items: list[IndicatorRow]
    next: Next


class IndicatorQuery(Paging):
    window: str = Field("1h", description="A rolling window.", json_schema_extra={"enum": list(WINDOWS)})
    id: list[str] = Field([], description="Only this indicator; repeat for several.")
    dimension: list[str] = Field([], description="Only this dimension; repeat for several.")
    by: str | None = Field(None, description="Only rows of this label's values, or `total`.")


@router.get(
    "/indicators",
    summary="Indicators of service quality",
    responses=responses("bad-parameter", "bad-cursor", "not-ready"),
)
def indicators(here: Here, board: Newest, query: Annotated[IndicatorQuery, Query()]) -> IndicatorList:
    """The total and each value of each single label, over one window."""
    window = choose("window", query.window, WINDOWS)
    condition = fits(query.wanted())
    for name in query.id:
        choose("id", name, BY_ID)
    for name in query.dimension:
        choose("dimension", name, DIMENSIONS)
    if query.id:
        condition &= pl.col("id").is_in(query.id)
    if query.dimension:
        condition &= pl.col("dimension").is_in(query.dimension)
    if query.by is not None:
        condition &= pl.col("by") == choose("by", query.by, (TOTAL, *board.policies.newest.labels))
    page = cursors.page(
        _over(window, here, board).filter(condition),
        ORDER,
        limit=query.limit,
        cursor=query.cursor,
        bound=cursors.binding("indicators", query.filters()),
    )
    items = indicator_items(page.rows, board.policies.newest.limits.min_n)
    return IndicatorList.model_validate({"items": items, "next": page.next})


def _over(window: str, here: Here, board: Board) -> pl.DataFrame:
    """Indicators of a window: those of the tick, or made now where a tick does not show them."""
    if window in SHOWN:
        return placed(board.figures.indicators.filter(pl.col("window") == window))
    with here.replica.reading() as states:
        return placed(shown_indicators(states, board.policies, newest(states) or board.now, [window]))
