"""Rows of the fault table that break who reads the state: the judge while it tells, the API under its listeners."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Final

import httpx2

from consumers.broker import free_ports
from consumers.judge import Judge
from consumers.policies import FixedPolicies
from tests.faults.listeners import RETRY_SECONDS, Listener, listening
from tests.faults.roles import role
from tests.faults.scene import PATIENCE, Scene
from tests.kafka.traffic import running, until, working

LISTENERS: Final = 200
CUTS: Final = 3  # of a quarter of them


async def the_judge_is_killed_while_telling(scene: Scene) -> None:
    """When it has recorded but told nobody, and when it has told but recorded nothing of that."""
    async with working(scene.hurt, scene.policies):
        async with scene.sending():
            await scene.progress()
        await scene.read_to_the_end()
    for _ in range(scene.length.rounds):
        for stage in ("before telling", "between telling and recording"):
            number = str(scene.draw.randrange(2, 8))
            async with role("judge", scene.hurt, scene.folder, stage, number) as judge:
                await judge.ended_by(signal.SIGKILL)
            scene.crashes += 1
    async with running(Judge(scene.settings, scene.replica, FixedPolicies(scene.policies)).run()):
        await scene.the_end()
    assert len(scene.hook.taken) > len(set(scene.hook.taken)), "nobody was told twice: the judge was not hit in time"


async def the_api_is_killed_under_its_listeners(scene: Scene) -> None:
    """Some listeners are cut off and miss nothing; then all are, as the API dies, and are told to begin anew."""
    port, _ = free_ports()
    own = scene.settings.api.model_copy(update={"port": port})
    api = scene.settings.model_copy(update={"api": own})
    listeners = [Listener(port) for _ in range(LISTENERS)]
    async with working(scene.hurt, scene.policies), listening(listeners):
        for number in range(scene.length.rounds):
            async with role("api", api, scene.folder) as process:
                await _nothing_is_missed(scene, listeners)
                assert all(each.resets == number for each in listeners)
                process.send(signal.SIGKILL)
                await process.ended_by(signal.SIGKILL)
        async with role("api", api, scene.folder):
            await _nothing_is_missed(scene, listeners)
            assert all(each.resets == scene.length.rounds for each in listeners)
            await scene.the_end()
            async with asyncio.timeout(PATIENCE):
                while await _alerts_shown(port) != set(scene.replica.alert_log.entries):  # noqa: ASYNC110
                    await asyncio.sleep(RETRY_SECONDS)


async def _nothing_is_missed(scene: Scene, listeners: Sequence[Listener]) -> None:
    """All listeners hear the same news, also those that are cut off now and then."""
    for each in listeners:
        each.ticks = 0
    await until(lambda: all(each.ticks for each in listeners), what=scene.said)
    ticks = [each.ticks for each in listeners]
    await until(lambda: all(each.ticks > n for each, n in zip(listeners, ticks, strict=True)), what=scene.said)
    begin = max(each.number for each in listeners)  # all were there before that
    async with scene.sending():
        for _ in range(CUTS):
            await scene.progress()
            for each in scene.draw.sample(listeners, LISTENERS // 4):
                each.cut()
        await until(lambda: any(each.heard(begin, each.number) for each in listeners), what=scene.said)
    end = max(each.number for each in listeners)
    await until(lambda: all(each.number >= end for each in listeners), what=scene.said)
    heard = Counter(tuple(each.heard(begin, end)) for each in listeners)
    assert len(heard) == 1, f"{[(n, len(news)) for news, n in heard.items()]} listeners heard so many news"


async def _alerts_shown(port: int) -> set[str]:
    """Ids of all alerts that the API lists."""
    found: set[str] = set()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        where: dict[str, str] = {}
        while True:
            answer = (await client.get("/v1/alerts", params=where)).raise_for_status().json()
            found |= {item["id"] for item in answer["items"]}
            if answer["next"] is None:
                return found
            where = {"cursor": answer["next"]}
