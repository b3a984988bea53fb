"""Verdicts of live cases as the API shows them: found in the partitions' states, put into words for one page.

A partition's verdicts lie in one frame without labels. What a request asks for is filtered there, by number of series,
and only the rows of one page get their labels and their texts.
"""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from api.board import Board
from api.cursors import Order
from api.shapes import fits, instant, instant_text, labels_of, seconds_of
from monitor.frames import LABEL_COLUMNS, empty
from monitor.names import LABELS
from monitor.policy import PolicySet
from monitor.running import BARE, with_used
from monitor.state import STATE_VERDICTS, State

States = Mapping[int, State]

FOUND: Final = {**STATE_VERDICTS, "partition": pl.Int32()}
BY_DECIDED: Final = Order(("decided", "case", "clock", "cycle"), (True, False, False, False))
BY_CHANCE: Final = Order(("chance", "due", "case", "clock", "cycle"), (True, False, False, False, False))
BY_DUE: Final = Order(("due", "case", "clock", "cycle"), (False, False, False, False))


def find(states: States, condition: pl.Expr, wanted: Mapping[str, list[str]]) -> pl.DataFrame:
    """Verdicts of all partitions that fulfil a condition and whose series have the wanted labels (FOUND)."""
    found = []
    for partition, state in states.items():
        here = condition
        if wanted:
            series = state.series.filter(fits(wanted))["series"]
            here = condition & pl.col("series").is_in(series.implode())
        found.append(_of(partition, state.verdicts_where(here)))
    return pl.concat(found) if found else empty(FOUND)


def of_cases(states: States, keys: pl.Series) -> pl.DataFrame:
    """Verdicts of those cases in all partitions (FOUND)."""
    found = [_of(partition, state.verdicts_of(keys)) for partition, state in states.items()]
    return pl.concat(found) if found else empty(FOUND)


def _of(partition: int, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(partition=pl.lit(partition, dtype=pl.Int32))


def with_labels(rows: pl.DataFrame, states: States) -> pl.DataFrame:
    """FOUND with the label columns, in the same order."""
    if not rows.height:
        return rows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in LABEL_COLUMNS.items())
    series = pl.concat(
        state.series.with_columns(partition=pl.lit(partition, dtype=pl.Int32)) for partition, state in states.items()
    )
    return rows.join(series, on=["partition", "series"], how="left", maintain_order="left")


def foretold(rows: pl.DataFrame, states: States, board: Board) -> pl.DataFrame:
    """FOUND of running clocks with labels, and whole, used (see `running.with_used`) and CHANCES."""
    known = with_used(rows, states, board.policies, board.grace)
    return pl.concat([known, board.chances.of(known)], how="horizontal")


def verdict_items(rows: pl.DataFrame, policies: PolicySet) -> list[dict[str, Any]]:
    """One dict a row of FOUND with labels, as `/v1/verdicts` shows it."""
    bare = pl.col("outcome").is_in(BARE)

    def unless_bare(expression: pl.Expr) -> pl.Expr:
        return pl.when(~bare).then(expression)

    texts = rows.select(
        "case",
        pl.col("clock").cast(pl.String),
        "cycle",
        "complaint",
        "policy",
        unless_bare(pl.col("line")).alias("line"),
        unless_bare(seconds_of("target")).alias("target_seconds"),
        instant_text("started").alias("started"),
        unless_bare(instant_text("due")).alias("due"),
        unless_bare(instant_text("stopped")).alias("stopped"),
        instant_text("decided").alias("decided"),
        pl.col("outcome").cast(pl.String),
        pl.col("old_outcome").cast(pl.String),
        "change",
        "on_arrival",
        unless_bare(seconds_of("elapsed")).alias("elapsed_seconds"),
        unless_bare(seconds_of("paused")).alias("paused_seconds"),
        *LABELS,
    )
    since = {version.number: instant(version.effective_from) for version in policies.versions}
    return [
        {name: value for name, value in row.items() if name not in LABELS and name != "policy"}
        | {"policy_from": since.get(row["policy"]), "labels": labels_of(row)}
        for row in texts.to_dicts()
    ]


def clock_items(rows: pl.DataFrame, states: States) -> list[dict[str, Any]]:
    """One dict a row of `foretold` with elapsed time as of now, as `/v1/clocks` shows it."""
    now = pl.DataFrame(
        [(partition, state.now) for partition, state in states.items()],
        schema={"partition": pl.Int32(), "at": STATE_VERDICTS["due"]},
        orient="row",
    )
    texts = rows.join(now, on="partition", how="left", maintain_order="left").select(
        "case",
        pl.col("clock").cast(pl.String),
        "cycle",
        "complaint",
        pl.col("outcome").cast(pl.String),
        instant_text("started").alias("started"),
        instant_text("due").alias("due"),
        ((pl.col("due") - pl.col("at")).dt.total_microseconds() / 1e6).round(3).alias("remaining_seconds"),
        pl.col("used").round(4).alias("used_ratio"),
        pl.col("chance").round(4).alias("chance_ratio"),
        "chance_n",
        "chance_alike",
        seconds_of("elapsed").alias("elapsed_seconds"),
        seconds_of("target").alias("target_seconds"),
        (pl.col("due").is_null()).alias("paused"),
        "line",
        *LABELS,
    )
    return [
        {name: value for name, value in row.items() if name not in LABELS} | {"labels": labels_of(row)}
        for row in texts.to_dicts()
    ]
