"""Windows over all partitions: cells summed for everything, and for each value of each single label.

A group is everything (all labels null) or one value of one label. The cells of a window are summed by group within
each partition as time moves on (see `Tiers.moving`), and only then over partitions, so that a tick costs what changed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cells.grains import finest
from monitor.cells.sums import KEYED, UNPACKED, series_of_key, unpacked, with_series
from monitor.cells.tiers import Tiers
from monitor.frames import LABEL_COLUMNS, Columns
from monitor.names import LABELS
from monitor.state import State

WINDOWS: Final = {
    "5m": timedelta(minutes=5),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "2h": timedelta(hours=2),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
    "28d": timedelta(days=28),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
ALL: Final = "all"  # everything read, since ever

# A group: at most one label has a value.
GROUPS: Final[Columns] = {"group": pl.UInt32(), **LABEL_COLUMNS}
# Cells summed over a window: (group, measure, bin) -> n, total.
GROUPED: Final[Columns] = {"group": pl.UInt32(), **{k: v for k, v in UNPACKED.items() if k != "series"}}


class Window(NamedTuple):
    """One window over all partitions."""

    groups: pl.DataFrame  # GROUPS, sorted by label and value, the total first and always there
    cells: pl.DataFrame  # GROUPED, sorted by group, measure and bin
    tier: str  # that was read


def read(states: Mapping[int, State], labels: tuple[str, ...], start: datetime | None, end: datetime) -> Window:
    """The cells of the buckets that start in [start, end], by group; `start` None: all time.

    :param labels: those whose values are groups
    """
    tier = finest(end, start)
    parts = [_of_partition(state, labels, start, end, tier) for _, state in sorted(states.items())]
    groups = _numbered([groups for groups, _ in parts], labels)
    keyed = pl.concat([_renumbered(groups, local, rows) for local, rows in parts] or [pl.DataFrame(schema=KEYED)])
    summed = keyed.group_by("key").agg(pl.col("n", "total").sum()).sort("key")
    summed = summed.filter((pl.col("n") != 0) | (pl.col("total") != 0))
    return Window(_labelled(groups), unpacked(summed).rename({"series": "group"}), tier)


# --- one partition ---


class _Membership(NamedTuple):
    """Which groups the series of one partition belong to; groups are numbered as they appear, from 0, the total."""

    height: int  # of the SERIES it was made from
    groups: pl.DataFrame  # label (its position in LABELS, _NO_LABEL: total), value
    of_series: npt.NDArray[np.int64]  # series x labels -> group, -1 where the label has no value


_NO_LABEL = 255
_TOTAL = pl.DataFrame({"label": [_NO_LABEL], "value": [None]}, schema={"label": pl.UInt8, "value": pl.String})

# Made again when series are added: what it says of those that were there never changes.
_memberships: "WeakKeyDictionary[Tiers, dict[tuple[str, ...], _Membership]]" = WeakKeyDictionary()


def _of_partition(
    state: State, labels: tuple[str, ...], start: datetime | None, end: datetime, tier: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(its groups, rows of KEYED with the group in the place of the series)."""
    members = _membership(state, labels)

    def project(rows: pl.DataFrame) -> pl.DataFrame:
        of_rows = members.of_series[rows.select(series_of_key()).to_series().to_numpy()]
        parts = [rows.select(with_series(pl.lit(0)).alias("key"), "n", "total")]
        for column in range(len(labels)):
            group = pl.Series("group", of_rows[:, column])
            chosen = rows.with_columns(group).filter(pl.col("group") >= 0)
            parts.append(chosen.select(with_series(pl.col("group")).alias("key"), "n", "total"))
        return pl.concat(parts)

    return members.groups, state.tiers.moving("by " + " ".join(labels), start, end, tier, project)


def _membership(state: State, labels: tuple[str, ...]) -> _Membership:
    known = _memberships.setdefault(state.tiers, {})
    held = known.get(labels)
    if held is None or held.height != state.series.height:
        held = known[labels] = _member(state.series, labels)
    return held


def _member(series: pl.DataFrame, labels: tuple[str, ...]) -> _Membership:
    series = series.sort("series")
    # Groups are numbered row by row, so that series which come later never renumber those before.
    long = (
        pl.concat(
            series.select("series", pl.lit(LABELS.index(label), dtype=pl.UInt8).alias("label"), value=pl.col(label))
            for label in labels
        )
        if labels
        else pl.DataFrame(schema={"series": pl.UInt32, "label": pl.UInt8, "value": pl.String})
    )
    long = long.filter(pl.col("value").is_not_null()).sort("series", "label")
    groups = pl.concat([_TOTAL, long.select("label", "value").unique(maintain_order=True)])
    numbers = long.join(groups.with_row_index("group"), on=["label", "value"], how="left", maintain_order="left")
    of_series = np.full((max(series.height, 1), len(labels)), -1, dtype=np.int64)
    columns = {LABELS.index(label): column for column, label in enumerate(labels)}
    column_of = np.array([columns.get(position, 0) for position in range(len(LABELS))], dtype=np.int64)
    of_series[numbers["series"].to_numpy(), column_of[numbers["label"].to_numpy()]] = numbers["group"].to_numpy()
    return _Membership(series.height, groups, of_series)


# --- all partitions ---


def _numbered(held: list[pl.DataFrame], labels: tuple[str, ...]) -> pl.DataFrame:
    """Groups of all partitions: group, label, value."""
    every = pl.concat([_TOTAL, *held]).unique().filter(pl.col("label") != _NO_LABEL)
    order = {LABELS.index(label): place for place, label in enumerate(labels)}
    every = every.sort(pl.col("label").replace_strict(order, return_dtype=pl.UInt8), "value")
    return pl.concat([_TOTAL, every]).with_row_index("group")


def _renumbered(groups: pl.DataFrame, local: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of one partition with the groups of all."""
    numbers = local.join(groups, on=["label", "value"], how="left", nulls_equal=True, maintain_order="left")["group"]
    of_rows = numbers.gather(rows.select(series_of_key()).to_series())
    return rows.with_columns(group=of_rows).select(with_series(pl.col("group")).alias("key"), "n", "total")


def _labelled(groups: pl.DataFrame) -> pl.DataFrame:
    """GROUPS."""
    columns = [pl.when(pl.col("label") == place).then("value").alias(label) for place, label in enumerate(LABELS)]
    return groups.select("group", *columns)
