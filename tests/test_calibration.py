"""Of the clocks given a chance of p, a share of p breaches: foretold at one time, counted at a later one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from api.commands.common import mapping_of, policies_of
from consumers.decode import decode
from consumers.files_read import gather, read, sources
from consumers.simulate.encode import history, with_partitions
from consumers.simulate.plan import Plan
from consumers.simulate.services import BILLING, FIELD
from consumers.simulate.stream import Stream
from monitor.frames import latest
from tests.calibration import foretold, table
from tests.monitor.minutes import policy

ENOUGH, POINTS = 500, 5.0

BOSTON = Path(__file__).parents[1] / "deploy/examples/boston311"

# Tight enough that clocks come to every chance.
TIGHT = """
labels: [service, channel, priority, tier, team]
targets:
  - {clock: first_response, when: {service: billing}, within: 2h}
  - {clock: resolution, when: {service: billing}, within: 14h, pauses: [customer, third_party]}
  - {clock: resolution, when: {service: field-service}, within: 5h, pauses: [parts, weather]}
  - {clock: promise, when: {service: field-service}}
"""
UNTIL = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def boston() -> pl.DataFrame:
    gathered = gather(sources([BOSTON / "boston311-2015-h1.csv.gz"], [mapping_of(BOSTON / "mapping.yaml")]))
    events = read(gathered, future_after=datetime.now(UTC))
    instants = [datetime(2015, 4, 1, 12, tzinfo=UTC) + timedelta(days=10 * number) for number in range(10)]
    end = latest(events.events["time"])
    assert end is not None
    return foretold(events, policies_of([BOSTON / "policy.yaml"]), instants, end)


def simulator() -> pl.DataFrame:
    services = [replace(BILLING, cases_per_day=600), replace(FIELD, cases_per_day=800)]
    events = Stream(Plan.begin(7, UNTIL, services), services=services).take(UNTIL - timedelta(hours=3))
    records: list[Any] = [
        SimpleNamespace(topic="t", offset=offset, timestamp=0, **record._asdict())
        for offset, record in enumerate(history(with_partitions(events, 1)))
    ]
    instants = [UNTIL - timedelta(days=14) + timedelta(hours=17 * number) for number in range(18)]
    return foretold(decode(records, future_after=None), policy(TIGHT), instants, UNTIL - timedelta(hours=3))


@pytest.mark.parametrize("clocks", [boston, simulator], ids=lambda made: made.__name__)
def test_of_the_clocks_given_a_chance_that_share_is_breached(clocks: Any) -> None:
    rows = table(clocks()).filter(pl.col("n") >= ENOUGH)
    assert rows.height >= 6
    assert rows.filter(pl.col("off") > POINTS).is_empty(), rows
