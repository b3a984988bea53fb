"""The API around states that the real engine folded, asked over ASGI."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from api.app import create_app
from api.context import Context
from api.ticker import Ticker
from tests.api.world import NOON, Replica, context, lives, policies


@pytest.fixture
def replica() -> Replica:
    made = Replica(policies())
    made.fold(lives(), NOON)
    return made


@pytest.fixture
async def ticked(replica: Replica) -> Context:
    """A context after its first tick."""
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    return here


@pytest.fixture
async def http(ticked: Context) -> AsyncIterator[httpx2.AsyncClient]:
    async with asking(ticked) as client:
        yield client


def asking(here: Context) -> httpx2.AsyncClient:
    """A client of the API around that context."""
    transport = httpx2.ASGITransport(app=create_app(here), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://sqm")
