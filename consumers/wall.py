"""The wall clock of a machine, which somebody may set back."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Wall:
    """What the clock shows, and what it would show had it never been set back since this began.

    The second decides what is refused as of the future: a clock that is an hour slow must not refuse an hour's
    events. It does not decide `now`, which waits until the clock is there again: nothing ripens by a guess.
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

    def never_back(self) -> datetime:
        """What it would show."""
        self()
        return datetime.fromtimestamp(self._most + self._steady(), UTC)

    def _offset(self, shown: datetime) -> float:
        return shown.timestamp() - self._steady()
