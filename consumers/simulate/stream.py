"""The simulated events in the order of their times: history and live alike, whatever pieces they are taken in."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from consumers.simulate.lives import COLUMNS, INSTANT, lives
from consumers.simulate.plan import Plan, micros
from consumers.simulate.services import SERVICES, Service

AHEAD = 60_000_000  # microseconds: cases are made up a minute before they open
LONGEST_LIFE = 60 * 86_400_000_000  # no case lasts longer; what a restart has to look back


class Stream:
    """Yields events of a plan from `start` on; `plan` may grow (incidents, spans) beyond what was taken."""

    def __init__(self, plan: Plan, start: datetime | None = None, services: Sequence[Service] = SERVICES) -> None:
        self.plan = plan
        self._services = services
        self._pending = pl.DataFrame(schema=COLUMNS)  # sorted by `at`; what is not taken yet
        self._opened_to = plan.origin
        if start is not None:
            self._opened_to = max(plan.origin, micros(start) - LONGEST_LIFE)
            self.take(start)

    def take(self, to: datetime) -> pl.DataFrame:
        """Events before `to` that were not taken yet, ordered by time, subject, id; `time` is their instant."""
        end = micros(to)
        if end > self._opened_to:
            self._make_up(end)
        split = int(self._pending["at"].search_sorted(end))
        candidates, later = self._pending[:split], self._pending[split:]
        candidates = candidates.with_columns(self._instants(candidates).alias("time"))
        waiting = candidates.filter(pl.col("time") >= end).drop("time")
        if waiting.height:
            later = pl.concat([waiting, later])
        self._pending = later
        ready = candidates.filter(pl.col("time") < end).sort("time", "subject", "id")
        return _waited(ready).drop("at", "work").with_columns(pl.col("time").cast(INSTANT))

    def _make_up(self, end: int) -> None:
        to = -(-end // AHEAD) * AHEAD + AHEAD
        parts = [self._pending]
        for service in self._services:
            n, opened = self.plan.openings(service, self._opened_to, to)
            if len(n):
                parts.append(lives(service, self.plan.seed, n, opened))
        self._opened_to = to
        self._pending = pl.concat(parts).sort("at", "subject", "id")

    def _instants(self, events: pl.DataFrame) -> pl.Series:
        """When they happen, given the incidents."""
        instants = events["at"]
        for service in self._services:
            mine = events["work"] & (events["source"] == service.source)
            moved = pl.Series(self.plan.delayed(service, events["at"].to_numpy()))
            instants = moved.zip_with(mine, instants)
        return instants.alias("time")


def _waited(ready: pl.DataFrame) -> pl.DataFrame:
    """Reported times of finished calls include what the incident made them wait."""
    late = (pl.col("time") - pl.col("at")) / 1e6
    return ready.with_columns(pl.col("data_response_time_s", "data_resolution_time_s") + late)
