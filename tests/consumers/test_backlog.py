"""What is said of a backlog: a time when there is one to be told, and never a number that means nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition

from consumers.backlog import Backlog

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
ONE, OTHER = TopicPartition("sqm.events", 0), TopicPartition("sqm.events", 1)


def backlog(seconds: int, *rates: tuple[int, int, int]) -> Backlog:
    """Sampled each second.

    :param rates: for each partition: records behind at first, records read a second, records that come a second
    """
    made = Backlog()
    for second in range(seconds + 1):
        parts = list(zip((ONE, OTHER), rates, strict=False))
        ends = {where: behind + coming * second for where, (behind, _, coming) in parts}
        positions = {where: min(ends[where], reading * second) for where, (_, reading, _) in parts}
        made.add(START + timedelta(seconds=second), positions, ends)
    return made


@pytest.mark.parametrize(
    ("seconds", "rates", "said"),
    [
        (20, [(0, 100, 100)], "None"),  # it keeps up
        (4, [(90_000, 100, 0)], "None"),  # too early to say that it does not
        (7, [(90_000, 100, 0)], "catching up, 89,300 records left"),
        (20, [(90_000, 100, 0)], "catching up, 15 min left (88,000 records)"),
        (120, [(90_000, 100, 0)], "catching up, 13 min left (78,000 records)"),
        (120, [(90_000, 100, 50)], "catching up, 28 min left (84,000 records)"),  # more comes meanwhile
        (20, [(3_000, 100, 0)], "catching up, 10 s left (1,000 records)"),
        (20, [(3_600_000, 100, 0)], "catching up, 10 h left (3,598,000 records)"),
        (20, [(90_000_000, 100, 0)], "catching up, 89,998,000 records left"),  # 10 days are no estimate
        (20, [(90_000, 100, 0), (0, 9, 9)], "catching up, 15 min left (88,000 records)"),
        (20, [(90_000, 100, 0), (6_000, 100, 0)], "catching up, 15 min left (92,000 records)"),  # the longest counts
        (20, [(90_000, 0, 0)], "behind by 90,000 records, and the partition does not catch up"),
        (20, [(90_000, 100, 100)], "behind by 90,000 records, and the partition does not catch up"),
        (
            20,
            [(90_000, 100, 0), (500, 0, 10)],
            "behind by 88,700 records, and 1 of 2 partitions behind does not catch up",
        ),
    ],
)
def test_what_is_said(seconds: int, rates: list[tuple[int, int, int]], said: str) -> None:
    assert str(backlog(seconds, *rates).left()) == said


def test_a_backlog_that_was_worked_off_is_no_more_spoken_of() -> None:
    made = backlog(20, (3_000, 100, 0))
    made.add(START + timedelta(seconds=21), {ONE: 3_000}, {ONE: 3_000})
    assert made.left() is None


def test_the_rate_is_that_of_the_last_minute() -> None:
    made = backlog(100, (90_000, 100, 0))  # then it becomes ten times as fast
    for second in range(101, 162):
        made.add(START + timedelta(seconds=second), {ONE: 10_000 + (second - 100) * 1_000}, {ONE: 90_000})
    left = made.left()
    assert left is not None
    assert str(left) == "catching up, 19 s left (19,000 records)"
