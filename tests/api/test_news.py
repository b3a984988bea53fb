"""What counts as news when the replica reads on, reads again, or finds the topics changed."""

from datetime import timedelta
from typing import Any

import pytest

from api.news import MOST, News, in_turn
from api.positions import Mark, parse, text
from monitor.state import Delta, State
from tests.api.test_ticker import alert
from tests.api.world import NOON, Replica, event, policies

HOURS_AGO = NOON - timedelta(hours=5)


def deltas(count: int, breaches: int = 1) -> list[Delta]:
    """Of one partition: each publishes so many breaches."""
    replica, found = Replica(policies()), list[Delta]()
    replica.on_delta.append(lambda partition, number, delta: found.append(delta))
    for number in range(count):
        now = NOON + timedelta(seconds=number)
        cases = [event(f"INC-{number}-{n}", "opened", HOURS_AGO, service="web") for n in range(breaches)]
        replica.fold(cases, now, partitions=1)
    return found


DELTAS = deltas(4)


def told(news: News, partitions: int = 1) -> tuple[list[int], str, str, bool]:
    """Numbers of deltas with verdicts; where they begin and end; whether some are missing."""
    found = news.take(partitions)
    return [delta.number for delta in found.verdicts], text(found.since), text(found.end), found.torn


def read_on(news: News, *numbers: int) -> None:
    for number in numbers:
        news.on_delta(0, number, DELTAS[number % len(DELTAS)])


def test_what_is_read_again_is_no_news() -> None:
    news = News()
    news.on_reread(0, 3, 5)
    read_on(news, 3, 4)
    assert told(news) == ([3, 4], "0-3", "0-5", False)
    news.on_reread(0, 4, 7)
    read_on(news, 4, 5, 6, 7)
    assert told(news) == ([5, 6, 7], "0-5", "0-8", False)
    assert told(news) == ([], "0-8", "0-8", False)


def test_history_is_news_once_the_state_is_there_that_knows_its_labels() -> None:
    news = News()
    news.on_reread(0, 3, 5)
    for number in (3, 4):
        news.on_history(0, number, DELTAS[0])
    assert told(news) == ([], "0-3", "0-3", False)
    news.on_reread(0, 4, 6)  # it was interrupted, and began again
    for number in (4, 5):
        news.on_history(0, number, DELTAS[0])
    news.on_restored(0, State())
    assert told(news) == ([4, 5], "0-4", "0-6", True)  # the third was gone by then


def test_a_beat_bears_the_number_of_the_delta_before_it_and_is_no_news() -> None:
    news = News()
    news.on_reread(0, 1, 2)
    read_on(news, 1)
    news.on_delta(0, 1, {})
    assert told(news) == ([1], "0-1", "0-2", False)


ANEW = {
    "compaction was faster": ((40, 42), [40, 41], "0-40"),
    "numbers went on elsewhere": ((1_000, 1_001), [1_000], "0-1000"),
    "the topic began again": ((1, 3), [1, 2], "0-1"),
}


@pytest.mark.parametrize(("span", "numbers", "since"), ANEW.values(), ids=ANEW)
def test_what_is_missing_between_two_readings_is_said(span: tuple[int, int], numbers: list[int], since: str) -> None:
    news = News()
    news.on_reread(0, 10, 12)
    read_on(news, 10, 11)
    told(news)
    read_on(news, 12)  # which nobody is told of any more: it came before what is missing
    news.on_reread(0, *span)
    read_on(news, *numbers)
    assert told(news) == (numbers, since, f"0-{numbers[-1] + 1}", True)
    assert told(news)[-1] is False


def test_alerts_that_are_read_again_are_no_news_unless_their_topic_is_another() -> None:
    def found(news: News, *offsets: int, end: int) -> tuple[list[int], bool]:
        for offset in offsets:
            news.on_alert(offset, alert())
        news.on_reread(None, 0, end)
        taken = news.take(0)
        return [offset for offset, _ in taken.alerts], taken.torn

    news = News()
    assert found(news, 3, 7, end=9) == ([3, 7], False)
    assert found(news, 3, 7, 11, end=12) == ([11], False)
    assert found(news, 0, end=1) == ([], True)
    assert found(news, 1, end=2) == ([1], False)


def test_what_could_not_be_told_is_news_still() -> None:
    news = News()
    news.on_reread(0, 1, 1)
    read_on(news, 1)
    news.on_alert(0, alert())
    news.take(1)
    read_on(news, 2)
    news.give_back()
    again = news.take(1)
    news.done()
    news.give_back()
    assert told(news) == ([], "1-3", "1-3", False)
    assert ([d.number for d in again.verdicts], len(again.alerts), text(again.since)) == ([1, 2], 1, "0-1")


def test_what_nobody_takes_is_let_go_and_missed_only_if_some_was_taken_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.news.WAITING", 2)
    news = News()
    news.on_reread(0, 1, 4)
    read_on(news, 1, 2, 3)
    assert told(news) == ([2, 3], "0-2", "0-4", False)
    read_on(news, 4, 5, 6)
    assert told(news) == ([5, 6], "0-5", "0-7", True)
    for offset in range(3):
        news.on_alert(offset, alert())
    assert told(news) == ([], "1-7", "3-7", True)


def test_each_partition_has_its_share_and_what_is_more_is_counted() -> None:
    [storm] = deltas(1, MOST + 30)

    def sent(partitions: int) -> tuple[int, int]:
        news = News()
        news.on_delta(0, 1, storm)
        found = news.take(partitions)
        return sum(delta.rows.height for delta in found.verdicts), found.omitted

    assert [sent(partitions) for partitions in (1, 4, 1_000)] == [(200, 30), (50, 180), (20, 210)]


def test_of_a_long_history_the_newest_is_kept_whichever_partition_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(most: int) -> tuple[list[tuple[int, int]], str]:
        monkeypatch.setattr("api.news.WAITING", most)
        news = News()
        for partition in (0, 1):
            news.on_reread(partition, 1, 5)
            for number, delta in enumerate(DELTAS, 1):
                news.on_delta(partition, number, delta)
        found = news.take(2)
        return [(delta.partition, delta.number) for delta in found.verdicts], text(found.since)

    assert kept(100) == ([(p, n) for n in range(1, 5) for p in (0, 1)], "0-1-1")
    assert kept(4) == ([(0, 3), (1, 3), (0, 4), (1, 4)], "0-3-3")


def test_what_happened_in_several_places_is_put_in_turn_and_never_before_what_the_same_place_told() -> None:
    early, noon, late = (NOON + timedelta(minutes=minutes) for minutes in (-1, 0, 1))
    assert in_turn([(0, noon), (1, early), (0, early), (0, late), (1, noon)]) == [noon, early, noon, late, noon]


@pytest.mark.parametrize("identity", ["0", "17-400-512.3", "0-1-1"])
def test_ids_are_read_as_they_were_written(identity: str) -> None:
    position: Any = parse(identity)
    assert text(position) == identity
    assert all(isinstance(mark, Mark) for mark in position)
