"""Tables of events to a `Draft`: columns `id source type subject time sequence` and `data_<field>`, null: absent.

A cell is read as the JSON value it stands for, by the same rules as in JSON. Two things are wider: text columns may be
dictionary-encoded, and nested answers may be given as text that holds JSON. With `from_text` (files, whose cells are
text) numbers and flags are read from text, other columns are turned into it, and blank cells are absent.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import polars as pl

from monitor.events.draft import Draft, Faults, codes_of, counting, instants_of, nothing, rows_where, where
from monitor.events.faults import missing, off_bounds, wrong_type
from monitor.events.fields import EXPECTED, FIELDS, Field, Value
from monitor.events.json_values import EXPECTED_ATTRIBUTES
from monitor.events.structs import ANSWERS, add_answers, promises_of
from monitor.events.times import Micros
from monitor.frames import INSTANT

TRUE_WORDS: Final = ("true", "1", "yes", "t", "y")
FALSE_WORDS: Final = ("false", "0", "no", "f", "n")
Column = tuple[pl.Series, Faults]


def draft_of_columns(frame: pl.DataFrame, *, from_text: bool) -> Draft:
    """The events of a table, one a row."""
    faults: Faults = []
    texts: dict[str, pl.Series] = {}
    for name in ("id", "source", "type", "subject", "sequence"):
        texts[name], wrong = _text(_column(frame, name), name, EXPECTED_ATTRIBUTES[name], from_text)
        faults += wrong
    given, instants, wrong = _times(_column(frame, "time"))
    types = _list(texts["type"])
    draft = Draft(
        ids=_list(texts["id"]),
        sources=_list(texts["source"]),
        types=types,
        subjects=_list(texts["subject"]),
        times=given,
        instants=instants,
        codes=codes_of(types),
        faults=faults + wrong,
    )
    _add(draft, "sequence", texts["sequence"].set(texts["sequence"] == "", None))
    _add_data(draft, frame, from_text)
    return draft


def _add(draft: Draft, name: str, column: pl.Series) -> None:
    if column.null_count() < len(column):
        draft.fields[name] = column.alias(name)


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    return frame[name] if name in frame.columns else nothing(name, pl.String(), frame.height)


def _list(column: pl.Series) -> list[str]:
    return (column.fill_null("") if column.null_count() else column).to_list()


def _add_data(draft: Draft, frame: pl.DataFrame, from_text: bool) -> None:
    answers: dict[str, list[Any]] = {}
    for field in FIELDS:
        column = _column(frame, f"data_{field.name}")
        counts = counting(field, draft.codes)
        column = column if counts is None else where(column, counts)
        if column.null_count() == len(column):
            continue
        if field.name in ANSWERS:
            answers[field.name] = _nested(column)
            continue
        read, faults = _READERS[field.value](field, column, from_text)
        draft.faults += faults
        _add(draft, field.name, read)
    if answers:
        add_answers(draft, answers)


def _times(column: pl.Series) -> tuple[list[str], Micros, Faults]:
    """The times as given, in microseconds (0 where one is no time), and the faults of those that are none."""
    absent = [(row, missing("time", EXPECTED[Value.INSTANT])) for row in rows_where(column.is_null())]
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        instants = _instants(column)
        micros = instants.to_physical().fill_null(0).to_numpy()
        return _list(instants.dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")), micros, absent
    texts, faults = _text(column, "time", EXPECTED[Value.INSTANT], from_text=False)
    if isinstance(column.dtype, pl.Datetime):  # without a zone: text says best what is missing
        texts, faults = column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f"), []
    given = _list(texts)
    micros, unread = instants_of("time", given)
    known = {row for row, _ in absent + faults}
    return given, micros, absent + faults + [(row, wrong) for row, wrong in unread if row not in known]


def _instants(column: pl.Series) -> pl.Series:
    """Instants cut to microseconds."""
    return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us").cast(INSTANT)


def _wrong(name: str, column: pl.Series, expected: str, rows: pl.Series) -> Faults:
    return [(row, wrong_type(name, _shown(column[row]), expected)) for row in rows_where(rows)]


def _shown(value: Any) -> Any:
    return value.to_list() if isinstance(value, pl.Series) else value


def _text(column: pl.Series, name: str, expected: str, from_text: bool) -> Column:
    """Texts; a column of another type is turned into text if `from_text`, else wrong wherever it holds something."""
    if column.dtype == pl.Null or isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        return column, []
    if from_text and not column.dtype.is_nested() and column.dtype != pl.Binary:
        return column.cast(pl.String), []
    return nothing(name, pl.String(), len(column)), _wrong(name, column, expected, column.is_not_null())


def _read_text(field: Field, column: pl.Series, from_text: bool) -> Column:
    texts, faults = _text(column, field.name, field.expected, from_text)
    return texts.set(texts == "", None) if from_text or field.value is Value.LABEL else texts, faults


def _read_shown(field: Field, column: pl.Series, from_text: bool) -> Column:
    if column.dtype.is_float():
        texts = pl.Series([None if value is None else str(value) for value in column.to_list()], dtype=pl.String)
        return texts, _unbounded(field, column, None)
    return _read_text(field, column, from_text or column.dtype.is_integer())


def _unbounded(field: Field, column: pl.Series, least: float | None) -> Faults:
    found = [
        (row, off_bounds(field.name, column[row], least, None, scale=False))
        for row in rows_where(~(column.is_finite() & (column >= (least if least is not None else -np.inf))))
    ]
    return [(row, wrong) for row, wrong in found if wrong is not None]


def _read_number(field: Field, column: pl.Series, from_text: bool) -> Column:
    if column.dtype.is_numeric():
        return column.cast(pl.Float64), []
    texts, faults = _text(column, field.name, field.expected, from_text=False)
    if faults or not from_text:
        return nothing(field.name, pl.Float64(), len(texts)), faults or _wrong(
            field.name, texts, field.expected, texts.is_not_null()
        )
    trimmed = texts.str.strip_chars()
    numbers = trimmed.cast(pl.Float64, strict=False)
    return numbers, _wrong(field.name, texts, field.expected, numbers.is_null() & (trimmed != ""))


def _read_flag(field: Field, column: pl.Series, from_text: bool) -> Column:
    if column.dtype == pl.Boolean:
        return column, []
    texts, faults = _text(column, field.name, field.expected, from_text)
    if faults or not from_text:
        return nothing(field.name, pl.Boolean(), len(texts)), faults or _wrong(
            field.name, texts, field.expected, texts.is_not_null()
        )
    words = texts.str.strip_chars().str.to_lowercase()
    flags = words.is_in(TRUE_WORDS)
    known = flags | words.is_in(FALSE_WORDS)
    return where(flags, known.fill_null(False)), _wrong(field.name, texts, field.expected, ~known & (words != ""))


def _read_instant(field: Field, column: pl.Series, from_text: bool) -> Column:
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is not None:
            return _instants(column), []
        column = column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
    texts, faults = _text(column, field.name, field.expected, from_text=False)
    if from_text:
        texts = texts.set(texts == "", None)
    instants, unread = promises_of(texts.alias(field.name))
    return instants, faults + unread


def _read_given(field: Field, column: pl.Series, from_text: bool) -> Column:
    if column.dtype == pl.Boolean:
        return column, []
    if column.dtype.is_numeric():
        return column != 0, _unbounded(field, column.cast(pl.Float64), 0)
    texts, faults = _text(column, field.name, field.expected, from_text=False)
    if not from_text:
        return where(texts != "", (texts != "").fill_null(False)), faults
    words = texts.str.strip_chars().str.to_lowercase()
    given = ~words.is_in(FALSE_WORDS) & (words.cast(pl.Float64, strict=False).fill_null(1) != 0)
    return where(given, (words != "").fill_null(False)), faults


def _nested(column: pl.Series) -> list[Any]:
    """Answers as dicts: of structs, of Arrow maps (lists of key and value) or of text that holds JSON."""
    return [_dict(value) for value in column.to_list()]


def _dict(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            return value  # reported as text where an object is expected
    if isinstance(value, list) and all(isinstance(entry, dict) and {"key", "value"} == set(entry) for entry in value):
        return {entry["key"]: _dict(entry["value"]) for entry in value}
    return value


_READERS: Final[dict[Value, Callable[[Field, pl.Series, bool], Column]]] = {
    Value.LABEL: _read_text,
    Value.TEXT: _read_text,
    Value.SHOWN: _read_shown,
    Value.FLAG: _read_flag,
    Value.NUMBER: _read_number,
    Value.SECONDS: _read_number,
    Value.INSTANT: _read_instant,
    Value.GIVEN: _read_given,
}
