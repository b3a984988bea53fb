"""Running clocks over all partitions, and how far they are as of each partition's `now`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

from monitor import clocks
from monitor.clocks.shares import left, wholes
from monitor.frames import LABEL_COLUMNS, SPAN, Columns, conform, empty
from monitor.names import Outcome
from monitor.policy import PolicySet
from monitor.state import STATE_VERDICTS, VERDICT_KEYS, State

States = Mapping[int, State]

OPEN: Final = (Outcome.OPEN, Outcome.AT_RISK)

# Running clocks that have a target, with the labels of their series.
RUNNING: Final[Columns] = {
    **{name: dtype for name, dtype in STATE_VERDICTS.items() if name not in ("series", "old_outcome", "change")},
    "partition": pl.Int32(),
    **LABEL_COLUMNS,
}

BARE: Final = (Outcome.EXCLUDED, Outcome.INCONSISTENT)  # rows that say no more than that


def running(states: States) -> pl.DataFrame:
    """All running clocks that have a target (RUNNING)."""
    condition = pl.col("stopped").is_null() & pl.col("outcome").is_in([*OPEN, Outcome.BREACHED])
    parts = [
        state.verdicts_where(condition)
        .with_columns(partition=pl.lit(partition))
        .join(state.series, on="series", how="left")
        for partition, state in sorted(states.items())
    ]
    return pl.concat([conform(part, RUNNING) for part in parts]) if parts else empty(RUNNING)


def as_of_now(rows: pl.DataFrame, states: States, policies: PolicySet, grace: timedelta | None) -> pl.DataFrame:
    """Rows of verdicts with `elapsed` and `paused` of running clocks up to their partition's `now`.

    How long a running clock has run changes by the second and is not state: it is derived again.

    :param rows: STATE_VERDICTS with `partition`, or RUNNING
    """
    unstopped = rows.filter(pl.col("stopped").is_null() & ~pl.col("outcome").is_in(BARE))
    derived = []
    for (partition,), group in unstopped.group_by("partition"):
        assert isinstance(partition, int)
        state = states.get(partition)
        if state is None or state.now is None:
            continue
        history = state.history.of(group["case_key"].unique())
        derived.append(clocks.derive(history, policies, state.now, grace).select(*VERDICT_KEYS, "elapsed", "paused"))
    if not derived:
        return rows
    fresh = pl.concat(derived)
    joined = rows.join(fresh, on=VERDICT_KEYS, how="left", suffix="_now", maintain_order="left")
    return joined.with_columns(pl.coalesce(name, f"{name}_now").alias(name) for name in ("elapsed", "paused")).select(
        rows.columns
    )


def with_used(rows: pl.DataFrame, states: States, policies: PolicySet, grace: timedelta | None) -> pl.DataFrame:
    """Rows of running clocks with `whole` (SPAN) and `used`, the share of it used as of now (1 once it is due).

    With a due it is what the time left to it leaves. A paused clock has none: what of it is not known yet is derived.
    Null in partitions that other policies judged than these: their lines are not those of these.

    :param rows: as for `as_of_now`, or what that made of them (then `used` goes on beyond 1)
    """
    parts = []
    for (partition,), part in rows.with_row_index("place").group_by("partition"):
        assert isinstance(partition, int)
        state = states.get(partition)
        if state is None or state.policies != policies.judging:
            parts.append(_unused(part))
            continue
        now = state.now
        unknown = pl.col("due").is_null() & pl.col("elapsed").is_null()
        part = pl.concat([part.filter(~unknown), as_of_now(part.filter(unknown), states, policies, grace)])
        whole = wholes(part, policies)
        rest = left(part, policies, now) if now else pl.repeat(None, part.height, dtype=SPAN, eager=True)
        elapsed = part["elapsed"].zip_with(part["elapsed"].is_not_null(), whole - rest)
        used = elapsed.dt.total_microseconds() / whole.dt.total_microseconds()
        parts.append(part.with_columns(whole.alias("whole"), used.set(whole <= timedelta(0), None).alias("used")))
    return pl.concat(parts or [_unused(rows.with_row_index("place"))]).sort("place").drop("place")


def _unused(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of which `with_used` knows nothing."""
    nothing = pl.lit(None, dtype=SPAN).alias("whole"), pl.lit(None, dtype=pl.Float64).alias("used")
    return rows.with_columns(*nothing)
