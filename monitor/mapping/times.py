"""Written times to instants, a column at once."""

import polars as pl

from monitor.frames import INSTANT
from monitor.mapping.model import TimeFormat

# date, hour:minute, seconds, fraction, offset; a date alone is its midnight
_ISO = (
    r"^\s*(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ]+(?P<minute>\d{2}:\d{2})(?::(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d+))?)?)?"
    r"\s*(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?\s*$"
)
_DAY = pl.duration(days=1)


def instants(written: pl.Series, time: TimeFormat) -> pl.Series:
    """Instants (UTC) of a column: text, dates, or datetimes with or without zone. Null where it is no time.

    Text is read by `time.format` where that fits, else as ISO 8601 (a space for the T and any fraction are fine).
    Without an offset of its own a time is one of `time.zone`; without that it is null, since nobody could
    say when it was.
    """
    frame = written.to_frame("written")
    dtype = written.dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return frame.select(pl.col("written").dt.cast_time_unit("us").dt.convert_time_zone("UTC")).to_series()
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return frame.select(_localised(pl.col("written").cast(pl.Datetime("us")), time.zone)).to_series()
    frame = frame.with_columns(pl.col("written").cast(pl.String))
    if time.format is None:
        return frame.select(_iso(time.zone).alias("instant")).to_series()
    found = frame.select(_formatted(time.format, time.zone).alias("instant"))
    if (found["instant"].is_null() & frame["written"].is_not_null()).any():
        found = frame.select(pl.coalesce(found["instant"], _iso(time.zone)).alias("instant"))
    return found.to_series()


def _formatted(form: str, zone: str | None) -> pl.Expr:
    text = pl.col("written").str.strip_chars()
    if any(mark in form for mark in ("%z", "%:z", "%#z", "%+", "%s")):
        aware = text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
        return aware
    return _localised(text.str.to_datetime(form, time_unit="us", strict=False), zone)


def _iso(zone: str | None) -> pl.Expr:
    part = pl.col("written").str.extract_groups(_ISO).struct
    text = pl.concat_str(
        part["date"],
        pl.lit("T"),
        part["minute"].fill_null("00:00"),
        pl.lit(":"),
        part["second"].fill_null("00"),
        pl.lit("."),
        part["fraction"].fill_null("").str.pad_end(6, "0").str.head(6),
    )
    naive = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    digits = part["offset"].str.replace_all(r"\D", "").str.pad_end(4, "0")
    minutes = digits.str.head(2).cast(pl.Int64) * 60 + digits.str.tail(2).cast(pl.Int64)
    east = pl.when(part["offset"].str.starts_with("-")).then(-minutes).otherwise(minutes)
    aware = naive.dt.replace_time_zone("UTC") - pl.duration(minutes=east)
    return pl.when(part["offset"].is_null()).then(_localised(naive, zone)).otherwise(aware)


def _localised(naive: pl.Expr, zone: str | None) -> pl.Expr:
    """Local times as instants: one in a gap moves forward by the gap, one that occurs twice is the first."""
    if zone is None:
        return pl.lit(None, INSTANT)
    local = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    day_before = (naive - _DAY).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(local.dt.convert_time_zone("UTC"), day_before.dt.convert_time_zone("UTC") + _DAY)
