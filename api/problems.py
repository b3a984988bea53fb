"""Errors as RFC 9457 problem documents: what was wrong, what exists instead, and how to go on.

Every error answer of the API is one of `KINDS`; `type` points at its paragraph of this very server's `/docs`.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any, Final, NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from monitor.policy.problems import nearest

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"


class Kind(NamedTuple):
    """A kind of problem: its status, and what it means for whoever calls."""

    status: int
    title: str
    meaning: str


KINDS: Final[Mapping[str, Kind]] = {
    "bad-parameter": Kind(
        422, "A parameter is wrong", "`errors` names each parameter, what was expected and the nearest name."
    ),
    "bad-cursor": Kind(
        400, "The cursor does not fit", "Take `next` of an answer to the same request, or begin without a cursor."
    ),
    "not-found": Kind(404, "There is no such address", "`exists` lists the nearest addresses that exist."),
    "unknown-resource": Kind(
        404, "There is no such resource", "`exists` lists what there is, the nearest names first."
    ),
    "archived": Kind(410, "This case is archived", "`detail` says since when, and how to see it all the same."),
    "method-not-allowed": Kind(405, "This method is not allowed here", "`Allow` names the methods that are."),
    "not-ready": Kind(
        503, "The figures are not restored yet", "Ask again after `Retry-After` seconds; `/readyz` says why."
    ),
    "busy": Kind(503, "Too many streams", "Ask again after `Retry-After` seconds."),
    "http-error": Kind(400, "The request could not be served", "`detail` says why."),
    "internal-error": Kind(500, "An error inside the monitor", "Its log has the cause. Please report it."),
}


class Problem(Exception):
    """An error answer. `members` are extension members of the document, `headers` go with it."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.members = kind, detail, members
        self.status = KINDS[kind].status if status is None else status
        self.headers = dict(headers or {})


class ParameterError(BaseModel):
    """What is wrong with one parameter."""

    parameter: str = Field(description="Its name, as in the query or the path.", examples=["window"])
    message: str = Field(description="What was expected.", examples=["'29d' is none of 5m, 30m, 1h …"])
    nearest: str | None = Field(None, description="The nearest thing that exists.", examples=["28d"])


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/docs#problem-bad-parameter"])
    title: str = Field(examples=["A parameter is wrong"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["window: '29d' is none of 5m, 30m, 1h …; did you mean 28d?"])
    instance: str = Field(description="The address that was asked for.", examples=["/v1/indicators"])
    errors: list[ParameterError] = Field([], description="Each parameter that is wrong.")
    exists: list[str] = Field([], description="What exists instead, the nearest first; at most 20.")


def by_nearness(wrong: str, names: Iterable[str], most: int = 20) -> list[str]:
    """At most `most` of `names`, the ones most like `wrong` first."""

    def likeness(name: str) -> tuple[float, int]:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(wrong, name, strict=False))
        return difflib.SequenceMatcher(None, wrong, name).ratio(), len(list(alike))

    return sorted(sorted(names), key=likeness, reverse=True)[:most]


def unknown(what: str, wrong: str, names: Iterable[str]) -> Problem:
    """404 for a `what` (such as "SLA") called `wrong` where `names` exist."""
    listed = list(names)
    guess = nearest(wrong, listed)
    hint = f"; did you mean {guess!r}?" if guess else ""
    there = "" if listed else f"; there is no {what} yet"
    return Problem("unknown-resource", f"no {what} {wrong!r}{hint}{there}", exists=by_nearness(wrong, listed))


def bad_parameter(parameter: str, wrong: str, allowed: Iterable[str]) -> Problem:
    """422 for a value that is none of `allowed`."""
    names = list(allowed)
    message = f"{wrong!r} is none of {', '.join(names)}"
    guess = nearest(wrong, names)
    hint = f"; did you mean {guess}?" if guess else ""
    error = ParameterError(parameter=parameter, message=message, nearest=guess)
    return Problem("bad-parameter", f"{parameter}: {message}{hint}", errors=[error.model_dump()])


def choose(parameter: str, value: str, allowed: Iterable[str]) -> str:
    """`value`, if it is one of `allowed`; else the problem that names them."""
    names = list(allowed)
    if value not in names:
        raise bad_parameter(parameter, value, names)
    return value


def _answer(request: Request, problem: Problem) -> Response:
    kind = KINDS[problem.kind]
    document = {
        "type": f"/docs#problem-{problem.kind}",
        "title": kind.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
        **problem.members,
    }
    return JSONResponse(document, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


_QUOTED: Final = re.compile(r"'([^']+)'")


def _parameter_error(error: Mapping[str, Any], known: list[str]) -> ParameterError:
    """One pydantic error as one of ours; an unknown parameter names the nearest known one."""
    where = [str(part) for part in error["loc"][1:]]
    name = ".".join(part for part in where if not part.isdigit()) or str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        guess = nearest(name, known)
        return ParameterError(
            parameter=name, message=f"no such parameter; there are {', '.join(known) or 'none'}", nearest=guess
        )
    allowed = _QUOTED.findall(str(error.get("ctx", {}).get("expected", "")))
    if error["type"] in ("enum", "literal_error") and allowed:
        wrong = str(error["input"])
        message = f"{wrong!r} is none of {', '.join(allowed)}"
        return ParameterError(parameter=name, message=message, nearest=nearest(wrong, allowed))
    return ParameterError(parameter=name, message=str(error["msg"]).removeprefix("Value error, "), nearest=None)


def _query_names(request: Request) -> list[str]:
    """Names of the query parameters of the route that was asked for."""
    route = request.scope.get("route")
    operation = request.app.openapi()["paths"].get(getattr(route, "path", ""), {}).get("get", {})
    return [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]


async def _validation(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    known = _query_names(request)
    errors = [_parameter_error(error, known) for error in exc.errors()]
    detail = "; ".join(
        f"{e.parameter}: {e.message}" + (f"; did you mean {e.nearest}?" if e.nearest else "") for e in errors
    )
    return _answer(request, Problem("bad-parameter", detail, errors=[e.model_dump() for e in errors]))


async def _http(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    if exc.status_code == 404:
        paths = list(request.app.openapi()["paths"])
        asked = request.url.path
        guess = nearest(asked, paths)
        hint = f"; did you mean {guess}?" if guess else "; /docs lists what there is"
        return _answer(
            request, Problem("not-found", f"nothing is at {asked}{hint}", exists=by_nearness(asked, paths, 5))
        )
    if exc.status_code == 405:
        detail = f"{request.method} is not allowed at {request.url.path}: everything here is read with GET"
        headers = {"Allow": "GET", **(exc.headers or {})}
        return _answer(request, Problem("method-not-allowed", detail, headers=headers))
    problem = Problem("http-error", str(exc.detail), status=exc.status_code, headers=exc.headers)
    return _answer(request, problem)


async def _problem(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, Problem)
    return _answer(request, exc)


async def _internal(request: Request, exc: Exception) -> Response:
    log.error("request failed", path=request.url.path, exc_info=exc)
    return _answer(request, Problem("internal-error", f"{type(exc).__name__}; the log has the cause"))


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


def responses(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """What a route says of its errors in OpenAPI: `responses=responses("bad-parameter")`."""
    said: dict[int | str, dict[str, Any]] = {}
    for name in kinds:
        kind = KINDS[name]
        described = f"{kind.title}. {kind.meaning}"
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
        if kind.status in said:
            said[kind.status]["description"] += f" Or: {described}"
        else:
            said[kind.status] = {"description": described, "content": content}
    return said
