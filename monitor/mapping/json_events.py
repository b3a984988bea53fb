"""Columns of events, as a mapping makes them, to CloudEvents in structured mode: what `sqm send` publishes.

A cell is text; JSON has types. A cell becomes the JSON value that `read_columns` takes it for, and stays text where it
is none, so that both ways give the same events and refuse the same ones for the same reasons.
"""

import json

import polars as pl

from monitor.events.columns import FALSE_WORDS, TRUE_WORDS
from monitor.events.fields import FIELD, Value


def event_bytes(frame: pl.DataFrame) -> list[bytes]:
    """A JSON object for each row of columns id, source, type, subject, time, sequence and data_<field>."""
    parts = [pl.lit('"specversion":"1.0"')]
    parts += [_member(name, _quoted(name)) for name in ("id", "source", "type", "subject")]
    parts.append(_member("time", pl.col("time").dt.strftime('"%Y-%m-%dT%H:%M:%S%.6fZ"')))
    parts.append(_member("sequence", _quoted("sequence")))
    fields = [name.removeprefix("data_") for name in frame.columns if name.startswith("data_")]
    if fields:
        members = [_member(name, _value(name)) for name in fields]
        data = pl.concat_str(members, separator=",", ignore_nulls=True)
        parts.append(_member("data", pl.concat_str(pl.lit("{"), data, pl.lit("}"))))
    event = pl.concat_str(parts, separator=",", ignore_nulls=True)
    texts = frame.select(pl.concat_str(pl.lit("{"), event, pl.lit("}"))).to_series()
    return [text.encode() for text in texts]


def _member(name: str, value: pl.Expr) -> pl.Expr:
    """`"name":value`, null where the value is."""
    return pl.concat_str(pl.lit(f'"{name}":'), value)


def _quoted(column: str) -> pl.Expr:
    """The JSON string of a text column: polars writes it as the one member of an object, `{"_":…}`."""
    written = pl.struct(pl.col(column).alias("_")).struct.json_encode()
    return pl.when(pl.col(column).is_not_null()).then(written.str.slice(5).str.head(-1))


def _value(name: str) -> pl.Expr:
    """One field of `data` as JSON; null where the cell is blank and means nothing."""
    column = f"data_{name}"
    text = pl.col(column)
    words = text.str.strip_chars().str.to_lowercase()
    number = words.cast(pl.Float64, strict=False)
    false = words.is_in(FALSE_WORDS)
    match FIELD[name].value:
        case Value.NUMBER | Value.SECONDS:
            known = pl.when(number.is_not_null()).then(_number(number)).otherwise(_quoted(column))
        case Value.FLAG:
            known = pl.when(false).then(pl.lit("false")).when(words.is_in(TRUE_WORDS)).then(pl.lit("true"))
            known = known.otherwise(_quoted(column))
        case Value.GIVEN:
            known = pl.when(false | (number == 0).fill_null(False)).then(pl.lit("false")).otherwise(pl.lit("true"))
        case Value.ANSWERS | Value.WEIGHTS:
            known = text.map_elements(_object, return_dtype=pl.String)
        case _:
            return _quoted(column)
    return pl.when(words != "").then(known)


def _number(number: pl.Expr) -> pl.Expr:
    """As JSON, with the words for what is not finite that Python's reader (and ours) knows, and refuses."""
    special = pl.when(number.is_nan()).then(pl.lit("NaN")).when(number > 0).then(pl.lit("Infinity"))
    return pl.when(number.is_finite()).then(number.cast(pl.String)).otherwise(special.otherwise(pl.lit("-Infinity")))


def _object(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return json.dumps(text)
    return text
