"""Events that are read but not yet checked, as columns: where the encodings meet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.events.faults import Fault, clipped, fault
from monitor.events.fields import CODE_OF, EXPECTED, FIELDS, TYPES, Field, Value
from monitor.events.times import Flags, Micros, fault_of, micros_of
from monitor.names import Refusal

Codes = npt.NDArray[np.int16]
Faults = list[tuple[int, Fault]]  # with the row


@dataclass(slots=True)
class Draft:
    """Columns of one batch, all of its height. Attributes are text ("" where they could not be read).

    `fields` has a column, typed as its field, for each field of `data` that any event holds, and so for `sequence`,
    `cleared` (as in EVENTS) and `answers` (the JSON of dimensions, items and weights).
    """

    ids: list[str]
    sources: list[str]
    types: list[str]
    subjects: list[str]
    times: Sequence[str]  # as given
    instants: Micros  # of `times`, in microseconds; 0 where one is no time, which is then among the faults
    codes: Codes  # of `types`, see CODE_OF
    fields: dict[str, pl.Series] = field(default_factory=dict)
    faults: Faults = field(default_factory=list)

    @property
    def height(self) -> int:
        return len(self.ids)


def codes_of(types: Sequence[str]) -> Codes:
    """Number of each type's name in TYPES; -1: unknown."""
    return np.fromiter(map(CODE_OF.__getitem__, types), np.int16, len(types))


# For each field, by the code of a type: whether it has the field. The last one is also number -1, an unknown type.
_HAS: Final = {f.name: np.array([*(f.belongs_to(t.kind, t.complaint) for t in TYPES), False]) for f in FIELDS}


def present(codes: Codes) -> frozenset[int]:
    """Which types there are."""
    return frozenset(np.flatnonzero(np.bincount(codes + 1)) - 1)


def counting(field: Field, codes: Codes) -> Flags | None:
    """Which events are of a type that has the field; None: all."""
    rows = _HAS[field.name][codes]
    return None if bool(rows.all()) else rows


def instants_of(name: str, texts: Sequence[str]) -> tuple[Micros, Faults]:
    """Microseconds of RFC 3339 texts, 0 where one is no time, and the faults of those."""
    micros, fine = micros_of(texts)
    if bool(fine.all()):
        return micros, []
    return micros, [(row, bad_time(name, texts[row])) for row in np.flatnonzero(~fine).tolist()]


def bad_time(name: str, text: str) -> Fault:
    found = f'"{clipped(text)}" {fault_of(text)}'
    return fault(Refusal.BAD_TIME, name, f"{found}, expected {EXPECTED[Value.INSTANT]}")


def where(column: pl.Series, rows: Flags | pl.Series) -> pl.Series:
    """The column with null in all other rows."""
    return column.zip_with(pl.Series(rows), nothing(column.name, column.dtype, len(column)))


def nothing(name: str, dtype: pl.DataType, height: int) -> pl.Series:
    """A column that holds nothing."""
    return _nothing(dtype).new_from_index(0, height).alias(name)


@cache
def _nothing(dtype: pl.DataType) -> pl.Series:
    return pl.Series([None], dtype=dtype)


def rows_where(flags: pl.Series) -> list[int]:
    """Numbers of the rows that are true (null is not)."""
    return flags.arg_true().to_list()
