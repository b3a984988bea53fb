"""The row of the fault table that breaks clocks: with `clock: wall`, since it is about time."""

import asyncio
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.faults import ending
from tests.faults.damage import Message, sound
from tests.faults.load import oracle
from tests.faults.scene import PARTITIONS, Scene
from tests.kafka.traffic import event, figures, read_so_far, until

APART: Final = timedelta(minutes=3)
SLOW: Final = timedelta(minutes=10)
BACK: Final = timedelta(hours=1)
CASES: Final = 50  # one after the other
PAUSE: Final = 0.05  # seconds between two cases
AT_ONCE: Final = 20  # cases that wait for their answer
ANSWERED_AFTER: Final = timedelta(seconds=1)


async def clocks_are_wrong(scene: Scene) -> None:
    """One worker is three minutes ahead, one as much behind; then both clocks are set back by an hour for a while.

    Before, the only one there is was started ten minutes slow, twice what an event may be ahead. Who is ahead breaches
    cases that are answered in time, and has to take that back. Nothing is refused as of the future: a clock that was
    set back knows better, and so does the broker's.
    """
    slow = scene.folder / "slow"
    _set(slow, -SLOW)
    async with scene.worker(clock=slow) as alone:
        await alone.until_said("restored")
        await _live(scene, "slow")
        await scene.caught_up()
    assert "the clocks of this machine and of Kafka are apart" in alone.said()
    ahead, behind = scene.folder / "ahead", scene.folder / "behind"
    shifts = [(ahead, APART), (behind, -APART)]
    for file, shift in shifts:
        _set(file, shift)
    async with scene.worker(clock=ahead) as one, scene.worker(slot=1, clock=behind) as other:
        for worker in (one, other):
            await worker.until_said("restored")
        await until(lambda: len(scene.replica.states) == PARTITIONS, what=scene.said)
        for number in range(scene.length.rounds):
            await _live(scene, f"right-{number}")
            for file, shift in shifts:
                _set(file, shift - BACK)
            await _live(scene, f"back-{number}")
            for file, shift in shifts:
                _set(file, shift)
        await _live(scene, "right-again")
        await until(lambda: read_so_far(scene.replica) == len(scene.sent.messages), what=scene.said)
        await until(lambda: _shown(scene)["clocks"] == _expected(scene)["clocks"], 30, lambda: _differing(scene))
    await _same_as_without(scene)


def _set(file: Path, shift: timedelta) -> None:
    """At once: a process may be reading it."""
    new = file.with_suffix(".new")
    new.write_text(str(shift.total_seconds()))
    new.replace(file)


async def _live(scene: Scene, name: str) -> None:
    """Cases that are opened now and answered soon; some are overdue since long."""
    answers: deque[Message] = deque()
    for n in range(CASES):
        now = datetime.now(UTC)
        opened, case = now - timedelta(hours=2) if n % 10 == 0 else now, f"{name}-{scene.seed}-{n}"
        messages = [sound(event(case, 0, "interaction.opened", opened, service="a", priority="P0"))]
        if n % 10 != 0:
            answers.append(sound(event(case, 1, "interaction.responded", now + ANSWERED_AFTER)))
        if len(answers) > AT_ONCE:
            messages.append(answers.popleft())
        await scene.deliver(messages)
        await asyncio.sleep(PAUSE)
    await asyncio.sleep(ANSWERED_AFTER.total_seconds())  # nobody sends an answer before it is given
    await scene.deliver(list(answers))


def _differing(scene: Scene) -> object:
    shown, expected = _shown(scene), _expected(scene)
    return [(name, shown[name], expected[name]) for name in ("ledger", "clocks") if shown[name] != expected[name]]


async def _same_as_without(scene: Scene) -> None:
    shown, expected = _shown(scene), _expected(scene)
    ending.check_figures(shown, expected, scene.sent)
    assert shown["ledger"]["rejected"] == 0
    corrected = sum(state.ledger().get("corrected", 0) for state in scene.replica.states.values())
    assert corrected > 0, "nobody was ahead"
    await ending.verified(scene.settings)
    await ending.nothing_is_there_twice(scene.settings, PARTITIONS)
    await ending.nothing_is_open(scene.settings)
    await until(lambda: not scene.untold(), what=lambda: f"still to be told: {scene.untold()}")
    await scene.everybody_was_told()


def _shown(scene: Scene) -> dict[str, Any]:
    return figures(scene.replica.states, scene.end + BACK, scene.policies)


def _expected(scene: Scene) -> dict[str, Any]:
    state = oracle(scene.sent.messages, scene.end + APART, scene.policies)
    return figures({0: state}, scene.end + BACK, scene.policies)
