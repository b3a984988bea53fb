"""Whatever is asked, the API answers as its OpenAPI document says: schemathesis draws the requests."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.app import create_app
from api.ticker import Ticker
from tests.api.serving import served
from tests.api.world import NOON, Replica, context, lives, policies

SCHEMA = schemathesis.openapi.from_dict(create_app(context(Replica(policies()))).openapi())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in a thread of its own: requests are made without an event loop."""
    found: list[str] = []
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        replica = Replica(policies())
        replica.fold(lives(), NOON)
        here = context(replica)
        await Ticker(here, wall=lambda: NOON).tick()
        async with served(here) as at:
            found.append(at)
            up.set()
            await asyncio.to_thread(down.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(30)
    yield found[0]
    down.set()
    thread.join()


@SCHEMA.exclude(path="/v1/stream").parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_as_the_document_says(case: Case[Any], address: str) -> None:
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])
