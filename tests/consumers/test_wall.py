"""A clock that somebody sets: what it shows, and the latest that it may be."""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.wall import Wall

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

# minutes that really passed -> minutes by which the clock is wrong from then on
CASES = {
    "a good clock": ({0: 0}, 0, 0),
    "set back by an hour": ({0: 0, 10: -60}, -60, 0),
    "set back, then right again": ({0: 0, 10: -60, 20: 0}, 0, 0),
    "set forward": ({0: -60, 10: 0}, 0, 0),
    "twice back": ({0: 0, 10: -30, 20: -60}, -60, 0),
    "was ahead, then mended": ({0: 60, 10: 0}, 0, 60),
}


@pytest.mark.parametrize(("wrong", "shown", "latest"), CASES.values(), ids=CASES)
def test_what_it_would_show_had_it_never_been_set_back(wrong: dict[int, int], shown: int, latest: int) -> None:
    passed = 0

    def show() -> datetime:
        off = next(wrong[at] for at in sorted(wrong, reverse=True) if at <= passed)
        return NOON + timedelta(minutes=passed + off)

    wall = Wall(show, steady=lambda: passed * 60.0)
    for passed in range(40):  # noqa: B007 - `show` reads it
        wall()
    assert (wall(), wall.latest()) == (
        NOON + timedelta(minutes=39 + shown),
        NOON + timedelta(minutes=39 + latest),
    )


@pytest.mark.parametrize(
    ("wrong", "broker", "latest"),
    [(-10, 0, 0), (0, 0, 0), (10, 0, 10), (-10, 3, 3), (0, -60, 0)],
    ids=["started slow", "right", "ahead", "the broker is ahead", "the broker is behind"],
)
def test_a_clock_that_was_slow_from_the_start_is_told_by_the_brokers(wrong: int, broker: int, latest: int) -> None:
    passed = 0

    def at(minutes: int) -> datetime:
        return NOON + timedelta(minutes=minutes)

    wall = Wall(lambda: at(passed + wrong), steady=lambda: passed * 60.0)
    assert wall.told(at(broker)) == timedelta(minutes=broker - wrong)
    passed = 30
    assert (wall(), wall.latest()) == (at(30 + wrong), at(30 + latest))
