"""Which events come too late to be counted, because what would tell whether they were counted is gone.

Only the order of arrival decides that; so it is recorded (each such event goes to the rejected topic), and what is
recorded is taken as given when the figures are made again.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from monitor.cells.grains import REACH
from monitor.frames import INSTANT, REFUSED, conform
from monitor.names import Kind, Refusal
from monitor.state import State

IDS_KEPT: Final = 5_000_000  # of measured events a partition remembers no more ids than about so many
_SURPLUS: Final = IDS_KEPT // 16  # they may be more by that many before some are forgotten

_TIME: Final = "%Y-%m-%d %H:%M:%S UTC"


def split(state: State, events: pl.DataFrame, *, ages: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events that are in time (as they were given), and what is said of the others (REFUSED).

    :param events: READ_EVENTS
    :param ages: whether events may be older than the cells; what was forgotten already is forgotten either way
    """
    archived = state.archived.of(events["case_key"])
    oldest = state.newest_event - REACH if ages and state.newest_event is not None else None
    known_from = state.ids.kept_from
    safe = max((at for at in (oldest, known_from) if at is not None), default=None)
    first = events["time"].min()
    if archived.height == 0 and (safe is None or not isinstance(first, datetime) or first >= safe):
        return events, conform(events.clear(), REFUSED)
    measured = pl.col("kind") == Kind.MEASURED
    told = events.join(archived, on="case_key", how="left", maintain_order="left").with_columns(
        message=pl.when(~measured & pl.col("at").is_not_null())
        .then(pl.format("its case was archived at {}, long after it had ended", _at("at")))
        .when(pl.col("time") < pl.lit(oldest, INSTANT))
        .then(_before(oldest, "the oldest figures that are kept"))
        .when(measured & (pl.col("time") < pl.lit(known_from, INSTANT)))
        .then(_before(known_from, "since when ids are remembered: nobody can tell whether it was counted"))
    )
    late = told["message"].is_not_null()
    what = told.filter(late).with_columns(
        pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
        reason=pl.lit(Refusal.LATE.value),
        field=pl.when(pl.col("message").str.starts_with("its time")).then(pl.lit("time")).otherwise(pl.lit("subject")),
    )
    return events.filter(~late), conform(what, REFUSED)


def ids_from(state: State, newest: datetime | None, horizon: timedelta) -> datetime | None:
    """From when on ids of measured events are remembered, after a batch; it never goes back.

    :param newest: time of the newest event
    :param horizon: `limits.dedup`
    """
    times = [state.ids.kept_from, state.ids.newest(IDS_KEPT, _SURPLUS)]
    if newest is not None:
        times.append((newest - horizon).replace(microsecond=0))
    return max((time for time in times if time is not None), default=None)


def _at(column: str) -> pl.Expr:
    return pl.col(column).dt.strftime(_TIME)


def _before(instant: datetime | None, what: str) -> pl.Expr:
    shown = "" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S} UTC"
    return pl.lit(f"its time lies before {shown}, {what}")
