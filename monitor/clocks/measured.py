"""Verdicts of `interaction.measured`: finished interactions that report only how long they took."""

from datetime import datetime

import numpy as np
import polars as pl

from monitor.cases import Ints, enumerated
from monitor.clocks.rules import Rules, rules_of
from monitor.frames import CLOCK, OUTCOME, SPAN, VERDICTS, conform, empty
from monitor.names import CLOCKS, LABELS, OUTCOMES, Clock, Outcome
from monitor.policy import PolicySet

_REPORTED = {Clock.FIRST_RESPONSE: "response_time", Clock.RESOLUTION: "resolution_time"}
_CODE = {outcome: np.uint8(code) for code, outcome in enumerate(OUTCOMES)}


def measured(events: pl.DataFrame, policies: PolicySet, now: datetime) -> pl.DataFrame:
    """Two verdicts of each event: reported seconds against the target's seconds, without calendars and pauses.

    `started` and `due` are null, the event's time is `stopped` and `decided`. Abandoned ones are excluded; without a
    reported time, or under a line of business days, there is no target.

    :param events: EVENTS of kind measured
    :param now: not used: they are settled
    :returns: VERDICTS, first all of first_response, then all of resolution
    """
    if events.height == 0:
        return empty(VERDICTS)
    rules = rules_of(policies)
    version = rules.version_of(events["time"].to_physical().to_numpy())
    chosen = rules.choose(events.select(*LABELS, "complaint"), version, list(_REPORTED))
    parts = [_verdicts(events, rules, version, clock, chosen[clock]) for clock in _REPORTED]
    return pl.concat(parts)


def _verdicts(events: pl.DataFrame, rules: Rules, version: Ints, clock: Clock, line: Ints) -> pl.DataFrame:
    reported = events[_REPORTED[clock]]
    elapsed = reported.to_physical().fill_null(0).to_numpy()
    given = reported.is_not_null().to_numpy()
    abandoned = events["abandoned"].fill_null(False).to_numpy()
    target = rules.within[line]
    targeted = (line >= 0) & (target > 0) & (given | abandoned)
    judged = targeted & ~abandoned
    outcome = np.where(elapsed <= target, _CODE[Outcome.MET], _CODE[Outcome.BREACHED])
    outcome = np.where(abandoned, _CODE[Outcome.EXCLUDED], outcome)
    outcome = np.where(targeted, outcome, _CODE[Outcome.NO_TARGET])
    timed = pl.Series(given & ~abandoned)
    frame = events.select(
        "case_key",
        "case",
        enumerated(np.full(events.height, CLOCKS.index(clock), dtype=np.uint8), CLOCK).alias("clock"),
        pl.lit(1, pl.Int32).alias("cycle"),
        "complaint",
        pl.Series("policy", version, dtype=pl.Int16),
        pl.Series("line", line - rules.first_line[version], dtype=pl.Int16).set(pl.Series(~judged), None),
        pl.Series("target", target).set(pl.Series(~judged), None).cast(SPAN),
        enumerated(outcome, OUTCOME).alias("outcome"),
        pl.when(timed).then("time").alias("stopped"),
        pl.lit(False).alias("cut"),
        pl.lit(False).alias("on_arrival"),
        reported.set(~timed, None).alias("elapsed"),
        pl.when(timed).then(pl.lit(0)).cast(SPAN).alias("paused"),
        pl.when(pl.Series(targeted)).then("time").alias("decided"),
        *LABELS,
    )
    return conform(frame, VERDICTS)
