"""The Kafka Streams opponent does the same job as sqm: else a comparison of their speed would say nothing."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from consumers import topics
from consumers.settings import Settings
from tests.benchmarks import streams
from tests.benchmarks.contestants import Streams, Workers
from tests.benchmarks.lanes import Lane, beginning
from tests.benchmarks.results import check, check_same
from tests.benchmarks.sending import fill

pytestmark = pytest.mark.kafka

MEASURED = Lane("A", "finished interactions", 1_000)
LIVED = Lane("B", "lifecycles", 1_500, open_at_once=100)


def test_stopped_and_restarted_among_duplicates_the_opponent_ends_where_sqm_does(
    settings: Settings, tmp_path: Path
) -> None:
    opponent = Streams(streams.compiled(tmp_path / "classes"))
    start = beginning(LIVED)
    asyncio.run(topics.ensure(settings.kafka))
    asyncio.run(fill(settings, LIVED, start))
    opponent.run(settings, LIVED)
    check("first run", opponent.results(settings), LIVED.expected())

    asyncio.run(fill(settings, LIVED, start))  # the very same events again
    asyncio.run(fill(settings, MEASURED))
    everything = Lane("", "", 2 * LIVED.records + MEASURED.records)
    expected = Counter(LIVED.expected()) + Counter(MEASURED.expected())
    found = {}
    own = {"topic_prefix": f"{settings.kafka.topic_prefix}-sqm", "group": f"{settings.kafka.group}-sqm"}
    apart = settings.model_copy(update={"kafka": settings.kafka.model_copy(update=own)})
    for name, contestant, where in (("opponent", opponent, settings), ("sqm", Workers(1), apart)):
        contestant.run(where, everything)
        found[name] = contestant.results(where)
        check(name, found[name], expected)
    check_same("sqm", found["sqm"], found["opponent"])
    assert found["opponent"].breaches.height > 0
