"""What the columns of a `Draft` hold against what EVENTS.md allows, rule by rule, a whole batch at a time.

Each rule looks at a column as a whole first; rows are only looked at one by one where something is wrong.
"""

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

import numpy as np
import polars as pl

from monitor.events.draft import Draft, Faults, counting, present, rows_where
from monitor.events.faults import Fault, clipped, fault, missing, off_bounds, shown
from monitor.events.fields import (
    FIELD,
    FIRST_YEAR,
    LAST_YEAR,
    LONGEST_TEXT,
    TYPES,
    Field,
    Value,
    fields_of,
    nearest_type,
    number_text,
)
from monitor.events.json_values import EXPECTED_ATTRIBUTES
from monitor.events.times import Flags
from monitor.names import Kind, Refusal

_ADVANCED: Final = next(code for code, t in enumerate(TYPES) if t.kind is Kind.ADVANCED)
_COMPLAINTS: Final = np.array([*(t.complaint for t in TYPES), False])


def faults_of(draft: Draft, attributes: dict[str, pl.Series], *, future_after: datetime | None) -> Faults:
    """All that is wrong with the events of a draft; `attributes`: its texts id, source, type, subject as columns."""
    faults = [*draft.faults, *_types(draft), *_times(draft, future_after)]
    texts = [column for name, column in draft.fields.items() if column.dtype == pl.String and name != "answers"]
    faults += _sizes(draft, list(attributes.values()), texts)
    for name, column in draft.fields.items():
        if name in FIELD:
            faults += _values(draft, FIELD[name], column)
    for field in fields_of(present(draft.codes)):
        if field.required:
            faults += _required(draft, field)
    faults += _scores(draft)
    return faults


def _types(draft: Draft) -> Faults:
    rows = np.flatnonzero(draft.codes < 0).tolist()
    return [(row, _unknown_type(draft.types[row])) for row in rows]


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = _micros(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))
_LAST: Final = _micros(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)) - 1


def _unknown_type(name: str) -> Fault:
    if not name:
        return missing("type", EXPECTED_ATTRIBUTES["type"])
    close = nearest_type(name)
    meant = f'did you mean "{close}"?' if close else f"expected {EXPECTED_ATTRIBUTES['type']}"
    return fault(Refusal.UNKNOWN_TYPE, "type", f'found "{clipped(name, 80)}", {meant}')


def _sizes(draft: Draft, attributes: list[pl.Series], texts: list[pl.Series]) -> Faults:
    """Texts that are too long, and attributes that are empty; one query says whether there are any."""
    columns = attributes + texts
    shortest = pl.col(column.name for column in attributes).str.len_bytes().min().name.suffix(" shortest")
    sizes = pl.DataFrame(columns).select(pl.all().str.len_bytes().max(), shortest).row(0)
    faults: Faults = []
    for column, longest in zip(columns, sizes, strict=False):
        if longest is not None and longest > LONGEST_TEXT:
            faults += _too_long(column)
    for column, least in zip(attributes, sizes[len(columns) :], strict=True):
        if least == 0:
            faults += _empty(draft, column)
    return faults


def _empty(draft: Draft, column: pl.Series) -> Faults:
    wrong = missing(column.name, EXPECTED_ATTRIBUTES[column.name])
    rows = rows_where(column == "")
    return [(row, wrong) for row in rows if column.name != "subject" or draft.codes[row] != _ADVANCED]


def nul_faults(column: pl.Series) -> Faults:
    """Texts that hold a NUL character, which would make keys ambiguous."""
    wrong = fault(Refusal.UNKNOWN_VALUE, column.name, "found a NUL character, expected text without")
    return [(row, wrong) for row in rows_where(column.str.contains("\0", literal=True))]


def _too_long(column: pl.Series) -> Faults:
    lengths = column.str.len_chars()
    return [
        (
            row,
            fault(Refusal.TOO_LARGE, column.name, f"found {lengths[row]} characters, expected at most {LONGEST_TEXT}"),
        )
        for row in rows_where(lengths > LONGEST_TEXT)
    ]


def _times(draft: Draft, future_after: datetime | None) -> Faults:
    instants, faults = draft.instants, []
    for row in _rows(instants < _FIRST) + _rows(instants > _LAST):
        message = f'found "{draft.times[row]}", expected a time in the years {FIRST_YEAR} to {LAST_YEAR}'
        faults.append((row, fault(Refusal.BAD_TIME, "time", message)))
    if future_after is not None:
        latest = future_after.astimezone(UTC)
        for row in _rows(instants > min(_micros(latest), _LAST)):
            known = latest.isoformat().replace("+00:00", "Z")
            message = f'found "{draft.times[row]}", expected a time not after {known}, as of now'
            faults.append((row, fault(Refusal.FUTURE_TIME, "time", message)))
    return faults


def _rows(flags: Flags) -> list[int]:
    return np.flatnonzero(flags).tolist() if bool(flags.any()) else []


def _values(draft: Draft, field: Field, column: pl.Series) -> Faults:
    if field.value in (Value.NUMBER, Value.SECONDS):
        return _bounds(field, column)
    if field.choices or field.complaint_choices:
        return _choices(draft, field, column)
    return []


def _bounds(field: Field, column: pl.Series) -> Faults:
    faults: Faults = []
    if field.positive:
        message = f"found 0, expected {field.expected}"
        faults += [(row, fault(Refusal.OFF_SCALE, field.name, message)) for row in rows_where(column == 0)]
    if _all_within(column, field.least, field.most):
        return faults
    fine = column.is_finite() & (column >= field.least)
    if field.most is not None:
        fine &= column <= field.most
    scale = field.value is Value.NUMBER and field.most is not None
    rows = rows_where(~fine)
    found = [off_bounds(field.name, column[row], field.least, field.most, scale=scale) for row in rows]
    return faults + [(row, wrong) for row, wrong in zip(rows, found, strict=True) if wrong is not None]


def _all_within(column: pl.Series, least: float | None, most: float | None) -> bool:
    """Whether the numbers of a column are finite and within bounds, seen from three aggregates."""
    lowest, highest = column.min(), column.max()
    if not isinstance(lowest, float) or not isinstance(highest, float) or not isfinite(column.sum()):
        return False
    return (least is None or lowest >= least) and (most is None or highest <= most)


def _choices(draft: Draft, field: Field, column: pl.Series) -> Faults:
    faults: Faults = []
    complaints = _COMPLAINTS[draft.codes]
    for concerned, allowed in ((~complaints, field.allowed(False)), (complaints, field.allowed(True))):
        if not allowed or not concerned.any() or set(column.unique().to_list()) <= {None, *allowed}:
            continue
        for row in rows_where(~column.is_in(allowed) & pl.Series(concerned)):
            message = f"found {shown(column[row])}, expected one of {', '.join(allowed)}"
            faults.append((row, fault(Refusal.UNKNOWN_VALUE, field.name, message)))
    return faults


def _required(draft: Draft, field: Field) -> Faults:
    needed = counting(field, draft.codes)
    column = draft.fields.get(field.name)
    absent = np.ones(draft.height, np.bool_) if column is None else column.is_null().to_numpy()
    rows = np.flatnonzero(absent if needed is None else absent & needed)
    return [(row, missing(field.name, field.expected)) for row in rows.tolist()]


def _scores(draft: Draft) -> Faults:
    score, most = draft.fields.get("score"), draft.fields.get("max_score")
    if score is None or most is None:
        return []
    faults: Faults = []
    for row in rows_where(score > most):
        message = f"found {number_text(score[row])}, expected at most max_score, which is {number_text(most[row])}"
        faults.append((row, fault(Refusal.OFF_SCALE, "score", message)))
    return faults
