"""Decisions of arrival as they were recorded: events that were refused as too late, or as of the future.

Nobody can make them again, since they depend on what had come before, or on the time of day. `sqm.rejected` says of
each which it was.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import polars as pl

from monitor.events import Read
from monitor.frames import INSTANT
from monitor.names import Kind, Refusal

BY_ARRIVAL: Final = frozenset({str(Refusal.FUTURE_TIME), str(Refusal.LATE)})

# Where each of them stood in the events topics, what it was refused as, and when that was recorded.
BY_ID: Final = ("case", "source", "id")
GIVEN: Final = {
    **{"topic": pl.String(), "offset": pl.Int64(), "index": pl.Int32(), "given": pl.String(), "recorded": INSTANT},
    **dict.fromkeys(BY_ID, pl.String()),
}
_PLACE: Final = ("topic", "offset", "index")


def given(records: Sequence[Any]) -> pl.DataFrame:
    """GIVEN of records of `sqm.rejected`; what else was refused is passed over, and what no worker wrote."""
    rows = []
    for record in records:
        headers = {name: value or b"" for name, value in record.headers if name.startswith("sqm-")}
        reason = _text(headers.get("sqm-reason"))
        place = _place(headers)
        if reason in BY_ARRIVAL and place is not None:
            recorded = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            rows.append((*place, reason, recorded, *(_text(headers.get(f"sqm-{name}")) for name in BY_ID)))
    return pl.DataFrame(rows, schema=GIVEN, orient="row")


def _place(headers: Mapping[str, bytes]) -> tuple[str, int, int] | None:
    """Where the event stood; None: nothing says."""
    try:
        return headers["sqm-topic"].decode(), int(headers["sqm-offset"]), int(headers["sqm-index"])
    except (KeyError, ValueError):
        return None


def of_this_log(decided: pl.DataFrame, holes: pl.DataFrame) -> pl.DataFrame:
    """The decisions on what the topics hold now, one for each place: those of before a hole was accepted do not concern
    what was read from where it was resumed, which is another log, or was read anew and so may be on record twice.

    :param decided: GIVEN in the order of its log
    :param holes: HOLES
    """
    for topic, resumed_at, accepted in holes.select("topic", "resumed_at", "accepted").iter_rows():
        read_since = (pl.col("topic") == topic) & (pl.col("offset") >= resumed_at)
        decided = decided.filter(~(read_since & (pl.col("recorded") < accepted)))
    return decided


def _text(header: bytes | None) -> str:
    return (header or b"").decode("utf-8", "replace")


class Taken(NamedTuple):
    """A read with those decisions taken over."""

    events: pl.DataFrame  # READ_EVENTS of cases that are to be folded
    read: int
    refused: Counter[str]  # by reason
    newest: Any  # time of the newest event, those that came too late included


def taken(read: Read, decided: pl.DataFrame) -> Taken:
    """Apply GIVEN to what was decoded without a limit of time."""
    decided = decided.select(*_PLACE, "given")
    known = read.events.join(decided, on=list(_PLACE), how="left", maintain_order="left")
    future = pl.col("given") == str(Refusal.FUTURE_TIME)
    refused = Counter(known["given"].drop_nulls().to_list())
    others = read.refused.join(decided, on=list(_PLACE), how="left").select(pl.coalesce("given", "reason"))
    refused.update(others.to_series().to_list())
    advanced = pl.col("kind") == str(Kind.ADVANCED)
    return Taken(
        known.filter(pl.col("given").is_null(), ~advanced).drop("given"),
        read.read
        + known.filter(advanced, future).height,  # an event that only moves time on counts where it is refused
        refused,
        known.filter(~future.fill_null(False))["time"].max(),
    )
