"""/healthz and /readyz: whether the process lives, and whether its figures can be trusted now."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.context import Here
from api.shapes import Instant, NoParameters, Shape, instant

router = APIRouter(tags=["health"])


class Alive(Shape):
    status: Literal["alive"] = "alive"


class Readiness(Shape):
    ready: bool
    reasons: dict[str, str] = Field(
        description="What is wrong, by the part that says so; empty when ready.",
        examples=[{"broker": "no broker answers at 127.0.0.1:9092; trying again"}],
    )
    catching_up: str | None = Field(
        description="How far the workers are behind, while they are; the figures are those of `now` then.",
        examples=["catching up, 12 min left (812,345 records)"],
    )
    now: Instant | None = Field(description="The instant up to which the figures are judged.")


@router.get("/healthz", summary="Whether the process lives")
async def healthz(_: Annotated[NoParameters, Query()]) -> Alive:
    return Alive()


@router.get(
    "/readyz",
    summary="Whether the figures are restored and current",
    responses={503: {"model": Readiness, "description": "Not ready; `reasons` says why."}},
)
async def readyz(_: Annotated[NoParameters, Query()], here: Here, response: Response) -> Readiness:
    """Not ready until the state is restored, and while the broker is lost: the figures are then stale.

    While workers catch up it is ready: every instance shows the same figures then, and says as of when they are, so
    taking them out of service would leave nothing to look at.
    """
    reasons = here.troubles()
    response.status_code = 503 if reasons else 200
    if reasons:
        response.headers["Retry-After"] = "2"
    now = here.board.now if here.board is not None else None
    return Readiness(ready=not reasons, reasons=reasons, catching_up=here.catching_up(), now=instant(now))
