"""Every error is a problem document that says what exists instead."""

import httpx2
import pytest
from structlog.testing import capture_logs

from api.context import Context
from api.problems import KINDS, by_nearness
from monitor.policy.problems import nearest
from tests.api.conftest import asking
from tests.api.world import Replica, context, policies

# address, status, kind, what the detail says, what stands in `exists` or as nearest name
WRONG = [
    ("/v1/slass", 404, "not-found", "did you mean /v1/slas?", "/v1/slas"),
    ("/nothing", 404, "not-found", "nothing is at /nothing", None),
    ("/v1/slas/first-respons", 404, "unknown-resource", "did you mean 'first-response'?", "first-response"),
    ("/v1/cases/INC-0071", 404, "unknown-resource", "no live case 'INC-0071'", "INC-007"),
    ("/v1/cases/XYZ", 404, "unknown-resource", "no live case 'XYZ'", "INC-000"),
    ("/v1/indicators?window=28days", 422, "bad-parameter", "did you mean 28d?", "28d"),
    ("/v1/indicators?id=npss", 422, "bad-parameter", "did you mean nps?", "nps"),
    ("/v1/indicators?by=servise", 422, "bad-parameter", "did you mean service?", "service"),
    ("/v1/indicators?by=team", 422, "bad-parameter", "none of total, service, priority", None),
    ("/v1/indicators?dimension=speed", 422, "bad-parameter", "none of responsiveness, reliability", None),
    ("/v1/slas?servise=web", 422, "bad-parameter", "servise: no such parameter", "service"),
    ("/v1/ledger?x=1", 422, "bad-parameter", "x: no such parameter; there are none", None),
    ("/v1/slas?limit=0", 422, "bad-parameter", "limit: Input should be greater than or equal to 1", None),
    ("/v1/slas?limit=many", 422, "bad-parameter", "limit: Input should be a valid integer", None),
    ("/v1/verdicts?outcome=breeched", 422, "bad-parameter", "outcome: 'breeched' is none of met, breached", "breached"),
    ("/v1/verdicts?since=2026-11-20T10:00:00", 422, "bad-parameter", "is no RFC 3339 time with an offset", None),
    ("/v1/verdicts?until=1795168800", 422, "bad-parameter", "is no RFC 3339 time with an offset", None),
    ("/v1/verdicts?until=soon", 422, "bad-parameter", "'soon' is no RFC 3339 time", None),
    ("/v1/clocks?order=age", 422, "bad-parameter", "order: 'age' is none of due, chance", None),
    ("/v1/verdicts?cursor=x", 400, "bad-cursor", "damaged", None),
    ("/v1/slas?cursor=x", 400, "bad-cursor", "damaged", None),
    ("/v1/alerts?cursor=x", 400, "bad-cursor", "damaged", None),
]


@pytest.mark.parametrize(("address", "status", "kind", "says", "instead"), WRONG)
async def test_what_is_wrong_is_said_with_what_exists(
    http: httpx2.AsyncClient, address: str, status: int, kind: str, says: str, instead: str | None
) -> None:
    answer = await http.get(address)
    document = answer.json()
    assert answer.status_code == status == document["status"] == KINDS[kind].status
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["type"] == f"/docs#problem-{kind}"
    assert document["title"] == KINDS[kind].title
    assert document["instance"] == address.partition("?")[0]
    assert says in document["detail"]
    nearest_names = [error["nearest"] for error in document.get("errors", [])] + document.get("exists", [])
    assert instead is None or nearest_names[0] == instead


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_everything_is_read_with_get(http: httpx2.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/v1/slas")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json()["type"] == "/docs#problem-method-not-allowed"


async def test_before_the_first_figures_resources_say_that_they_are_not_ready() -> None:
    here = context(Replica(policies(), caught_up=False))
    async with asking(here) as http:
        for address in ("/v1/slas", "/v1/summary", "/v1/ledger", "/v1/verdicts", "/v1/policy"):
            answer = await http.get(address)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert answer.json()["detail"] == "the state is being restored from Kafka"
            assert answer.json()["reasons"] == {"replica": "the state is being restored from Kafka"}


async def test_an_error_inside_is_a_problem_too_and_tells_no_secrets(ticked: Context) -> None:
    ticked.board = object()  # type: ignore[assignment] # so that it fails
    with capture_logs() as logged:
        async with asking(ticked) as http:
            answer = await http.get("/v1/slas")
    assert [(line["event"], line["path"]) for line in logged] == [("request failed", "/v1/slas")]
    assert answer.status_code == 500
    assert answer.json()["type"] == "/docs#problem-internal-error"
    assert answer.json()["detail"] == "AttributeError; the log has the cause"


async def test_every_kind_of_problem_has_its_paragraph_in_the_docs(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/docs")).text
    assert [kind for kind in KINDS if f'id="problem-{kind}"' not in page] == []


def test_names_that_are_alike_come_first() -> None:
    assert by_nearness("respons", ["promise", "response", "zzz"])[0] == "response"
    assert nearest("xyz", ["promise", "response"]) is None
