"""The application as a whole: its OpenAPI document, its reference page, its headers, the page's files."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api import app as application
from api.app import create_app
from api.context import Context
from tests.api.conftest import asking

ADDRESSES = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/summary",
    "/v1/services",
    "/v1/indicators",
    "/v1/slas",
    "/v1/slas/{id}",
    "/v1/alerts",
    "/v1/verdicts",
    "/v1/clocks",
    "/v1/cases/{id}",
    "/v1/ledger",
    "/v1/recent",
    "/v1/rejected",
    "/v1/policy",
    "/v1/stream",
]


@pytest.fixture
def document(ticked: Context) -> dict[str, Any]:
    return create_app(ticked).openapi()


def test_every_address_of_the_design_is_in_the_openapi_document(document: dict[str, Any]) -> None:
    assert sorted(document["paths"]) == sorted(ADDRESSES)


def test_every_operation_says_what_it_is_what_it_takes_and_what_it_answers(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["operationId"].isidentifier(), path
            for parameter in operation.get("parameters", []):
                assert parameter.get("description") or parameter["in"] == "path", (path, parameter["name"])
            [content] = operation["responses"]["200"]["content"].values()
            assert content, path


def test_every_reference_in_it_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])


async def test_the_reference_page_describes_every_address_and_shape_without_a_script(
    http: httpx2.AsyncClient, document: dict[str, Any]
) -> None:
    page = (await http.get("/docs")).text
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for path in document["paths"]:
        assert f"<code>GET {path}</code>" in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert {link for link in re.findall(r'href="#([^"]+)"', page) if link not in anchors} == set()
    assert (await http.get("/manual.css")).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("address", ["/docs", "/v1/slas", "/v1/nothing", "/metrics", "/openapi.json"])
async def test_every_answer_keeps_to_this_server_and_says_how_it_may_be_kept(
    http: httpx2.AsyncClient, address: str
) -> None:
    headers = (await http.get(address)).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-cache", "no-store")


async def test_the_page_is_served_from_its_folder_and_asked_for_anew_each_time(
    ticked: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("index.html").write_text("<!doctype html><title>sqm</title>", encoding="utf-8")
    tmp_path.joinpath("app.js").write_text("export {}", encoding="utf-8")
    monkeypatch.setattr(application, "PAGE", tmp_path)
    async with asking(ticked) as http:
        page = await http.get("/")
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
        assert page.headers["content-type"].startswith("text/html")
        script = await http.get("/app.js")
        assert script.headers["content-type"].startswith("text/javascript")
        again = await http.get("/app.js", headers={"if-none-match": script.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        missing = await http.get("/other.js", headers={"accept": "text/html"})
        assert missing.headers["content-type"] == "application/problem+json"
        assert (await http.get("/../app.py")).status_code == 404
        assert (await http.get("/v1/slas")).status_code == 200
