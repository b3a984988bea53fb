"""/metrics: the figures of the last tick for any number of Prometheus scrapers."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from api.context import Here
from api.metrics import CONTENT_TYPE
from api.problems import responses

router = APIRouter(tags=["metrics"])

_SAID: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Prometheus text exposition, as of the last tick.",
        "content": {"text/plain": {"example": 'sqm_sla_goal_ratio{sla="first-response"} 0.95\n'}},
    }
}


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=PlainTextResponse,
    responses={**_SAID, **responses("not-ready")},
)
def metrics(here: Here, request: Request) -> Response:
    """Rendered at most once a tick, and served from memory. Until figures exist the process's own metrics are here."""
    exposition = here.exposition
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(exposition.gzipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=CONTENT_TYPE)
    return Response(exposition.text, headers=headers, media_type=CONTENT_TYPE)
