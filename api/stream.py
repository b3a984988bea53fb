"""Server-sent events to any number of clients: every event is serialised once, whoever listens.

A tick holds everything that is shown, so that a newer one replaces an older one that a client has not taken yet. Alerts
and verdicts are news of their own and never replaced: they wait in the client's queue and in a bounded buffer, from
which a client that comes back with `Last-Event-ID` gets what it missed, each once. Ids name places in Kafka's topics
(see api/positions.py), so that the id may be of another process, which had the same news in another order: until such
a client is abreast of this process its events bear ids of its own. Where the buffer does not reach back far enough the
client is told so by a `reset` and begins with the newest tick. A client that does not take its events in time is cut
off; it never holds up the others.
"""

from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

import anyio
import structlog
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse
from starlette.types import Send

from api import positions
from api.listener import QUEUED, TICK, Client, Frame, Item
from api.positions import Position

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS: Final = 15.0
MOST_CLIENTS: Final = 1_000
PATIENCE_SECONDS: Final = 30.0  # how long one event may take to leave for a client
KEPT: Final = 20_000  # news kept for clients that come back
KEPT_BYTES: Final = 16 * 1024 * 1024

UNKNOWN: Final = "the id is not of these topics: another system, or another version of this one, gave it out"
TOO_OLD: Final = "what came since then is no longer kept"
TORN: Final = "what came meanwhile was no longer there when Kafka could be read again"


class Broadcast:
    """What is sent, and to whom. Used from one event loop."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._number = 0
        self._at: Position | None = None  # where all stand who took everything; None: nothing is known yet
        self._told: Position = ()  # the same, as far as there were news
        self._from: Position = ()  # who stands there or later gets what it missed
        self._kept: deque[Frame] = deque()
        self._kept_most, self._kept_bytes_most, self._kept_bytes = kept, kept_bytes, 0
        self._newest: Frame | None = None
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    def begin(self, since: Position, history: Sequence[Item], tick: bytes, at: Position) -> None:
        """Know what happened before: for those who come back, and not for those who listen for the first time.

        :param since: everything from there on is in `history`
        :param at: where it ends
        """
        self._clear(since)
        for frame in self._frames(history, at):
            self._keep(frame)
        self._tick(tick, at)
        for client in self._clients:
            self._welcome(client)

    def publish(self, news: Sequence[Item], tick: bytes, at: Position) -> None:
        """Send news, and a tick as of after them, to all who listen.

        :param at: where all stand who took these
        """
        for frame in self._frames(news, at):
            self._keep(frame)
            for client in self._clients:
                client.offer(frame)
        self._tick(tick, at)
        assert self._newest is not None
        for client in self._clients:
            client.offer(self._newest)

    def tear(self, since: Position) -> None:
        """News are missing between what was sent and what comes, which begins there."""
        self._clear(since)
        for client in self._clients:
            client.reset(TORN, self._number)

    def _clear(self, since: Position) -> None:
        self._at = self._from = self._told = since
        self._kept.clear()
        self._kept_bytes = 0

    def _frames(self, news: Sequence[Item], at: Position) -> Iterator[Frame]:
        """As what they go over the wire; after the last one a listener stands there."""
        stands, upcoming = [], at
        for item in reversed(news):
            stands.append(upcoming)
            upcoming = positions.moved(upcoming, item.source, item.mark)
        for item, here in zip(news, reversed(stands), strict=True):
            self._number += 1
            self._told = positions.moved(self._told, item.source, item.after)
            yield Frame.of(self._number, item.event, item.data, here, item, self._told)

    def _tick(self, data: bytes, at: Position) -> None:
        self._number += 1
        self._at = at
        self._newest = Frame.of(self._number, TICK, data, at)

    def _keep(self, frame: Frame) -> None:
        self._kept.append(frame)
        self._kept_bytes += len(frame.data)
        while len(self._kept) > self._kept_most or self._kept_bytes > self._kept_bytes_most:
            gone = self._kept.popleft()
            self._kept_bytes -= len(gone.data)
            assert gone.item is not None
            self._from = positions.moved(self._from, gone.item.source, gone.item.after)

    def join(self, last_event_id: str | None) -> Client:
        """A new listener, with what it missed since that id and the newest tick laid down for it."""
        client = Client(last_event_id or None)
        if self._at is not None:
            self._welcome(client)
        self._clients.add(client)
        return client

    def _welcome(self, client: Client) -> None:
        """Lay down what one missed who comes back, and the newest tick."""
        came_with, client.came_with = client.came_with, None
        if came_with is not None:
            stands = positions.parse(came_with)
            if (why := self._out_of_reach(stands)) is not None:
                client.reset(why)
            else:
                assert stands is not None
                client.catch_up(stands, self._missed(stands))
        if self._newest is not None:
            client.offer(self._newest)

    def _out_of_reach(self, stands: Position | None) -> str | None:
        """Why one who stands there cannot be given what it missed."""
        assert self._at is not None
        if stands is None or len(stands) != len(self._at) or positions.far_ahead(stands, self._at):
            return UNKNOWN
        return None if positions.holds(stands, self._from) else TOO_OLD

    def _missed(self, stands: Position) -> list[Frame]:
        """What was kept since, and perhaps more."""
        found = []
        for frame in reversed(self._kept):
            if positions.holds(stands, frame.told):  # and all before it
                break
            found.append(frame)
        return found[::-1]

    def leave(self, client: Client) -> None:
        """Forget a listener."""
        self._clients.discard(client)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for client in self._clients:
            client.close()


async def wire(broadcast: Broadcast, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
    """The bytes of one stream: what was missed, then what comes, a comment when nothing does."""
    client = broadcast.join(last_event_id)
    try:
        yield b"retry: 2000\n\n"
        while not client.slow:
            if not await client.wait(HEARTBEAT_SECONDS):
                yield KEEPALIVE_COMMENT
            closing = client.closed
            for frame in client.take():
                yield frame.data
            if closing:
                return
        log.warning("a stream was ended: its client does not keep up", queued=QUEUED)
    finally:
        broadcast.leave(client)


class StreamResponse(EventSourceResponse):
    """An event stream that gives up on a client which takes nothing for `PATIENCE_SECONDS`."""

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for chunk in self.body_iterator:
                with anyio.fail_after(PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            log.warning("a stream was cut: its client takes nothing", seconds=PATIENCE_SECONDS)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()
