"""Rows of the fault table that break the broker, its disk or the way to it. Each has a broker of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from consumers.broker import Broker, free_ports
from tests.faults.disk import Disk, small_disk
from tests.faults.proxy import ADD_OFFSETS, END_TXN, PRODUCE, Proxy
from tests.faults.scene import SHORT, Length, Scene, scene
from tests.kafka.traffic import until

KILLS: Final = 3
DISK_MEGABYTES: Final = 64
PATIENCE: Final = 60.0


async def the_broker_is_killed(seed: int, length: Length, folder: Path) -> Scene:
    """Three times, with all that it had not written; it comes back with its data."""
    broker = await Broker(folder / "kafka").astart()
    try:
        async with scene(broker.bootstrap, seed, length, folder) as here, here.worker(), here.worker(slot=1):
            async with here.sending():
                for _ in range(KILLS * length.rounds):
                    await killed_and_back(broker, here)
            await here.the_end()
        return here
    finally:
        await broker.astop()


async def killed_and_back(broker: Broker, here: Scene) -> None:
    """A broker that is gone at once, and there again a little later."""
    await here.progress()
    await asyncio.sleep(here.draw.uniform(0, 1))
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(here.draw.uniform(0, 1))
    await broker.astart()
    await here.progress()


async def the_disk_is_full(seed: int, length: Length, folder: Path) -> Scene:
    """Until there is room again, and somebody starts the broker that gave up."""
    with small_disk(folder / "disk", DISK_MEGABYTES) as disk:
        broker = await Broker(disk.folder / "kafka", properties={"log.segment.bytes": str(2**20)}).astart()
        try:
            async with scene(broker.bootstrap, seed, length, folder) as here, here.worker():
                async with here.sending():
                    for _ in range(length.rounds):
                        await filled(disk, broker, here)
                await here.the_end()
            return here
        finally:
            await broker.astop()


async def filled(disk: Disk, broker: Broker, here: Scene) -> None:
    """A disk that is full until the broker has given up."""
    await here.progress()
    await asyncio.sleep(here.draw.uniform(0, 1))
    await asyncio.to_thread(disk.fill)
    await until(lambda: not broker.running, PATIENCE, lambda: broker.log.read_text()[-2_000:])
    disk.make_room()
    await broker.astart()
    await here.progress()


async def the_network_is_bad(seed: int, length: Length, folder: Path) -> Scene:
    """Between the workers and their broker: slow, thin, dead, and cut in the midst of a commit."""
    async with behind_a_proxy(folder) as (broker, proxy):
        hurt = f"127.0.0.1:{proxy.port}"
        async with scene(broker.bootstrap, seed, length, folder, hurt=hurt) as here, here.worker() as worker:
            async with here.sending():
                await here.progress()
                for _ in range(length.rounds):
                    for bad in here.draw.sample(NETWORKS, len(NETWORKS)):
                        await bad(proxy, here)
                        await here.progress()
            assert worker.running, worker.said()
            await here.the_end()
        return here


async def _slow(proxy: Proxy, here: Scene) -> None:
    """Half a second each way."""
    proxy.delay_seconds = 0.5
    await here.progress()
    proxy.delay_seconds = 0.0


async def _thin(proxy: Proxy, here: Scene) -> None:
    """10 KB a second on each connection. Not on top of a backlog: fetching some of it would take longer than an answer
    may, and be begun again for ever. Where more is sent than can come through, it has to be outlived.
    """
    await here.caught_up()
    proxy.bytes_per_second = 10_000
    if here.length.rate <= SHORT.rate:
        await here.progress()
    else:
        await asyncio.sleep(10)
    proxy.bytes_per_second = None


async def _dead(proxy: Proxy, here: Scene) -> None:
    """Nothing comes through, then all connections are reset, and for a while nobody gets one."""
    proxy.silent = True
    await asyncio.sleep(here.draw.uniform(0.5, 3))
    proxy.closed = True
    proxy.cut()
    proxy.silent = False
    await asyncio.sleep(here.draw.uniform(0, 2))
    proxy.closed = False


async def _cut_in_a_commit(proxy: Proxy, here: Scene) -> None:
    """When the broker has the request but not the worker its answer, and before the broker has it."""
    for request in (END_TXN, ADD_OFFSETS, PRODUCE):
        for handed_on in (True, False):
            proxy.reset_at_next(request, handed_on=handed_on)
            await until(lambda: not proxy.armed, PATIENCE, here.said)


NETWORKS: Final[list[Callable[[Proxy, Scene], Awaitable[None]]]] = [_slow, _thin, _dead, _cut_in_a_commit]


@asynccontextmanager
async def behind_a_proxy(folder: Path) -> AsyncIterator[tuple[Broker, Proxy]]:
    """A broker with a second listener, whose clients are told the proxy's address."""
    (inner, control), (behind, outer) = free_ports(), free_ports()
    own = {
        "listeners": f"PLAINTEXT://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{control},BAD://127.0.0.1:{behind}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{inner},BAD://127.0.0.1:{outer}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BAD:PLAINTEXT",
    }
    broker = Broker(folder / "kafka", properties=own, ports=(inner, control))
    async with Proxy(behind).serving(outer) as proxy:
        await broker.astart()
        try:
            yield broker, proxy
        finally:
            await broker.astop()
