"""Which events of a batch have not been counted before."""

from typing import NamedTuple

import polars as pl

_KEYS = ("event_key", "content_key")


class Unseen(NamedTuple):
    events: pl.DataFrame  # the first of each event that is new, in log order
    conflicting: int  # duplicates whose contents differ from the event that counts


def unseen(events: pl.DataFrame, history: pl.DataFrame, ids: pl.DataFrame) -> Unseen:
    """Leave out every event that was counted before or stands earlier in the batch.

    :param events: EVENTS in log order. An event is known by `event_key`, that is by (subject, source, id), so that
        it can only lie among the history of its own case or the remembered ids of measured events.
    :param history: HISTORY of these cases so far
    :param ids: IDS among these events' so far
    """
    before = history.select(_KEYS).filter(pl.col("event_key").is_in(events["event_key"].implode()))
    known = pl.concat([before, ids.select(_KEYS)])
    if known.height == 0 and not _has_twins(events["event_key"]):
        return Unseen(events, 0)
    firsts = events.unique("event_key", keep="first", maintain_order=True)
    fresh = firsts.join(known, on="event_key", how="anti", maintain_order="left")
    counted = pl.concat([known, fresh.select(_KEYS)])
    twins = events.select(_KEYS).join(counted, on="event_key", how="left", suffix="_counted")
    conflicting = twins.filter(pl.col("content_key") != pl.col("content_key_counted")).height
    return Unseen(fresh, conflicting)


def _has_twins(keys: pl.Series) -> bool:
    # Sorting and comparing neighbours is many times faster than hashing 128-bit keys.
    ordered = keys.sort()
    return bool((ordered == ordered.shift(1)).any())
