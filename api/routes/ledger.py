"""/v1/ledger: what was read and what became of it; nothing is dropped without being counted."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api.context import Here, Newest
from api.problems import responses
from api.shapes import Instant, NoParameters, Ratio, Shape
from api.verified import verified_item
from monitor.names import HoleKind

router = APIRouter(prefix="/v1", tags=["ledger"])


class Counts(Shape):
    """read = counted + duplicate + late + rejected; cases_opened = cases_closed + cases_open."""

    balanced: bool = Field(description="Whether both equations hold; if not, it is a page.")
    read: int
    counted: int
    duplicate: int
    conflicting: int = Field(description="Of the duplicates, those with other contents than the first.")
    late: int
    rejected: int
    rejected_by_reason: dict[str, int] = Field(examples=[{"bad_time": 3}])
    overflowed: int = Field(
        description="Times a label combination was counted under `__other__`: again whenever its case is judged anew."
    )
    corrected: int = Field(description="Published verdicts that an event proved wrong.")
    cases_opened: int
    cases_closed: int
    cases_open: int
    cases_unopened: int
    cases_inconsistent: int
    cases_archived: int = Field(description="Ended longer ago than the retention: their figures stay, they are gone.")


class HoleItem(Shape):
    """Records of an events topic that are gone, and that somebody accepted to go on without."""

    topic: str
    kind: HoleKind
    from_offset: int = Field(description="The records concerned: from this offset on, up to before `to_offset`.")
    to_offset: int
    missing: int | None = Field(
        description="How many of these are gone, at most (transaction markers have offsets, too); null: unknown."
    )
    counted: bool = Field(description="Whether what is gone had been counted before.")
    from_time: Instant | None = Field(description="Timestamps of the records at both ends, where they can be told.")
    to_time: Instant | None
    resumed_at: int = Field(description="The offset that was read next.")
    accepted: Instant
    detail: str = Field(description="What happened, in a sentence.")


class SplitCaseItem(Shape):
    """A case whose events came through several partitions, each of which judges a part of it."""

    case: str
    partitions: list[int]


class PartitionLedger(Counts):
    """The ledger of one partition, and how far it is."""

    partition: int
    now: Instant | None = Field(description="The instant up to which its cases are judged.")
    newest_event: Instant | None
    holes: list[HoleItem] = Field(description="What is missing, and was accepted.")
    dedup_horizon_seconds: float | None = Field(
        description="How far before the newest event ids of measured events are remembered; null: for ever, so far. "
        "An older one is late, since nobody can tell whether it was counted."
    )
    offsets: dict[str, int] = Field(description="Next offset to be read, by topic.", examples=[{"sqm.events": 1200}])
    lag_seconds: float | None = Field(description="How far its `now` is behind the greatest of the partitions.")
    current: bool = Field(description="Whether it keeps up; while one does not, no alert resolves.")


class VerifiedLedger(Shape):
    """What `sqm verify` found when it last recomputed everything from the events."""

    result: Literal["equal", "different", "unable"]
    at: Instant = Field(description="When it began.")
    took_seconds: float
    events: int = Field(description="Events that were read again.")
    cases: int = Field(description="Live cases that were compared.")
    differences: int
    first: str | None = Field(description="The difference that explains most, in words.")
    cause: str | None = Field(description="Its likely cause.")
    unproven: list[str] = Field(description="What could not be compared, and why.")
    trouble: str | None = Field(description="Why it could not be done.")
    last_equal: Instant | None = Field(description="When the last one began that found no difference.")


class Ledger(Counts):
    verified: VerifiedLedger | None = Field(description="The last `sqm verify --record`; null: there was none.")
    holes: int = Field(description="Holes that were accepted, in all partitions; figures of their time are not whole.")
    missing_records: int = Field(description="Records that these lack, as far as it can be told.")
    cases_split: int = Field(description="Live cases that came through several partitions; counted up to 10,000.")
    split_cases: list[SplitCaseItem] = Field(description="The first of these.")
    current_share: Ratio = Field(description="Share of the partitions that keep up.")
    partitions: list[PartitionLedger]


@router.get("/ledger", summary="Where every event went", responses=responses("not-ready"))
async def ledger(here: Here, board: Newest, _: Annotated[NoParameters, Query()]) -> Ledger:
    """The ledger of each partition and in total, as of the last checkpoint that was read."""
    return Ledger.model_validate({**board.ledger, "verified": verified_item(here.verified())})
