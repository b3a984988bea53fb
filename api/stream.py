"""Server-sent events to any number of clients: every event is serialised once, whoever listens.

A tick holds everything that is shown, so that a newer one replaces an older one that a client has not taken yet. Alerts
and verdicts are news of their own and never replaced: they wait in the client's queue and in a bounded buffer, from
which a client that comes back with `Last-Event-ID` gets what it missed. Where that buffer no longer reaches back far
enough, or the id is of another process, the client is told so by a `reset` and begins with the newest tick. A client
that does not take its events in time is cut off; it never holds up the others.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final, NamedTuple

import anyio
import msgspec
import structlog
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Send

log = structlog.get_logger(__name__)

TICK: Final = "tick"
ALERT: Final = "alert"
VERDICT: Final = "verdict"
RESET: Final = "reset"

HEARTBEAT_SECONDS: Final = 15.0
MOST_CLIENTS: Final = 1_000
PATIENCE_SECONDS: Final = 30.0  # how long one event may take to leave for a client
QUEUED: Final = 5_000  # news a client may be behind
KEPT: Final = 20_000  # news kept for clients that come back
KEPT_BYTES: Final = 16 * 1024 * 1024


class Frame(NamedTuple):
    """One event as it goes over the wire."""

    number: int
    event: str
    data: bytes


class Client:
    """One listener: the newest tick it has not taken, and the news since it last took any."""

    def __init__(self) -> None:
        self.news: deque[Frame] = deque()
        self.tick: Frame | None = None
        self.slow = False
        self.closed = False
        self._waiting = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Lay a frame down for the client; one too many and it counts as slow."""
        if frame.event == TICK:
            self.tick = frame
        elif len(self.news) >= QUEUED:
            self.slow = True
            self.news.clear()
        else:
            self.news.append(frame)
        self._waiting.set()

    def close(self) -> None:
        """End the stream once the client has taken what lies there."""
        self.closed = True
        self._waiting.set()

    def take(self) -> list[Frame]:
        """Everything that lies there, in the order of numbers."""
        frames = list(self.news)
        self.news.clear()
        if self.tick is not None:
            frames.append(self.tick)
            self.tick = None
        self._waiting.clear()
        return sorted(frames)

    async def wait(self, seconds: float) -> bool:
        """Whether something came within that time."""
        with anyio.move_on_after(seconds):
            await self._waiting.wait()
            return True
        return False


class Broadcast:
    """What is sent, and to whom. Used from one event loop."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._boot = secrets.token_hex(4)  # ids of another process are told apart by it
        self._number = 0
        self._kept: deque[Frame] = deque()
        self._kept_most, self._kept_bytes_most, self._kept_bytes = kept, kept_bytes, 0
        self._lost = 0  # number of the newest news that is no longer kept
        self._newest: Frame | None = None
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    def publish(self, event: str, data: bytes) -> None:
        """Send one event, its data as JSON on one line, to all who listen."""
        self._number += 1
        wire = format_sse_event(data_str=data.decode(), event=event, id=f"{self._boot}-{self._number}")
        frame = Frame(self._number, event, wire)
        if event == TICK:
            self._newest = frame
        else:
            self._keep(frame)
        for client in self._clients:
            client.offer(frame)

    def _keep(self, frame: Frame) -> None:
        self._kept.append(frame)
        self._kept_bytes += len(frame.data)
        while len(self._kept) > self._kept_most or self._kept_bytes > self._kept_bytes_most:
            gone = self._kept.popleft()
            self._kept_bytes -= len(gone.data)
            self._lost = gone.number

    def join(self, last_event_id: str | None) -> Client:
        """A new listener, with what it missed since that id and the newest tick laid down for it."""
        client = Client()
        if last_event_id:
            since = self._since(last_event_id)
            if since is None:
                reason = msgspec.json.encode({"reason": "what came since then is no longer kept"})
                client.offer(Frame(0, RESET, format_sse_event(data_str=reason.decode(), event=RESET)))
            else:
                for frame in self._kept:
                    if frame.number > since:
                        client.news.append(frame)
        if self._newest is not None:
            client.offer(self._newest)
        self._clients.add(client)
        return client

    def _since(self, last_event_id: str) -> int | None:
        """The number in an id, if everything after it is still here."""
        boot, _, number = last_event_id.partition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit()) or len(number) > 15:
            return None
        since = int(number)
        return since if self._lost <= since <= self._number else None

    def leave(self, client: Client) -> None:
        """Forget a listener."""
        self._clients.discard(client)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for client in self._clients:
            client.close()


async def wire(broadcast: Broadcast, last_event_id: str | None) -> AsyncIterator[bytes]:
    """The bytes of one stream: what was missed, then what comes, a comment when nothing does."""
    client = broadcast.join(last_event_id)
    try:
        yield b"retry: 2000\n\n"
        while not client.slow:
            if not await client.wait(HEARTBEAT_SECONDS):
                yield KEEPALIVE_COMMENT
            for frame in client.take():
                yield frame.data
            if client.closed:
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
