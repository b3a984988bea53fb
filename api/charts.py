"""What the page's charts draw: a few values of every tick, for the total and each service, kept for a while.

The server keeps them, so that whoever opens the page sees what has been, and not only what comes.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from api.lists import Item

KEPT: Final = timedelta(minutes=15)
TOTAL: Final = ""  # in the place of a service
WINDOW: Final = "1h"  # of indicators
INDICATORS: Final = ("first_response_p95_seconds", "first_response_within_ratio")


class Point(NamedTuple):
    """One tick."""

    at: datetime  # wall time
    item: Item  # {"at", "values": {service: {name: value}}}


class Recent:
    """The points of the last `KEPT`, oldest first."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque()

    def add(self, at: datetime, tick: Mapping[str, Any]) -> Item:
        """Keep what a tick shows; the point that was made of it."""
        item = {"at": tick["wall"], "values": _values(tick)}
        self._points.append(Point(at, item))
        while self._points[0].at < at - KEPT:
            self._points.popleft()
        return item

    def items(self) -> list[Item]:
        return [point.item for point in self._points]


def _values(tick: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    at_risk = {row["service"]: row["at_risk"] for row in tick["services"]}
    found: dict[str, dict[str, float | None]] = {
        TOTAL: {"rate_per_second": tick["rate_per_second"], "at_risk": sum(at_risk.values())},
        **{service: {"rate_per_second": tick["rate_per_second"], "at_risk": n} for service, n in at_risk.items()},
    }
    for row in _shown(tick["indicators"]):
        found.setdefault(row["labels"].get("service", TOTAL), {})[row["id"]] = row["value"]
    return found


def _shown(indicators: Iterable[Item]) -> Iterable[Item]:
    return (row for row in indicators if row["window"] == WINDOW and row["id"] in INDICATORS)
