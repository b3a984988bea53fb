"""The API on a real port, for tests that need real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from api.app import create_app
from api.context import Context

Ask = Callable[[str], Awaitable[float]]


@asynccontextmanager
async def served(here: Context, port: int = 0) -> AsyncIterator[str]:
    """The address of a server for that context, on a free port or that one."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(create_app(here), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            here.stream.close()
            server.should_exit = True
            await serving


@asynccontextmanager
async def prometheus(folder: Path) -> AsyncIterator[Ask]:
    """A real Prometheus with `prometheus.yml` of that folder: asks it a query until there is an answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

            async def ask(query: str) -> float:
                async with asyncio.timeout(30):
                    while True:
                        try:
                            answer = await client.get("/api/v1/query", params={"query": query})
                        except httpx2.TransportError:
                            answer = None
                        if (
                            answer is not None
                            and answer.status_code == 200
                            and (found := answer.json()["data"]["result"])
                        ):
                            return float(found[0]["value"][1])
                        await asyncio.sleep(0.1)

            yield ask
    finally:
        process.terminate()
        await process.wait()


async def _asked(client: httpx2.AsyncClient, query: str) -> list[Any]:
    try:
        answer = await client.get("/api/v1/query", params={"query": query})
    except httpx2.TransportError:  # it is not up yet
        return []
    found: list[Any] = answer.json()["data"]["result"] if answer.status_code == 200 else []
    return found
