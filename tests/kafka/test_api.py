"""The API over a real broker: what a worker commits is what HTTP answers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from api.context import Context
from api.rejected import Rejected, follow
from api.ticker import Ticker
from consumers import topics
from consumers.policies import FixedPolicies
from consumers.settings import Settings
from monitor.policy import PolicySet
from tests.api.serving import served
from tests.api.test_stream_http import listening
from tests.kafka.traffic import (
    at_end,
    changed,
    event,
    figures,
    lives,
    oracle,
    policies,
    replicated,
    running,
    send,
    send_ends,
    until,
    working,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 2


@pytest.fixture
def own(settings: Settings) -> Settings:
    kafka, worker, judge = {"partitions": PARTITIONS}, {"checkpoint_seconds": 0.1}, {"tick_seconds": 0.1}
    return changed(settings, kafka=kafka, worker=worker, judge=judge)


@pytest.fixture
async def ticking(own: Settings) -> AsyncIterator[Context]:
    """The API's parts around a replica of their own, without a worker."""
    await topics.ensure(own.kafka)
    made: PolicySet = policies()
    async with replicated(own) as replica:
        here = Context(own, replica, FixedPolicies(made))
        here.health.watch("replica", replica.health)
        async with running(Ticker(here).run()), running(follow(own.kafka, here.rejected)):
            yield here


async def test_the_summary_over_http_is_that_of_the_log(own: Settings) -> None:
    own = changed(own, clock="event")
    await topics.ensure(own.kafka)
    await send(own, lives(200))
    await send_ends(own, PARTITIONS)
    async with replicated(own) as replica, working(own):
        here = Context(own, replica, FixedPolicies(policies()))
        async with running(Ticker(here).run()), served(here) as address, httpx2.AsyncClient(base_url=address) as http:
            await until(lambda: at_end(replica, PARTITIONS))
            # The board is that of the newest tick: it may still show what was before the end.
            await until(lambda: here.board is not None and here.board.ledger["current_share"] == 1.0)
            assert (await http.get("/v1/summary")).json() == figures(await oracle(own, PARTITIONS))
            assert (await http.get("/v1/ledger")).json()["balanced"]


async def test_refused_events_are_listed_with_their_reason_and_origin(own: Settings, ticking: Context) -> None:
    bad = [
        (b"case-1", b"{nope"),
        (b"case-2", json.dumps(event("case-2", 0, "interaction.gone", datetime.now(UTC))).encode()),
    ]
    await send(own, bad)
    async with working(own), served(ticking) as address, httpx2.AsyncClient(base_url=address) as http:
        await until(lambda: len(ticking.rejected.newest()) == 2)
        answer = (await http.get("/v1/rejected")).json()
        assert Counter((r["source"], r["reason"], r["topic"], r["offset"]) for r in answer["items"]) == {
            (None, "malformed_json", own.kafka.events_topics[0], 0): 1,
            ("test", "unknown_type", own.kafka.events_topics[0], 0): 1,
        }
        assert {(g["source"], g["reason"], g["n"]) for g in answer["groups"]} == {
            (None, "malformed_json", 1),
            ("test", "unknown_type", 1),
        }
        [one] = (await http.get("/v1/rejected?reason=unknown_type")).json()["items"]
        assert (one["field"], one["id"], one["case"], one["index"]) == ("type", "case-2/0", "case-2", 0)


async def test_who_begins_late_sees_the_refused_events_there_were(own: Settings, ticking: Context) -> None:
    await send(own, [(b"case-1", b"{nope")])
    async with working(own):
        await until(lambda: len(ticking.rejected.newest()) == 1)
    later = Rejected()
    async with running(follow(own.kafka, later)):
        await until(lambda: later.newest() == ticking.rejected.newest())


async def test_a_breach_is_on_the_stream_within_seconds_of_its_event(own: Settings, ticking: Context) -> None:
    opened = datetime.now(UTC) - timedelta(minutes=20)
    async with working(own), served(ticking) as address:
        await until(lambda: ticking.board is not None)
        async with listening(address) as events:
            await send(own, [(b"c", json.dumps(event("c", 0, "interaction.opened", opened, priority="P1")).encode())])
            async with asyncio.timeout(20):
                async for found in events:
                    if found["event"] == "verdict":
                        break
            verdict = json.loads(found["data"])
            assert (verdict["case"], verdict["clock"], verdict["outcome"]) == ("c", "first_response", "breached")


async def test_ready_only_once_all_partitions_are_restored(own: Settings) -> None:
    await topics.ensure(own.kafka)
    async with replicated(own) as replica:
        here = Context(own, replica, FixedPolicies(policies()))
        here.health.watch("replica", replica.health)
        async with served(here) as address, httpx2.AsyncClient(base_url=address) as http:
            first = await http.get("/readyz")
            assert (first.status_code, "replica" in first.json()["reasons"]) == (503, True)
            async with running(Ticker(here).run()), working(own):
                await until(lambda: not here.troubles())
                assert (await http.get("/readyz")).status_code == 200
