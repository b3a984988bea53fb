"""Frames on disk, put once and read again piece by piece, in a file without a name: it is gone with its process."""

import io
import tempfile
from pathlib import Path
from typing import NamedTuple

import polars as pl

from monitor.frames import Columns, conform, used


class Piece(NamedTuple):
    """Where a frame lies."""

    at: int
    size: int  # bytes
    rows: int


class Pieces:
    """The file.

    :param folder: on whose disk it lies
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`

    def put(self, rows: pl.DataFrame) -> Piece:
        """Write some rows, one at least."""
        stream = io.BytesIO()
        used(rows, rows.columns[0]).write_ipc_stream(stream, compression="lz4")
        at = self._file.seek(0, io.SEEK_END)
        return Piece(at, self._file.write(stream.getbuffer()), rows.height)

    def get(self, piece: Piece, columns: Columns) -> pl.DataFrame:
        """Read them again."""
        self._file.seek(piece.at)
        return conform(pl.read_ipc_stream(io.BytesIO(self._file.read(piece.size))), columns)

    def close(self) -> None:
        self._file.close()
