"""Half an hour at half load, with one fault after the other: the end is that of every row, and memory is flat."""

import asyncio
import math
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import psutil

from consumers.broker import Broker
from tests.faults.broker_rows import NETWORKS, behind_a_proxy, filled, killed_and_back
from tests.faults.disk import Disk, can_mount, small_disk
from tests.faults.driver import RESTORE
from tests.faults.proxy import Proxy
from tests.faults.roles import Role, role
from tests.faults.scene import LONG, PATIENCE, Scene, scene
from tests.faults.slope import Slope, slope
from tests.faults.worker_rows import COME_AND_GO_SECONDS, OF_WORKERS
from tests.kafka.traffic import read_so_far, running, until

DISK_MEGABYTES: Final = 4_096
WARM_SECONDS: Final = 300.0  # that say nothing: caches and the allocator's pools fill, each fault happens first
SPANS: Final = 24  # of what is measured
CALIBRATING: Final = 10_000  # records
MB: Final = 1_000_000
ANEW_SECONDS: Final = 60.0  # that a worker works which was started on the same state, until it is compared
PATIENCE_AT_THE_END: Final = 600.0  # seconds for the judge to record what half an hour left behind

Fault = Callable[[], Awaitable[None]]


class Sample(NamedTuple):
    """One look at a worker."""

    seconds: float  # since the first
    memory: int  # bytes
    events: int  # in the states of all partitions


@dataclass
class Soak:
    """One under way, and in the end what became of it."""

    here: Scene
    lasting: Role  # the worker that lives through all of it
    faults: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)  # of the lasting worker
    last: Sample | None = None  # of it, once it has all partitions
    anew: Sample | None = None  # of one that was started on the same state

    async def live_through(self, faults: Mapping[str, Fault], seconds: float) -> None:
        """One fault after the other, in turns of any order, until the time is over."""
        over = time.monotonic() + seconds
        async with running(self._measure()), self.here.sending():
            while time.monotonic() < over:
                for name in self.here.draw.sample(list(faults), len(faults)):
                    await faults[name]()
                    self.faults[name] += 1
                    assert self.lasting.running, self.lasting.said()[-3_000:]
                    if time.monotonic() > over:
                        break

    @property
    def seconds(self) -> float:
        """How long it was measured."""
        return self.samples[-1][0]

    @property
    def by_minute(self) -> list[float]:
        """MB of the lasting worker, medians of each minute."""
        minutes: list[list[float]] = [[] for _ in range(1 + int(self.seconds / 60))]
        for each in self.samples:
            minutes[int(each.seconds / 60)].append(each.memory / MB)
        return [median(minute) for minute in minutes if minute]

    async def _measure(self) -> None:
        begun = time.monotonic()
        while True:
            self.samples.append(_sample(self.here, self.lasting, time.monotonic() - begun))
            await asyncio.sleep(1)  # between two samples

    def growth(self) -> tuple[Slope, Slope] | None:
        """MB an hour of the lasting worker, by medians of spans: of all its memory, and of what is beyond state.

        None where the time after it is warm is shorter than that until then: then a line through it means nothing.
        """
        begin = WARM_SECONDS
        if self.seconds < 2 * begin:
            return None
        of_an_event = self.of_an_event()
        spans: list[list[tuple[float, float]]] = [[] for _ in range(SPANS)]
        for seconds, memory, events in self.samples:
            if seconds >= begin:
                place = int(SPANS * (seconds - begin) / (self.seconds - begin + 1))
                spans[place].append((memory / MB, (memory - of_an_event * events) / MB))
        hours = [place * (self.seconds - begin) / SPANS / 3600 for place in range(SPANS)]
        all_of_it, beyond = zip(*(map(median, zip(*each, strict=True)) for each in spans), strict=True)
        return slope(hours, all_of_it), slope(hours, beyond)

    def of_an_event(self) -> float:
        """Bytes that an event takes of a worker that has lived through nothing."""
        first, anew = self.samples[0], self.anew
        assert anew is not None
        return (anew.memory - first.memory) / (anew.events - first.events)


def _sample(here: Scene, worker: Role, seconds: float) -> Sample:
    events = sum(state.history.height + state.ids.height for state in here.replica.states.values())
    return Sample(seconds, psutil.Process(worker.pid).memory_info().rss, events)


async def soak(seed: int, minutes: float, folder: Path) -> Soak:
    """See the module. Without the right to mount a disk, none gets full."""
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", DISK_MEGABYTES)) if can_mount() else None
        broker, proxy = await stack.enter_async_context(behind_a_proxy(disk.folder if disk else folder))
        played = scene(broker.bootstrap, seed, LONG, folder, hurt=f"127.0.0.1:{proxy.port}", judge=False)
        here = await stack.enter_async_context(played)
        lasting = await stack.enter_async_context(here.worker())
        here.length = replace(LONG, rate=await _capacity(here) / 2)
        under_way = Soak(here, lasting)
        await under_way.live_through(_faults(here, broker, proxy, disk), 60 * minutes)
        await here.caught_up()
        under_way.last = _sample(here, lasting, under_way.seconds)
        await lasting.end()
        anew = await stack.enter_async_context(here.worker())
        here.end = datetime.now(UTC).replace(microsecond=0)  # half an hour ago is old news, of which nobody is told
        async with here.sending():
            await asyncio.sleep(ANEW_SECONDS)  # it works as the other did
        await here.caught_up()
        under_way.anew = _sample(here, anew, under_way.seconds)
        async with role("judge", here.settings, folder):
            await here.the_end(PATIENCE_AT_THE_END)
    return under_way


async def _capacity(here: Scene) -> float:
    """Records a second that are sent and committed when nobody paces them."""
    here.length = replace(LONG, rate=math.inf)
    await here.progress(0)
    begun = time.monotonic()
    async with here.sending():
        await here.progress(CALIBRATING)
    await until(lambda: read_so_far(here.replica) >= len(here.sent.messages), PATIENCE, here.said)
    return len(here.sent.messages) / (time.monotonic() - begun)


def _faults(here: Scene, broker: Broker, proxy: Proxy, disk: Disk | None) -> dict[str, Fault]:
    """What may happen to the other worker, to the judge, and to what lies under both."""
    found: dict[str, Fault] = {
        "worker killed": partial(_worker_killed, here),
        "worker frozen": partial(_worker_frozen, here),
        "worker comes and goes": partial(_worker_comes_and_goes, here),
        "judge killed": partial(_judge_killed, here),
        "broker killed": partial(killed_and_back, broker, here),
    }
    found |= {f"network {bad.__name__.strip('_')}": partial(bad, proxy, here) for bad in NETWORKS}
    if disk is not None:
        found["disk full"] = partial(filled, disk, broker, here)
    return found


async def _worker_killed(here: Scene) -> None:
    stage, number = here.draw.choice(OF_WORKERS), here.draw.randrange(1, 3)
    if stage == RESTORE:  # it may get one partition only, whose state comes at once
        number = 1
    async with here.worker(stage, str(number), slot=1) as worker:
        await worker.ended_by(signal.SIGKILL)


async def _worker_frozen(here: Scene) -> None:
    async with here.worker(slot=1) as zombie:
        await zombie.until_said("restored")
        await asyncio.sleep(here.draw.uniform(0, 1))  # at any instant
        zombie.send(signal.SIGSTOP)
        # The fault is the time: others have its partitions once it has been silent for longer than the group waits.
        await asyncio.sleep(2 * here.settings.kafka.session_timeout_seconds)
        zombie.send(signal.SIGCONT)
        await here.progress()


async def _worker_comes_and_goes(here: Scene) -> None:
    async with here.worker(slot=1):
        await asyncio.sleep(COME_AND_GO_SECONDS)  # the fault is how soon it goes, whatever it has come to


async def _judge_killed(here: Scene) -> None:
    """Wherever it is: while it reads, judges or tells."""
    async with role("judge", here.settings, here.folder) as judge:
        await judge.until_said("elected judge")
        await asyncio.sleep(here.draw.uniform(0, 5))  # at any instant
        judge.send(signal.SIGKILL)
        await judge.ended_by(signal.SIGKILL)
    here.crashes += 1
