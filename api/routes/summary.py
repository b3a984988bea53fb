"""/v1/summary: the very object that `sqm replay --json` prints, from the live system."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.context import Here, Newest
from api.problems import responses
from api.shapes import LabelValues, NoParameters, Shape
from monitor.figures import newest
from monitor.names import Clock, Refusal
from monitor.summary import summary

router = APIRouter(prefix="/v1", tags=["summary"])


class LedgerTotals(Shape):
    read: int
    counted: int
    duplicate: int
    late: int
    rejected: int
    rejected_by_reason: dict[Refusal, int]
    rows_unreadable: int
    cases_opened: int
    cases_closed: int
    cases_open: int
    cases_unopened: int
    cases_inconsistent: int


class ClockTotals(Shape):
    met: int
    breached: int
    open: int
    at_risk: int
    excluded: int
    inconsistent: int
    no_target: int


class SlaTotal(Shape):
    id: str
    labels: LabelValues
    good: int
    bad: int
    compliance: float | None
    goal: str = Field(description="The goal as a decimal, exactly.", examples=["0.95"])
    budget_left: float | None


class IndicatorTotal(Shape):
    id: str
    dimension: str
    labels: LabelValues
    value: float | None
    low: float | None
    high: float | None
    n: int


class Summary(Shape):
    ledger: LedgerTotals
    clocks: dict[Clock, ClockTotals]
    slas: list[SlaTotal]
    indicators: list[IndicatorTotal] = Field(description="Over everything read.")


@router.get("/summary", summary="Everything read, in one object", responses=responses("not-ready"))
def summarised(here: Here, board: Newest, _: Annotated[NoParameters, Query()]) -> Summary:
    """Equals what `sqm replay --json` prints for the same events, however they are partitioned."""
    with here.replica.reading() as states:
        return Summary.model_validate(summary(states, board.policies, newest(states) or board.now))
