"""Why measured interactions have their verdicts: each by the version of the policy in force at its time."""

from datetime import timedelta

import polars as pl
import pytest

from monitor.explain import Explanation, explain_measured
from monitor.frames import EVENTS, conform
from monitor.policy import load
from tests.monitor.lives import at, history

TWO = load(
    [
        (
            "p.yaml",
            "policy: two\ntargets:\n  - {clock: first_response, within: 4h}\n  - {clock: resolution, within: 2h}\n---\n"
            "policy: two\neffective_from: 2026-03-04T00:00:00Z\n"
            "calendars: {desk: {zone: UTC, hours: {mon-fri: ['09:00-17:00']}}}\n"
            "targets:\n  - {clock: resolution, within: 2 business_days, calendar: desk}\n",
        )
    ]
)


def explained(life: str, seconds: float | None = 20_000) -> Explanation:
    taken = pl.lit(None if seconds is None else timedelta(seconds=seconds), pl.Duration("us"))
    events = history(c=life).with_columns(response_time=taken, resolution_time=taken)
    return explain_measured(conform(events, EVENTS), TWO, at("Fri 12:00"))


def test_each_measured_event_is_told_by_the_version_in_force_at_its_time() -> None:
    found = explained("10:00 measured; Thu 10:00 measured")
    assert [(story.clock, story.words) for story in found.stories] == [
        (
            "first_response",
            "5 h 33 m 20 s reported at 2026-03-02T10:00:00Z, line 1 (every case) wants 4 h: breached",
        ),
        ("resolution", "5 h 33 m 20 s reported at 2026-03-02T10:00:00Z, line 2 (every case) wants 2 h: breached"),
        (
            "resolution",
            "5 h 33 m 20 s reported at 2026-03-05T10:00:00Z, line 1 (every case) wants 2 business days by the desk "
            "calendar, no span: no target, so no verdict",
        ),
    ]
    assert found.notes[1] == (
        "It was reported as a whole at 2026-03-05T10:00:00Z: judged by policy two, version 2 of 2 "
        "(from 2026-03-04T00:00:00Z). Calendars and pauses have no say."
    )


@pytest.mark.parametrize("seconds", [None, 60])
def test_what_was_reported_is_told_at_its_time(seconds: float | None) -> None:
    """Not as of now, even if no time was reported."""
    found = explained("10:00 measured", seconds)
    assert {entry.at for story in found.stories for entry in story.entries} == {at("10:00")}
    if seconds is None:
        assert found.stories[0].words == "no time was reported at 2026-03-02T10:00:00Z: no target, so no verdict"
