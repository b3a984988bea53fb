"""Frames of `sqm.state`: deltas, slices of snapshots and beats as bytes, and back.

A frame is the Arrow IPC streams of a few tables, compressed together and cut into records that fit a broker's
limit. Each record begins with a header: what it is, of which format, which part of how many, and a checksum.

| frame | key | holds |
|---|---|---|
| delta | `delta/<number>/<part>` | what one commit changed; numbers count up by one |
| slice | `slice/<slice>/<part>` | one slice of a snapshot, as it was after the delta of that number |
| beat | `beat/<part>` | time and offsets, where a commit changed nothing else; with the last delta's number |
| halt | `halt/<part>` | why the partition stands still, for others to read; a tombstone once it goes on |
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import cramjam
import polars as pl
import xxhash

from monitor.frames import Columns, conform, used
from monitor.state import OF_SNAPSHOTS, TABLES

# 2: slices are told by the upper bits of keys; 3: archived cases, ids that are forgotten; 4: packed cells, which rules
# were in force
FORMAT: Final = 4
OLDEST: Final = 2  # that is read; what was added since is made up for by `conform`
MAGIC: Final = b"SQMF"
PART_BYTES: Final = 900_000

# magic, format, kind, slice, part, parts, number; then xxh3-64 of all that stands before and after it
_HEAD: Final = struct.Struct(">4sBBHHHQ")
_CHECKSUM: Final = struct.Struct(">Q")
_HEADER_BYTES: Final = _HEAD.size + _CHECKSUM.size
_TABLE: Final = struct.Struct(">BI")  # length of the name, of the stream
_LEVEL: Final = 3  # 1 is a thirtieth faster, and a quarter longer

# Offsets say where to read on; this says what time had come there, which a clock that follows events needs.
READING: Final = "reading"
READING_COLUMNS: Final[Columns] = {"topic": pl.String(), "newest": pl.Datetime("us", "UTC")}

HALT: Final = "halt"
HALT_COLUMNS: Final[Columns] = {"detail": pl.String()}

_COLUMNS: Final[Mapping[str, Columns]] = {
    **{name: table.columns for name, table in {**TABLES, **OF_SNAPSHOTS}.items()},
    READING: READING_COLUMNS,
    HALT: HALT_COLUMNS,
}

Tables = Mapping[str, pl.DataFrame]


class FrameError(Exception):
    """A frame that cannot be used; the message says where it stands and what is wrong with it.

    :param offset: where in its partition, as far as that can be told
    """

    retriable = False

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class FrameDamaged(FrameError):
    """Bytes that are not what was written, or are missing."""


class NewerFormat(FrameError):
    """A frame that a newer version of the program wrote."""


class OlderFormat(FrameError):
    """A frame of before the first release."""


class Kind(IntEnum):
    DELTA = 0
    SLICE = 1
    BEAT = 2
    HALT = 3


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}, partition {self.partition}, offset {self.offset}"


@dataclass(frozen=True)
class Header:
    """What the head of a record says of its frame."""

    kind: Kind
    slice: int  # 0 unless kind is SLICE
    part: int
    parts: int
    number: int  # of the delta; of a slice or beat: of the last delta in it

    @property
    def frame(self) -> tuple[Kind, int, int]:
        """What tells this record's frame from others."""
        return self.kind, self.slice, self.number


def key(kind: Kind, part: int, *, slice_number: int = 0, number: int = 0) -> bytes:
    """The key of a part of a frame."""
    match kind:
        case Kind.DELTA:
            return b"delta/%d/%d" % (number, part)
        case Kind.SLICE:
            return b"slice/%d/%d" % (slice_number, part)
        case Kind.BEAT:
            return b"beat/%d" % part
        case Kind.HALT:
            return b"halt/%d" % part


def encode(
    tables: Tables, kind: Kind, number: int, *, slice_number: int = 0, part_bytes: int = PART_BYTES
) -> list[tuple[bytes, bytes]]:
    """A frame as records: (key, value) of each part, in order; a frame of nothing is one part, too."""
    payload = _pack(tables)
    pieces = [payload[at : at + part_bytes] for at in range(0, len(payload), part_bytes)]
    records = []
    for part, piece in enumerate(pieces):
        head = _HEAD.pack(MAGIC, FORMAT, kind, slice_number, part, len(pieces), number)
        checksum = xxhash.xxh3_64_intdigest(piece, seed=xxhash.xxh3_64_intdigest(head))
        value = b"".join((head, _CHECKSUM.pack(checksum), piece))
        records.append((key(kind, part, slice_number=slice_number, number=number), value))
    return records


def header(value: bytes, place: Place) -> Header:
    """The head of a record, checked. Raises FrameDamaged, NewerFormat, OlderFormat."""
    if len(value) < _HEADER_BYTES or value[:4] != MAGIC:
        raise FrameDamaged(f"{place}: this is no frame of sqm's state ({len(value)} bytes)", place.offset)
    _, version, kind, slice_number, part, parts, number = _HEAD.unpack_from(value)
    if version > FORMAT:
        raise NewerFormat(
            f"{place}: the state was written in format {version}, by a newer sqm; this one reads up to {FORMAT}",
            place.offset,
        )
    (checksum,) = _CHECKSUM.unpack_from(value, _HEAD.size)
    seed = xxhash.xxh3_64_intdigest(value[: _HEAD.size])
    if checksum != xxhash.xxh3_64_intdigest(memoryview(value)[_HEADER_BYTES:], seed=seed):
        raise FrameDamaged(f"{place}: the frame is damaged, its checksum does not fit its bytes", place.offset)
    if version < OLDEST:
        raise OlderFormat(
            f"{place}: the state was written in format {version}, before the first release; this sqm reads {FORMAT}",
            place.offset,
        )
    if kind not in tuple(Kind) or part >= parts:
        raise FrameDamaged(f"{place}: the frame's header makes no sense", place.offset)
    return Header(Kind(kind), slice_number, part, parts, number)


def decode(values: list[bytes], place: Place) -> dict[str, pl.DataFrame]:
    """The tables of a frame from all its parts (whose headers were checked), in the columns of today.

    Raises FrameDamaged.
    """
    try:
        packed = bytes(cramjam.zstd.decompress(b"".join(value[_HEADER_BYTES:] for value in values)))
        return {name: conform(rows, _COLUMNS[name]) for name, rows in _unpack(packed)}
    except (cramjam.DecompressionError, pl.exceptions.PolarsError, struct.error, OSError, KeyError) as error:
        raise FrameDamaged(f"{place}: the frame's tables cannot be read ({error})", place.offset) from error


def _pack(tables: Tables) -> bytes:
    """Names, lengths and Arrow streams, compressed as a whole, since small tables are mostly schema."""
    parts: list[bytes | memoryview] = []
    for name, rows in tables.items():
        stream = io.BytesIO()
        used(rows, rows.columns[0]).write_ipc_stream(stream, compression="zstd")
        written = stream.getbuffer()
        parts += [_TABLE.pack(len(name), len(written)), name.encode("ascii"), written]
    return bytes(cramjam.zstd.compress(b"".join(parts), _LEVEL))


def _unpack(packed: bytes) -> Iterator[tuple[str, pl.DataFrame]]:
    at = 0
    while at < len(packed):
        name_bytes, length = _TABLE.unpack_from(packed, at)
        at += _TABLE.size
        name = packed[at : at + name_bytes].decode("ascii")
        at += name_bytes
        yield name, pl.read_ipc_stream(io.BytesIO(packed[at : at + length]))
        at += length
