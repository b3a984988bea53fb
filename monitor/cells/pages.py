"""Stretches of a tier: new ones plain, at 24 bytes a row; old ones packed, at 3 to 4, and opened when asked for.

    ... [packed][packed][packed]| plain | plain | ... | plain | newest
                                |<------- PLAIN: 8 days ------->|

A packed page is cut by series, as a snapshot of a state is, so that one slice of it opens only its own cuts. What comes
late for it lies beside the packed rows, signed as all rows are, until it is worth packing them anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

import cramjam
import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cells.sums import KEYED, SERIES_SHIFT
from monitor.frames import BUCKET, Columns

ROWS: Final[Columns] = {"bucket": BUCKET, **KEYED}

PLAIN: Final = timedelta(days=8)  # behind the newest page; most corrections come for these, and most windows end there
CUTS: Final = 16
PAGE_BUCKETS: Final = 127  # most buckets of a page: their number has to fit above a key

_BUCKET_SHIFT: Final = 56  # a key of monitor/cells/sums.py has so many bits
_KEY_BITS: Final = 2**_BUCKET_SHIFT - 1
_LEAST_WAITING: Final = 2**12
_FRAME_ROWS: Final = 64  # what a frame takes beside its rows, in rows
_LEVEL: Final = 3

Numbers = npt.NDArray[np.int64]


class Page:
    """Rows of one stretch, sorted by bucket and key; added rows wait until they are as many as those.

    Held is the bucket's number within the page in the bits above the key: so a row takes three integers.

    :param start: its first bucket; `step`: 10 s intervals in a bucket; `buckets`: how many it has
    """

    def __init__(self, start: int, step: int, buckets: int) -> None:
        self._start, self._step, self._buckets = start, step, buckets
        self._rows = pl.DataFrame(schema=KEYED)
        self._waiting: list[pl.DataFrame] = []
        self._waiting_height = 0
        self._packed: dict[int, bytes] = {}

    @property
    def plain(self) -> int:
        """What is held unpacked, in rows; a frame counts as some."""
        return self._rows.height + self._waiting_height + _FRAME_ROWS * len(self._waiting)

    def add(self, rows: pl.DataFrame) -> None:
        """Add ROWS of buckets of this page, whose starts are multiples of the step."""
        number = (pl.col("bucket") - self._start) // self._step
        stamped = number.cast(pl.Int64) * 2**_BUCKET_SHIFT + pl.col("key")
        self._waiting.append(rows.select(stamped.alias("key"), "n", "total"))
        self._waiting_height += rows.height
        if self._waiting_height > max(_LEAST_WAITING, self._rows.height):
            self._settle()

    def between(self, first: int, last: int) -> pl.DataFrame:
        """ROWS of the buckets that start in `first` to `last`; of a packed page a key may come more than once."""
        self._settle()
        low = max(-((self._start - first) // self._step), 0)
        end = min((last - self._start) // self._step + 1, self._buckets)
        bounds = pl.Series(np.array([low, max(low, end)]) << _BUCKET_SHIFT)
        found = []
        for rows in self._held(range(CUTS)):
            begin, stop = rows["key"].search_sorted(bounds)
            found.append(rows.slice(begin, stop - begin))
        return self._unstamped(found)

    def part(self, number: int, of: int) -> pl.DataFrame:
        """ROWS of the series with `series % of == number`, one a key."""
        self._settle()
        cuts = [number % CUTS] if of % CUTS == 0 else range(CUTS)
        found = [rows.filter(pl.Series(_series(rows) % of == number)) for rows in self._held(cuts)]
        late = self._packed and self._rows.height
        return self._unstamped([_summed(found)] if late else found)

    def pack(self) -> None:
        """Hold all of it packed."""
        self._settle()
        plain, self._rows = self._rows, pl.DataFrame(schema=KEYED)
        cut_of = _series(plain) % CUTS
        order = np.argsort(cut_of, kind="stable")
        bounds = np.searchsorted(cut_of[order], np.arange(CUTS + 1))
        for cut in np.flatnonzero(np.diff(bounds)).tolist():
            rows = plain[order[bounds[cut] : bounds[cut + 1]]]
            if cut in self._packed:
                rows = _summed([_opened(self._packed.pop(cut)), rows])
            if rows.height:
                self._packed[cut] = _packed(rows)

    def _held(self, cuts: Iterable[int]) -> Iterator[pl.DataFrame]:
        if self._rows.height:
            yield self._rows
        yield from (_opened(self._packed[cut]) for cut in cuts if cut in self._packed)

    def _settle(self) -> None:
        if self._waiting:
            self._rows = _summed([self._rows, *self._waiting])
            self._waiting, self._waiting_height = [], 0

    def _unstamped(self, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
        rows = pl.concat([pl.DataFrame(schema=KEYED), *parts], rechunk=True)
        stamped = rows["key"].to_numpy()
        bucket = pl.Series("bucket", (stamped >> _BUCKET_SHIFT) * self._step + self._start).cast(BUCKET)
        return pl.DataFrame([bucket, pl.Series("key", stamped & _KEY_BITS), rows["n"], rows["total"]])


def _series(rows: pl.DataFrame) -> Numbers:
    stamped: Numbers = rows["key"].to_numpy()
    return (stamped & _KEY_BITS) >> SERIES_SHIFT


def _summed(parts: list[pl.DataFrame]) -> pl.DataFrame:
    summed = pl.concat(parts).group_by("key").agg(pl.col("n", "total").sum())
    return summed.filter((pl.col("n") != 0) | (pl.col("total") != 0)).sort("key")


def _packed(rows: pl.DataFrame) -> bytes:
    """Columns of KEYED, of the sorted keys the differences, byte by byte: bytes of the same weight are much alike."""
    numbers = np.empty((len(KEYED), rows.height), dtype="<i8")
    numbers[0] = np.diff(rows["key"].to_numpy(), prepend=0)
    numbers[1], numbers[2] = rows["n"].to_numpy(), rows["total"].to_numpy()
    by_weight = numbers.view(np.uint8).reshape(len(KEYED), rows.height, 8).transpose(0, 2, 1)
    return bytes(cramjam.zstd.compress(by_weight.tobytes(), _LEVEL))


def _opened(packed: bytes) -> pl.DataFrame:
    by_weight = np.frombuffer(bytes(cramjam.zstd.decompress(packed)), dtype=np.uint8).reshape(len(KEYED), 8, -1)
    numbers = np.ascontiguousarray(by_weight.transpose(0, 2, 1)).view("<i8")[..., 0]
    return pl.DataFrame({"key": np.cumsum(numbers[0]), "n": numbers[1], "total": numbers[2]})
