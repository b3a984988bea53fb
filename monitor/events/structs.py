"""Structs of events to the columns of a `Draft`, one comprehension a column."""

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from monitor.events.answers import answers_json
from monitor.events.draft import Draft, Faults, counting, instants_of, nothing, present, where
from monitor.events.faults import Refused, off_bounds
from monitor.events.fields import FIELDS, Field, Value, fields_of
from monitor.events.json_values import Decoded
from monitor.events.times import Flags
from monitor.frames import INSTANT
from monitor.names import LABELS

ANSWERS: Final = ("dimensions", "items", "weights")

# `[row.x for row in rows]` for each field x: a third faster than `map(attrgetter("x"), rows)`, and most of the fields
# of most events are read only to find them absent. Nothing but the names of our own table is evaluated.
_VALUES_OF: Final[dict[str, Callable[[list[Any]], list[Any]]]] = {
    f.name: eval(f"lambda rows: [row.{f.name} for row in rows]") for f in FIELDS
}


def draft_of(decoded: Decoded) -> Draft:
    """The columns of structs."""
    events = decoded.events
    times = [event.time for event in events]
    instants, bad_times = instants_of("time", times)
    subjects: list[Any] = [event.subject for event in events]
    draft = Draft(
        ids=[event.id for event in events],
        sources=[event.source for event in events],
        types=decoded.types,
        subjects=["" if text is None else text for text in subjects] if None in subjects else subjects,
        times=times,
        instants=instants,
        codes=decoded.codes,
        faults=[*decoded.faults.items(), *bad_times],
    )
    sequences = [event.sequence for event in events]
    if any(sequences):
        draft.fields["sequence"] = pl.Series("sequence", [text or None for text in sequences], pl.String)
    _add_data(draft, [event.data for event in events], decoded)
    return draft


def _add_data(draft: Draft, rows: list[Any], decoded: Decoded) -> None:
    """The columns of `data`: only fields that count for a type in the batch, and only if any event holds them."""
    answers: dict[str, list[Any]] = {}
    for field in fields_of(present(draft.codes)):
        absent = "" if field.value is Value.LABEL else None
        if field.name in decoded.shape.fields:
            values = _VALUES_OF[field.name](rows)
        elif decoded.strays:
            values = _of_strays(field, rows, decoded.strays, absent)
        else:
            continue
        if values[0] == absent and values.count(absent) == len(values):
            continue
        counts = counting(field, draft.codes)
        if field.name in ANSWERS:
            answers[field.name] = _only(values, counts)
            continue
        column, faults = column_of(field, values, counts)
        draft.fields[field.name] = column
        draft.faults += faults
        if field.value is Value.LABEL:
            _note_cleared(draft, field, column, counts)
    if answers:
        add_answers(draft, answers)


def _of_strays(field: Field, rows: list[Any], strays: list[int], absent: str | None) -> list[Any]:
    """The values of a field that the learned shape lacks: only what does not fit that can hold it."""
    values: list[Any] = [absent] * len(rows)
    for row in strays:
        values[row] = getattr(rows[row], field.name)
    return values


def _only(values: list[Any], counts: Flags | None) -> list[Any]:
    """The values with None where the field does not count."""
    if counts is None:
        return values
    return [value if counted else None for value, counted in zip(values, counts.tolist(), strict=True)]


def _note_cleared(draft: Draft, field: Field, column: pl.Series, counts: Flags | None) -> None:
    """Adds the label's bit to `cleared` where it was null, and empties it where it is absent."""
    if column.null_count():
        cleared = column.is_null() if counts is None else column.is_null() & pl.Series(counts)
        bits = cleared.cast(pl.UInt8) * (1 << LABELS.index(field.name))
        before = draft.fields.get("cleared")
        if before is not None:
            bits |= before.fill_null(0)
        draft.fields["cleared"] = bits.set(bits == 0, None).alias("cleared")
    empty = column == ""
    if empty.any():
        draft.fields[field.name] = column.set(empty, None)


def column_of(field: Field, values: list[Any], counts: Flags | None) -> tuple[pl.Series, Faults]:
    """A column of values of the right JSON type, null where they do not count, and the faults seen on the way."""
    match field.value:
        case Value.GIVEN:
            return _given(field, _only(values, counts))
        case Value.SHOWN:
            return _shown(field, _only(values, counts))
        case Value.FLAG:
            column = pl.Series(field.name, values, pl.Boolean)
        case Value.NUMBER | Value.SECONDS:
            column = pl.Series(field.name, values, pl.Float64)
        case _:
            column = pl.Series(field.name, values, pl.String)
    column = column if counts is None else where(column, counts)
    return promises_of(column) if field.value is Value.INSTANT else (column, [])


def promises_of(texts: pl.Series) -> tuple[pl.Series, Faults]:
    """Instants of a column of RFC 3339 texts, some of them null, and the faults of the others."""
    rows = texts.is_not_null().arg_true()
    micros, faults = instants_of(texts.name, texts.drop_nulls().to_list())
    column = nothing(texts.name, pl.Int64(), len(texts)).scatter(rows, micros).cast(INSTANT)
    return column, [(rows[row], wrong) for row, wrong in faults]


def _given(field: Field, values: list[Any]) -> tuple[pl.Series, Faults]:
    given = [None if value is None or value == "" else bool(value) for value in values]
    return pl.Series(field.name, given, pl.Boolean), _faults_of_numbers(field, values, 0)


def _shown(field: Field, values: list[Any]) -> tuple[pl.Series, Faults]:
    try:
        return pl.Series(field.name, values, pl.String), []
    except TypeError:  # numbers among them
        texts = [value if value is None or isinstance(value, str) else str(value) for value in values]
        return pl.Series(field.name, texts, pl.String), _faults_of_numbers(field, values, None)


def _faults_of_numbers(field: Field, values: list[Any], least: float | None) -> Faults:
    found = [
        (row, off_bounds(field.name, value, least, None, scale=False))
        for row, value in enumerate(values)
        if isinstance(value, int | float)
    ]
    return [(row, wrong) for row, wrong in found if wrong is not None]


def add_answers(draft: Draft, given: dict[str, list[Any]]) -> None:
    """The column `answers` from those of dimensions, items and weights."""
    none = [None] * draft.height
    answers: list[str | None] = list(none)
    for row, parts in enumerate(zip(*(given.get(name, none) for name in ANSWERS), strict=True)):
        if parts == (None, None, None):
            continue
        try:
            answers[row] = answers_json(*parts)
        except Refused as refused:
            draft.faults.append((row, refused.fault))
    draft.fields["answers"] = pl.Series("answers", answers, pl.String)
