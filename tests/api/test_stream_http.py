"""The stream over real HTTP, as a browser or curl reads it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from api import stream
from api.context import Context
from api.positions import parse
from api.routes import stream as route
from api.ticker import Ticker
from tests.api.serving import served
from tests.api.test_ticker import alert
from tests.api.world import NOON, Replica, context

Event = dict[str, str]


@asynccontextmanager
async def listening(address: str, since: str = "", **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    """Events of the stream, each as its fields."""
    given = {"last_event_id": since} if since else {}
    async with (
        httpx2.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{address}/v1/stream", params=given, headers=headers) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["x-accel-buffering"] == "no"

        async def events() -> AsyncIterator[Event]:
            event: Event = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, text = line.partition(": ")
                    event[name] = text
                elif "event" in event:
                    yield event
                    event = {}

        yield events()


async def clients(here: Context, count: int) -> None:
    """Until as many listen."""
    async with asyncio.timeout(10):
        while here.stream.clients != count:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


@pytest.fixture
async def world(replica: Replica) -> AsyncIterator[tuple[str, Context, Ticker, Replica]]:
    here = context(replica)
    ticker = Ticker(here, wall=lambda: NOON)
    await ticker.tick()
    async with served(here) as address:
        yield address, here, ticker, replica


async def test_a_client_gets_ticks_and_alerts_as_they_happen(world: tuple[str, Context, Ticker, Replica]) -> None:
    address, _, ticker, replica = world
    async with listening(address) as events:
        assert (await anext(events))["event"] == "tick"
        replica.judge(alert())
        await ticker.tick()
        assert [(await anext(events))["event"] for _ in range(2)] == ["alert", "tick"]


async def test_who_comes_back_with_the_last_id_gets_what_it_missed(
    world: tuple[str, Context, Ticker, Replica],
) -> None:
    address, here, ticker, replica = world
    async with listening(address) as events:
        last = (await anext(events))["id"]
    await clients(here, 0)
    replica.judge(alert())
    await ticker.tick()
    await ticker.tick()
    async with listening(address, **{"Last-Event-ID": last}) as events:
        assert [(await anext(events))["event"] for _ in range(2)] == ["alert", "tick"]


async def test_an_id_from_elsewhere_begins_with_a_reset(world: tuple[str, Context, Ticker, Replica]) -> None:
    address, *_ = world
    async with listening(address, **{"Last-Event-ID": "5f3a9c01-7"}) as events:
        reset, tick = [await anext(events) for _ in range(2)]
    assert (reset["event"], tick["event"]) == ("reset", "tick")
    assert "the id is not of these topics" in reset["data"]
    assert "id" not in reset


async def test_who_cannot_send_the_header_names_the_id_in_the_address(
    world: tuple[str, Context, Ticker, Replica],
) -> None:
    address, _, ticker, replica = world
    async with listening(address) as events:
        last = (await anext(events))["id"]
    replica.judge(alert())
    await ticker.tick()
    async with listening(address, since=last) as events:
        assert [(await anext(events))["event"] for _ in range(2)] == ["alert", "tick"]


async def test_a_client_that_reads_nothing_is_cut_off_and_others_go_on(
    world: tuple[str, Context, Ticker, Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.2)
    address, here, ticker, _ = world
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        await clients(here, 1)
        async with listening(address) as events:
            last = (await anext(events))["id"]
            await clients(here, 2)
            async with asyncio.timeout(30):
                while here.stream.clients == 2:
                    here.stream.publish([], b'"' + b"x" * 1_000_000 + b'"', parse(last) or ())
                    assert len((await anext(events))["data"]) > 1000
            await ticker.tick()
            while '"tick"' not in (await anext(events))["data"]:
                pass


async def test_too_many_streams_are_refused(
    world: tuple[str, Context, Ticker, Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "MOST_CLIENTS", 1)
    address, here, *_ = world
    async with listening(address) as events:
        await anext(events)
        await clients(here, 1)
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"{address}/v1/stream")
        assert (answer.status_code, answer.json()["title"]) == (503, "Too many streams")


async def test_streams_end_when_the_server_does(world: tuple[str, Context, Ticker, Replica]) -> None:
    address, here, *_ = world
    async with listening(address) as events:
        await anext(events)
        here.stream.close()
        assert [event async for event in events] == []
