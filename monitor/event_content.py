"""What tells two events with one id apart: a hash of their contents, the same for every encoding.

Content is what the columns of EVENTS hold beside `case`, `source` and `id`: two records agree if they mean the same,
whatever the order of their keys, the offset of their times, the form of their numbers and their unknown fields. The
hash is made of xxh3-64 of texts and of whole numbers, so that it is the same in every version and on every machine.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

from monitor.frames import EVENTS

Words = npt.NDArray[np.uint64]

_KEYS: Final = ("case", "case_key", "event_key", "content_key", "source", "id")
CONTENT: Final = tuple(name for name in EVENTS if name not in _KEYS)
# Each column has a number of its own that depends on nothing but its name.
_SALT: Final = {name: np.uint64(xxhash.xxh3_64_intdigest(name.encode())) for name in CONTENT}
_ONE, _TWO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


def content_keys(columns: dict[str, pl.Series], height: int) -> pl.Series:
    """UInt32 content keys of events; columns of EVENTS that are not given hold nothing."""
    total = np.zeros(height, np.uint64)
    for name in CONTENT:
        column = columns.get(name)
        if column is None or column.null_count() == height:
            continue
        mixed = _mix(_words(column) + _SALT[name])
        if column.null_count():
            mixed[column.is_null().to_numpy()] = 0
        total += mixed
    return pl.Series("content_key", (_mix(total) >> _HALF).astype(np.uint32))


def _mix(words: Words) -> Words:
    words = (words ^ (words >> _HALF)) * _ONE
    words = (words ^ (words >> _HALF)) * _TWO
    return words ^ (words >> _HALF)


def _words(column: pl.Series) -> Words:
    """One 64-bit word a value, equal for equal values."""
    match column.dtype:
        case pl.String():
            return _words_of_texts(column)
        case pl.Enum(categories=names):  # by its text: numbers of categories may move
            return _hashes(names)[column.to_physical().fill_null(0).to_numpy()]
        case pl.Float64():
            positive = column.fill_null(0.0).to_numpy() + 0.0  # -0.0 is 0.0
            return positive.view(np.uint64)
        case _:
            return column.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype(np.int64).view(np.uint64)


def _words_of_texts(column: pl.Series) -> Words:
    """Texts repeat (labels): each distinct one is hashed once."""
    distinct = column.drop_nulls().unique()
    if 4 * len(distinct) > len(column):
        return _hashes(column.fill_null(""))
    codes = column.cast(pl.Enum(distinct)).to_physical().fill_null(0)
    return _hashes(distinct)[codes.to_numpy()]


def _hashes(texts: pl.Series) -> Words:
    digests = [xxhash.xxh3_64_intdigest(text.encode()) for text in texts.to_list()]
    return np.array(digests, np.uint64)
