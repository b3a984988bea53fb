"""Stretches of a tier: new ones plain, at 24 bytes a row; old ones packed, at 3 to 4, and opened when asked for.

    ... [packed][packed][packed]| plain | plain | ... | plain | newest
                                |<------- PLAIN: 8 days ------->|

A packed page is cut by series, as a snapshot of a state is, so that one slice of it opens only its own cuts. What comes
late for it lies beside the packed rows, signed as all rows are, until it is worth packing them anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cells.grains import TIERS, Tier
from monitor.cells.sums import KEYED, SERIES_SHIFT, added_up
from monitor.frames import BUCKET, Columns

ROWS: Final[Columns] = {"bucket": BUCKET, **KEYED}

PLAIN: Final = timedelta(days=8)  # behind the newest page; most corrections come for these, and most windows end there
CUTS: Final = 16

_BUCKET_SHIFT: Final = 56  # a key of monitor/cells/sums.py has so many bits
_KEY_BITS: Final = 2**_BUCKET_SHIFT - 1
_LEAST_WAITING: Final = 2**12
_FRAME_ROWS: Final = 64  # what a frame takes beside its rows, in rows
_LEVEL: Final = 3

assert all(tier.page // tier.grain < 2 ** (63 - _BUCKET_SHIFT) for tier in TIERS)

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
        bounds = np.array([low, max(low, end)]) << _BUCKET_SHIFT
        return self._rows_of([rows.at(slice(*np.searchsorted(rows.key, bounds))) for rows in self._held(range(CUTS))])

    def part(self, number: int, of: int, *, packed: bool = True) -> pl.DataFrame:
        """ROWS of the series with `series % of == number`, one a key; without `packed` those that lie plain."""
        self._settle()
        cuts = ([number % CUTS] if of % CUTS == 0 else range(CUTS)) if packed else []
        found = [rows.at(_series(rows.key) % of == number) for rows in self._held(cuts)]
        late = self._rows.height and len(found) > 1
        return self._rows_of([_summed(found)] if late else found)

    def cut(self, number: int) -> bytes | None:
        """The packed rows of the series with `series % CUTS == number`, for `put`."""
        return self._packed.get(number)

    def put(self, number: int, cut: bytes) -> None:
        """Add what `cut` gave of such a page."""
        self._pack(number, _opened(cut))

    def pack(self) -> None:
        """Hold all of it packed."""
        self._settle()
        plain, self._rows = _Columns.of(self._rows), pl.DataFrame(schema=KEYED)
        cut_of = _series(plain.key) % CUTS
        for number in np.unique(cut_of).tolist():
            self._pack(number, plain.at(cut_of == number))

    def _pack(self, number: int, rows: "_Columns") -> None:
        if number in self._packed:
            rows = _summed([_opened(self._packed.pop(number)), rows])
        if rows.key.size:
            self._packed[number] = _packed(rows)

    def _held(self, cuts: Iterable[int]) -> Iterator["_Columns"]:
        if self._rows.height:
            yield _Columns.of(self._rows)
        yield from (_opened(self._packed[cut]) for cut in cuts if cut in self._packed)

    def _settle(self) -> None:
        if self._waiting:
            self._rows = added_up(pl.concat([self._rows, *self._waiting]))
            self._waiting, self._waiting_height = [], 0

    def _rows_of(self, parts: Sequence["_Columns"]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=dict(ROWS))
        stamped, n, total = map(np.concatenate, zip(*parts, strict=True))
        bucket = pl.Series((stamped >> _BUCKET_SHIFT) * self._step + self._start).cast(BUCKET)
        return pl.DataFrame({"bucket": bucket, "key": stamped & _KEY_BITS, "n": n, "total": total})


class Pages:
    """All pages of a tier, the old ones packed.

    :param left_plain: rows of old pages that may lie unpacked
    """

    def __init__(self, tier: Tier, left_plain: int) -> None:
        self._tier = tier
        self._left_plain = left_plain
        self._held: dict[int, Page] = {}  # by number
        self._newest = 0  # number of the newest there ever was

    def add(self, rows: pl.DataFrame) -> None:
        """Add ROWS, one at least."""
        numbers = rows["bucket"] // self._tier.page_step
        if numbers.min() == numbers.max():
            self._page(numbers[0]).add(rows)
        else:
            parts = rows.with_columns(page=numbers).partition_by("page", as_dict=True, include_key=False)
            for (number,), part in parts.items():
                self._page(number).add(part)
        self._pack()

    def between(self, first: int, last: int) -> Iterator[pl.DataFrame]:
        """ROWS of the buckets `first` to `last`, both included, page by page; a key may come more than once."""
        step = self._tier.page_step
        numbers = range(first // step, last // step + 1)
        for number in sorted(self._held) if len(numbers) > len(self._held) else numbers:
            if number in numbers and number in self._held:
                yield self._held[number].between(first, last)

    def part(self, first: int | None, part: int, of: int, *, packed: bool) -> Iterator[pl.DataFrame]:
        """ROWS of the buckets from `first` on (None: all); see `Page.part`."""
        for number in sorted(self._held):
            rows = self._held[number].part(part, of, packed=packed)
            yield rows if first is None else rows.filter(pl.col("bucket") >= first)

    def cuts(self, first: int | None, number: int) -> Iterator[tuple[int, bytes]]:
        """(first bucket of its page, rows) of each such cut that reaches the bucket `first`; see `Page.cut`."""
        step = self._tier.page_step
        for page in sorted(self._held):
            cut = self._held[page].cut(number)
            if cut is not None and (first is None or page >= first // step):
                yield page * step, cut

    def put(self, bucket: int, number: int, cut: bytes) -> None:
        self._page(bucket // self._tier.page_step).put(number, cut)

    def drop(self, first: int) -> int:
        """Drop what lies before the bucket `first`, but for a page: a moving window takes off what it moved past.

        Returns from which bucket on all are held.
        """
        kept = first // self._tier.page_step - 1
        for number in [number for number in self._held if number < kept]:
            del self._held[number]
        return kept * self._tier.page_step

    def _page(self, number: int) -> Page:
        if number not in self._held:
            tier = self._tier
            self._held[number] = Page(number * tier.page_step, tier.step, tier.page // tier.grain)
            self._newest = max(number, self._newest)
        return self._held[number]

    def _pack(self) -> None:
        """Pack old pages, those first that have most to pack, until the rest takes little."""
        plain_from = self._newest - PLAIN // self._tier.page
        old = [(page.plain, page) for number, page in self._held.items() if number < plain_from]
        left = sum(plain for plain, _ in old)
        for plain, page in sorted(old, key=itemgetter(0), reverse=True):
            if left <= self._left_plain:
                return
            page.pack()
            left -= plain


class _Columns(NamedTuple):
    """Rows of a page as arrays; `key` has the bucket above it."""

    key: Numbers
    n: Numbers
    total: Numbers

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "_Columns":
        return cls(*(rows[name].to_numpy() for name in KEYED))

    def at(self, places: Any) -> "_Columns":
        return _Columns(*(column[places] for column in self))


def _series(key: Numbers) -> Numbers:
    return (key & _KEY_BITS) >> SERIES_SHIFT


def _summed(parts: Iterable[_Columns]) -> _Columns:
    return _Columns.of(added_up(pl.concat(pl.DataFrame(part._asdict()) for part in parts)))


def _packed(rows: _Columns) -> bytes:
    """Of the sorted keys the differences; all byte by byte, since bytes of the same weight are much alike."""
    columns = np.stack([np.diff(rows.key, prepend=0), rows.n, rows.total]).astype("<i8", copy=False)
    by_weight = columns.view(np.uint8).reshape(len(columns), -1, 8).transpose(0, 2, 1)
    return bytes(cramjam.zstd.compress(by_weight.tobytes(), _LEVEL))


def _opened(packed: bytes) -> _Columns:
    by_weight = np.frombuffer(bytes(cramjam.zstd.decompress(packed)), dtype=np.uint8).reshape(len(KEYED), 8, -1)
    columns = np.ascontiguousarray(by_weight.transpose(0, 2, 1)).view("<i8")[..., 0]
    return _Columns(np.cumsum(columns[0]), columns[1], columns[2])
