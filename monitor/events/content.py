"""What tells two events with one id apart: a hash of their contents, the same for every encoding.

Content is the type, the time and every field of `data` that counts for the type: two records agree if they mean the
same, whatever the order of their keys, the offset of their times, the form of their numbers and their unknown fields.
The hash is made of xxh3-64 of texts and of whole numbers, so that it is the same in every version and on every machine.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

from monitor.events.draft import Draft
from monitor.events.fields import FIELDS, TYPE_NAMES

Words = npt.NDArray[np.uint64]

# The places of columns in the mask below are part of the hash: new names go to the end of the table of fields.
CONTENT: Final = ("sequence", "cleared", "answers", *(f.name for f in FIELDS))
_BIT: Final = {name: np.uint64(1 << place) for place, name in enumerate(CONTENT)}
_SEPARATOR: Final = "\x1f"

_digest = xxhash.xxh3_64_digest


def _word(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


_NO_TEXT: Final = np.uint64(_word(""))  # what a row without texts has, whatever the others of its batch hold
_TYPE: Final = np.array([*map(_word, TYPE_NAMES), 0], np.uint64)  # by code; the last for unknown types
_SALT: Final = {name: np.uint64(_word(name)) for name in CONTENT}
_ONE, _TWO, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(32)


def content_keys(draft: Draft) -> pl.Series:
    """UInt32 content keys of the events of a draft.

    The words of all values are mixed with a salt of their field and added up; texts, joined in the order of fields,
    make one word, and a mask that says which fields are there another.
    """
    total = _mix(_TYPE[draft.codes]) + _mix(draft.instants.view(np.uint64))
    mask = np.zeros(draft.height, np.uint64)
    texts = []
    for name in CONTENT:
        column = draft.fields.get(name)
        if column is None:
            continue
        there = column.is_not_null().to_numpy() if column.null_count() else np.True_
        mask |= there * _BIT[name]
        if column.dtype == pl.String:
            texts.append(column)
        else:
            total += there * _mix(_words(column) + _SALT[name])
    total += _words_of_texts(texts) if texts else _NO_TEXT
    return pl.Series((_mix(total + _mix(mask)) >> _HALF).astype(np.uint32))


def _mix(words: Words) -> Words:
    words = (words ^ (words >> _HALF)) * _ONE
    words = (words ^ (words >> _HALF)) * _TWO
    return words ^ (words >> _HALF)


def _words(column: pl.Series) -> Words:
    """One 64-bit word a value, equal for equal values; anything where there is none."""
    if column.dtype == pl.Float64:
        return (column.to_numpy() + 0.0).view(np.uint64)  # -0.0 is 0.0
    whole = column.to_physical().cast(pl.Int64)
    return (whole.fill_null(0) if whole.null_count() else whole).to_numpy().view(np.uint64)


def _words_of_texts(columns: list[pl.Series]) -> Words:
    """One word a row for all its texts."""
    named = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(columns)])
    joined = pl.concat_str(pl.all(), separator=_SEPARATOR, ignore_nulls=True).cast(pl.Binary)
    digests = map(_digest, named.select(joined).to_series().to_list())
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
