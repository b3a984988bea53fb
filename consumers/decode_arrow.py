"""Arrow IPC streams of bulk producers: thousands of events a record, read as tables."""

from datetime import datetime
from io import BytesIO
from typing import NamedTuple

import polars as pl
from polars.exceptions import PanicException, PolarsError

from consumers.arrow_claims import ClaimError, check_claims
from monitor.events import Read, read_draft
from monitor.events.columns import draft_of_columns
from monitor.events.faults import Refused, clipped, unreadable
from monitor.names import Refusal


class Table(NamedTuple):
    """The events of one record."""

    place: int  # number of the record
    frame: pl.DataFrame


def read_stream(value: bytes) -> pl.DataFrame:
    """The table of an Arrow IPC stream; raises `Refused`."""
    try:
        check_claims(value)
        return pl.read_ipc_stream(BytesIO(value))
    except ClaimError as error:
        if error.too_large:
            raise Refused(unreadable(Refusal.TOO_LARGE, f"the Arrow IPC stream has {error}")) from None
        raise Refused(unreadable(Refusal.DAMAGED_RECORD, f"not an Arrow IPC stream: {error}")) from None
    except (PolarsError, PanicException, OSError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        message = f"not an Arrow IPC stream: {clipped(str(error), 120)}"
        raise Refused(unreadable(Refusal.DAMAGED_RECORD, message)) from None


def read_tables(tables: list[Table], origin: pl.DataFrame, *, future_after: datetime | None) -> list[Read]:
    """Events of tables, those of one shape together; `origin` has a row a record, and the column `place`."""
    shapes: dict[tuple[object, ...], list[Table]] = {}
    for table in tables:
        if table.frame.height:
            shapes.setdefault(tuple(table.frame.schema.items()), []).append(table)
    reads = []
    for alike in shapes.values():
        draft = draft_of_columns(pl.concat([table.frame for table in alike]), from_text=False)
        places = [table.place for table in alike for _ in range(table.frame.height)]
        index = pl.concat([pl.int_range(table.frame.height, dtype=pl.Int32, eager=True) for table in alike])
        of_rows = origin[places].with_columns(index=index)
        reads.append(read_draft(draft, of_rows, future_after=future_after))
    return reads
