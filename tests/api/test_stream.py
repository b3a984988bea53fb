"""The broadcast: what a client gets that listens, comes back, or does not keep up."""

from collections.abc import AsyncIterator

import pytest

from api import stream
from api.stream import ALERT, TICK, VERDICT, Broadcast, wire


def ids(frames: list[stream.Frame]) -> list[str]:
    return [line[4:] for frame in frames for line in frame.data.decode().splitlines() if line.startswith("id: ")]


def events(frames: list[stream.Frame]) -> list[str]:
    return [frame.event for frame in frames]


async def read(stream_of: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await anext(stream_of) for _ in range(count)]


async def test_a_newcomer_gets_the_newest_tick_and_then_what_comes() -> None:
    broadcast = Broadcast()
    broadcast.publish(TICK, b'{"tick":1}')
    broadcast.publish(ALERT, b'{"old":1}')
    client = broadcast.join(None)
    assert events(client.take()) == [TICK]
    broadcast.publish(ALERT, b"{}")
    broadcast.publish(VERDICT, b"{}")
    assert events(client.take()) == [ALERT, VERDICT]


async def test_a_tick_that_was_not_taken_gives_way_to_a_newer_one() -> None:
    broadcast = Broadcast()
    client = broadcast.join(None)
    for number in range(5):
        broadcast.publish(TICK, b'{"tick":%d}' % number)
    broadcast.publish(ALERT, b"{}")
    frames = client.take()
    assert events(frames) == [TICK, ALERT]
    assert b'"tick":4' in frames[0].data


async def test_who_comes_back_gets_the_news_since_then_and_the_newest_tick() -> None:
    broadcast = Broadcast()
    client = broadcast.join(None)
    broadcast.publish(ALERT, b'{"n":1}')
    [last] = ids(client.take())
    broadcast.leave(client)
    broadcast.publish(VERDICT, b'{"n":2}')
    broadcast.publish(TICK, b'{"tick":1}')
    broadcast.publish(ALERT, b'{"n":3}')
    again = broadcast.join(last).take()
    assert events(again) == [VERDICT, TICK, ALERT]


@pytest.mark.parametrize("last", ["", None])
async def test_without_an_id_there_is_nothing_to_make_up_for(last: str | None) -> None:
    broadcast = Broadcast()
    broadcast.publish(ALERT, b"{}")
    assert broadcast.join(last).take() == []


@pytest.mark.parametrize(
    "last", ["x", "ffffffff-1", "-", "deadbeef-", "boot-99", "boot--1", "boot-٣", "boot-" + "9" * 99]
)
async def test_an_id_that_means_nothing_here_begins_anew(last: str) -> None:
    broadcast = Broadcast()
    broadcast.publish(TICK, b"{}")
    [first] = ids(broadcast.join(None).take())
    frames = broadcast.join(last.replace("boot", first.split("-")[0])).take()
    assert events(frames) == ["reset", TICK]


async def test_a_gap_in_what_is_kept_is_said() -> None:
    broadcast = Broadcast(kept=3)
    client = broadcast.join(None)
    for number in range(6):
        broadcast.publish(ALERT, b'{"n":%d}' % number)
    every = ids(client.take())
    assert events(broadcast.join(every[1]).take()) == ["reset"]  # the third is gone
    assert events(broadcast.join(every[2]).take()) == [ALERT] * 3
    assert events(broadcast.join(every[5]).take()) == []


async def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    broadcast = Broadcast(kept_bytes=10_000)
    client = broadcast.join(None)
    for _ in range(50):
        broadcast.publish(VERDICT, b'"' + b"x" * 1_000 + b'"')
    every = ids(client.take())
    assert events(broadcast.join(every[30]).take()) == ["reset"]
    assert events(broadcast.join(every[-2]).take()) == [VERDICT]


async def test_a_client_that_does_not_keep_up_is_dropped_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "QUEUED", 10)
    broadcast = Broadcast()
    slow, quick = wire(broadcast, None), wire(broadcast, None)
    assert await anext(slow) == await anext(quick) == b"retry: 2000\n\n"
    broadcast.publish(TICK, b"{}")
    await read(slow, 1)
    await read(quick, 1)
    for _ in range(20):
        broadcast.publish(ALERT, b"{}")
        await read(quick, 1)
    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    assert broadcast.clients == 1
    await quick.aclose()
    assert broadcast.clients == 0


async def test_a_silent_stream_is_kept_alive_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    listening = wire(Broadcast(), None)
    assert (await read(listening, 3))[1:] == [b": ping\n\n"] * 2
    await listening.aclose()


async def test_closing_ends_every_stream_after_what_was_sent() -> None:
    broadcast = Broadcast()
    listening = wire(broadcast, None)
    await anext(listening)
    broadcast.publish(ALERT, b"{}")
    broadcast.close()
    assert b"event: alert" in await anext(listening)
    with pytest.raises(StopAsyncIteration):
        await anext(listening)


async def test_data_is_serialised_once_for_all() -> None:
    broadcast = Broadcast()
    clients = [broadcast.join(None) for _ in range(3)]
    broadcast.publish(TICK, b"{}")
    frames = [client.take()[0] for client in clients]
    assert frames[0].data is frames[1].data is frames[2].data
