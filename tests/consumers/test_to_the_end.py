"""Work that comes to its end though nobody awaits it any more."""

import asyncio

import pytest

from consumers.to_the_end import to_the_end

LONG = 60.0


async def begun(work: asyncio.Task[None], at_work: asyncio.Event) -> None:
    await at_work.wait()
    work.cancel()


async def test_what_has_begun_ends_though_it_is_cancelled() -> None:
    at_work, may_end, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        at_work.set()
        await may_end.wait()
        done.append("done")

    task = asyncio.create_task(to_the_end(work(), LONG))
    await begun(task, at_work)
    asyncio.get_running_loop().call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]


async def test_what_takes_too_long_is_cancelled_too() -> None:
    at_work, ended = asyncio.Event(), []

    async def work() -> None:
        try:
            at_work.set()
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    task = asyncio.create_task(to_the_end(work(), 0.01))
    await begun(task, at_work)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


async def test_its_answer_and_its_failure_are_handed_on() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise ValueError("no")

    assert await to_the_end(answer(), LONG) == 42
    with pytest.raises(ValueError, match="no"):
        await to_the_end(fail(), LONG)
