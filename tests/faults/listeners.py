"""Clients of the API's stream that come back with the last id whenever they are cut off."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

RETRY_SECONDS: Final = 0.2
LONGEST_LINE: Final = 2**24


@dataclass
class Listener:
    """One of them. It forgets what it heard of another process of the API."""

    port: int
    last: str = ""  # the newest id
    resets: int = 0
    ticks: int = 0
    news: list[tuple[int, str]] = field(default_factory=list)  # number and data, of alerts and verdicts
    _writer: asyncio.StreamWriter | None = None

    @property
    def number(self) -> int:
        """Of the newest event."""
        return int(self.last.partition("-")[2] or 0)

    def heard(self, after: int, until: int) -> list[tuple[int, str]]:
        """News between these numbers, in the order in which they came."""
        return [news for news in self.news if after < news[0] <= until]

    def cut(self) -> None:
        """Lose the connection."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def listen(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._once()
            await asyncio.sleep(RETRY_SECONDS)

    async def _once(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=LONGEST_LINE)
        try:
            came_back = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
            self._writer.write(f"GET /v1/stream HTTP/1.0\r\n{came_back}\r\n".encode())
            if b" 200 " not in await reader.readline():
                return
            while await reader.readline() not in (b"\r\n", b""):  # headers
                pass
            event: dict[str, str] = {}
            while line := (await reader.readline()).decode():
                if line == "\n":
                    self._take(event)
                    event = {}
                else:
                    name, _, text = line.rstrip("\n").partition(": ")
                    event[name] = text
        finally:
            self._writer.transport.abort()

    def _take(self, event: dict[str, str]) -> None:
        kind = event.get("event")
        if kind == "reset":
            self.resets += 1
            self.last, self.news = "", []
            return
        self.last = event.get("id", self.last)
        if kind == "tick":
            self.ticks += 1
        elif kind is not None:
            self.news.append((self.number, event["data"]))


@asynccontextmanager
async def listening(listeners: Sequence[Listener]) -> AsyncIterator[None]:
    """Let them listen meanwhile."""
    tasks = [asyncio.create_task(each.listen()) for each in listeners]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
