"""A role in a process of its own that is hit at a chosen point: `python -m tests.faults.driver ROLE [STAGE N SIGNAL]`.

The product has no hooks for this: the driver puts a function of its own in the place of one of the product's, which
sends the process SIGNAL at its Nth call. The file that `FAULTS_CLOCK` names holds the seconds by which this
machine's clock is wrong; it is read whenever the time is asked.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import wraps
from pathlib import Path
from typing import Any, Final, NamedTuple

from api.commands.run import API, WORKER, serve
from consumers import committer, judge, partition, receivers, restore, wall
from consumers.client import Producer
from consumers.judge import Judge
from consumers.policies import FixedPolicies
from consumers.replica import Replica
from consumers.settings import Settings, load
from consumers.worker import Worker
from monitor import engine
from monitor.names import Topic
from monitor.policy import load as load_policy

CLOCK: Final = "FAULTS_CLOCK"
RESTORE: Final = "in restore"


class Point(NamedTuple):
    """A function to be hit: before it does anything, or when it has done all."""

    owner: Any
    name: str
    after: bool = False
    when: Callable[..., bool] = lambda *_: True


def _has_slice(_: object, which: Topic, messages: Any) -> bool:
    return which == Topic.STATE and any(message.key.startswith(b"slice/") for message in messages)


def _of_state(_: object, which: Topic, messages: Any) -> bool:
    return which == Topic.STATE and bool(messages)


STAGES: Final[Mapping[str, Point]] = {
    "decode": Point(partition, "chunk"),
    "derive": Point(engine, "step", after=True),
    "in the transaction": Point(committer.Committer, "_send", after=True, when=_of_state),
    "between commit and acknowledgement": Point(Producer, "commit_transaction", after=True),
    "in a snapshot": Point(committer.Committer, "_send", after=True, when=_has_slice),
    RESTORE: Point(restore, "_give"),
    "before telling": Point(receivers, "_post"),
    "between telling and recording": Point(receivers, "_post", after=True),
}


def hit(point: Point, number: int, what: signal.Signals) -> None:
    """Send this process that signal at the Nth call of that function."""
    original = getattr(point.owner, point.name)
    left = number

    def strike(arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if point.when(*arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), what)

    @wraps(original)
    def in_thread(*arguments: Any, **options: Any) -> Any:
        if not point.after:
            strike(arguments)
        answer = original(*arguments, **options)
        if point.after:
            strike(arguments)
        return answer

    @wraps(original)
    async def in_loop(*arguments: Any, **options: Any) -> Any:
        if not point.after:
            strike(arguments)
        answer = await original(*arguments, **options)
        if point.after:
            strike(arguments)
        return answer

    setattr(point.owner, point.name, in_loop if asyncio.iscoroutinefunction(original) else in_thread)


def set_clock(wrong_by: Path) -> None:
    """Let the worker take the time from a clock that is wrong by what that file says."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # Self there; this is a plain one
            return datetime.fromtimestamp(datetime.now(tz).timestamp() + float(wrong_by.read_text()), tz)

    for module in (wall, judge):
        module.datetime = Wrong  # type: ignore[attr-defined] # a name they import, not one they export


async def run(role: str, settings: Settings) -> None:
    """A worker, or a judge with its replica, until SIGTERM."""
    policies = FixedPolicies(load_policy([(str(path), path.read_text()) for path in settings.policy]))
    if role == WORKER:
        work = Worker(settings, policies)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.stop)
        await work.run()
        return
    replica = Replica(settings)
    await asyncio.gather(replica.run(), Judge(settings, replica, policies).run())


def main(role: str, stage: str = "", number: str = "1", what: str = "SIGKILL") -> None:
    """See the module."""
    if stage:
        hit(STAGES[stage], int(number), signal.Signals[what])
    if CLOCK in os.environ:
        set_clock(Path(os.environ[CLOCK]))
    settings = load(env_file=None)
    if role == API:
        serve(settings, frozenset({API}))
    else:
        asyncio.run(run(role, settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
