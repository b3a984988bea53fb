"""The broadcast: what a client gets that listens, comes back, or does not keep up."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import listener, stream
from api.listener import ALERT, RESET, TICK, VERDICT, Frame, Item
from api.positions import ALERTS, Mark, Position, moved
from api.stream import Broadcast, wire

BEGIN: Final[Position] = (Mark(0), Mark(1), Mark(1))  # of the alerts and of two partitions


class Server:
    """A broadcast and how far its process has read."""

    def __init__(self, history: Iterable[Item] = (), **bounds: int) -> None:
        self.stream = Broadcast(**bounds)
        self._history = list(history)
        self.at = BEGIN

    def begin(self) -> "Server":
        self.stream.begin(BEGIN, self._history, b'{"tick":0}', self._reached(self._history))
        return self

    def read(self, *items: Item, tick: bytes = b"{}") -> None:
        self.stream.publish(items, tick, self._reached(items))

    def alert(self, data: bytes = b"{}") -> None:
        """The next one."""
        here = self.at[ALERTS].number
        self.read(Item(ALERTS, Mark(here), Mark(here + 1), ALERT, data))

    def _reached(self, items: Iterable[Item]) -> Position:
        for item in items:
            self.at = moved(self.at, item.source, item.after)
        return self.at


def delta(partition: int, number: int, verdicts: int) -> list[Item]:
    """The news of one delta."""
    ends = [Mark(number, n + 1) for n in range(verdicts - 1)] + [Mark(number + 1)]
    data = [json.dumps([partition, number, n]).encode() for n in range(verdicts)]
    return [
        Item(partition + 1, Mark(number, n), end, VERDICT, text)
        for n, (end, text) in enumerate(zip(ends, data, strict=True))
    ]


def ids(frames: Sequence[Frame]) -> list[str]:
    return [line[4:] for frame in frames for line in frame.data.decode().splitlines() if line.startswith("id: ")]


def events(frames: Sequence[Frame]) -> list[str]:
    return [frame.event for frame in frames]


def news(frames: Sequence[Frame]) -> list[bytes]:
    return [frame.item.data for frame in frames if frame.item is not None]


async def read(stream_of: AsyncIterator[bytes], count: int) -> list[bytes]:
    return [await anext(stream_of) for _ in range(count)]


async def test_a_newcomer_gets_the_newest_tick_and_then_what_comes() -> None:
    server = Server(delta(0, 1, 2)).begin()
    client = server.stream.join(None)
    assert events(client.take()) == [TICK]
    server.alert()
    server.read(*delta(1, 1, 1))
    assert events(client.take()) == [ALERT, VERDICT, TICK]


async def test_a_tick_that_was_not_taken_gives_way_to_a_newer_one() -> None:
    server = Server().begin()
    client = server.stream.join(None)
    for number in range(5):
        server.read(tick=b'{"tick":%d}' % number)
    frames = client.take()
    assert events(frames) == [TICK]
    assert b'"tick":4' in frames[0].data


async def test_who_comes_back_gets_the_news_since_then_and_the_newest_tick() -> None:
    server = Server().begin()
    client = server.stream.join(None)
    server.alert(b'{"n":1}')
    last = ids(client.take())[0]  # of the alert: the tick after it was not taken
    server.stream.leave(client)
    server.read(*delta(0, 1, 2))
    server.alert(b'{"n":3}')
    again = server.stream.join(last).take()
    assert events(again) == [VERDICT, VERDICT, ALERT, TICK]
    assert ids(again) == ["1-1.1-1", "1-2-1", "2-2-1", "2-2-1"]


@pytest.mark.parametrize("last", ["", None])
async def test_without_an_id_there_is_nothing_to_make_up_for(last: str | None) -> None:
    server = Server().begin()
    server.alert()
    assert events(server.stream.join(last).take()) == [TICK]


FOREIGN = {
    "no id": "x",
    "of an earlier version": "5f3a9c01-7",
    "of fewer partitions": "0-1",
    "of more partitions": "0-1-1-1",
    "of no number": "0-1-٣",
    "of no number that there is": "0-1-" + "9" * 99,
    "of topics that were further": "0-1-102",
}


@pytest.mark.parametrize("last", FOREIGN.values(), ids=FOREIGN)
async def test_an_id_that_means_nothing_here_begins_anew(last: str) -> None:
    frames = Server().begin().stream.join(last).take()
    assert events(frames) == [RESET, TICK]
    assert b"the id is not of these topics" in frames[0].data


async def test_a_gap_in_what_is_kept_is_said() -> None:
    server = Server(kept=3).begin()
    every = ["0-1-1"]
    for _ in range(6):
        server.alert()
        every.append(f"{server.at[ALERTS].number}-1-1")
    assert events(server.stream.join(every[2]).take()) == [RESET, TICK]  # the third is gone
    assert events(server.stream.join(every[3]).take()) == [ALERT] * 3 + [TICK]
    assert events(server.stream.join(every[6]).take()) == [TICK]


async def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    server = Server(kept_bytes=10_000).begin()
    for number in range(1, 51):
        server.read(Item(1, Mark(number), Mark(number + 1), VERDICT, b'"' + b"x" * 1_000 + b'"'))
    assert events(server.stream.join("0-31-1").take()) == [RESET, TICK]
    assert events(server.stream.join("0-50-1").take()) == [VERDICT, TICK]


async def test_who_comes_back_before_the_server_has_read_anything_gets_what_it_missed_then() -> None:
    server = Server([*delta(0, 1, 3), *delta(1, 1, 1)])
    back, strange, new = (server.stream.join(last) for last in ("0-1.2-1", "7", None))
    assert back.take() == strange.take() == new.take() == []
    server.begin()
    assert news(back.take()) == [b"[0, 1, 2]", b"[1, 1, 0]"]
    assert events(strange.take()) == [RESET, TICK]
    assert events(new.take()) == [TICK]


async def test_who_has_heard_more_elsewhere_hears_nothing_twice() -> None:
    server = Server().begin()
    client = server.stream.join("1-3-1")  # of a server that had read the alert and two deltas of partition 0
    assert ids(client.take()) == ["1-3-1"]  # the tick: it goes on from where it was
    server.read(*delta(0, 1, 2), *delta(1, 1, 1))
    frames = client.take()
    assert (news(frames), ids(frames)) == ([b"[1, 1, 0]"], ["1-3-2", "1-3-2"])
    server.alert()
    server.read(*delta(0, 2, 1))
    server.read(*delta(0, 3, 1))
    frames = client.take()
    assert (news(frames), ids(frames)) == ([b"[0, 3, 0]"], ["1-4-2", "1-4-2"])


async def test_what_is_torn_is_said_to_all_who_listen_and_to_who_comes_back() -> None:
    server = Server().begin()
    client = server.stream.join(None)
    server.alert()
    server.stream.tear((Mark(1), Mark(40), Mark(1)))
    server.at = (Mark(1), Mark(40), Mark(1))
    server.read(*delta(0, 40, 1))
    assert events(client.take()) == [ALERT, RESET, VERDICT, TICK]
    assert events(server.stream.join("1-1-1").take()) == [RESET, TICK]
    assert events(server.stream.join("1-40-1").take()) == [VERDICT, TICK]


@st.composite
def reading(draw: st.DrawFn, sources: Sequence[Sequence[Item]]) -> list[Item]:
    """All sources in an order that a process may read them in."""
    left = [list(items) for items in sources if items]
    order: list[Item] = []
    while left:
        turn = draw(st.sampled_from(left))
        order.append(turn.pop(0))
        left = [items for items in left if items]
    return order


LOGS: Final = [
    [Item(ALERTS, Mark(n), Mark(n + 1), ALERT, b'"%d"' % n) for n in range(4)],
    [item for number in range(1, 4) for item in delta(0, number, number)],
    [item for number in range(1, 5) for item in delta(1, number, 1)],
]


@given(
    st.lists(st.tuples(reading(LOGS), st.integers(0, 14), st.integers(0, 6), st.integers(0, 14)), min_size=1),
    reading(LOGS),
)
def test_who_wanders_between_servers_hears_everything_once_and_in_the_order_of_its_source(
    visits: list[tuple[list[Item], int, int, int]], last: list[Item]
) -> None:
    """Each visit: the order in which that server reads, how far it has come, what the client takes, what comes then."""
    heard: list[Item] = []
    stands = "0-1-1"
    for order, before, taken, meanwhile in [*visits, (last, 0, 100, 100)]:
        server = Server(order[:before]).begin()
        client = server.stream.join(stands)
        for item in order[before : before + meanwhile]:
            server.read(item)
        frames = client.take()[:taken]
        assert RESET not in events(frames)
        heard += [frame.item for frame in frames if frame.item is not None]
        stands = (ids(frames) or [stands])[-1]
    assert [[item for item in heard if item.source == source] for source in range(3)] == LOGS


async def test_a_client_that_does_not_keep_up_is_dropped_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "QUEUED", 10)
    server = Server().begin()
    slow, quick = wire(server.stream, None), wire(server.stream, None)
    await read(slow, 2)
    await read(quick, 2)
    for _ in range(20):
        server.alert()
        await read(quick, 2)
    with pytest.raises(StopAsyncIteration):  # not even a tick, whose id would say that it has the alerts
        await anext(slow)
    assert server.stream.clients == 1
    await quick.aclose()
    assert server.stream.clients == 0


async def test_a_silent_stream_is_kept_alive_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    listening = wire(Broadcast(), None)
    assert (await read(listening, 3))[1:] == [b": ping\n\n"] * 2
    await listening.aclose()


async def test_closing_ends_every_stream_after_what_was_sent() -> None:
    server = Server().begin()
    listening = wire(server.stream, None)
    await read(listening, 2)
    server.alert()
    server.stream.close()
    assert b"event: alert" in (await read(listening, 2))[0]
    with pytest.raises(StopAsyncIteration):
        await anext(listening)


async def test_data_is_serialised_once_for_all() -> None:
    server = Server().begin()
    clients = [server.stream.join(last) for last in (None, None, "0-1-1")]
    frames = [client.take()[0] for client in clients]
    assert frames[0].data is frames[1].data is frames[2].data
