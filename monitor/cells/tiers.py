"""Cells in tiers: the same rows at coarser buckets for longer, so that any window is read at a fitting grain.

    10 s for 2 h  |########|
     1 min 26 h   |##########################|
    15 min 400 d  |##############################################################|
      all time    one sum, rows without bucket included

A bucket is known by the number of its first 10 s interval. A window holds the buckets that start at or after its
start and not after its end. What a tier no longer reaches is never read, so it does not matter when it is dropped.
"""

from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from monitor.cells.grains import ALL_TIME, TIERS, Tier, finest
from monitor.cells.moving import UNREAD_ADDS, Project, TierCells
from monitor.cells.pages import ROWS
from monitor.cells.sums import Sums, packed, series_of_key, unpacked
from monitor.frames import BUCKET, CELLS, Columns, conform

# A snapshot's rows: those of `tier`, its buckets by the number of their first 10 s; of ALL_TIME without bucket.
TIER_ROWS: Final[Columns] = {"tier": pl.String(), **CELLS}
# What of a snapshot's cells is packed: `cut` of the page of `tier` that begins with `bucket` (monitor/cells/pages.py).
PACKED: Final[Columns] = {"tier": pl.String(), "bucket": BUCKET, "cut": pl.UInt8(), "rows": pl.Binary()}

_LEFT_PLAIN: Final = 2**16  # rows of old pages of a tier that may lie unpacked


class Window(NamedTuple):
    """Cells summed over a window: (series, measure, bin) -> n, total, and the name of the tier they were read from."""

    cells: pl.DataFrame
    tier: str


class _AllTime:
    """The sum of everything, rows without bucket included, and projections of it that follow."""

    def __init__(self) -> None:
        self.sums = Sums()
        self._projected: dict[str, tuple[Sums, list[pl.DataFrame]]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        self.sums.add(rows)
        for name, (_, waiting) in list(self._projected.items()):
            waiting.append(rows)
            if len(waiting) > UNREAD_ADDS:
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
        self._tiers = {tier.name: TierCells(tier, left_plain) for tier in TIERS}
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
        for rows in held.pages.between(held.tier.first(start), last):
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
            found = held.pages.part(self._reach(held.tier), part, of, packed=packed)
            parts.append(unpacked(pl.concat([pl.DataFrame(schema=ROWS), *found])).with_columns(tier=pl.lit(name)))
        return pl.concat([conform(rows, TIER_ROWS) for rows in parts])

    def packed(self, cut: int) -> pl.DataFrame:
        """What lies packed of the series with `series % CUTS == cut`, as it lies: PACKED."""
        found = [
            (name, bucket, cut, rows)
            for name, held in self._tiers.items()
            for bucket, rows in held.pages.cuts(self._reach(held.tier), cut)
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

    def _reach(self, tier: Tier) -> int | None:
        horizon = self._horizon(tier)
        return None if horizon is None else tier.first(horizon)

    def _finest(self, start: datetime | None, end: datetime | None) -> str:
        now = max((instant for instant in (self._now, end) if instant is not None), default=start)
        return finest(now, start) if now is not None else ALL_TIME
