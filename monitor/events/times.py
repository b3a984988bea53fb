"""RFC 3339 times to microseconds since 1970-01-01T00:00Z, many at once and without a datetime object each."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

LEAST: Final = int(np.datetime64("0001-01-01", "us").astype(np.int64))
MOST: Final = int(np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64))

_LONGEST = 64  # characters; a longer text is no time
_SECOND = 1_000_000
_LIKE_A_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d)?(\.\d+)?", re.ASCII)


def micros_of(texts: Sequence[str]) -> tuple[Micros, Flags]:
    """Microseconds of each text, and whether it is a time at all (0 where it is not).

    RFC 3339 with `T`, `t` or a space, any offset, any number of digits in the fraction (cut, not rounded, to
    microseconds). Not times: no offset, a leap second, an instant outside the years 1 to 9999.
    """
    count = len(texts)
    if count and (same := _of_one_length("\n".join(texts).encode(), count)) is not None:
        return same
    micros, fine = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    lengths = np.fromiter(map(len, texts), np.int64, count)
    for length in np.unique(lengths[(lengths > 0) & (lengths <= _LONGEST)]):
        rows = np.flatnonzero(lengths == length)
        group = [texts[row] if texts[row].isascii() else "?" * int(length) for row in rows.tolist()]
        matrix = np.frombuffer("".join(group).encode(), np.uint8).reshape(len(rows), -1)
        micros[rows], fine[rows] = _parse(np.ascontiguousarray(matrix.T))
    return micros, fine


def _of_one_length(joined: bytes, count: int) -> tuple[Micros, Flags] | None:
    """The times of lines that are all equally long; None: they are not.

    With a line break at every place where one belongs and nowhere else no text can pass into its neighbour.
    """
    length, rest = divmod(len(joined) + 1, count)
    if rest or not 20 < length <= _LONGEST or joined.count(b"\n") != count - 1:
        return None
    matrix = np.frombuffer(joined + b"\n", np.uint8).reshape(count, length)
    columns = np.ascontiguousarray(matrix.T)
    return _parse(columns[:-1]) if bool((columns[-1] == 10).all()) else None


def _parse(text: Bytes) -> tuple[Micros, Flags]:
    """Times of equally long texts; row i of `text` holds the i-th character of each."""
    length, count = text.shape
    if length < 20:
        return np.zeros(count, np.int64), np.zeros(count, np.bool_)
    zulu = (text[-1] | 0x20) == ord("z")
    if bool(zulu.all()):
        return _parse_with(text, length - 1, offset=False)
    micros, fine = _parse_with(text, length - 6, offset=True)
    if bool(zulu.any()):
        rows = np.flatnonzero(zulu)
        micros[rows], fine[rows] = _parse_with(np.ascontiguousarray(text[:, rows]), length - 1, offset=False)
    return micros, fine


def _parse_with(text: Bytes, end: int, *, offset: bool) -> tuple[Micros, Flags]:
    """Times whose date, time and fraction take the characters before `end`, where Z or an offset follows."""
    count = text.shape[1]
    if end != 19 and end < 21:
        return np.zeros(count, np.int64), np.zeros(count, np.bool_)
    digits = text - ord("0")
    places = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, *range(20, end)]
    fine = _all_below(digits, places, 10)
    for place, mark in ((4, "-"), (7, "-"), (13, ":"), (16, ":")):
        fine &= text[place] == ord(mark)
    fine &= ((text[10] | 0x20) == ord("t")) | (text[10] == ord(" "))
    if end > 19:
        fine &= text[19] == ord(".")
    hour, minute, second = (_pair(digits, place) for place in (11, 14, 17))
    fine &= (hour < 24) & (minute < 60) & (second < 60)
    days, real = _days(text, digits)
    fine &= real
    seconds = hour.astype(np.int64) * 3600 + minute.astype(np.int32) * 60 + second
    micros = (days * 86_400 + seconds) * _SECOND
    if end > 19:
        micros += _fraction(digits[20 : min(end, 26)])
    if offset:
        shift, real = _offset(text, digits, end)
        fine &= real
        micros -= shift
    fine &= (micros >= LEAST) & (micros <= MOST)
    return np.where(fine, micros, 0), fine


def _all_below(digits: Bytes, places: list[int], limit: int) -> Flags:
    highest = digits[places[0]].copy()
    for place in places[1:]:
        np.maximum(highest, digits[place], out=highest)
    below: Flags = highest < limit
    return below


def _pair(digits: Bytes, place: int) -> Bytes:
    """The two-digit number that begins there (of characters that are no digits: anything)."""
    number: Bytes = digits[place] * np.uint8(10) + digits[place + 1]
    return number


def _fraction(digits: Bytes) -> npt.NDArray[np.int32]:
    total = np.zeros(digits.shape[1], np.int32)
    for digit in digits:
        total = total * 10 + digit
    return total * np.int32(10 ** (6 - len(digits)))


def _days(text: Bytes, digits: Bytes) -> tuple[Micros, Flags]:
    """Days since 1970-01-01 of the date in the first ten characters, and whether there is such a date."""
    if bool((text[:10] == text[:10, :1]).all()):  # as in most batches: one date throughout
        days, real = _days_each(digits[:, :1])
        return np.broadcast_to(days, text.shape[1]), np.broadcast_to(real, text.shape[1])
    return _days_each(digits)


def _days_each(digits: Bytes) -> tuple[Micros, Flags]:
    year = _pair(digits, 0).astype(np.int64) * 100 + _pair(digits, 2)
    month, day = _pair(digits, 5), _pair(digits, 8)
    since = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first = since.astype("datetime64[D]").astype(np.int64)
    after = (since + 1).astype("datetime64[D]").astype(np.int64)
    days = first + day - 1
    return days, (month >= 1) & (month <= 12) & (day >= 1) & (days < after)


def _offset(text: Bytes, digits: Bytes, end: int) -> tuple[Micros, Flags]:
    """The offset `+hh:mm` or `-hh:mm` that begins at `end`, in microseconds."""
    sign, colon = text[end], text[end + 3] == ord(":")
    real = ((sign == ord("+")) | (sign == ord("-"))) & colon
    real &= _all_below(digits, [end + 1, end + 2, end + 4, end + 5], 10)
    hours, minutes = _pair(digits, end + 1), _pair(digits, end + 4)
    real &= (hours < 24) & (minutes < 60)
    size = (hours.astype(np.int64) * 60 + minutes) * (60 * _SECOND)
    return np.where(sign == ord("-"), -size, size), real


def fault_of(text: str) -> str:
    """Why a text that `micros_of` refused is not a time, as a clause."""
    if len(text) > _LONGEST:
        return f"is too long (expected at most {_LONGEST} characters)"
    if match := _LIKE_A_TIME.match(text):
        rest = text[match.end() :]
        if not rest:
            return "has no offset (append Z or an offset such as +08:00)"
        if not match.group(1):
            return "has no seconds"
        if text[17:19] == "60":
            return "is a leap second"
        if re.fullmatch(r"[Zz]|[+-]\d\d:\d\d", rest, re.ASCII):
            return "does not exist in the calendar"
    return "is not RFC 3339"
