"""The HTTP application: routes, error documents, headers and the page, around one `Context`."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.context import Context
from api.manual import STYLE, manual
from api.problems import ProblemDocument
from api.routes import (
    alerts,
    cases,
    clocks,
    health,
    indicators,
    ledger,
    metrics,
    policy,
    recent,
    rejected,
    services,
    slas,
    stream,
    summary,
    verdicts,
)

PAGE: Final = Path(__file__).parent / "page"
ROUTERS: Final = (
    health.router,
    metrics.router,
    summary.router,
    services.router,
    indicators.router,
    slas.router,
    alerts.router,
    verdicts.router,
    clocks.router,
    cases.router,
    ledger.router,
    rejected.router,
    policy.router,
    stream.router,
    recent.router,
)
DESCRIPTION: Final = """\
What the live page shows, for programs. Lists are `{"items": […], "next": cursor}`; times are RFC 3339 UTC with
milliseconds; durations are seconds, with `_seconds` in the name; ratios lie between 0 and 1. Unknown parameters are
refused, errors are problem documents (RFC 9457)."""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Headers:
    """Adds `HEADERS` to every answer, and `Cache-Control: no-cache` where an answer says nothing of caching."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def create_app(context: Context) -> FastAPI:
    """The application that answers from `context`; it holds no state of its own."""
    app = FastAPI(
        title="sqm",
        version=version("sqm"),
        summary="The service-quality monitor over HTTP",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = context
    problems.install(app)
    app.add_middleware(Headers)
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's way to extend it
    _manual(app)
    if PAGE.joinpath("index.html").exists():
        app.frontend("/", directory=PAGE, fallback=None)
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with our problem documents and the shapes of stream events."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            license_info=app.license_info,
            routes=app.routes,
            separate_input_output_schemas=False,
        )
        shapes = schema["components"]["schemas"]
        for model in (ProblemDocument, *stream.SHAPES):
            own = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
            shapes.update(own.pop("$defs", {}))
            shapes[model.__name__] = own
        for name in ("HTTPValidationError", "ValidationError"):
            shapes.pop(name, None)
        for methods in schema["paths"].values():
            for operation in methods.values():
                if "422" in operation["responses"]:  # FastAPI's own shape of it is not ours
                    operation["responses"]["422"] = problems.responses("bad-parameter")[422]
        app.openapi_schema = schema
    return app.openapi_schema


def _manual(app: FastAPI) -> None:
    """`/docs`: the reference as one page, without scripts or assets from elsewhere."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(manual(app.openapi()))

    @app.get("/manual.css", include_in_schema=False)
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")
