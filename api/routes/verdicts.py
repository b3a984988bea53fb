"""/v1/verdicts: what became of each clock of live cases, the latest decided first."""

from datetime import UTC, datetime
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query
from pydantic import Field

from api import cursors, verdicts
from api.context import Here, Newest
from api.problems import responses
from api.shapes import AskedInstant, Instant, LabelValues, Next, Paging, Shape
from monitor.frames import INSTANT
from monitor.keys import keys_of
from monitor.names import Change, Clock, Outcome
from monitor.running import as_of_now

router = APIRouter(prefix="/v1", tags=["verdicts"])


class Verdict(Shape):
    """One clock of one case."""

    case: str = Field(examples=["INC-4711"])
    clock: Clock
    cycle: int
    complaint: bool
    policy_from: Instant | None = Field(description="`effective_from` of the policy version that judges the case.")
    line: int | None = Field(description="Number of the target line in that version, from 0.")
    target_seconds: float | None
    started: Instant | None
    due: Instant | None
    stopped: Instant | None
    decided: Instant | None = Field(description="The instant that decided the outcome.")
    outcome: Outcome
    old_outcome: Outcome | None = Field(description="The published outcome that was revised, if one was.")
    change: Change | None = Field(description="What was last published of it.")
    on_arrival: bool | None = Field(description="Breached because a change of target set a due already past.")
    elapsed_seconds: float | None = Field(description="Up to `stopped`, else to now, without pauses.")
    paused_seconds: float | None
    labels: LabelValues


class VerdictList(Shape):
    items: list[Verdict]
    next: Next


class VerdictQuery(Paging):
    case: list[str] = Field([], description="Only this case; repeat for several.")
    clock: list[Clock] = Field([], description="Only this clock; repeat for several.")
    outcome: list[Outcome] = Field([], description="Only this outcome; repeat for several.")
    change: list[Change] = Field([], description="Only verdicts last published as this; repeat for several.")
    complaint: bool | None = Field(None, description="Only complaints, or only interactions.")
    since: AskedInstant | None = Field(None, description="Decided at or after.")
    until: AskedInstant | None = Field(None, description="Decided before.")

    def condition(self) -> pl.Expr:
        """True for the rows of STATE_VERDICTS that are asked for."""
        conditions = [pl.lit(True)]
        if self.case:
            conditions.append(pl.col("case_key").is_in(keys_of(self.case).implode()))
        for column, values in (("clock", self.clock), ("outcome", self.outcome), ("change", self.change)):
            if values:
                conditions.append(pl.col(column).is_in([str(value) for value in values]))
        if self.complaint is not None:
            conditions.append(pl.col("complaint") == self.complaint)
        if self.since is not None:
            conditions.append(pl.col("decided") >= _literal(self.since))
        if self.until is not None:
            conditions.append(pl.col("decided") < _literal(self.until))
        return pl.all_horizontal(conditions)


def _literal(value: datetime) -> pl.Expr:
    return pl.lit(value.astimezone(UTC), dtype=INSTANT)


@router.get(
    "/verdicts", summary="Verdicts, latest first", responses=responses("bad-parameter", "bad-cursor", "not-ready")
)
def listed(here: Here, board: Newest, query: Annotated[VerdictQuery, Query()]) -> VerdictList:
    """Verdicts of live cases: those lately decided first, running clocks last."""
    with here.replica.reading() as states:
        page = cursors.page(
            verdicts.find(states, query.condition(), query.wanted()),
            verdicts.BY_DECIDED,
            limit=query.limit,
            cursor=query.cursor,
            bound=cursors.binding("verdicts", query.filters()),
        )
        rows = as_of_now(verdicts.with_labels(page.rows, states), states, board.policies, board.grace)
    return VerdictList.model_validate({"items": verdicts.verdict_items(rows, board.policies), "next": page.next})
