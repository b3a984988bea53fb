"""The record of breach alerts against the verdicts that should stand in it, as a table."""

from datetime import timedelta

import polars as pl
import pytest

from monitor.frames import ALERTS, empty
from monitor.verify import compare_alerts
from tests.monitor.test_alerts import MINUTE, NEWEST, T0, run, verdict

NOW = T0 + 10 * MINUTE


def recorded(*ticks: tuple[float, pl.DataFrame | None]) -> pl.DataFrame:
    """The alerts after ticks that saw those verdicts."""
    steps = run([(minute, None, seen) for minute, seen in ticks])
    return steps[-1][1].alerts if steps else empty(ALERTS)


STOPPED = verdict(stopped=T0 + 5 * MINUTE)
MET = verdict(outcome="met", stopped=T0 - MINUTE)


@pytest.mark.parametrize(
    ("record", "now_stands", "said"),
    [
        ([(1, verdict())], verdict(), None),
        ([(1, verdict()), (6, STOPPED)], STOPPED, None),
        ([(1, verdict()), (12, STOPPED)], verdict(), None),  # it stopped after the state was looked at
        ([(12, verdict())], MET, None),  # it was breached after the state was looked at
        ([], verdict(due=NOW - timedelta(seconds=20)), None),  # the judge may not have come to it yet
        ([], verdict(on_arrival=True), None),
        ([], verdict(), "case c-1, first response: live no alert, recomputed breached and running"),
        ([(1, verdict())], MET, "case c-1, first response: live firing, recomputed not running past its due"),
        ([(1, verdict()), (2, STOPPED)], verdict(), "live no alert, recomputed breached and running"),
    ],
)
def test_what_stands_on_record_is_what_the_verdicts_say(
    record: list[tuple[float, pl.DataFrame | None]], now_stands: pl.DataFrame, said: str | None
) -> None:
    running = now_stands.filter(pl.col("outcome") == "breached", pl.col("stopped").is_null())
    found = compare_alerts(recorded(*record), running, NEWEST, NOW, current=True)
    assert found.equal == (said is None), found.first
    if said is not None:
        assert str(found.first).startswith("the breach alert of answers, case c-1, first response: ")
        assert str(found.first).endswith(said)


def test_while_a_partition_lags_no_alert_is_resolved_and_none_is_missed() -> None:
    assert compare_alerts(recorded((1, verdict())), verdict().clear(), NEWEST, NOW, current=False).equal
