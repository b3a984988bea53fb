"""The fault table: each row breaks something while a load is on its way. Its end is `Scene.the_end`."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from tests.faults.driver import STAGES
from tests.faults.scene import PARTITIONS, Scene

OF_WORKERS: Final = tuple(STAGES)[:6]


async def killed_in_each_stage(scene: Scene) -> None:
    """Six kills in six stages, three at any instant; the same slot each time, so that the next one begins at once."""
    order = list(OF_WORKERS) * scene.length.rounds
    scene.draw.shuffle(order)
    async with scene.sending():
        for number, stage in enumerate(order):
            async with scene.worker(stage, str(scene.draw.randrange(1, 3))) as worker:
                await worker.ended_by(signal.SIGKILL)
            if number % 2 == 0:
                async with scene.worker() as worker:
                    await worker.until_said("restored")
                    await asyncio.sleep(scene.draw.uniform(0, 0.5))
                    worker.send(signal.SIGKILL)
                    await worker.ended_by(signal.SIGKILL)
    async with scene.worker():
        await scene.the_end()
