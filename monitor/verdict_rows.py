"""Verdicts as rows for people and other programs: `sqm replay --verdicts`."""

import polars as pl

from monitor.frames import Columns
from monitor.names import Outcome
from monitor.policy import PolicySet

_INSTANT = pl.Datetime("ms", "UTC")
VERDICT_ROWS: Columns = {
    "case": pl.String(),
    "clock": pl.String(),
    "cycle": pl.Int32(),  # from 1 for next_response, else 1
    "policy_from": _INSTANT,  # effective_from of the version that judged; null: it has none
    "target_seconds": pl.Float64(),  # null for business_days and promise
    "started": _INSTANT,
    "due": _INSTANT,
    "stopped": _INSTANT,
    "outcome": pl.String(),
    "elapsed_seconds": pl.Float64(),  # calendar time up to `stopped`, else to `now`
    "paused_seconds": pl.Float64(),
}
_TOLD_OF_ALL = ("case", "clock", "cycle", "policy_from", "started", "outcome")
_WITHOUT_FIGURES = (str(Outcome.EXCLUDED), str(Outcome.INCONSISTENT))


def verdict_rows(verdicts: pl.DataFrame, policies: PolicySet) -> pl.DataFrame:
    """VERDICT_ROWS of the verdicts that have a target, by case, clock and cycle; seconds to the millisecond.

    Excluded and inconsistent ones tell no more than their start.
    """
    starts = {v.number: v.effective_from for v in policies.versions if v.effective_from is not None}
    rows = verdicts.filter(pl.col("outcome") != str(Outcome.NO_TARGET)).sort("case", "clock", "cycle")
    rows = rows.select(
        "case",
        pl.col("clock", "outcome").cast(pl.String),
        "cycle",
        pl.col("policy").replace_strict(starts, default=None, return_dtype=_INSTANT).alias("policy_from"),
        pl.col("started", "due", "stopped").cast(_INSTANT),
        *(_seconds(name).alias(f"{name}_seconds") for name in ("target", "elapsed", "paused")),
    )
    figures = pl.exclude(_TOLD_OF_ALL)
    return rows.with_columns(pl.when(~pl.col("outcome").is_in(_WITHOUT_FIGURES)).then(figures)).select(
        list(VERDICT_ROWS)
    )


def csv_text(rows: pl.DataFrame) -> str:
    """VERDICT_ROWS as CSV: instants RFC 3339, seconds with three decimals, nothing where there is none."""
    return rows.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ", float_precision=3)


def _seconds(name: str) -> pl.Expr:
    return (pl.col(name).dt.total_microseconds() / 1e6).round(3)
