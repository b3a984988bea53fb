"""One listener of the stream: what lies there for it, each event under the id that is right for it."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import anyio
import msgspec
from fastapi.sse import format_sse_event

from api import positions
from api.positions import Mark, Position

TICK: Final = "tick"
ALERT: Final = "alert"
VERDICT: Final = "verdict"
RESET: Final = "reset"

QUEUED: Final = 5_000  # news a client may be behind


class Item(NamedTuple):
    """One of the news, and where it stands in its source."""

    source: int
    mark: Mark
    after: Mark  # of what comes after it
    event: str
    data: bytes  # JSON on one line


class Frame(NamedTuple):
    """One event as it goes over the wire."""

    number: int  # within this process
    event: str
    data: bytes  # its first line is the id
    at: Position = ()  # where a listener stands who took it, and all before it: at the news that come next
    item: Item | None = None
    told: Position = ()  # who stands there or further took it, and all before it

    @classmethod
    def of(
        cls, number: int, event: str, data: bytes, at: Position, item: Item | None = None, told: Position = ()
    ) -> "Frame":
        """:param data: JSON on one line"""
        wire = _id_line(at) + format_sse_event(data_str=data.decode(), event=event)
        return cls(number, event, wire, at, item, told)

    def under(self, position: Position) -> "Frame":
        """The same for one who stands elsewhere then."""
        return self._replace(data=_id_line(position) + self.data.partition(b"\n")[2], at=position)


class Client:
    """One listener: the newest tick it has not taken, and the news since it last took any."""

    def __init__(self, came_with: str | None = None) -> None:
        self.came_with = came_with  # the id, as long as there is nothing to hold it against
        self.news: deque[Frame] = deque()
        self.tick: Frame | None = None
        self.slow = False
        self.closed = False
        self._stands: Position | None = None  # where it came from, until this process has come as far
        self._waiting = asyncio.Event()

    def catch_up(self, stands: Position, missed: Iterable[Frame]) -> None:
        """Lay down what it missed, however much that is."""
        self._stands = stands
        self.news.extend(own for frame in missed if (own := self._own(frame)) is not None)
        self._waiting.set()

    def offer(self, frame: Frame) -> None:
        """Lay a frame down for the client; one too many and it counts as slow."""
        own = self._own(frame)
        if own is None:
            return
        if own.event == TICK:
            self.tick = own
        elif len(self.news) >= QUEUED:
            self.slow = True
            self.news.clear()
        else:
            self.news.append(own)
        self._waiting.set()

    def reset(self, why: str, number: int = 0) -> None:
        """Tell it that it missed something for good."""
        reason = msgspec.json.encode({"reason": why}).decode()
        self._stands = None
        self.news.append(Frame(number, RESET, format_sse_event(data_str=reason, event=RESET)))
        self._waiting.set()

    def close(self) -> None:
        """End the stream once the client has taken what lies there."""
        self.closed = True
        self._waiting.set()

    def take(self) -> list[Frame]:
        """Everything that lies there, in the order of numbers; nothing any more once it is too slow for all of it."""
        if self.slow:
            return []
        frames = list(self.news)
        self.news.clear()
        if self.tick is not None:
            frames.append(self.tick)
            self.tick = None
        self._waiting.clear()
        return sorted(frames, key=lambda frame: frame.number)

    async def wait(self, seconds: float) -> bool:
        """Whether something came within that time."""
        with anyio.move_on_after(seconds):
            await self._waiting.wait()
            return True
        return False

    def _own(self, frame: Frame) -> Frame | None:
        """The frame with the id that is right for this client; None: it has it already."""
        if self._stands is None:
            return frame
        if frame.item is None:
            self._stands = positions.later(self._stands, frame.at)
        elif frame.item.mark < self._stands[frame.item.source]:
            return None
        else:
            source = frame.item.source
            self._stands = positions.moved(self._stands, source, frame.at[source])
        if positions.holds(frame.at, self._stands):
            self._stands = None
            return frame
        return frame.under(self._stands)


def _id_line(position: Position) -> bytes:
    return b"id: %s\n" % positions.text(position).encode()
