"""Clients of the API's stream that come back with the last id whenever they are cut off."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from api.positions import Position, parse

RETRY_SECONDS: Final = 0.2
SHOWN: Final = ("case", "clock", "cycle", "outcome", "change")  # of a verdict
LONGEST_LINE: Final = 2**24


@lru_cache(maxsize=100_000)  # two hundred listeners hear the same: each holding its own would fill the memory
def shown(data: str) -> tuple[str, ...]:
    """What of an alert or verdict tells it from others."""
    item = json.loads(data)
    if "clock" in item and "cycle" in item:
        return tuple(str(item[name]) for name in SHOWN)
    return item["id"], item["state"]


@dataclass
class Listener:
    """One of them."""

    port: int
    begin: Position | None = None  # of the first event
    last: str = ""  # the newest id
    resets: int = 0
    ticks: int = 0
    heard: Counter[tuple[str, ...]] = field(default_factory=Counter)  # what alerts and verdicts showed
    _writer: asyncio.StreamWriter | None = None

    @property
    def stands(self) -> Position | None:
        """Where it has come."""
        return parse(self.last)

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
        self.last = event.get("id", self.last)
        match event.get("event"):
            case "reset":
                self.resets += 1
            case "tick":
                self.begin = self.begin or self.stands
                self.ticks += 1
            case "alert" | "verdict":
                self.heard[shown(event["data"])] += 1


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
