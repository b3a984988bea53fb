"""The wall clock of a machine, which somebody may have set wrong, or may set back."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Wall:
    """What the clock shows, and the latest that it may be by all that was ever shown: by it, and by a broker's clock.

    The second decides what is refused as of the future: a clock that is an hour slow must not refuse an hour's
    events. It does not decide `now`, which waits until the clock is there, too: nothing ripens by a guess.
    """

    def __init__(
        self, show: Callable[[], datetime] = lambda: datetime.now(UTC), steady: Callable[[], float] = time.monotonic
    ) -> None:
        """`steady`: seconds that only go on."""
        self._show = show
        self._steady = steady
        self._most = self._offset(self._show())

    def __call__(self) -> datetime:
        """What it shows."""
        shown = self._show()
        self._most = max(self._most, self._offset(shown))
        return shown

    def latest(self) -> datetime:
        """The latest that it may be."""
        self()
        return datetime.fromtimestamp(self._most + self._steady(), UTC)

    def told(self, instant: datetime) -> timedelta:
        """Another clock has just shown that: by how much it is ahead of this one."""
        shown = self()
        self._most = max(self._most, self._offset(instant))
        return instant - shown

    def _offset(self, shown: datetime) -> float:
        return shown.timestamp() - self._steady()
