"""/v1/stream: server-sent events, for pages and programs that want to see what happens as it happens."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.context import Here
from api.problems import Problem, responses
from api.routes.alerts import Alert
from api.routes.clocks import RunningClock
from api.routes.indicators import IndicatorRow
from api.routes.ledger import Ledger
from api.routes.policy import RefusedPolicy
from api.routes.recent import ChartPoint
from api.routes.services import Service
from api.routes.slas import Sla
from api.routes.verdicts import Verdict
from api.shapes import Instant, Ratio, Shape
from api.stream import MOST_CLIENTS, StreamResponse, wire

router = APIRouter(prefix="/v1", tags=["stream"])


class StreamQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    last_event_id: str | None = Field(
        default=None, description="As the header `Last-Event-ID`, which goes first, for clients that cannot send it."
    )


class PolicyInForce(Shape):
    name: str
    digest: str
    effective_from: Instant | None
    labels: list[str]
    clocks: list[str]
    refused: RefusedPolicy | None = Field(description="As `refused` of `/v1/policy`.")


class Tick(Shape):
    """Everything that the live page shows, as of one instant; sent about once a second."""

    tick: int = Field(description="Counts up by one.")
    wall: Instant = Field(description="Wall clock of the server when it was made.")
    now: Instant | None = Field(description="The instant up to which the figures are judged.")
    ready: bool
    troubles: dict[str, str] = Field(description="As `reasons` of `/readyz`.")
    catching_up: str | None = Field(description="As `catching_up` of `/readyz`.")
    current_share: Ratio = Field(description="Share of the partitions that keep up.")
    lag_seconds: float | None = Field(description="The greatest of the partitions; see the ledger.")
    rate_per_second: float = Field(description="Events a second that became visible, over the last 10 s.")
    ledger: Ledger
    slas: list[Sla]
    services: list[Service]
    indicators: list[IndicatorRow] = Field(description="Total and each service, over the windows 1h and 1d.")
    clocks_next: list[RunningClock] = Field(description="The 20 running clocks with the least time left.")
    alerts: list[Alert] = Field(description="Firing alerts, and the newest that ended; at most 50.")
    verdicts_omitted: int = Field(
        description="Verdicts since the tick before that are not sent, as too many came at once: breaches go first."
    )
    policy: PolicyInForce
    point: ChartPoint


_SAID: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`event: tick`, `alert`, `verdict` or `reset`; `data` is JSON of that shape.",
        "content": {
            "text/event-stream": {
                "itemSchema": {
                    "type": "object",
                    "properties": {
                        "event": {"enum": ["tick", "alert", "verdict", "reset"]},
                        "id": {"type": "string"},
                        "data": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "contentSchema": {
                                "anyOf": [
                                    {"$ref": f"#/components/schemas/{name}"} for name in ("Tick", "Alert", "Verdict")
                                ]
                            },
                        },
                    },
                },
                "example": 'id: 42-1207-1198.3\nevent: alert\ndata: {"id": "…", "state": "firing"}\n\n',
            }
        },
    }
}
SHAPES = (Tick, Alert, Verdict)  # of `data`, for the OpenAPI components


@router.get(
    "/stream",
    summary="What happens, as it happens",
    response_class=StreamingResponse,
    responses={**_SAID, **responses("busy")},
)
async def stream(
    here: Here,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[str | None, Header(description="`id` of the last event that was taken.")] = None,
) -> Response:
    """A `tick` about once a second holds everything shown; `alert` and `verdict` are sent as they happen.

    With `Last-Event-ID` the alerts and verdicts since that event come first, each once, also where another server, or
    this one before its restart, sent it. Where they are no longer kept, a `reset` comes instead, which says why. Lines
    that begin with a colon keep the connection alive.
    """
    if here.stream.clients >= MOST_CLIENTS:
        raise Problem("busy", f"{here.stream.clients} streams are open already", headers={"Retry-After": "10"})
    body = wire(here.stream, last_event_id or query.last_event_id)
    return StreamResponse(body, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
