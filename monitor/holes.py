"""Holes: records of the events topics that are gone; and marks, by which one is found even where offsets look well.

A mark is what a record that was read looked like. A topic that was truncated, or made anew, and written on may end
far behind the offset where reading stands, as if nothing had happened: but it does not bear the marks.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from monitor.frames import INSTANT, Columns
from monitor.names import HoleKind

# A hole that somebody accepted: the figures go on from what is there. Kept for ever.
HOLES: Final[Columns] = {
    "topic": pl.String(),  # an events topic
    "kind": pl.String(),  # names.HoleKind
    "from_offset": pl.Int64(),  # the records concerned: from this one
    "to_offset": pl.Int64(),  # up to before this one
    "missing": pl.Int64(),  # how many of them are gone, at most: offsets count transaction markers too; null: unknown
    "counted": pl.Boolean(),  # whether what is gone had been counted
    "from_time": INSTANT,  # timestamps of the records at both ends, null where they cannot be told
    "to_time": INSTANT,
    "resumed_at": pl.Int64(),  # the offset that was read next
    "accepted": INSTANT,
    "detail": pl.String(),  # what happened, in a sentence
}

MARKS: Final[Columns] = {
    "topic": pl.String(),
    "offset": pl.Int64(),
    "digest": pl.UInt64(),  # of the record's key and value
    "time": INSTANT,  # its timestamp
}


def thinned(marks: pl.DataFrame) -> pl.DataFrame:
    """Of each topic the newest mark, and one at about every doubled distance from it: some forty at most.

    So of a log that was cut off, a mark is known that it still bears, at less than three times the distance of the cut.

    :param marks: MARKS, of each topic in the order of offsets
    """
    distance = pl.col("offset").max().over("topic") - pl.col("offset") + 1
    # The oldest of each distance stays: it is the one that is to move on to the next.
    ring = (64 - distance.bitwise_leading_zeros()).alias("ring")
    return marks.with_columns(ring).unique(["topic", "ring"], keep="first", maintain_order=True).select(list(MARKS))


def touching(holes: pl.DataFrame, since: datetime | None) -> int:
    """How many holes may lack records of that instant or later; None: of any time.

    :param holes: HOLES
    """
    # Of what expired it is known when it ended; of all else, that it was over when it was accepted.
    end = pl.when(pl.col("kind") == HoleKind.EXPIRED).then(pl.coalesce("to_time", "accepted")).otherwise("accepted")
    lacking = holes.filter(pl.col("missing").is_null() | (pl.col("missing") > 0))
    return lacking.height if since is None else lacking.filter(end >= since).height


def without(marks: pl.DataFrame, resumed: Mapping[str, int]) -> pl.DataFrame:
    """The marks that still count where reading went back: those before the offset by topic in `resumed`."""
    first = pl.col("topic").replace_strict(dict(resumed), default=None, return_dtype=pl.Int64)
    return marks.filter(first.is_null() | (pl.col("offset") < first))
