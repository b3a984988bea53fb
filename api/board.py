"""What the API shows as of one tick: made once, read by any number of requests, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from api.lists import Item
from monitor.policy import PolicySet


@dataclass(frozen=True, slots=True)
class Board:
    """Figures of one instant, in the shapes in which they are served."""

    number: int  # of the tick
    wall: datetime  # wall time at which it was made
    now: datetime | None  # the instant up to which the figures are judged
    policies: PolicySet
    slas: list[Item]  # worst first
    services: list[Item]
    alerts: list[Item]
    indicators: pl.DataFrame  # see indicator_items
    ledger: Mapping[str, Any]
