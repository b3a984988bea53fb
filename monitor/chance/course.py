"""How far clocks got: what is learned of each clock that was met or breached, as contributions to the cells.

A clock with a target runs along its share used, from 0 to 1. Where it was met on that way, or that it got to the
end and was breached, is one row: `<clock>.reached` in the bucket of the day on which the clock started, so that
all that started in a window can be told from what of it still runs. The bin of the row is a course:

    length * (STEPS + 1) + step     length: binary logarithm of the target's seconds, rounded down
                                    step:   met in [step, step + 1) / STEPS of the target; STEPS: breached

A breach on arrival says nothing of clocks that run, and excluded clocks are out of the figures here as everywhere.
"""

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from monitor.cells import BUCKET_MICROSECONDS
from monitor.clocks.shares import wholes
from monitor.frames import BUCKET, CONTRIBUTIONS, KEY, MEASURE, empty
from monitor.names import MEASURES, REACHED, Outcome
from monitor.policy import PolicySet

STEPS: Final = 50  # of a target
LENGTHS: Final = 2 ** np.arange(1, 40, dtype=np.int64)  # seconds at which the next length begins

FIRST: Final = MEASURES.index(REACHED[0])  # code of the measure of the first clock

_READ: Final = (
    *("case_key", "series", "clock", "policy", "line", "outcome", "on_arrival"),
    *("target", "started", "due", "elapsed"),
)
_DAY: Final = timedelta(days=1) // timedelta(microseconds=1)


def reached(verdicts: pl.DataFrame, policies: PolicySet) -> pl.DataFrame:
    """CONTRIBUTIONS of the clocks that ran towards a target and were met or breached.

    :param verdicts: VERDICTS with `series` in the place of labels; measured interactions never ran: they have no start
    """
    met = pl.col("outcome") == Outcome.MET
    ended = met | ((pl.col("outcome") == Outcome.BREACHED) & ~pl.col("on_arrival"))
    rows = verdicts.lazy().select(_READ).filter(ended & pl.col("started").is_not_null()).collect()
    if rows.height == 0:
        return empty(CONTRIBUTIONS)
    rows = rows.with_columns(wholes(rows, policies).alias("whole"))
    rows = rows.filter(pl.col("whole") >= timedelta(milliseconds=1))
    # In integers, and of a due that was just kept the last step.
    step = pl.col("elapsed").dt.total_milliseconds() * STEPS // pl.col("whole").dt.total_milliseconds()
    step = pl.when(met).then(pl.min_horizontal(step, STEPS - 1)).otherwise(STEPS)
    measure = pl.col("clock").to_physical().cast(pl.UInt8) + FIRST
    return rows.select(
        pl.col("case_key").cast(KEY),
        bucket=(pl.col("started").dt.epoch("us") // _DAY * (_DAY // BUCKET_MICROSECONDS)).cast(BUCKET),
        series="series",
        measure=measure.cat.to(MEASURE),
        bin=(length("whole") * (STEPS + 1) + step).cast(pl.Int16),
        n=pl.lit(1, dtype=pl.Int64),
        total=pl.lit(0, dtype=pl.Int64),
    )


def length(whole: str) -> pl.Expr:
    """The length of a target (SPAN) as a small number: those of one length differ by less than a factor of 2."""

    def of(spans: pl.Series) -> pl.Series:
        return pl.Series(np.searchsorted(LENGTHS, spans.dt.total_seconds().fill_null(0).to_numpy(), side="right"))

    return pl.col(whole).map_batches(of, return_dtype=pl.Int64, is_elementwise=True)
