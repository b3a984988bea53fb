"""128-bit keys that are remembered for a time, and little else of each.

Keys of before `kept_from` are as good as gone, whether their bytes still lie there or not, so that what is found
never depends on when these were dropped.
"""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from monitor.frames import INSTANT, Columns, empty
from monitor.keyed import Keyed, Mask, Part

_NEVER: Final = 0  # seconds since 1970
_LATEST: Final = 2**32 - 1
_TIDY_SHARE: Final = 32  # of the time held, that has to be over before its keys are dropped


class Ids:
    """See the module. 20 bytes a key, and those of its numbers.

    :param columns: `key`, a column of INSTANTs (kept to the second below), and any of numbers
    """

    def __init__(self, columns: Columns, key: str) -> None:
        self.columns = columns
        self.key = key
        self._time = next(name for name, dtype in columns.items() if dtype == INSTANT)
        self._others = [name for name in columns if name not in (key, self._time)]
        self._held = Keyed()  # seconds since 1970, then the others
        self._kept_from = _NEVER
        self._tidied = _NEVER
        self._newest = _NEVER

    @property
    def height(self) -> int:
        """How many are remembered."""
        return sum(int(np.count_nonzero(self._is_known(part))) for part in self._held.parts)

    @property
    def kept_from(self) -> datetime | None:
        """What lies before is forgotten; None: nothing is."""
        return datetime.fromtimestamp(self._kept_from, UTC) if self._kept_from else None

    def add(self, rows: pl.DataFrame) -> None:
        if rows.height == 0:
            return
        seconds = rows[self._time].to_physical().to_numpy() // 1_000_000
        seconds = np.clip(seconds, _NEVER, _LATEST).astype(np.uint32)  # what lies before 1970 is the first to go
        self._newest = max(self._newest, int(seconds.max()))
        self._held.add(rows[self.key], [seconds, *(rows[name].to_numpy() for name in self._others)])

    def of(self, keys: pl.Series) -> pl.DataFrame:
        """The rows of those keys that are not forgotten."""
        return self._known(part.at(places) for part, places in self._held.find(keys))

    def frame(self) -> pl.DataFrame:
        """All rows that are not forgotten."""
        return self._known(self._held.parts)

    def part(self, number: int, of: int) -> pl.DataFrame:
        """As `Rows.part`."""
        return self._known(part.at(part.between(number, of)) for part in self._held.parts)

    def forget(self, before: datetime) -> None:
        """Forget what lies before; never fewer than were forgotten already."""
        self._kept_from = max(self._kept_from, int(before.timestamp()))
        if (self._kept_from - self._tidied) * _TIDY_SHARE < self._newest - self._kept_from:
            return
        self._tidied = self._kept_from
        kept = (part.at(self._is_known(part)) for part in self._held.parts)
        self._held.parts = [part for part in kept if part.height]

    def newest(self, count: int, surplus: int = 0) -> datetime | None:
        """The second in which the oldest of the `count` newest lies; None if no more than `surplus` are older."""
        if self._held.height <= count + surplus:  # which is known at once
            return None
        known = (_seconds(part)[self._is_known(part)] for part in self._held.parts)
        seconds = np.concatenate([np.empty(0, np.uint32), *known])
        if len(seconds) <= count + surplus:
            return None
        return datetime.fromtimestamp(int(np.partition(seconds, -count)[-count]), UTC)

    def _is_known(self, part: Part) -> Mask:
        return np.asarray(_seconds(part) >= self._kept_from)

    def _known(self, parts: Any) -> pl.DataFrame:
        frames = [self._frame(part.at(self._is_known(part))) for part in parts]
        return pl.concat([empty(self.columns), *frames])

    def _frame(self, part: Part) -> pl.DataFrame:
        seconds, *others = part.columns
        columns = {
            self.key: part.keys.keys(),
            self._time: (pl.Series(seconds).cast(pl.Int64) * 1_000_000).cast(INSTANT),
            **{name: pl.Series(column) for name, column in zip(self._others, others, strict=True)},
        }
        return pl.DataFrame([columns[name].alias(name) for name in self.columns])


def _seconds(part: Part) -> Any:
    return part.columns[0]
