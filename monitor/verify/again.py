"""Measured events whose ids were sent again with a newer time: once the state has forgotten an id, it counts again.

Whether it had by then only arrival decided, and nothing records it. How many counted again the ledger tells.
"""

from datetime import datetime
from typing import Final

import polars as pl

from monitor.events import READ_EVENTS
from monitor.frames import Columns, empty
from monitor.names import Kind

AGAIN: Final[Columns] = {name: READ_EVENTS[name] for name in ("event_key", "time")}
WHY: Final = "which measured events counted again, sent after their ids had been forgotten, is not on record"


def sent_again(events: pl.DataFrame, ids_from: datetime | None) -> pl.DataFrame:
    """Those that may have counted again (AGAIN): what stands first is forgotten by now, and older by a second at least.

    An id that was known when it came again is a duplicate; a time of before what is known then is late.

    :param events: READ_EVENTS, all of an id
    :param ids_from: the ids of before are forgotten; None: none are
    """
    if ids_from is None:
        return empty(AGAIN)
    second = pl.col("time").dt.truncate("1s")
    first = second.min().over("event_key")
    twins = (
        events.filter(pl.col("kind") == Kind.MEASURED).select(list(AGAIN)).filter(pl.col("event_key").is_duplicated())
    )
    return twins.filter(first < ids_from, second > first)


def in_words(partition: int, sent: int, counted: int | None) -> str:
    """What cannot be proven of them.

    :param sent: how many were sent again
    :param counted: how many of them counted; None: nothing tells
    """
    told = "some may have counted" if counted is None else f"{counted:,} counted"
    return (
        f"partition {partition}: of {sent:,} measured events that were sent again under the same id with a newer time "
        f"{told} again, since the id had been forgotten (limits.dedup): which is not on record"
    )
