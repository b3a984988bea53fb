"""/v1/cases/{id}: one case, its events in their order and its verdicts."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import polars as pl
from fastapi import APIRouter, Path, Query
from pydantic import Field

from api import verdicts
from api.context import Here, Newest
from api.problems import Problem, responses, unknown
from api.routes.verdicts import Verdict
from api.shapes import Instant, LabelValues, NoParameters, Shape, instant, labels_of, seconds
from api.timeline import Timeline, timeline
from consumers.one_case import alike
from monitor.cases import Cases, ordered
from monitor.explain import explain
from monitor.keys import keys_of
from monitor.names import LABELS, Kind, Phase
from monitor.running import as_of_now
from monitor.state import State

router = APIRouter(prefix="/v1", tags=["cases"])

MOST_CLOCKS = 100  # of one case whose timelines are told; of too many cycles the last ones

_DATA = ("public", "bot", "reason", "due_at", "outcome", "right_first_time", "redress", "waited")
_SCORES = ("csat", "nps", "ces", "score", "max_score", "passed")
_OTHER_FAMILIES = {Kind.RATED: "rating.submitted", Kind.AUDITED: "audit.scored"}


class CaseEvent(Shape):
    """One event of the case, in the order in which it counts."""

    time: Instant
    type: str = Field(examples=["interaction.opened"])
    source: str
    id: str
    sequence: str | None
    labels: LabelValues = Field(description="Labels that the event itself carries.")
    cleared: list[str] = Field(description="Labels that the event takes away.")
    data: dict[str, Any] = Field(description="What else of the event counts or is shown.")


class Case(Shape):
    """A live case: its events are its state."""

    case: str = Field(examples=["INC-4711"])
    complaint: bool | None = Field(description="null while its opening has not arrived.")
    phase: Phase = Field(description="`final`: cancelled or abandoned.", examples=["open"])
    no_case: bool = Field(description="Last resolved as duplicate or merged: every clock is excluded.")
    labels: LabelValues = Field(description="In force now.")
    opened: Instant | None
    partition: int
    now: Instant | None = Field(description="The instant up to which the case is judged.")
    events: list[CaseEvent]
    verdicts: list[Verdict]
    timeline: Timeline


@router.get("/cases/{id:path}", summary="One case", responses=responses("archived", "unknown-resource", "not-ready"))
def case(
    here: Here,
    board: Newest,
    id: Annotated[str, Path(examples=["INC-4711"])],
    _: Annotated[NoParameters, Query()],
) -> Case:
    """A live case with all its events and verdicts, and why these are so. Archived cases are no longer here."""
    key = keys_of([id])
    with here.replica.reading() as states:
        held = {number: state for number, state in states.items() if state.history.of(key).height}
        if not held:
            _say_if_archived(id, key, list(states.values()))
            raise unknown("live case", id, _alike(list(states.values()), id))
        number, state = next(iter(held.items()))
        history, now = state.history.of(key), state.now
        rows = verdicts.of_cases(held, key).sort("clock", "cycle")
        rows = as_of_now(verdicts.with_labels(rows, states), states, board.policies, board.grace)
    cases = ordered(history)
    explanation = explain(history, board.policies, now or board.now, board.grace, MOST_CLOCKS)
    return Case.model_validate(
        {
            **_as_it_stands(cases),
            "partition": number,
            "now": instant(now),
            "events": [_event(row) for row in history.select(pl.all().gather(pl.Series(cases.row))).to_dicts()],
            "verdicts": verdicts.verdict_items(rows, board.policies),
            "timeline": timeline(explanation),
        }
    )


def _say_if_archived(case: str, key: pl.Series, states: list[State]) -> None:
    """Raises Problem for a case that ended so long ago that it is no longer held."""
    for state in states:
        for at in state.archived.of(key)["at"]:
            said = f"case {case!r} was archived at {instant(at)}: its figures stay, its events are in the events topics"
            raise Problem("archived", f"{said}; `sqm explain {case} --from-kafka` reads them again")


def _as_it_stands(cases: Cases) -> dict[str, Any]:
    """What holds of the one case after its last event."""
    row = cases.summary().row(0, named=True)
    opened = row["opened_at"]
    return {
        "case": row["case"],
        "complaint": None if opened is None else row["is_complaint"],
        "phase": row["phase"],
        "no_case": row["void"],
        "labels": labels_of(cases.labels.row(row["state"], named=True)),
        "opened": instant(opened),
    }


def _alike(states: list[State], wrong: str) -> list[str]:
    """Some live cases with verdicts whose ids are much as this one; if none is, any."""
    found: set[str] = set()
    for wanted in (alike(wrong), pl.lit(True)):
        for state in states:
            found.update(state.verdicts_where(wanted)["case"].head(50))
        if found:
            break
    return sorted(found)


def _event(row: dict[str, Any]) -> dict[str, Any]:
    kind = Kind(row["kind"])
    family = "complaint" if row["complaint"] else "interaction"
    data = {name: _plain(row[name]) for name in (*_DATA, *_SCORES) if row[name] is not None}
    for name in ("answers", "about"):
        if row[name]:
            data |= msgspec.json.decode(row[name])
    return {
        "time": instant(row["time"]),
        "type": _OTHER_FAMILIES.get(kind, f"{family}.{kind}"),
        "source": row["source"],
        "id": row["id"],
        "sequence": row["sequence"],
        "labels": labels_of(row),
        "cleared": [label for i, label in enumerate(LABELS) if (row["cleared"] or 0) >> i & 1],
        "data": data,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return seconds(value)
    return instant(value) if isinstance(value, datetime) else value
