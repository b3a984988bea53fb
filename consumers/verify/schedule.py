"""Verification by the clock: the elected judge has it done every so often, by a process of its own.

So it disturbs nobody: it has the lowest priority, and memory that is given back when it ends. It dies with its owner.
"""

import asyncio
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from consumers import logs
from consumers.settings import Settings
from consumers.verify.record import VerifiedFollower, recorded
from consumers.verify.run import DEFAULT_MEMORY, Options

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
AGAIN: Final = timedelta(minutes=5)  # after one that could not even be put on record
PATIENCE_SECONDS: Final = 60.0
NICENESS: Final = 19


class Elected(Protocol):
    """Who knows whether this process is the judge."""

    @property
    def elected(self) -> bool: ...


class Schedule:
    """Runs a verification whenever the last one lies `settings.verify_every` back.

    :param record: what was verified last; run by somebody else
    """

    def __init__(self, settings: Settings, every: timedelta, judge: Elected, record: VerifiedFollower) -> None:
        self._settings = settings
        self._every = every
        self._judge = judge
        self._record = record

    async def run(self) -> None:
        """Go on until cancelled."""
        await self._record.read.wait()
        tried = datetime.now(UTC) - self._every + min(self._every, AGAIN)  # not at once: a start has enough to do
        while True:
            newest = self._record.newest
            due = max(tried, newest.at if newest else tried) + self._every
            if datetime.now(UTC) < due or not self._judge.elected:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            began = datetime.now(UTC)
            code = await self._one()
            log.info("verified", exit_code=code)
            # Until its record has come back, which sets the time of the next one.
            tried = began - self._every + min(self._every, AGAIN) if code else began

    async def _one(self) -> int | None:
        child = multiprocessing.get_context("spawn").Process(
            target=_in_a_process, args=(self._settings,), name="verify", daemon=True
        )
        child.start()
        try:
            await asyncio.to_thread(child.join)
        finally:
            if child.is_alive():
                child.kill()
            child.join()
        return child.exitcode


def _in_a_process(settings: Settings) -> None:
    os.nice(NICENESS)
    logs.configure(settings)
    asyncio.run(_verify(settings))


async def _verify(settings: Settings) -> None:
    owner = multiprocessing.parent_process()
    if owner is not None:  # without it nobody would end this one
        asyncio.get_running_loop().add_reader(owner.sentinel, os._exit, 1)
    options = Options(DEFAULT_MEMORY, PATIENCE_SECONDS, settings.data_dir)
    found = await recorded(settings, options, record=True)
    first = found.named[0] if found.named else None
    if first is None:
        log.info("the state is what the events say", events=found.events, cases=found.cases, seconds=found.seconds)
    else:
        log.error("the state is not what the events say", first=first.said, cause=first.cause, all=found.differences)
