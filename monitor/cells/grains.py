"""The grains at which cells are held, and how far back each reaches."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

BUCKET_SPAN: Final = timedelta(seconds=10)
ALL_TIME: Final = "all"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Tier:
    """Buckets of `grain` for `length`; pages hold `page` each."""

    name: str
    grain: timedelta
    length: timedelta
    page: timedelta

    @property
    def step(self) -> int:
        """10 s intervals in a bucket."""
        return self.grain // BUCKET_SPAN

    @property
    def page_step(self) -> int:
        return self.page // BUCKET_SPAN

    def first(self, start: datetime) -> int:
        """The first bucket that starts at or after `start`."""
        return -((_EPOCH - start) // self.grain) * self.step

    def last(self, end: datetime) -> int:
        """The last bucket that starts at or before `end`."""
        return (end - _EPOCH) // self.grain * self.step


TIERS: Final = (
    Tier("10s", timedelta(seconds=10), timedelta(hours=2), timedelta(minutes=10)),
    Tier("1m", timedelta(minutes=1), timedelta(hours=26), timedelta(hours=1)),
    Tier("15m", timedelta(minutes=15), timedelta(days=400), timedelta(days=1)),
)

REACH: Final = TIERS[-1].length  # of the cells: what is older lies in the sum of all time only


def finest(now: datetime, start: datetime | None) -> str:
    """The finest tier that reaches back to `start` (None: all time)."""
    if start is None:
        return ALL_TIME
    return next((tier.name for tier in TIERS if now - start <= tier.length), TIERS[-1].name)
