"""What time it is for a partition, drawn as instants in seconds after noon.

asked     the end of each topic, asked at that second
folded    position, newest event time and newest record timestamp of what was folded
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.partition_time import PartitionTime, Question

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOON + timedelta(seconds=seconds)


def asked(time: PartitionTime, seconds: float, **ends: int) -> None:
    time.asked(Question(NOON + timedelta(seconds=seconds), ends))


def folded(time: PartitionTime, topic: str, position: int, event: float | None, record: float | None) -> None:
    time.folded(topic, position, at(event), at(record))


def wall(**positions: int) -> PartitionTime:
    return PartitionTime(positions, follows_events=False)


def events(**positions: int) -> PartitionTime:
    return PartitionTime(positions, follows_events=True)


def test_no_time_has_come_before_the_first_answer() -> None:
    assert wall(a=0).advance() is None


def test_an_idle_partition_stands_at_the_instant_of_the_question() -> None:
    time = wall(a=7)
    asked(time, 10, a=7)
    assert time.advance() == at(10)
    assert time.current


def test_a_partition_that_keeps_up_stands_at_the_newest_question_it_has_read_up_to() -> None:
    time = wall(a=0)
    for second, end in ((1, 10), (2, 20), (3, 30)):
        asked(time, second, a=end)
    folded(time, "a", 20, event=2.5, record=2.5)
    assert time.advance() == at(2)


def test_the_time_of_an_answer_does_not_count_but_that_of_its_question() -> None:
    """A worker frozen between question and fold cannot think itself current."""
    time = wall(a=5)
    asked(time, 1, a=5)
    frozen_until = 3_600
    folded(time, "a", 5, event=None, record=None)
    assert time.advance() == at(1)
    asked(time, frozen_until, a=900)
    assert time.advance() == at(1)
    assert not time.current


@pytest.mark.parametrize(
    ("event", "record", "expected"),
    [
        (100, 300, 100),  # an old backlog, sent lately: nothing later is known of these services
        (300, 100, 100),  # event times run ahead of the time they were sent at
        (9_000, 9_000, 1_000),  # both lie in the future of who asks
    ],
)
def test_a_partition_that_lags_stands_at_the_lesser_of_event_time_and_record_timestamp(
    event: float, record: float, expected: float
) -> None:
    time = wall(a=0)
    asked(time, 1_000, a=1_000_000)
    folded(time, "a", 10, event=event, record=record)
    assert time.advance() == at(expected)
    assert not time.current


def test_a_partition_that_lags_and_read_nothing_but_refused_events_has_no_time() -> None:
    time = wall(a=0)
    asked(time, 1_000, a=1_000_000)
    folded(time, "a", 10, event=None, record=900)
    assert time.advance() is None


def test_the_topic_that_lags_most_decides() -> None:
    time = wall(a=0, b=0)
    asked(time, 1_000, a=5, b=1_000_000)
    folded(time, "a", 5, event=999, record=999)
    folded(time, "b", 10, event=50, record=60)
    assert time.advance() == at(50)


def test_catching_up_ends_at_the_question_and_then_all_is_current() -> None:
    time = wall(a=0)
    asked(time, 1_000, a=100)
    folded(time, "a", 50, event=10, record=20)
    assert time.advance() == at(10)
    folded(time, "a", 100, event=30, record=40)
    assert time.advance() == at(1_000)
    assert time.current


def test_falling_behind_does_not_take_time_back() -> None:
    time = wall(a=0)
    asked(time, 1_000, a=0)
    assert time.advance() == at(1_000)
    asked(time, 2_000, a=1_000_000)
    folded(time, "a", 5, event=500, record=500)
    assert time.advance() == at(1_000)
    folded(time, "a", 50, event=1_500, record=1_500)
    assert time.advance() == at(1_500)


def test_a_wall_clock_set_back_does_not_take_time_back() -> None:
    time = wall(a=0)
    asked(time, 3_600, a=0)
    assert time.advance() == at(3_600)
    asked(time, 0, a=0)
    assert time.advance() == at(3_600)


def test_time_goes_on_from_where_the_state_stands() -> None:
    time = PartitionTime({"a": 0}, follows_events=False, now=at(5_000))
    asked(time, 10, a=0)
    assert time.advance() == at(5_000)


def test_with_the_clock_of_events_time_is_the_newest_event_and_nothing_else() -> None:
    time = events(a=0)
    asked(time, 9_000, a=0)
    assert time.advance() is None
    folded(time, "a", 1, event=10, record=5)
    folded(time, "a", 2, event=7, record=8_000)
    assert time.advance() == at(10)


def test_with_the_clock_of_events_the_least_of_the_topics_decides() -> None:
    time = events(a=0, b=0)
    folded(time, "a", 1, event=10, record=None)
    assert time.advance() is None
    folded(time, "b", 1, event=4, record=None)
    assert time.advance() == at(4)
    folded(time, "b", 2, event=20, record=None)
    assert time.advance() == at(10)


def test_with_the_clock_of_events_a_restart_knows_how_far_each_topic_had_come() -> None:
    before = events(a=0, b=0)
    folded(before, "a", 1, event=10, record=None)
    folded(before, "b", 1, event=4, record=None)
    now = before.advance()
    after = PartitionTime({"a": 1, "b": 1}, follows_events=True, now=now, newest=before.newest_events)
    folded(after, "b", 2, event=8, record=None)
    assert after.advance() == at(8)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(0, 100), st.integers(0, 50)),
            st.tuples(st.just("fold"), st.integers(0, 50), st.integers(0, 200)),
        ),
        max_size=300,
    ),
    st.booleans(),
)
def test_time_never_goes_back_nor_beyond_what_was_asked(steps: list[tuple[str, int, int]], follows: bool) -> None:
    time = PartitionTime({"a": 0}, follows_events=follows)
    position = 0
    latest: int | None = None
    now: datetime | None = None
    for kind, one, other in steps:
        if kind == "ask":
            asked(time, one, a=other)
            latest = max(one, latest or 0)
        else:
            position = max(position, one)
            folded(time, "a", position, event=other, record=other)
        before, now = now, time.advance()
        assert before is None or (now is not None and now >= before)
        if not follows and now is not None:
            assert latest is not None
            assert now <= NOON + timedelta(seconds=latest)
