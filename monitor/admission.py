"""Which combinations of label values become series: first come, first admitted, up to `limits.series`.

Once the limit is reached no further combination is admitted. Its labels become `__other__`, from the last one
that the policy lists backwards, until the combination is there or may be made: combinations with `__other__` have
an allowance of their own as large as the limit, so that the totals of a service stay whole when it is a later
label that has too many values. The combination in which every label is `__other__` is always admitted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from monitor.frames import LABEL_COLUMNS, SERIES, conform, empty
from monitor.names import LABELS, OTHER


class Admitted(NamedTuple):
    rows: pl.DataFrame  # the given rows, `series` in the place of the label columns
    series: pl.DataFrame  # SERIES that are new
    overflowed: int  # label combinations that had to be rolled up


def admit(rows: pl.DataFrame, series: pl.DataFrame, labels: Sequence[str], limit: int) -> Admitted:
    """Give each row the number of its series.

    :param rows: any frame with the eight label columns
    :param series: SERIES admitted so far, numbered from 0 without gaps
    :param labels: the labels of the policy, in its order; all other label columns are ignored
    :param limit: `limits.series`
    """
    kept = [label for label in labels if label in LABELS]
    dropped = [label for label in LABELS if label not in kept]
    if not kept:
        rows, kept = rows.with_columns(pl.lit(None, dtype=pl.String).alias(LABELS[0])), [LABELS[0]]
    of_policy = series.filter(pl.all_horizontal(pl.col(dropped).is_null())) if dropped else series
    numbers = _numbers(rows, of_policy, kept)
    if not numbers.has_nulls():
        return Admitted(rows.drop(LABELS).with_columns(numbers), empty(SERIES), 0)
    strange = rows.filter(numbers.is_null()).select(kept).unique(maintain_order=True)
    new, mapping, overflowed = _number(conform(strange, LABEL_COLUMNS), series, kept, limit)
    numbers = numbers.zip_with(numbers.is_not_null(), _numbers(rows, mapping, kept))
    return Admitted(rows.drop(LABELS).with_columns(numbers), new, overflowed)


def _numbers(rows: pl.DataFrame, series: pl.DataFrame, kept: Sequence[str]) -> pl.Series:
    """The number of each row's combination; null where it has none."""
    found = rows.select(kept).join(series, on=kept, how="left", nulls_equal=True, maintain_order="left")
    return found["series"]


def _number(
    strange: pl.DataFrame, series: pl.DataFrame, kept: Sequence[str], limit: int
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Numbers for combinations that have none: (new SERIES, combination -> series, how many were rolled up)."""
    rolled = pl.any_horizontal(pl.col(label) == OTHER for label in LABELS).fill_null(False)
    whole = series.height - series.filter(rolled).height
    room = max(limit - whole, 0)
    admitted = strange.head(room).with_row_index("series", offset=series.height).select("series", *LABELS)
    admitted = conform(admitted, SERIES)
    rest = strange.tail(-room) if room else strange
    if rest.height == 0:
        return admitted, admitted, 0
    return _roll_up(rest, pl.concat([series, admitted]), admitted, kept, limit)


def _roll_up(
    rest: pl.DataFrame, series: pl.DataFrame, admitted: pl.DataFrame, kept: Sequence[str], limit: int
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """As `_number`, for combinations beyond the limit; rare, and one row a distinct combination."""
    numbers = {tuple(row[1:]): row[0] for row in series.iter_rows()}
    allowance = limit - sum(OTHER in key for key in numbers)
    new: list[tuple[int, ...]] = []
    mapped: list[int] = []
    positions = [LABELS.index(label) for label in kept]
    for combination in rest.iter_rows():
        key = list(combination)
        for place in reversed(positions):
            key[place] = OTHER
            last = place == positions[0]
            if tuple(key) not in numbers and (allowance > 0 or last):
                numbers[tuple(key)] = len(numbers)
                new.append((numbers[tuple(key)], *key))
                allowance -= 1
            if tuple(key) in numbers:
                mapped.append(numbers[tuple(key)])
                break
    new_series = pl.DataFrame(new, schema=dict(SERIES), orient="row")
    mapping = rest.with_columns(pl.Series("series", mapped, dtype=pl.UInt32)).select(list(SERIES))
    return pl.concat([admitted, new_series]), pl.concat([admitted, mapping]), rest.height
