"""Rows of the fault table that break who reads the state: the judge while it tells, the API under its listeners."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import httpx2

from api.news import News, Told
from api.positions import ALERTS, Mark
from consumers.broker import free_ports
from consumers.judge import Judge
from consumers.policies import FixedPolicies
from consumers.settings import Settings, load
from tests.faults.listeners import RETRY_SECONDS, SHOWN, Listener, listening
from tests.faults.roles import role
from tests.faults.scene import PARTITIONS, PATIENCE, SHORT, Scene
from tests.kafka.traffic import changed, running, until, working

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
    """Some listeners are cut off, then one of two APIs dies under the rest of its own: they go on at either."""
    # Long is more rounds, not more at once: one process hears no more for 200, and who is 20,000 news behind is reset.
    scene.length = replace(SHORT, rounds=scene.length.rounds)
    ports = free_ports()
    everything = News()  # as it was told to the replica of the test, which nothing happens to
    scene.replica.on_reread.append(everything.on_reread)
    scene.replica.on_delta.append(everything.on_delta)
    scene.replica.on_alert.append(everything.on_alert)
    listeners = [Listener(ports[n % 2]) for n in range(LISTENERS)]
    # Deltas stay readable for as long as they do where nobody has made snapshots more frequent.
    often = changed(scene.hurt, worker={"snapshot_deltas": load().worker.snapshot_deltas})
    async with (
        working(often, scene.policies),
        role("api", _at(scene, ports[1]), scene.folder),
        listening(listeners),
    ):
        await _all_listen(scene, listeners[1::2])
        for _ in range(scene.length.rounds):
            async with role("api", _at(scene, ports[0]), scene.folder) as process, scene.sending():
                await _all_listen(scene, listeners)
                for _ in range(CUTS):
                    await scene.progress()
                    for each in scene.draw.sample(listeners, LISTENERS // 4):
                        each.cut()
                await scene.progress()
                process.send(signal.SIGKILL)
                await process.ended_by(signal.SIGKILL)
                for each in scene.draw.sample(listeners, LISTENERS // 2):
                    each.port = scene.draw.choice(ports)
                await scene.progress()
        async with role("api", _at(scene, ports[0]), scene.folder):
            await scene.the_end()
            await _everything_was_heard_once(scene, listeners, everything.take(PARTITIONS))
            async with asyncio.timeout(PATIENCE):
                known = scene.replica.alert_log.entries
                while await _alerts_shown(ports[0]) != set(known):  # noqa: ASYNC110 - the API tells when it is asked
                    await asyncio.sleep(RETRY_SECONDS)


def _at(scene: Scene, port: int) -> Settings:
    return changed(scene.settings, api={"port": port})


async def _all_listen(scene: Scene, listeners: Sequence[Listener]) -> None:
    for each in listeners:
        each.ticks = 0
    await until(lambda: all(each.ticks for each in listeners), PATIENCE, scene.said)


async def _everything_was_heard_once(scene: Scene, listeners: Sequence[Listener], told: Told) -> None:
    """Whatever became of its connections, each listener heard all that was told since its first tick, and once."""
    await until(lambda: all(each.stands == told.end for each in listeners), PATIENCE, scene.said)
    assert [each.resets for each in listeners] == [0] * len(listeners)
    happened = [
        (delta.partition + 1, Mark(delta.number, n), tuple(str(row[name]) for name in SHOWN))
        for delta in told.verdicts
        for n, row in enumerate(delta.rows.iter_rows(named=True))
    ] + [(ALERTS, Mark(offset), (row["id"], row["state"])) for offset, row in told.alerts]
    for each in listeners:
        begin = each.begin
        assert begin is not None
        must = Counter(shown for source, mark, shown in happened if mark >= begin[source])
        assert each.heard == must, f"missed: {must - each.heard}, too many: {each.heard - must}"
    assert told.verdicts, "no verdict was told"
    assert told.alerts, "no alert was told"


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
