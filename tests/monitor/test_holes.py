"""Marks become sparse with their distance and never lose the newest; holes touch the figures of their time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from monitor.frames import conform
from monitor.holes import HOLES, MARKS, thinned, touching, without

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def marks(*offsets: int, topic: str = "t") -> pl.DataFrame:
    return conform(pl.DataFrame({"topic": topic, "offset": list(offsets)}, schema_overrides=MARKS), MARKS)


def offsets(found: pl.DataFrame, topic: str = "t") -> list[int]:
    return found.filter(topic=topic)["offset"].to_list()


def test_of_what_a_log_still_bears_a_mark_is_kept_at_less_than_three_times_the_distance() -> None:
    kept = marks()
    for newest in range(1_000):
        kept = thinned(pl.concat([kept, marks(newest)]))
        left = offsets(kept)
        assert (left[0], left[-1]) == (0, newest)
        assert len(left) <= 2 + newest.bit_length()
        # The worst place to be cut off at is right before the next mark.
        assert all(newest - mark < 3 * (newest - (after - 1)) for mark, after in pairwise(left))


def test_each_topic_has_marks_of_its_own() -> None:
    kept = thinned(pl.concat([marks(*range(0, 1000, 10)), marks(5, topic="u")]))
    assert offsets(kept, "u") == [5]
    assert offsets(without(kept, {"t": 500})) == [offset for offset in offsets(kept) if offset < 500]
    assert offsets(without(kept, {"t": 0}), "u") == [5]


@pytest.mark.parametrize(
    ("hole", "since", "touched"),
    [
        ({"kind": "expired", "missing": 3, "to_time": NOON}, NOON, 1),
        ({"kind": "expired", "missing": 3, "to_time": NOON}, NOON + timedelta(seconds=1), 0),
        ({"kind": "expired", "missing": 3, "to_time": NOON}, None, 1),
        ({"kind": "expired", "missing": 3}, NOON + timedelta(hours=1), 1),  # its end is not known
        ({"kind": "replaced", "missing": None, "to_time": NOON}, NOON + timedelta(hours=1), 1),
        ({"kind": "truncated", "missing": 7, "to_time": NOON}, NOON + timedelta(hours=3), 0),
        ({"kind": "state_lost", "missing": 0}, None, 0),  # all was read again
    ],
)
def test_a_hole_touches_what_it_may_lack(hole: dict[str, Any], since: datetime | None, touched: int) -> None:
    rows = conform(pl.DataFrame([{"accepted": NOON + timedelta(hours=2), **hole}], schema_overrides=HOLES), HOLES)
    assert touching(rows, since) == touched
