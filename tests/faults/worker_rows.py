"""Rows of the fault table that break workers, and those that break what is sent; `Scene.the_end` ends each."""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from monitor.names import Topic
from tests.faults.damage import Message, sound
from tests.faults.driver import STAGES
from tests.faults.load import one_of_each
from tests.faults.scene import PARTITIONS, Scene
from tests.kafka.traffic import changed, event, read_topic, working

OF_WORKERS: Final = tuple(STAGES)[:6]
COME_AND_GO_SECONDS: Final = 3.0
MOST_WORKERS: Final = 3
RIPENING: Final = 10_000


async def killed_in_each_stage(scene: Scene) -> None:
    """Six kills in six stages, three at any instant; the same slot each time, so that the next one begins at once."""
    order = list(OF_WORKERS) * scene.length.rounds
    scene.draw.shuffle(order)
    async with scene.sending():
        async with scene.worker():
            await scene.progress(10 * PARTITIONS)  # so that there is something to restore
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


async def a_zombie_is_fenced(scene: Scene) -> None:
    """Frozen in the midst of a transaction until another worker has its partitions, then awake again."""
    async with scene.sending():
        for _ in range(scene.length.rounds):
            number = str(scene.draw.randrange(2, 12))
            async with scene.worker("in the transaction", number, "SIGSTOP") as zombie:
                await zombie.frozen()
                async with scene.worker(slot=1) as heir:
                    await heir.until_said("restored")
                    await scene.progress()
                    zombie.send(signal.SIGCONT)
                    await zombie.until_said("partitions assigned", times=2)
                    await scene.progress()
    async with scene.worker():
        await scene.the_end()
    topic = scene.settings.kafka.topic(Topic.STATE)
    written = await read_topic(scene.settings, topic, PARTITIONS, isolation_level="read_uncommitted")
    assert len(written) > len(await read_topic(scene.settings, topic, PARTITIONS)), "the zombie wrote nothing"


async def workers_come_and_go(scene: Scene) -> None:
    """Every three seconds one worker more, or one less."""
    settings = changed(scene.hurt, worker={"static": False, "slot": None})
    there: list[AsyncExitStack] = []
    try:
        async with scene.sending():
            for _ in range(5 * scene.length.rounds):
                if there and (len(there) == MOST_WORKERS or scene.draw.random() < 0.4):
                    await there.pop(scene.draw.randrange(len(there))).aclose()
                else:
                    stack = AsyncExitStack()
                    await stack.enter_async_context(working(settings, scene.policies))
                    there.append(stack)
                await asyncio.sleep(COME_AND_GO_SECONDS)
    finally:
        for stack in there:
            await stack.aclose()
    async with working(settings, scene.policies):
        await scene.the_end()


async def every_kind_of_damage(scene: Scene) -> None:
    """Each kind once for sure, and one record in a hundred anyway."""
    async with working(scene.hurt, scene.policies):
        await scene.deliver(damaged := one_of_each(scene.seed, scene.end))
        scene.poisoned += len(damaged)
        async with scene.sending():
            await scene.progress(len(damaged))
        await scene.the_end()


async def duplicates_disorder_and_lateness(scene: Scene) -> None:
    """What the load does to order, with two workers."""
    async with scene.worker(), scene.worker(slot=1):
        async with scene.sending():
            await scene.progress(scene.length.cases)
        await scene.the_end()


async def ten_thousand_ripen_at_once(scene: Scene) -> None:
    """As many clocks run out within the same second, and a worker dies over it."""
    async with scene.worker():
        await scene.deliver(_ripening(scene))
        async with scene.sending():
            await scene.progress(2 * RIPENING)
    async with scene.worker("derive", "2") as over_it:
        await over_it.until_said("restored")
        await scene.advance()
        await over_it.ended_by(signal.SIGKILL)
    async with scene.worker():
        await scene.the_end()
    told = await read_topic(scene.settings, scene.settings.kafka.topic(Topic.VERDICTS), PARTITIONS)
    breaches = [r.key for r in told if r.key.startswith(b"ripe-") and b'"sqm.verdict.breached"' in r.value]
    assert len(breaches) == len(set(breaches)) == RIPENING


def _ripening(scene: Scene) -> list[Message]:
    """Cases that were answered, and that should be resolved half an hour before the end."""
    opened = scene.end - timedelta(hours=4, minutes=30)
    events = [
        event(f"ripe-{scene.seed}-{n}", number, kind, opened + timedelta(seconds=number), service="b")
        for n in range(RIPENING)
        for number, kind in enumerate(("interaction.opened", "interaction.responded"))
    ]
    return [sound(each) for each in events]
