"""Cells in tiers: the same rows at coarser buckets for longer, so that any window is read at a fitting grain.

    10 s for 2 h  |########|
     1 min 26 h   |##########################|
    15 min 400 d  |##############################################################|
      all time    one sum, rows without bucket included

A bucket is known by the number of its first 10 s interval. A window holds the buckets that start at or after its
start and not after its end. What a tier no longer reaches is never read, so it does not matter when it is dropped.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final, NamedTuple

import polars as pl

from monitor.cells.pages import PAGE_BUCKETS, PLAIN, ROWS, Page
from monitor.cells.sums import Sums, packed, series_of_key, unpacked
from monitor.frames import BUCKET, CELLS, Columns, conform

BUCKET_SPAN: Final = timedelta(seconds=10)
ALL_TIME: Final = "all"

# A snapshot's rows: those of `tier`, its buckets by the number of their first 10 s; of ALL_TIME without bucket.
TIER_ROWS: Final[Columns] = {"tier": pl.String(), **CELLS}
# What of a snapshot's cells is packed: `cut` of the page of `tier` that begins with `bucket` (monitor/cells/pages.py).
PACKED: Final[Columns] = {"tier": pl.String(), "bucket": BUCKET, "cut": pl.UInt8(), "rows": pl.Binary()}

Project = Callable[[pl.DataFrame], pl.DataFrame]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOWS_KEPT: Final = 96  # moving windows that are kept up to date; more than any set of SLAs reads a tick
_LOG_ROWS: Final = 2**20  # a moving window that is further behind is summed anew
_LEFT_PLAIN: Final = 2**16  # rows of old pages of a tier that may lie unpacked
_UNREAD_ADDS: Final = 64  # one that nobody read while so many deltas came is forgotten: no log is kept for it


@dataclass(frozen=True)
class Tier:
    """Buckets of `grain` for `length`; pages hold `page` each."""

    name: str
    grain: timedelta
    length: timedelta
    page: timedelta

    @property
    def step(self) -> int:
        """10 s intervals in a bucket."""
        return self.grain // BUCKET_SPAN

    @property
    def page_step(self) -> int:
        return self.page // BUCKET_SPAN

    def first(self, start: datetime) -> int:
        """The first bucket that starts at or after `start`."""
        return -((_EPOCH - start) // self.grain) * self.step

    def last(self, end: datetime) -> int:
        """The last bucket that starts at or before `end`."""
        return (end - _EPOCH) // self.grain * self.step


TIERS: Final = (
    Tier("10s", timedelta(seconds=10), timedelta(hours=2), timedelta(minutes=10)),
    Tier("1m", timedelta(minutes=1), timedelta(hours=26), timedelta(hours=1)),
    Tier("15m", timedelta(minutes=15), timedelta(days=400), timedelta(days=1)),
)
assert all(tier.page // tier.grain <= PAGE_BUCKETS for tier in TIERS)

REACH: Final = TIERS[-1].length  # of the cells: what is older lies in the sum of all time only


class Window(NamedTuple):
    """Cells summed over a window: (series, measure, bin) -> n, total, and the name of the tier they were read from."""

    cells: pl.DataFrame
    tier: str


def finest(now: datetime, start: datetime | None) -> str:
    """The finest tier that reaches back to `start` (None: all time)."""
    if start is None:
        return ALL_TIME
    return next((tier.name for tier in TIERS if now - start <= tier.length), TIERS[-1].name)


@dataclass
class _Moving:
    """A window that moves: its sum, and what of its tier is in it."""

    first: int
    last: int
    seen: int  # rows of the tier's log that are in it
    read_at: int  # number of deltas that had come when it was read
    sums: Sums = field(default_factory=Sums)


class _TierCells:
    """The cells of one tier, and the windows that move over it."""

    def __init__(self, tier: Tier, left_plain: int) -> None:
        self.tier = tier
        self._left_plain = left_plain
        self._pages: dict[int, Page] = {}
        self._newest = 0  # number of the newest page there ever was
        self._kept_from: int | None = None  # no page below this one is held any more
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
        low, high = rows["bucket"].min(), rows["bucket"].max()
        assert isinstance(low, int)
        assert isinstance(high, int)
        if low // self.tier.page_step == high // self.tier.page_step:
            self._page(low // self.tier.page_step).add(rows)
        else:
            pages = rows.with_columns(page=pl.col("bucket") // self.tier.page_step)
            for (number,), part in pages.partition_by("page", as_dict=True, include_key=False).items():
                self._page(number).add(part)
        self._pack()

    def between(self, first: int, last: int) -> Iterator[pl.DataFrame]:
        """ROWS of the buckets `first` to `last`, both included; the same key may occur more than once."""
        step = self.tier.page_step
        numbers = range(first // step, last // step + 1)
        held = sorted(self._pages) if len(numbers) > len(self._pages) else numbers
        for number in held:
            if number in numbers and number in self._pages:
                yield self._pages[number].between(first, last)

    def rows(self, horizon: datetime | None, part: int, of: int, *, packed: bool) -> Iterator[pl.DataFrame]:
        """ROWS from `horizon` on of the series with `series % of == part`, one a key."""
        first = None if horizon is None else self.tier.first(horizon)
        for number in sorted(self._pages):
            rows = self._pages[number].part(part, of, packed=packed)
            yield rows if first is None else rows.filter(pl.col("bucket") >= first)

    def packed(self, horizon: datetime | None, cut: int) -> Iterator[tuple[int, bytes]]:
        """(first bucket, packed rows) of that cut of the pages that reach `horizon`."""
        first = None if horizon is None else self.tier.first(horizon) // self.tier.page_step
        for number in sorted(self._pages):
            packed = self._pages[number].cut(cut)
            if packed is not None and (first is None or number >= first):
                yield number * self.tier.page_step, packed

    def put(self, bucket: int, cut: int, packed: bytes) -> None:
        self._page(bucket // self.tier.page_step).put(cut, packed)
        self._moving.clear()  # the log does not have these rows

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
        for rows in self.between(first, last):  # page by page, so that no more than one of the old ones lies open
            sums.add(project(rows), sign)

    def _forget_unread(self) -> None:
        for key in [key for key, window in self._moving.items() if self._adds - window.read_at > _UNREAD_ADDS]:
            del self._moving[key]
        if not self._moving:
            self._log.clear()

    def _forget_log(self) -> None:
        """Keep of the log what some window has not seen, and no more than summing anew would cost."""
        least = min((window.seen for window in self._moving.values()), default=self._logged)
        least = max(least, self._logged - _LOG_ROWS)
        while self._log and self._log[0][0] <= least:
            self._log.pop(0)

    def evict(self, now: datetime) -> None:
        # A page more than is read stays, so that a moving window can take off what it moved past.
        kept_from = self.tier.first(now - self.tier.length) // self.tier.page_step - 1
        for number in [number for number in self._pages if number < kept_from]:
            del self._pages[number]
        self._kept_from = kept_from * self.tier.page_step

    def _page(self, number: int) -> Page:
        if number not in self._pages:
            tier = self.tier
            self._pages[number] = Page(number * tier.page_step, tier.step, tier.page // tier.grain)
            self._newest = max(number, self._newest)
        return self._pages[number]

    def _pack(self) -> None:
        """Pack old pages, those first that have most to pack, until the rest takes little."""
        plain_from = self._newest - PLAIN // self.tier.page
        old = [(page.plain, page) for number, page in self._pages.items() if number < plain_from]
        left = sum(plain for plain, _ in old)
        for plain, page in sorted(old, key=itemgetter(0), reverse=True):
            if left <= self._left_plain:
                return
            page.pack()
            left -= plain


class _AllTime:
    """The sum of everything, rows without bucket included, and projections of it that follow."""

    def __init__(self) -> None:
        self.sums = Sums()
        self._projected: dict[str, tuple[Sums, list[pl.DataFrame]]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        self.sums.add(rows)
        for name, (_, waiting) in list(self._projected.items()):
            waiting.append(rows)
            if len(waiting) > _UNREAD_ADDS:
                del self._projected[name]

    def projected(self, name: str, project: Project) -> pl.DataFrame:
        known = self._projected.get(name)
        if known is None:
            known = self._projected[name] = (Sums(), [])
            known[0].add(project(self.sums.frame()))
        sums, waiting = known
        if waiting:
            sums.add(project(pl.concat(waiting)))
            waiting.clear()
        return sums.frame()


class Tiers:
    """All cells of a partition. Additive: what was added with the opposite sign was never there.

    Not safe to change or read from two threads at once.

    :param left_plain: rows of old pages of a tier that may lie unpacked (see monitor/cells/pages.py)
    """

    def __init__(self, left_plain: int = _LEFT_PLAIN) -> None:
        self._tiers = {tier.name: _TierCells(tier, left_plain) for tier in TIERS}
        self._all = _AllTime()
        self._now: datetime | None = None

    @classmethod
    def empty(cls) -> "Tiers":
        return cls()

    def add(self, cells: pl.DataFrame) -> None:
        """Add signed CELLS rows to the sum of all time and to every tier that still reaches their bucket."""
        keyed = cells.select("bucket", packed().alias("key"), "n", "total")
        self._all.add(keyed.drop("bucket"))
        keyed = keyed.filter(pl.col("bucket").is_not_null())
        for held in self._tiers.values():
            held.add(keyed, self._horizon(held.tier))

    def evict(self, now: datetime) -> None:
        """Time has reached `now`: tiers end their length before it. It never goes back."""
        self._now = now if self._now is None else max(now, self._now)
        for held in self._tiers.values():
            held.evict(self._now)

    def window(self, start: datetime | None, end: datetime | None, tier: str | None = None) -> Window:
        """The cells of the buckets that start in [start, end], summed.

        :param start: None: all time, and rows without bucket with it
        :param end: None: up to the newest
        :param tier: the tier to read; by default the finest that reaches back to `start` from the newest `now`
        """
        tier = tier or self._finest(start, end)
        if start is None or tier == ALL_TIME:
            return Window(unpacked(self._all.sums.frame()), ALL_TIME)
        held = self._tiers[tier]
        last = held.tier.last(end) if end is not None else 2**31 - 1
        sums = Sums()
        for rows in held.between(held.tier.first(start), last):
            sums.add(rows)
        return Window(unpacked(sums.frame()), tier)

    def moving(
        self,
        name: str,
        start: datetime | None,
        end: datetime,
        tier: str,
        project: Project,
        *,
        anchored: bool = False,
    ) -> pl.DataFrame:
        """As `window`, for a window that is read again and again: only what changed is added.

        :param name: of the projection; the same name must always mean the same `project`
        :param project: rows with `key`, `n`, `total` -> such rows, row by row (see monitor/cells/sums.py)
        :param anchored: the window grows from a fixed start, as a month so far; else it keeps its length and moves
        :returns: KEYED, sorted by key
        """
        if start is None or tier == ALL_TIME:
            return self._all.projected(name, project)
        return self._tiers[tier].moving(name, start, end, project, anchored).frame()

    def rows(self, part: int = 0, of: int = 1, *, packed: bool = True) -> pl.DataFrame:
        """What is held of the series with `series % of == part`, as TIER_ROWS; without `packed` what lies plain."""
        mine = series_of_key() % of == part
        parts = [unpacked(self._all.sums.frame().filter(mine)).with_columns(tier=pl.lit(ALL_TIME))]
        for name, held in self._tiers.items():
            found = held.rows(self._horizon(held.tier), part, of, packed=packed)
            parts.append(unpacked(pl.concat([pl.DataFrame(schema=ROWS), *found])).with_columns(tier=pl.lit(name)))
        return pl.concat([conform(rows, TIER_ROWS) for rows in parts])

    def packed(self, cut: int) -> pl.DataFrame:
        """What lies packed of the series with `series % CUTS == cut`, as it lies: PACKED."""
        found = [
            (name, bucket, cut, rows)
            for name, held in self._tiers.items()
            for bucket, rows in held.packed(self._horizon(held.tier), cut)
        ]
        return pl.DataFrame(found, schema=dict(PACKED), orient="row")

    def add_rows(self, rows: pl.DataFrame) -> None:
        """Add TIER_ROWS, each to its own tier only."""
        for (name,), part in rows.partition_by("tier", as_dict=True, include_key=False).items():
            keyed = part.select("bucket", packed().alias("key"), "n", "total")
            if name == ALL_TIME:
                self._all.add(keyed.drop("bucket"))
            else:
                self._tiers[name].add(keyed, None)

    def add_packed(self, rows: pl.DataFrame) -> None:
        """Add PACKED."""
        for name, bucket, cut, packed_rows in rows.iter_rows():
            self._tiers[name].put(bucket, cut, packed_rows)

    @classmethod
    def from_rows(cls, rows: pl.DataFrame) -> "Tiers":
        """What `rows()` gave, made anew."""
        tiers = cls()
        tiers.add_rows(rows)
        return tiers

    def _horizon(self, tier: Tier) -> datetime | None:
        return None if self._now is None else self._now - tier.length

    def _finest(self, start: datetime | None, end: datetime | None) -> str:
        now = max((instant for instant in (self._now, end) if instant is not None), default=start)
        return finest(now, start) if now is not None else ALL_TIME
