"""Measured interactions: reported seconds against the target's seconds."""

from datetime import timedelta

import polars as pl
import pytest

from monitor.clocks import measured
from monitor.frames import EVENTS, SPAN, VERDICTS, conform
from tests.monitor.lives import at, check, history, policy

POLICIES = policy(
    "clock: first_response, when: {priority: P1}, within: 15m, calendar: day, pauses: [customer]",
    "clock: first_response, when: {priority: '*'}, within: 2 business_days, calendar: day",
    "clock: first_response, within: 1h",
    "clock: resolution, within: 8h",
    "clock: promise",
    calendars="{day: {zone: UTC, hours: {mon-fri: ['09:00-18:00']}}}",
)


def judged(
    response: float | None, resolution: float | None, labels: str = "", abandoned: bool | None = None
) -> pl.DataFrame:
    spans = [None if s is None else timedelta(seconds=s) for s in (response, resolution)]
    events = history(m=f"03:00 measured {labels}").with_columns(
        pl.lit(spans[0], SPAN).alias("response_time"),
        pl.lit(spans[1], SPAN).alias("resolution_time"),
        pl.lit(abandoned, pl.Boolean).alias("abandoned"),
    )
    rows = measured(conform(events, EVENTS), POLICIES, at("04:00"))
    assert dict(rows.schema) == dict(VERDICTS)
    assert rows.height == 2
    return rows


@pytest.mark.parametrize(
    ("response", "resolution", "labels", "first_response", "of_resolution"),
    [
        (900, 28_800, "priority=P1", "met target=0:15 elapsed=0:15 line=0 priority=P1", "met elapsed=8:00"),
        (900.000001, 28_801, "priority=P1", "breached elapsed=0:15:00.000001", "breached target=8:00"),
        (0, 0, "", "met elapsed=0:00 line=2", "met"),
        (60, 60, "priority=P2", "no_target elapsed=0:01 line=- target=- decided=-", "met"),  # business days
        (None, 60, "", "no_target elapsed=- stopped=-", "met"),
        (60, None, "", "met started=- due=- decided=03:00 wake=- paused=0:00 cut=false", "no_target"),
    ],
)
def test_reported_times_are_compared_with_the_targets_seconds(
    response: float | None, resolution: float | None, labels: str, first_response: str, of_resolution: str
) -> None:
    rows = judged(response, resolution, labels)
    check(rows, "first_response", first_response)
    check(rows, "resolution", of_resolution)


def test_abandoned_ones_are_excluded() -> None:
    rows = judged(60, None, abandoned=True)
    check(rows, "first_response", "excluded elapsed=- stopped=- decided=03:00 line=-")
    check(rows, "resolution", "excluded elapsed=-")
    check(judged(None, None, "priority=P2", abandoned=True), "first_response", "no_target")


def test_no_events_make_no_verdicts() -> None:
    assert measured(conform(history(), EVENTS), POLICIES, at("04:00")).equals(pl.DataFrame(schema=dict(VERDICTS)))
