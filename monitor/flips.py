"""Flips: the verdicts that another policy, or another version of the rules, judges differently."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import polars as pl

from monitor.cases import ordered
from monitor.clocks import derive
from monitor.frames import CLOCK, INSTANT, LABEL_COLUMNS, OUTCOME, Columns, conform, empty
from monitor.names import LABELS, Clock, Outcome
from monitor.policy import PolicySet, Sla
from monitor.policy.conditions import fits
from monitor.state import State

# One clock of one case (one cycle of it) whose outcome differs. `no_target`: there is no verdict.
FLIPS: Final[Columns] = {
    "case": pl.String(),
    "clock": CLOCK,
    "cycle": pl.Int32(),
    "old_outcome": OUTCOME,
    "new_outcome": OUTCOME,
    "old_due": INSTANT,
    "new_due": INSTANT,
    "old_policy": pl.Int16(),  # number of the version in the old PolicySet; null: there was no row
    "new_policy": pl.Int16(),  # in the new one
    "old_line": pl.Int16(),  # number of the target line in that version; null: no target
    "new_line": pl.Int16(),
    **LABEL_COLUMNS,  # of the new verdict; of the old one where there is no new one
}
_KEYS: Final = ("case", "clock", "cycle")
_COMPARED: Final = ("outcome", "due", "policy", "line")


def flips(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """What the new verdicts say differently, by case, clock and cycle.

    Measured events of one case have the same three: these are paired in the order of their rows.

    :param old: VERDICTS, or any frame with their columns case, clock, cycle, outcome, due, policy, line and labels
    :param new: the same of the same cases under other rules, as of the same `now`
    :returns: FLIPS
    """
    keys = [*_KEYS, "place"]
    both = _placed(new).join(_placed(old), on=keys, how="full", suffix="_old", coalesce=True)
    known = pl.col("new_outcome").is_not_null()
    named = both.rename(
        {name: f"new_{name}" for name in _COMPARED} | {f"{name}_old": f"old_{name}" for name in _COMPARED}
    ).with_columns(pl.when(known).then(pl.col(label)).otherwise(pl.col(f"{label}_old")) for label in LABELS)
    outcomes = named.with_columns(pl.col("old_outcome", "new_outcome").fill_null(Outcome.NO_TARGET.value))
    differing = outcomes.filter(pl.col("old_outcome") != pl.col("new_outcome"))
    return conform(differing.sort(keys), FLIPS)


def of_live_cases(states: Iterable[State], old: PolicySet, new: PolicySet, grace: timedelta | None) -> pl.DataFrame:
    """What becomes of the live cases where `new` comes into force in the place of `old`, each as of its state's time.

    :param grace: as for `derive`
    :returns: FLIPS. Measured events and archived cases are no live cases: their verdicts stay
    """
    found = [empty(FLIPS)]
    for state in states:
        if state.now is not None:
            cases = ordered(state.history.frame())
            found.append(flips(*(derive(cases, policies, state.now, grace) for policies in (old, new))))
    return pl.concat(found).sort(_KEYS)


def of_objectives(turned: pl.DataFrame, slas: Sequence[Sla]) -> pl.DataFrame:
    """FLIPS, and `sla`: those that an objective of a clock counts, once for each that does."""
    counted = [
        turned.filter((pl.col("clock") == str(sla.measure)) & fits(sla.where)).with_columns(sla=pl.lit(sla.id))
        for sla in slas
        if isinstance(sla.measure, Clock)
    ]
    return pl.concat([turned.clear().with_columns(sla=pl.lit("")), *counted])


def _placed(verdicts: pl.DataFrame) -> pl.DataFrame:
    return verdicts.select(*_KEYS, *_COMPARED, *LABELS, pl.int_range(pl.len()).over(_KEYS).alias("place"))
