"""Several workers side by side, each in a process of its own: one for each core."""

import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Final

from consumers.settings import Settings

STOP_SECONDS: Final = 9.0  # that workers may take to finish what they do; then they are killed


def side_by_side(work: Callable[[Settings], None], settings: Settings) -> None:
    """Run `work` in `settings.worker.processes` processes until SIGINT or SIGTERM, or until one of them ends.

    If one ends by itself the others are stopped as well and the process ends with its exit code, so that whoever
    keeps `sqm` running starts all of them anew.
    """
    spawned = multiprocessing.get_context("spawn")
    workers: list[BaseProcess] = [
        spawned.Process(target=work, args=(_one_of(settings, number),), name=f"worker-{number}", daemon=True)
        for number in range(settings.worker.processes)
    ]
    waiting = list(workers)

    def stop(*_: object) -> None:
        while waiting:  # each is told once: a second signal would find it with its handlers gone
            worker = waiting.pop()
            if worker.is_alive():
                worker.terminate()

    # A terminal that is closed tells the workers as well: those end, and with them this one.
    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: lambda *_: None}
    before = {name: signal.signal(name, handler) for name, handler in handlers.items()}
    try:
        for worker in workers:
            worker.start()
        wait([worker.sentinel for worker in workers])
        stop()
        for worker in workers:
            worker.join(STOP_SECONDS)
            if worker.is_alive():
                worker.kill()
                worker.join()
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed:
        sys.exit(abs(failed[0]))


def _one_of(settings: Settings, number: int) -> Settings:
    """The settings of one of the workers; from a given slot on each has a slot of its own."""
    slot = settings.worker.slot
    own = {"processes": 1, "slot": None if slot is None else slot + number}
    return settings.model_copy(update={"worker": settings.worker.model_copy(update=own)})


def owner_gone() -> int | None:
    """Something to select on that becomes readable when the process that started this one is gone; None: nobody."""
    owner = multiprocessing.parent_process()
    return owner.sentinel if owner is not None else None
