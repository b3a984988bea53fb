"""/v1/clocks: running clocks, the next to breach or the likeliest first."""

from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query
from pydantic import Field

from api import cursors, verdicts
from api.context import Here, Newest
from api.problems import responses
from api.shapes import Instant, LabelValues, Next, Paging, Shape
from monitor.names import Alike, Clock, Outcome
from monitor.running import as_of_now

router = APIRouter(prefix="/v1", tags=["clocks"])


class RunningClock(Shape):
    """One running clock of one case, as of its partition's `now`."""

    case: str = Field(examples=["INC-4711"])
    clock: Clock
    cycle: int = Field(description="From 1; counts the cycles of `next_response`.")
    complaint: bool
    outcome: Outcome = Field(examples=["at_risk"])
    labels: LabelValues
    started: Instant | None
    due: Instant | None = Field(description="null while paused: then there is only what remains.")
    remaining_seconds: float | None = Field(description="Until `due`; negative once it has passed.")
    elapsed_seconds: float | None
    target_seconds: float | None = Field(description="null for promises and business days.")
    used_ratio: float | None = Field(description="Share of the target used; above 1 once breached.")
    chance_ratio: float | None = Field(
        description="Chance to breach, learned from clocks like it that had got as far; null: too few are known, "
        "or it is breached.",
        examples=[0.73],
    )
    chance_n: int | None = Field(description="How many such clocks were met or breached since.", examples=[412])
    chance_alike: Alike | None = Field(description="What those have in common with it.")
    paused: bool
    line: int | None = Field(description="Number of the target line in the policy, from 0.")


class ClockList(Shape):
    items: list[RunningClock]
    next: Next


class ClockQuery(Paging):
    order: Literal["due", "chance"] = Field(
        "due",
        description="`due`: the least time left first; paused clocks last. `chance`: the likeliest to breach first; "
        "those without a chance last.",
    )
    clock: list[Clock] = Field([], description="Only this clock; repeat for several.")
    outcome: list[Literal["open", "at_risk", "breached"]] = Field(
        ["open", "at_risk"], description="`breached`: past due and still running."
    )
    complaint: bool | None = Field(None, description="Only complaints, or only interactions.")


@router.get(
    "/clocks",
    summary="Running clocks, next to breach or likeliest first",
    responses=responses("bad-parameter", "bad-cursor", "not-ready"),
)
def running(here: Here, board: Newest, query: Annotated[ClockQuery, Query()]) -> ClockList:
    """Clocks that still run, with what remains of their target and the chance to breach it."""
    condition = pl.col("outcome").is_in(query.outcome) & pl.col("stopped").is_null()
    if query.clock:
        condition &= pl.col("clock").is_in(query.clock)
    if query.complaint is not None:
        condition &= pl.col("complaint") == query.complaint
    with here.replica.reading() as states:
        rows, order = verdicts.find(states, condition, query.wanted()), verdicts.BY_DUE
        if query.order == "chance":
            rows, order = verdicts.foretold(verdicts.with_labels(rows, states), states, board), verdicts.BY_CHANCE
        bound = cursors.binding("clocks", query.filters())
        page = cursors.page(rows, order, limit=query.limit, cursor=query.cursor, bound=bound)
        rows = page.rows if query.order == "chance" else verdicts.with_labels(page.rows, states)
        rows = as_of_now(rows, states, board.policies, board.grace)
        if query.order != "chance":
            rows = verdicts.foretold(rows, states, board)
        return ClockList.model_validate({"items": verdicts.clock_items(rows, states), "next": page.next})
