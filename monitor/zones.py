"""A time zone's rules as a table of changes, so that many instants convert at once.

Local times are microseconds as if the wall clock showed UTC. One that a change skips moves forward by the gap, one
that occurs twice is the first (SEMANTICS, Clocks 8); both are what `zoneinfo` does with fold=0.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Zone:
    """Offsets from UTC: offset[0] before the first change, offset[i + 1] from change[i] on; microseconds."""

    change: Ints  # UTC instants
    offset: Ints

    @classmethod
    def of(cls, name: str, first: int, last: int) -> "Zone":
        """The rules of an IANA zone from the year `first` to the year `last`, a day more at both ends."""
        zone = ZoneInfo(name)
        instant = datetime(first, 1, 1, tzinfo=UTC) - _DAY
        end = datetime(last + 1, 1, 1, tzinfo=UTC) + _DAY
        offset = _offset(zone, instant)
        changes, offsets = [], [offset]
        while instant < end:
            following = instant + _DAY
            if _offset(zone, following) != offset:
                changes.append((_change(zone, instant, following) - EPOCH) // MICROSECOND)
                offset = _offset(zone, following)
                offsets.append(offset)
            instant = following
        return cls(np.array(changes, dtype=np.int64), np.array([o // MICROSECOND for o in offsets], dtype=np.int64))

    def local(self, instants: Ints) -> Ints:
        """What the wall clock shows."""
        return instants + self.offset[np.searchsorted(self.change, instants, side="right")]

    def utc(self, local: Ints) -> Ints:
        """When the wall clock shows it."""
        # Until the larger of both offsets has passed the change, local times are those before it.
        until = self.change + np.maximum(self.offset[:-1], self.offset[1:])
        return local - self.offset[np.searchsorted(until, local, side="right")]


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The second in (low, high] at which the offset changes, by halving."""
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def offset_text(local: datetime) -> str:
    """Its offset from UTC: `+01:00`."""
    text = local.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
