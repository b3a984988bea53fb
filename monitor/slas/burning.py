"""Which burn pairs of which objectives fire, and why the others do not."""

from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from monitor.frames import PAIRS, conform, empty
from monitor.names import LABELS, Judged, SlaState
from monitor.policy import PolicyVersion
from monitor.policy.durations import format_span
from monitor.policy.model import Sla
from monitor.slas import PERIOD, binomial, burn, pairs_of
from monitor.slas.burn import Pair
from monitor.slas.objectives import Counting, objective

_WIDE: Final = pl.Int128()  # products of counts and the terms of a fraction are compared exactly


def burning(judgements: pl.DataFrame, policy: PolicyVersion, now: datetime) -> pl.DataFrame:
    """What became of each burn pair of each row of `by`.

    A pair burns where both windows burn faster than its factor, the long one has `min_events` or more, and an exact
    binomial test tells its ratio from the goal (p < 0.05). That test alone keeps a pair silent whose factor is
    below 1, as those of a 7-day period are, while the goal is kept.

    :param judgements: JUDGEMENTS of the same policy and `now`
    :returns: PAIRS
    """
    by_sla = judgements.partition_by("sla", as_dict=True)
    parts = [
        _judged(by_sla[sla.id,], sla, number, pair)
        for sla in policy.slas
        if (sla.id,) in by_sla
        for number, pair in enumerate(pairs_of(sla, now))
    ]
    return pl.concat(parts) if parts else empty(PAIRS)


def _judged(rows: pl.DataFrame, sla: Sla, number: int, pair: Pair) -> pl.DataFrame:
    long, short = format_span(pair.long), format_span(pair.short)
    # Every window of an objective has the same combinations in the same order.
    both = rows.filter(pl.col("window") == long).hstack(
        rows.filter(pl.col("window") == short).select(pl.col("good", "bad", "burn").name.suffix("_short"))
    )
    both = both.with_columns(
        pair=pl.lit(number),
        severity=pl.lit(str(pair.severity)),
        share=pl.lit(float(pair.share)),
        factor=pl.lit(float(pair.factor)),
        long=pl.lit(long),
        short=pl.lit(short),
        widened_from=pl.lit(None if pair.widened_from is None else format_span(pair.widened_from)),
        burn_long=pl.col("burn"),
    )
    return conform(both.with_columns(judged=_what_became(both, sla, pair)), PAIRS)


def _what_became(both: pl.DataFrame, sla: Sla, pair: Pair) -> pl.Series:
    wanted = objective(sla)
    assert isinstance(wanted, Counting)  # nothing else has pairs
    miss = burn.miss(wanted.goal)
    limit = pair.factor * miss  # share of bad ones at which the burn rate is the factor

    def faster(good: str, bad: str) -> pl.Expr:
        n = (pl.col(good) + pl.col(bad)).cast(_WIDE)
        return pl.col(bad).cast(_WIDE) * limit.denominator > n * limit.numerator

    fast = both.select(both=faster("good", "bad") & faster("good_short", "bad_short")).to_series()
    enough = both["n"] >= sla.min_events
    told = fast & enough
    chosen = both.filter(told)
    significant = np.zeros(both.height, dtype=np.bool_)
    significant[told.to_numpy()] = binomial.tells_apart(chosen["bad"].to_numpy(), chosen["n"].to_numpy(), float(miss))
    verdict = (
        pl.when(pl.col("n") == 0)
        .then(pl.lit(str(Judged.NO_EVENTS)))
        .when(~pl.col("fast"))
        .then(pl.lit(str(Judged.NOT_BURNING)))
        .when(~pl.col("enough"))
        .then(pl.lit(str(Judged.TOO_FEW)))
        .when(~pl.col("significant"))
        .then(pl.lit(str(Judged.NOT_SIGNIFICANT)))
        .otherwise(pl.lit(str(Judged.BURNING)))
    )
    frame = both.select("n").with_columns(fast=fast, enough=enough, significant=pl.Series(significant))
    return frame.select(verdict.alias("judged")).to_series()


def states(judgements: pl.DataFrame, pairs: pl.DataFrame, policy: PolicyVersion) -> pl.DataFrame:
    """(sla, labels…) -> `state` (a names.SlaState): each objective in one word, the worst that is true of it.

    `breached` needs `min_events` in the period as well: a budget of half an event is not overspent by one. Where a
    value is held against a threshold, that is what `min_n` is for.
    """
    fewest = {sla.id: sla.min_events for sla in policy.slas}
    fires = pairs.filter(pl.col("judged") == Judged.BURNING).select("sla", *LABELS).unique()
    rows = judgements.filter(pl.col("window") == PERIOD).join(
        fires.with_columns(fires=pl.lit(True)), on=["sla", *LABELS], how="left", nulls_equal=True, maintain_order="left"
    )
    n = pl.col("n")
    few = n < pl.col("sla").replace_strict(fewest, return_dtype=pl.Int64, default=0)
    state = (
        pl.when(~pl.col("kept") & (~few | pl.col("goal").is_null()))
        .then(pl.lit(str(SlaState.BREACHED)))
        .when(pl.col("fires").fill_null(False))
        .then(pl.lit(str(SlaState.BURNING)))
        .when(n == 0)
        .then(pl.lit(str(SlaState.NO_DATA)))
        .when(few & pl.col("goal").is_not_null() | pl.col("kept").is_null())
        .then(pl.lit(str(SlaState.TOO_FEW)))
        .otherwise(pl.lit(str(SlaState.OK)))
    )
    return rows.select("sla", *LABELS, state.alias("state"))
