"""All events that the events topics hold at this moment, for a replay of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from consumers.decode import decode
from consumers.scan import Progress, scan
from consumers.settings import KafkaSettings
from monitor.events import NOTHING, Read

_LOG: Final = ("topic", "partition", "offset", "index")


async def read_events(kafka: KafkaSettings, *, future_after: datetime | None, progress: Progress | None = None) -> Read:
    """The events in the order of the log, and what is refused. Raises TopicsUnfit, as `scan`.

    :param future_after: later events are refused; None: none are
    """
    reads = [NOTHING]

    def take(records: Sequence[Any]) -> None:
        reads.append(decode(records, future_after=future_after))

    await scan(kafka, take, progress)
    events, refused = (
        pl.concat(frames).sort(_LOG) for frames in zip(*((r.events, r.refused) for r in reads), strict=True)
    )
    return Read(events, refused, sum(r.read for r in reads))
