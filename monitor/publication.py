"""What changed between the verdicts that were published and those just derived, and what of it to publish."""

from typing import NamedTuple

import polars as pl

from monitor.cases import labelled
from monitor.frames import CHANGES, INSTANT, OUTCOME, SPAN, conform
from monitor.names import Change, Outcome
from monitor.state import STATE_VERDICTS, VERDICT_KEYS

_SETTLED = (Outcome.MET, Outcome.BREACHED)
COMPARED = [  # what tells verdicts apart; how often one was revised and told is not of them
    name for name in STATE_VERDICTS if name not in (*VERDICT_KEYS, "case", "old_outcome", "change", "complaint")
]


class Comparison(NamedTuple):
    rows: pl.DataFrame  # STATE_VERDICTS that differ; `outcome` null where a verdict is no more
    changes: pl.DataFrame  # CHANGES: those of them that are to be told
    corrected: int


def compare(old: pl.DataFrame, new: pl.DataFrame, labels: pl.DataFrame, fresh: pl.DataFrame) -> Comparison:
    """Compare the verdicts of the touched cases.

    :param old: STATE_VERDICTS of these cases
    :param new: their verdicts as derived now: `referring(VERDICTS)` and `series`
    :param labels: LABEL_COLUMNS, to which `state` refers
    :param fresh: EVENTS that the batch brought for them, but for those that other rules judge now
    """
    current = new.filter(pl.col("outcome") != Outcome.NO_TARGET).with_columns(
        # how long a running clock has run changes by the second: it is worked out when it is read
        pl.when(pl.col("stopped").is_not_null()).then(pl.col(name)).otherwise(pl.lit(None, dtype=SPAN)).alias(name)
        for name in ("elapsed", "paused")
    )
    if old.height == 0 and current.height == 0:
        return Comparison(conform(old, STATE_VERDICTS), conform(old.drop("series"), CHANGES), 0)
    published = old.rename({"change": "change_old", "old_outcome": "revised_before"})
    both = (
        current.join(published, on=VERDICT_KEYS, how="full", suffix="_old", coalesce=True)
        .filter(pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_old")) for c in COMPARED))
        .with_columns(
            pl.coalesce("case", "case_old").alias("case"),
            pl.coalesce("complaint", "complaint_old").alias("complaint"),
            revised=_revised(),
        )
    )
    both = both.with_columns(_earliest(both, fresh)).with_columns(change=_change())
    rows = both.with_columns(
        old_outcome=pl.when("revised").then(pl.col("outcome_old")).otherwise(pl.col("revised_before")).cast(OUTCOME),
        change=pl.coalesce("change", "change_old"),
    )
    told = both.filter(pl.col("change").is_not_null()).with_columns(old_outcome=pl.col("outcome_old"))
    corrected = told.filter(pl.col("change") == Change.CORRECTED).height
    return Comparison(conform(rows, STATE_VERDICTS), conform(labelled(told, labels), CHANGES), corrected)


def _earliest(both: pl.DataFrame, fresh: pl.DataFrame) -> pl.Series:
    """For each revised row the time of the earliest event that the batch brought for its case."""
    revised = both.filter("revised")["case_key"]
    if revised.is_empty():
        return pl.Series("earliest", [None], dtype=INSTANT).new_from_index(0, both.height)
    brought = fresh.filter(pl.col("case_key").is_in(revised.implode()))
    earliest = brought.group_by("case_key").agg(earliest=pl.col("time").min())
    return both.select("case_key").join(earliest, on="case_key", how="left", maintain_order="left")["earliest"]


def _revised() -> pl.Expr:
    """A published settled outcome that no longer holds."""
    return pl.col("outcome_old").is_in(_SETTLED) & pl.col("outcome_old").ne_missing(pl.col("outcome"))


def _change() -> pl.Expr:
    overtaken = pl.col("earliest") > pl.col("decided_old")
    newly = pl.col("outcome").is_in([*_SETTLED, Outcome.AT_RISK]) & pl.col("outcome").ne_missing(pl.col("outcome_old"))
    return (
        pl.when(pl.col("revised") & pl.col("earliest").is_null())
        .then(pl.lit(Change.RESTATED.value))
        .when(pl.col("revised") & overtaken)
        .then(pl.lit(Change.REOPENED.value))
        .when("revised")
        .then(pl.lit(Change.CORRECTED.value))
        .when(newly)
        .then(pl.col("outcome").cast(pl.String))
    )
