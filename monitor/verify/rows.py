"""Two frames held against each other, row by row."""

from collections.abc import Sequence

import polars as pl

SIDES = ("live", "ours")  # columns that say on which side a row is; the others of ours end in `_ours`


def alike(live: pl.DataFrame, ours: pl.DataFrame) -> bool:
    """Whether both hold the same rows, in whatever order, told by two 64-bit fingerprints."""
    return live.height == ours.height and _fingerprint(live) == _fingerprint(ours)


def _fingerprint(rows: pl.DataFrame) -> tuple[int, ...]:
    # Sums of row hashes do not depend on the order; sorting or joining would cost many times as much.
    return tuple(int(rows.hash_rows(seed).sum() or 0) for seed in (1, 2)) if rows.height else ()


def unlike(live: pl.DataFrame, ours: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The rows that differ or are on one side only.

    :param live, ours: the same columns; `keys` tell their rows apart
    :returns: `keys`, the other columns of live, those of ours with `_ours` behind their names, and SIDES (Boolean)
    """
    values = [name for name in live.columns if name not in keys]
    if alike(live, ours):
        return _joined(live.clear(), ours.clear(), keys)
    both = _joined(live, ours, keys)
    differing = [pl.col(name).ne_missing(pl.col(f"{name}_ours")) for name in values]
    return both.filter(pl.any_horizontal(~pl.col("live"), ~pl.col("ours"), *differing))


def _joined(live: pl.DataFrame, ours: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    renamed = ours.rename({name: f"{name}_ours" for name in ours.columns if name not in keys})
    return (
        live.with_columns(live=True)
        .join(renamed.with_columns(ours=True), on=list(keys), how="full", coalesce=True, nulls_equal=True)
        .with_columns(pl.col(SIDES).fill_null(False))
    )
