"""What an Arrow IPC stream claims about itself, looked at before anything is allocated for it.

The reader believes the lengths in a stream: eight damaged bytes make it ask for exabytes, which ends the whole process
(no exception: the allocator aborts). So the claims of each message are compared with the bytes that are there. Only as
much of the format is read as that takes (Arrow columnar format 1.5, "IPC streaming format" and Message.fbs; tables and
vectors as in the FlatBuffers internals).
"""

from collections.abc import Iterator
from struct import Struct, error
from typing import Final

MOST_ROWS: Final = 1_000_000  # of a message
MOST_BYTES: Final = 256 << 20  # of a stream once decompressed
DEEPEST: Final = 16  # levels of nested columns
MOST_COLUMNS: Final = 4_096  # nested ones among them
WIDEST: Final = 65_536  # bytes or items of a value of fixed size

_U16, _I32, _U32, _I64 = Struct("<H"), Struct("<i"), Struct("<I"), Struct("<q")
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # types of a message's header
_FIXED: Final = (15, 16)  # types FixedSizeBinary and FixedSizeList, whose first field is their size


class ClaimError(ValueError):
    """The stream claims what cannot be; `too_large`: it could be, but is more than is accepted."""

    retriable = False

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


def check_claims(stream: bytes) -> None:
    """Raises `ClaimError` unless all lengths in the stream fit the bytes that are there and are accepted."""
    try:
        total = sum(_check_message(stream, header, body, end) for header, body, end in _messages(stream))
    except (error, OverflowError, IndexError):
        raise ClaimError("cut off, or an offset points outside") from None
    if total > MOST_BYTES:
        raise ClaimError(f"{total:,} bytes once decompressed, expected at most {MOST_BYTES:,}", too_large=True)


def _read(form: Struct, stream: bytes, at: int) -> int:
    if at < 0:
        raise IndexError(at)
    number: int = form.unpack_from(stream, at)[0]
    return number


def _messages(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each message the place of its metadata, and where its body begins and ends."""
    at = 0
    while at < len(stream):
        if _read(_U32, stream, at) == 0xFFFFFFFF:
            at += 4
        size = _read(_I32, stream, at)
        if size == 0:
            return
        body = at + 4 + size
        table = at + 4 + _read(_U32, stream, at + 4)
        length = _scalar(stream, table, 3, _I64)
        if size < 0 or length < 0 or body + length > len(stream):
            raise ClaimError(f"a message of {size} and {length} bytes at byte {at} of {len(stream)}")
        yield table, body, body + length
        at = body + length


def _check_message(stream: bytes, message: int, body: int, end: int) -> int:
    """Bytes that the body of a message takes once decompressed."""
    kind = stream[place] if (place := _field(stream, message, 1)) else 0
    header = _table(stream, message, 2)
    if kind == _SCHEMA:
        _check_columns(stream, _vector(stream, header, 1, 4), DEEPEST, [MOST_COLUMNS])
        return 0
    if kind == _DICTIONARY:
        header = _table(stream, header, 1)
    elif kind != _BATCH:
        raise ClaimError(f"a message of unknown type {kind}")
    rows = [_scalar(stream, header, 0, _I64)]
    rows += [_read(_I64, stream, node) for node in _vector(stream, header, 1, 16)]
    if min(rows) < 0 or max(rows) > MOST_ROWS:
        raise ClaimError(f"{max(rows):,} rows, expected at most {MOST_ROWS:,}", too_large=min(rows) >= 0)
    compressed = _field(stream, header, 3) != 0
    return sum(_bytes(stream, buffer, body, end, compressed) for buffer in _vector(stream, header, 2, 16))


def _bytes(stream: bytes, buffer: int, body: int, end: int, compressed: bool) -> int:
    offset, length = _read(_I64, stream, buffer), _read(_I64, stream, buffer + 8)
    if offset < 0 or length < 0 or body + offset + length > end:
        raise ClaimError(f"a buffer of {length} bytes at {offset} in a body of {end - body}")
    if not compressed or length == 0:
        return length
    claimed = _read(_I64, stream, body + offset)  # -1: this one is not compressed
    if claimed < -1 or length < 8:
        raise ClaimError(f"a compressed buffer of {claimed} bytes")
    return max(claimed, length)


def _check_columns(stream: bytes, places: range, levels: int, left: list[int]) -> None:
    left[0] -= len(places)
    if levels == 0 or left[0] < 0:
        raise ClaimError(f"more than {MOST_COLUMNS:,} columns or {DEEPEST} levels of them", too_large=True)
    for place in places:
        column = place + _read(_U32, stream, place)
        kind = stream[at] if (at := _field(stream, column, 2)) else 0
        if kind in _FIXED and not 0 < _scalar(stream, _table(stream, column, 3), 0, _I32) <= WIDEST:
            raise ClaimError(f"a column of values of a fixed size that is not 1 to {WIDEST:,}")
        if _field(stream, column, 5):
            _check_columns(stream, _vector(stream, column, 5, 4), levels - 1, left)


def _field(stream: bytes, table: int, number: int) -> int:
    """Where a field of a table stands; 0: it is absent."""
    fields = table - _read(_I32, stream, table)
    entry = 4 + 2 * number
    offset = _read(_U16, stream, fields + entry) if entry < _read(_U16, stream, fields) else 0
    return table + offset if offset else 0


def _scalar(stream: bytes, table: int, number: int, form: Struct) -> int:
    place = _field(stream, table, number)
    return _read(form, stream, place) if place else 0


def _table(stream: bytes, table: int, number: int) -> int:
    place = _field(stream, table, number)
    if not place:
        raise ClaimError("a message without its header")
    return place + _read(_U32, stream, place)


def _vector(stream: bytes, table: int, number: int, width: int) -> range:
    """The places of the items of a vector; none if it is absent."""
    place = _field(stream, table, number)
    if not place:
        return range(0)
    start = place + _read(_U32, stream, place)
    count = _read(_U32, stream, start)
    if start + 4 + count * width > len(stream):
        raise ClaimError(f"a list of {count} items of {width} bytes at byte {start} of {len(stream)}")
    return range(start + 4, start + 4 + count * width, width)
