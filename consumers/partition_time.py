"""What time it is for one partition: the rules of `now`, without a clock of their own.

With the wall clock, a topic that is read up to what its end was at t0 stands at t0: until then nothing more had
come. So a worker that was frozen or cut off cannot think itself current. A topic that lags stands at the lesser
of the newest event time and the newest record timestamp read from it: a monitor that kept up would have known
no more. A partition stands where the least of its topics does, and never goes back.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

CURRENT: Final = timedelta(seconds=5)  # a topic whose end was reached no longer ago than that keeps up
_QUESTIONS_KEPT: Final = 128


class Question(NamedTuple):
    """What the ends of the topics were (one past the newest record), asked at `at`."""

    at: datetime
    ends: Mapping[str, int]


@dataclass
class _Topic:
    position: int
    newest_event: datetime | None = None
    newest_record: datetime | None = None
    reached: datetime | None = None  # the newest question whose answer the position has reached

    def instant(self, asked: datetime | None) -> datetime | None:
        if asked is None or (self.reached is not None and asked - self.reached <= CURRENT):
            return self.reached
        if self.newest_event is None or self.newest_record is None:
            return self.reached
        lagging = min(self.newest_event, self.newest_record, asked)
        return lagging if self.reached is None else max(lagging, self.reached)


@dataclass
class PartitionTime:
    """`now` of one partition, from what was folded and what was asked.

    :param positions: next offset by events topic
    :param follows_events: with `clock: event`, time is the newest event's, the least over the topics
    :param now: where it stood when the state was made
    :param newest: newest event time by topic, as it was then
    """

    positions: Mapping[str, int]
    follows_events: bool
    now: datetime | None = None
    newest: Mapping[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._topics = {
            topic: _Topic(position, newest_event=self.newest.get(topic)) for topic, position in self.positions.items()
        }
        self._questions: deque[Question] = deque(maxlen=_QUESTIONS_KEPT)
        self._asked: Question | None = None

    def asked(self, question: Question) -> None:
        """The ends were asked for; the answer counts from when the positions have reached it."""
        self._asked = question
        self._questions.append(question)

    def folded(self, topic: str, position: int, event: datetime | None, record: datetime | None) -> None:
        """All before `position` was folded; `event` and `record` are the newest times among it, if any."""
        state = self._topics[topic]
        state.position = position
        state.newest_event = _later(state.newest_event, event)
        state.newest_record = _later(state.newest_record, record)

    def advance(self) -> datetime | None:
        """`now`, which moves on to what was folded and asked; None: no time has come yet."""
        self._reach()
        if self.follows_events:
            instants = [topic.newest_event for topic in self._topics.values()]
        else:
            asked = self._asked.at if self._asked else None
            instants = [topic.instant(asked) for topic in self._topics.values()]
        self.now = _later(self.now, _least(instants))
        return self.now

    @property
    def current(self) -> bool:
        """Whether all topics keep up."""
        if self._asked is None:
            return False
        reached = [topic.reached for topic in self._topics.values()]
        return all(at is not None and self._asked.at - at <= CURRENT for at in reached)

    @property
    def newest_events(self) -> dict[str, datetime]:
        """Newest event time by topic."""
        return {name: topic.newest_event for name, topic in self._topics.items() if topic.newest_event is not None}

    def _reach(self) -> None:
        for name, topic in self._topics.items():
            for question in reversed(self._questions):
                if question.ends.get(name, 0) <= topic.position:
                    topic.reached = _later(topic.reached, question.at)
                    break
        while self._questions and all(
            topic.reached is not None and topic.reached >= self._questions[0].at for topic in self._topics.values()
        ):
            self._questions.popleft()


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _least(instants: Iterable[datetime | None]) -> datetime | None:
    """The least; None where one is missing."""
    known = list(instants)
    return min((at for at in known if at is not None), default=None) if None not in known else None
