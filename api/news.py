"""What is new since the last tick: alerts that changed their state, verdicts that were published.

The replica tells of every delta and every alert as it takes them; they wait here for the next tick.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from threading import Lock
from typing import Final, NamedTuple

import polars as pl

from consumers.alerts_log import Row
from monitor.frames import CONTRIBUTIONS, empty
from monitor.names import Change
from monitor.state import STATE_VERDICTS, Delta

FOUND: Final = {**STATE_VERDICTS, "partition": pl.Int32()}
_LOUDEST: Final = [Change.BREACHED, Change.CORRECTED, Change.RESTATED, Change.REOPENED, Change.AT_RISK, Change.MET]
_RANKS: Final = {change: place for place, change in enumerate(_LOUDEST)}


class Told(NamedTuple):
    """News of one tick."""

    alerts: list[Row]  # newest transition of each, in the order they came
    verdicts: pl.DataFrame  # FOUND, the loudest first
    omitted: int  # published verdicts beyond `most`


def published(delta: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Of a delta's verdicts those that were published with it (STATE_VERDICTS).

    A row of a delta may only have moved to other labels. What counts as `<clock>.<outcome>` that did not before is
    told by the case's contributions, which a delta holds as differences.
    """
    rows = delta.get("verdicts", empty(STATE_VERDICTS)).filter(
        pl.col("change").is_not_null() & pl.col("outcome").is_not_null()
    )
    if not rows.height:
        return rows
    gained = (
        delta.get("contributions", empty(CONTRIBUTIONS))
        .group_by("case_key", pl.col("measure").cast(pl.String))
        .agg(pl.col("n").sum())
        .filter(pl.col("n") > 0)
    )
    measure = pl.concat_str(pl.col("clock").cast(pl.String), pl.lit("."), pl.col("outcome").cast(pl.String))
    counted = rows.with_columns(measure=measure).join(gained, on=["case_key", "measure"], how="semi")
    return counted.select(list(STATE_VERDICTS))


class News:
    """Collects between ticks; told in the event loop, taken from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, tuple[str, datetime]] = {}  # alert -> the transition that was told last
        self._alerts: dict[str, Row] = {}
        self._verdicts: list[pl.DataFrame] = []

    def on_alert(self, row: Row) -> None:
        """A transition; the replica tells all of them again when it begins anew."""
        identity, told = row["id"], (row["state"], row["at"])
        with self._lock:
            if self._known.get(identity) == told:
                return
            self._known[identity] = told
            self._alerts.pop(identity, None)
            self._alerts[identity] = row

    def forget(self, remembered: pl.Series) -> None:
        """Keep only what is known of these alerts."""
        if len(self._known) > 2 * len(remembered) + 1_000:
            held = set(remembered)
            with self._lock:
                self._known = {name: told for name, told in self._known.items() if name in held}

    def on_delta(self, partition: int, delta: Delta) -> None:
        """A delta was applied."""
        rows = published(delta)
        if rows.height:
            with self._lock:
                self._verdicts.append(rows.with_columns(partition=pl.lit(partition, dtype=pl.Int32)))

    def take(self, most: int) -> Told:
        """What came since the last time; of the verdicts at most that many."""
        with self._lock:
            alerts, self._alerts = list(self._alerts.values()), {}
            waiting, self._verdicts = self._verdicts, []
        rows = loudest_first(waiting)
        return Told(alerts, rows.head(most), max(0, rows.height - most))


def loudest_first(waiting: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The newest row of each clock, breaches and corrections first."""
    frames = list(waiting)
    if not frames:
        return empty(FOUND)
    newest = pl.concat(frames).unique(["case_key", "clock", "cycle"], keep="last", maintain_order=True)
    rank = pl.col("change").replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.Int32)
    return newest.sort(rank, maintain_order=True)
