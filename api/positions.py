"""Where a listener of the stream stands: ids that mean the same in every process of the API.

News come from logs that every process reads alike: alerts from `sqm.alerts`, where the offset of a record tells it from
all others, and verdicts from the deltas of each partition of `sqm.state`, whose numbers count up and never come again.
Each process hears of these logs in an order of its own, so an id names a place in each of them: what comes next there.

    "17-400-512.3"    the alerts before offset 17, all verdicts of partition 0 before delta 400, and of partition 1 all
                      before delta 512 and the first three of that one
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

ALERTS: Final = 0  # the source of alerts; partition p is source p + 1
AHEAD_ALERTS: Final = 10_000  # offsets, and deltas, by which another process may have read further than this one
AHEAD_DELTAS: Final = 100

_ID: Final = re.compile(r"\d{1,15}(?:-\d{1,15}(?:\.\d{1,15})?)*", re.ASCII)


class Mark(NamedTuple):
    """What comes next of a source: the record or delta of that number, without the first `taken` news in it."""

    number: int
    taken: int = 0


Position = tuple[Mark, ...]  # one for each source


def text(position: Iterable[Mark]) -> str:
    """The id of that position."""
    return "-".join(f"{number}.{taken}" if taken else str(number) for number, taken in position)


def parse(identity: str) -> Position | None:
    """The position that an id names; None: it is no id."""
    if not _ID.fullmatch(identity):
        return None
    parts = (part.partition(".") for part in identity.split("-"))
    return tuple(Mark(int(number), int(taken or 0)) for number, _, taken in parts)


def holds(position: Sequence[Mark], other: Sequence[Mark]) -> bool:
    """Whether everything before `other` is before `position`, too."""
    return all(mine >= theirs for mine, theirs in zip(position, other, strict=True))


def later(position: Sequence[Mark], other: Sequence[Mark]) -> Position:
    """Where one stands who has taken both."""
    return tuple(map(max, position, other))


def moved(position: Position, source: int, mark: Mark) -> Position:
    """With that mark in the place of the source's."""
    return (*position[:source], mark, *position[source + 1 :])


def far_ahead(position: Sequence[Mark], known: Sequence[Mark]) -> bool:
    """Whether a position is so much beyond what is known that it must be of other logs than these."""
    most = (AHEAD_ALERTS, *[AHEAD_DELTAS] * (len(known) - 1))
    return any(mine.number > here.number + n for mine, here, n in zip(position, known, most, strict=True))
