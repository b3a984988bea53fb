"""From verdicts and facts to additive rows: what a case contributes to the cells.

A contribution is (case, bucket, labels, measure, bin) -> n, total. Rows with the same keys add up, so that a case
that changes contributes `new - old`, and subtracting is the exact inverse of adding.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from monitor.cells.bins import bin_of
from monitor.cells.grains import BUCKET_SPAN
from monitor.cells.tiers import Tiers as Tiers
from monitor.frames import BUCKET, CONTRIBUTIONS, KEY, MEASURE, empty
from monitor.names import CLOCKS, OUTCOMES, Outcome

BUCKET_MICROSECONDS: Final = BUCKET_SPAN // timedelta(microseconds=1)

UNBINNED: Final = "case.answered"  # its times are those of first_response, whose distribution is kept

_KINDS: Final = (*OUTCOMES, "late", "untargeted")  # the order of names.CLOCK_MEASURES within a clock
_LATE: Final = _KINDS.index("late")
_UNTARGETED: Final = _KINDS.index("untargeted")


def bucket_of(instant: pl.Expr) -> pl.Expr:
    """Number of the 10 s interval [start, start + 10 s) since 1970 that holds an instant; null stays null."""
    return (instant.dt.epoch("us") // BUCKET_MICROSECONDS).cast(BUCKET)


def contributions(verdicts: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """What those verdicts and facts add to the cells (CONTRIBUTIONS).

    A verdict counts once as `<clock>.<outcome>`, in the bucket of the instant that decided it; where that was a met
    clock the value is its elapsed time. A breached clock that has stopped counts as `<clock>.late` as well, at its
    stop and with its elapsed time; so does a stopped clock without target as `<clock>.untargeted`. A clock that the end
    of its case cut short took no time that could be told. Rows with the same keys are left
    for the caller to add up.

    :param verdicts: VERDICTS with `series` in the place of the labels, all clocks of the cases
    :param facts: FACTS, likewise
    """
    parts = [rows for rows in (*_clock_rows(verdicts), _fact_rows(facts)) if rows.height]
    if not parts:
        return empty(CONTRIBUTIONS)
    rows = pl.concat(parts)
    single = (pl.col("n") == 1) & (pl.col("measure") != UNBINNED)
    rows = rows.with_columns(bin=pl.when(single).then(bin_of(rows["value"])), total=pl.col("value").fill_null(0))
    return rows.select(list(CONTRIBUTIONS))


def _clock_rows(verdicts: pl.DataFrame) -> list[pl.DataFrame]:
    clock, outcome = pl.col("clock").to_physical(), pl.col("outcome")
    elapsed = pl.col("elapsed").dt.total_milliseconds()
    took = pl.col("stopped").is_not_null() & ~pl.col("cut")

    def rows(chosen: pl.DataFrame, kind: pl.Expr, at: str, value: pl.Expr) -> pl.DataFrame:
        measure = clock.cast(pl.UInt8) * len(_KINDS) + kind.cast(pl.UInt8)
        return chosen.select(
            pl.col("case_key").cast(KEY),
            bucket_of(pl.col(at)).alias("bucket"),
            "series",
            measure.cat.to(MEASURE).alias("measure"),
            pl.lit(1, dtype=pl.Int64).alias("n"),
            value.cast(pl.Int64).alias("value"),
        )

    met = pl.when(outcome == Outcome.MET).then(elapsed)
    late = verdicts.filter((outcome == Outcome.BREACHED) & took)
    untargeted = verdicts.filter((outcome == Outcome.NO_TARGET) & took)
    return [
        rows(verdicts, outcome.to_physical(), "decided", met),
        rows(late, pl.lit(_LATE), "stopped", elapsed),
        rows(untargeted, pl.lit(_UNTARGETED), "stopped", elapsed),
    ]


def _fact_rows(facts: pl.DataFrame) -> pl.DataFrame:
    """Facts that have happened; a row with n = 0 only says when to look again."""
    return facts.filter(pl.col("n") != 0).select(
        pl.col("case_key").cast(KEY),
        bucket_of(pl.col("at")).alias("bucket"),
        "series",
        "measure",
        pl.col("n").cast(pl.Int64),
        "value",
    )


assert tuple(f"{clock}.{kind}" for clock in CLOCKS for kind in _KINDS) == tuple(
    MEASURE.categories[: len(CLOCKS) * len(_KINDS)]
)
