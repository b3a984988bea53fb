"""A bad network: a TCP proxy in front of a broker that delays, throttles, swallows, and cuts where it hurts."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

CHUNK: Final = 16 * 1024
END_TXN: Final = 26  # the request that commits or aborts a transaction
ADD_OFFSETS: Final = 25
PRODUCE: Final = 0


class Proxy:
    """Hands on what comes to `port`; how badly can be changed at any time."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self.delay_seconds = 0.0  # each way
        self.bytes_per_second: float | None = None  # each way of each connection
        self.silent = False  # takes everything, hands on nothing
        self.closed = False  # nobody gets through
        self._reset_at: tuple[int, bool] | None = None
        self.resets = 0
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator["Proxy"]:
        """Listen on that port meanwhile."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = port
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Reset all connections."""
        for writer in list(self._open):
            _reset(writer)

    def reset_at_next(self, request: int, *, handed_on: bool) -> None:
        """Reset the connection of the next such request: once the broker has it, or before."""
        self._reset_at = (request, handed_on)

    @property
    def armed(self) -> bool:
        """Whether a reset is still to come."""
        return self._reset_at is not None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            _reset(writer)
            return
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, downstream}
        ways = [
            asyncio.create_task(self._hand_on(reader, downstream, writer, requests=True)),
            asyncio.create_task(self._hand_on(upstream, writer, writer, requests=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            self._open -= {writer, downstream}
            for each in (writer, downstream):
                each.close()

    async def _hand_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter, *, requests: bool
    ) -> None:
        """One way of one connection: read at once, hand on when it is due."""
        clock = asyncio.get_running_loop().time
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1_000)

        async def take() -> None:
            with suppress(OSError):
                while data := await (_request(source) if requests else source.read(CHUNK)):
                    await waiting.put((clock() + self.delay_seconds, data))
            await waiting.put((0.0, b""))

        taking = asyncio.create_task(take())
        try:
            with suppress(OSError):
                while True:
                    due, data = await waiting.get()
                    if not data:
                        return
                    await asyncio.sleep(due - clock())
                    if requests and self._meets(data, handed_on=False):
                        _reset(client)
                        return
                    await self._write(sink, data)
                    if requests and self._meets(data, handed_on=True):
                        _reset(client)
                        return
        finally:
            taking.cancel()
            await asyncio.wait([taking])

    async def _write(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        while self.silent:  # noqa: ASYNC110 - until the line is back, as nobody tells
            await asyncio.sleep(0.05)
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            if self.bytes_per_second is not None:
                await asyncio.sleep(len(part) / self.bytes_per_second)
            sink.write(part)
            await sink.drain()

    def _meets(self, request: bytes, *, handed_on: bool) -> bool:
        if self._reset_at != (int.from_bytes(request[4:6], "big"), handed_on):
            return False
        self._reset_at = None
        self.resets += 1
        return True


async def _request(source: asyncio.StreamReader) -> bytes:
    """The next request, whole; nothing at the end."""
    try:
        size = await source.readexactly(4)
        return size + await source.readexactly(int.from_bytes(size, "big"))
    except asyncio.IncompleteReadError:
        return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST, as a router does that knows nothing of the connection."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
