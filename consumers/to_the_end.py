"""Work that is not dropped half-way: what it does to others could not be told afterwards."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Do it, and let it come to its end also where whoever awaits it is cancelled, if it does within so many seconds.

    Who was cancelled is so all the same, whatever came of the work.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=seconds)
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        elif not task.cancelled():
            task.exception()  # looked at, so that nothing complains of it
