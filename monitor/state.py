"""The state of one partition: what a worker holds, what the changelog stores, what a replica reads.

A delta is a dict of frames, one for each table in `TABLES` that has rows. `State.apply` is the only way in which a
state changes: a worker that made a delta, one that restores it and a replica all call it, so they hold the same.

A snapshot is cut into `SLICES` fixed parts by key, each taken at its own time. A reader loads them and applies to
each slice only the deltas that came after it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from monitor.cells import Tiers
from monitor.cells.grains import REACH
from monitor.cells.pages import CUTS
from monitor.cells.sums import added_up
from monitor.cells.tiers import PACKED, TIER_ROWS
from monitor.frames import (
    ARCHIVED,
    BUCKET,
    CELLS,
    CONTRIBUTIONS,
    HISTORY,
    IDS,
    INSTANT,
    KEY,
    LEDGER_ROWS,
    MEASURE,
    OUTCOME,
    SERIES,
    VERDICTS,
    Columns,
    conform,
    empty,
)
from monitor.holes import HOLES, MARKS, thinned, without
from monitor.ids import Ids
from monitor.in_force import IN_FORCE, resumed
from monitor.names import LABELS
from monitor.rows import Rows, part_of
from monitor.sealed import SEALED

SEMANTICS: Final = 2  # raised whenever any verdict or contribution could change
SLICES: Final = 16  # a power of two

Delta = dict[str, pl.DataFrame]

# A verdict as it was last published. `outcome` null (in a delta only): there is no such verdict any more.
STATE_VERDICTS: Final[Columns] = {
    **{name: dtype for name, dtype in VERDICTS.items() if name not in (*LABELS, "wake")},
    "series": pl.UInt32(),
    "old_outcome": OUTCOME,  # the settled outcome that was revised, if one ever was
    "change": pl.String(),  # the last published Change
}
VERDICT_KEYS: Final = ("case_key", "clock", "cycle")  # a delta has at most one row of each
WAKES: Final[Columns] = {
    "case_key": KEY,
    "wake": INSTANT,
}  # null (in a delta only): time alone changes nothing
PUBLISHED: Final[Columns] = {name: CELLS[name] for name in ("series", "bin", "n", "total")}
OFFSETS: Final[Columns] = {"topic": pl.String(), "next_offset": pl.Int64()}
META: Final[Columns] = {
    "now": INSTANT,
    "newest_event": INSTANT,
    "policies": pl.String(),  # `judging` of the policies
    "semantics": pl.Int32(),
    "ids_from": INSTANT,  # whole seconds: ids of measured events of before are forgotten; null: none are
    "swept": pl.Int64(),  # how many turns have looked for cases to archive, see monitor/archive.py
}


def add_up(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Sum `n` and `total` of rows with the same `by`; rows that add up to nothing go."""
    if rows.height < 2:
        return rows
    summed = rows.group_by(by).agg(pl.col("n", "total").sum())
    return summed.filter((pl.col("n") != 0) | (pl.col("total") != 0)).select(rows.columns)


def add_up_cells(rows: pl.DataFrame) -> pl.DataFrame:
    """`add_up` of CELLS rows by bucket, series, measure and bin, in the order of these."""
    # Packed into one integer they cost a third of what grouping by four columns does; it has 64 bits for the bucket
    # (or null), the series, 8 for the measure and 16 for the bin (or null).
    least, most, series = rows.select(
        pl.col("bucket").min().alias("least"), pl.col("bucket").max().alias("most"), pl.col("series").max()
    ).row(0)
    least, bits = least or 0, int(series or 0).bit_length()
    if rows.height < 2 or ((most or 0) - least + 1).bit_length() + bits > 38:
        return add_up(rows, ("bucket", "series", "measure", "bin"))
    columns = rows.select(
        (pl.col("bucket").cast(pl.Int64) - least + 1).fill_null(0),
        pl.col("series").cast(pl.Int64),
        pl.col("measure").to_physical().cast(pl.Int64),
        (pl.col("bin").cast(pl.Int64) + 2**15).fill_null(0),
    )
    place, number, measure, bin_ = (column.to_numpy() for column in columns)
    packed = (((place << bits | number) << 8 | measure) << 16) | bin_
    summed = added_up(rows.select("n", "total").with_columns(key=pl.Series(packed)))
    kept = summed["key"].to_numpy()
    place, bin_ = kept >> (24 + bits), kept & 0xFFFF
    return pl.DataFrame(
        {
            "bucket": pl.Series(place + (least - 1)).set(pl.Series(place == 0), None).cast(BUCKET),
            "series": pl.Series((kept >> 24 & (1 << bits) - 1).astype(np.uint32)),
            "measure": pl.Series((kept >> 16 & 0xFF).astype(np.uint8)).cat.to(MEASURE),
            "bin": pl.Series(bin_ - 2**15).set(pl.Series(bin_ == 0), None).cast(pl.Int16),
            "n": summed["n"],
            "total": summed["total"],
        }
    )


@dataclass(frozen=True)
class Table:
    """How a table of a delta is shaped and cut into slices (by `key`; None: all of it is in slice 0)."""

    columns: Columns
    key: str | None = None

    def slice_of(self) -> pl.Expr:
        if self.key is None:
            return pl.lit(0, dtype=pl.Int32)
        if self.columns[self.key] == pl.List(KEY):  # which lie in one slice
            return part_of(pl.col(self.key).list.first(), SLICES)
        if self.columns[self.key] == KEY:
            return part_of(pl.col(self.key), SLICES)
        return (pl.col(self.key) % SLICES).cast(pl.Int32)


TABLES: Final[dict[str, Table]] = {
    "history": Table(HISTORY, "case_key"),
    "verdicts": Table(STATE_VERDICTS, "case_key"),
    "contributions": Table(CONTRIBUTIONS, "case_key"),
    "wakes": Table(WAKES, "case_key"),
    "ids": Table(IDS, "event_key"),
    "archived": Table(ARCHIVED, "case_key"),
    "cells": Table(CELLS, "series"),
    "published": Table(PUBLISHED),
    "series": Table(SERIES),
    "ledger": Table(LEDGER_ROWS),
    "offsets": Table(OFFSETS),
    "meta": Table(META),
    "holes": Table(HOLES),
    "marks": Table(MARKS),
    "in_force": Table(IN_FORCE),
}
# A snapshot holds cells by tier, in rows; what lies packed or sealed it holds as it lies.
TIER_CELLS: Final = "tiers"
PACKED_CELLS: Final = "packed"
SEALED_HISTORY: Final = "sealed_history"
SEALED_CONTRIBUTIONS: Final = "sealed_contributions"
OF_SNAPSHOTS: Final[dict[str, Table]] = {
    TIER_CELLS: Table(TIER_ROWS, "series"),
    PACKED_CELLS: Table(PACKED, "cut"),
    SEALED_HISTORY: Table(SEALED, "keys"),
    SEALED_CONTRIBUTIONS: Table(SEALED, "keys"),
}
assert SLICES == CUTS


class State:
    """One partition's tables. Not safe to change while another thread reads it."""

    def __init__(self) -> None:
        self.history = Rows(HISTORY, "case_key")
        self.contributions = Rows(CONTRIBUTIONS, "case_key")
        self.wakes = Rows(WAKES, "case_key")
        self.ids = Ids(IDS, "event_key")
        self.archived = Ids(ARCHIVED, "case_key")
        self.tiers = Tiers.empty()
        self.series = empty(SERIES)
        self.published = empty(PUBLISHED)
        self.offsets: dict[str, int] = {}
        self.holes = empty(HOLES)
        self.marks = empty(MARKS)
        self.in_force = empty(IN_FORCE)
        self.now: datetime | None = None
        self.newest_event: datetime | None = None
        self.policies: str | None = None
        self.semantics: int = SEMANTICS
        self.swept: int | None = None
        self.unsealed = 0  # history rows that came since cases were sealed last, and whose turn is next
        self.sealed_turn = 0
        self._verdicts = Rows(STATE_VERDICTS, "case_key")
        self._ledger: dict[str, int] = {}

    # --- reading ---
    @property
    def verdicts(self) -> pl.DataFrame:
        """All published verdicts of live cases (STATE_VERDICTS)."""
        return self._verdicts.frame()

    def verdicts_of(self, keys: pl.Series) -> pl.DataFrame:
        return self._verdicts.of(keys)

    def verdicts_where(self, condition: pl.Expr) -> pl.DataFrame:
        return self._verdicts.where(condition)

    def ledger(self) -> dict[str, int]:
        """Counters of `names.LEDGER` and `rejected.<reason>`; what never happened is absent."""
        return dict(self._ledger)

    @property
    def next_wake(self) -> datetime | None:
        """The earliest instant after which time alone changes a verdict or a fact."""
        least = self.wakes.least("wake")
        return least if isinstance(least, datetime) else None

    # --- changing ---
    def apply(self, delta: Mapping[str, pl.DataFrame]) -> None:
        """Add a delta or a slice of a snapshot."""
        meta = delta.get("meta")
        if meta is not None and (now := meta["now"].max()) is not None:
            assert isinstance(now, datetime)
            self.tiers.evict(now)  # before cells come that a tier would only have to drop
        for name, change in self._apply.items():
            rows = delta.get(name)
            if rows is not None and rows.height:
                change(self, rows)

    def _apply_history(self, rows: pl.DataFrame) -> None:
        self.history.add(rows)
        self.unsealed += rows.height

    def _apply_verdicts(self, rows: pl.DataFrame) -> None:
        same = self._verdicts.take(rows["case_key"].unique()).join(rows, on=VERDICT_KEYS, how="anti")
        self._verdicts.add(pl.concat([same, rows.filter(pl.col("outcome").is_not_null())]))

    def _apply_wakes(self, rows: pl.DataFrame) -> None:
        # Comes before the contributions of the same delta, which are all that these cases have now.
        self.wakes.replace(rows["case_key"], rows.filter(pl.col("wake").is_not_null()))
        self.contributions.remove(rows["case_key"])

    def _apply_archived(self, rows: pl.DataFrame) -> None:
        for table in (self.history, self._verdicts, self.contributions, self.wakes):
            table.remove(rows["case_key"])
        self.archived.add(rows)

    def _apply_published(self, rows: pl.DataFrame) -> None:
        self.published = add_up(pl.concat([self.published, rows]), ("series", "bin"))

    def _apply_series(self, rows: pl.DataFrame) -> None:
        self.series = pl.concat([self.series, rows])

    def _apply_ledger(self, rows: pl.DataFrame) -> None:
        for counter, n in rows.iter_rows():
            self._ledger[counter] = self._ledger.get(counter, 0) + n

    def _apply_offsets(self, rows: pl.DataFrame) -> None:
        self.offsets.update(dict(rows.iter_rows()))

    def _apply_holes(self, rows: pl.DataFrame) -> None:
        self.holes = pl.concat([self.holes, rows])
        starts = dict(rows.select("topic", "resumed_at").iter_rows())
        self.marks, self.in_force = without(self.marks, starts), resumed(self.in_force, starts)

    def _apply_marks(self, rows: pl.DataFrame) -> None:
        self.marks = thinned(pl.concat([self.marks, rows]))

    def _apply_in_force(self, rows: pl.DataFrame) -> None:
        self.in_force = pl.concat([self.in_force, rows])

    def _apply_meta(self, rows: pl.DataFrame) -> None:
        meta = rows.row(-1, named=True)
        self.now, self.newest_event = meta["now"], meta["newest_event"]
        self.policies, self.semantics, self.swept = meta["policies"], meta["semantics"], meta["swept"]
        if meta["ids_from"] is not None:
            self.ids.forget(meta["ids_from"])
        if self.newest_event is not None:
            self.archived.forget(self.newest_event - REACH)

    _apply: Final[dict[str, Callable[["State", pl.DataFrame], None]]] = {
        "history": _apply_history,
        "verdicts": _apply_verdicts,
        "wakes": _apply_wakes,
        "contributions": lambda state, rows: state.contributions.add(rows),
        "ids": lambda state, rows: state.ids.add(rows),
        "archived": _apply_archived,
        "cells": lambda state, rows: state.tiers.add(rows),
        "published": _apply_published,
        "series": _apply_series,
        "ledger": _apply_ledger,
        "offsets": _apply_offsets,
        "meta": _apply_meta,
        "holes": _apply_holes,
        "marks": _apply_marks,
        "in_force": _apply_in_force,
        TIER_CELLS: lambda state, rows: state.tiers.add_rows(rows),
        PACKED_CELLS: lambda state, rows: state.tiers.add_packed(rows),
        SEALED_HISTORY: lambda state, rows: state.history.put(rows),
        SEALED_CONTRIBUTIONS: lambda state, rows: state.contributions.put(rows),
    }

    # --- snapshots ---
    def slice(self, number: int) -> Delta:
        """The rows of one slice: a delta that makes them from nothing."""
        parts: Delta = {
            "history": self.history.unsealed(number, SLICES),
            SEALED_HISTORY: self.history.blocks(number, SLICES),
            "verdicts": self._verdicts.part(number, SLICES),
            "contributions": self.contributions.unsealed(number, SLICES),
            SEALED_CONTRIBUTIONS: self.contributions.blocks(number, SLICES),
            "wakes": self.wakes.part(number, SLICES),
            "ids": self.ids.part(number, SLICES),
            "archived": self.archived.part(number, SLICES),
        }
        parts[TIER_CELLS] = self.tiers.rows(number, SLICES, packed=False)
        parts[PACKED_CELLS] = self.tiers.packed(number)
        if number == 0:
            parts |= self._unsliced()
        return {name: rows for name, rows in parts.items() if rows.height}

    def _unsliced(self) -> Delta:
        ledger = list(self._ledger.items())
        meta = {
            "now": self.now,
            "newest_event": self.newest_event,
            "policies": self.policies,
            "semantics": self.semantics,
            "ids_from": self.ids.kept_from,
            "swept": self.swept,
        }
        return {
            "series": self.series,
            "published": self.published,
            "ledger": pl.DataFrame(ledger, schema=dict(LEDGER_ROWS), orient="row"),
            "offsets": pl.DataFrame(list(self.offsets.items()), schema=dict(OFFSETS), orient="row"),
            "meta": conform(pl.DataFrame([meta]), META),
            "holes": self.holes,
            "marks": self.marks,
            "in_force": self.in_force,
        }


def only_slices(delta: Mapping[str, pl.DataFrame], numbers: frozenset[int]) -> Delta:
    """The part of a delta that lies in those slices."""
    if len(numbers) == SLICES:
        return dict(delta)
    wanted = list(numbers)
    return {name: rows.filter(TABLES[name].slice_of().is_in(wanted)) for name, rows in delta.items()}
