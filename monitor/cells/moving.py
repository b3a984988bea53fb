"""The cells of one tier, and the windows that move over them: each is brought forward by what changed."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from monitor.cells.grains import Tier
from monitor.cells.pages import Pages
from monitor.cells.sums import Sums

Project = Callable[[pl.DataFrame], pl.DataFrame]

UNREAD_ADDS: Final = 64  # one that nobody read while so many deltas came is forgotten: no log is kept for it

_WINDOWS_KEPT: Final = 96  # moving windows that are kept up to date; more than any set of SLAs reads a tick
_LOG_ROWS: Final = 2**20  # a moving window that is further behind is summed anew


@dataclass
class _Moving:
    """A window that moves: its sum, and what of its tier is in it."""

    first: int
    last: int
    seen: int  # rows of the tier's log that are in it
    read_at: int  # number of deltas that had come when it was read
    sums: Sums = field(default_factory=Sums)


class TierCells:
    """See the module."""

    def __init__(self, tier: Tier, left_plain: int) -> None:
        self.tier = tier
        self.pages = Pages(tier, left_plain)
        self._kept_from: int | None = None  # no page below this bucket is held any more
        self._log: list[tuple[int, pl.DataFrame]] = []  # (number of the row after it, rows), the newest additions
        self._logged = 0
        self._adds = 0
        self._moving: OrderedDict[tuple[str, timedelta | datetime], _Moving] = OrderedDict()

    def add(self, rows: pl.DataFrame, horizon: datetime | None) -> None:
        step = self.tier.step
        rows = rows.with_columns(pl.col("bucket") // step * step) if step > 1 else rows
        if horizon is not None:
            rows = rows.filter(pl.col("bucket") >= self.tier.first(horizon))
        if rows.height == 0:
            return
        self._adds += 1
        self._forget_unread()
        if self._moving:
            self._logged += rows.height
            self._log.append((self._logged, rows))
            self._forget_log()
        self.pages.add(rows)

    def put(self, bucket: int, number: int, cut: bytes) -> None:
        self.pages.put(bucket, number, cut)
        self._moving.clear()  # the log does not have these rows

    def evict(self, now: datetime) -> None:
        self._kept_from = self.pages.drop(self.tier.first(now - self.tier.length))

    def moving(self, name: str, start: datetime, end: datetime, project: Project, anchored: bool) -> Sums:
        """The sum over a window, brought forward from where the same window stood when it was read last."""
        first, last = self.tier.first(start), self.tier.last(end)
        key = (name, start if anchored else end - start)
        window = self._moving.pop(key, None)
        if window is None or not self._can_move(window, first, last):
            window = _Moving(first, last, self._logged, self._adds)
            self._sum(window.sums, first, last, project)
        else:
            self._move(window, first, last, project)
        self._moving[key] = window
        if len(self._moving) > _WINDOWS_KEPT:
            self._moving.popitem(last=False)
        return window.sums

    def _can_move(self, window: _Moving, first: int, last: int) -> bool:
        start_of_log = self._log[0][0] - self._log[0][1].height if self._log else self._logged
        kept = self._kept_from is None or window.first >= self._kept_from
        return kept and window.seen >= start_of_log and window.first <= first <= window.last <= last

    def _move(self, window: _Moving, first: int, last: int, project: Project) -> None:
        inside = pl.col("bucket").is_between(window.first, window.last)
        parts = []
        for after, rows in reversed(self._log):
            if after <= window.seen:
                break
            parts.append(rows.filter(inside))
        if parts:
            window.sums.add(project(pl.concat(parts)))
        if last > window.last:
            self._sum(window.sums, window.last + 1, last, project)
        if first > window.first:
            self._sum(window.sums, window.first, first - 1, project, sign=-1)
        window.first, window.last, window.seen, window.read_at = first, last, self._logged, self._adds

    def _sum(self, sums: Sums, first: int, last: int, project: Project, sign: int = 1) -> None:
        for rows in self.pages.between(first, last):  # page by page, so that no more than one of the old ones lies open
            sums.add(project(rows), sign)

    def _forget_unread(self) -> None:
        for key in [key for key, window in self._moving.items() if self._adds - window.read_at > UNREAD_ADDS]:
            del self._moving[key]
        if not self._moving:
            self._log.clear()

    def _forget_log(self) -> None:
        """Keep of the log what some window has not seen, and no more than summing anew would cost."""
        least = min((window.seen for window in self._moving.values()), default=self._logged)
        least = max(least, self._logged - _LOG_ROWS)
        while self._log and self._log[0][0] <= least:
            self._log.pop(0)
