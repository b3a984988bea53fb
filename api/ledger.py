"""The ledger as the API shows it: what was read and what became of it, per partition and in total."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from api.lists import Item
from api.shapes import instant
from consumers.judging import CURRENT
from monitor.cells.grains import ALL_TIME
from monitor.cells.sums import measure_of_key, with_series, without_bin
from monitor.frames import MEASURE
from monitor.names import LEDGER
from monitor.split import SplitCases
from monitor.state import State
from monitor.summary import REJECTED

NEVER: Final = datetime.min.replace(tzinfo=UTC)
CASES: Final = ("opened", "closed", "open", "unopened", "inconsistent")

_CODES: Final = {MEASURE.categories.to_list().index(f"case.{name}"): name for name in CASES}
_COUNTERS: Final = tuple(dict.fromkeys((*LEDGER, "corrected")))


def ledger_item(
    states: Mapping[int, State], clock: datetime | None, *, follows_events: bool, split: SplitCases | None = None
) -> Item:
    """`/v1/ledger`.

    :param clock: what the partitions' `now` is held against: wall time, or with `clock: event` the greatest `now`
    :param follows_events: whether it is the latter; then a partition keeps up that stands where the others do
    :param split: the cases that came through several partitions
    """
    behind = timedelta(0) if follows_events else CURRENT
    partitions = [_partition(number, state, clock, behind) for number, state in sorted(states.items())]
    share = sum(p["current"] for p in partitions) / len(partitions) if partitions else 1.0
    cases = split if split is not None else SplitCases()
    return {
        **_added_up(partitions),
        "missing_records": sum(hole["missing"] or 0 for p in partitions for hole in p["holes"]),
        "holes": sum(len(p["holes"]) for p in partitions),
        "cases_split": cases.count,
        "split_cases": [{"case": each.case, "partitions": list(each.partitions)} for each in cases.first],
        "current_share": share,
        "partitions": partitions,
    }


def _partition(number: int, state: State, clock: datetime | None, behind: timedelta) -> Item:
    lag = None if clock is None or state.now is None else max(clock - state.now, timedelta(0))
    counters = state.ledger()
    counts = {counter: counters.get(counter, 0) for counter in _COUNTERS}
    reasons = {name.removeprefix(REJECTED): n for name, n in sorted(counters.items()) if name.startswith(REJECTED)}
    counts |= {f"cases_{name}": n for name, n in _case_counts(state).items()}
    counts["cases_archived"] = state.archived.height
    kept_from, newest = state.ids.kept_from, state.newest_event
    return {
        "partition": number,
        "balanced": _balanced(counts),
        **counts,
        "rejected_by_reason": reasons,
        "now": instant(state.now),
        "newest_event": instant(state.newest_event),
        "holes": [_hole(row) for row in state.holes.iter_rows(named=True)],
        "dedup_horizon_seconds": None if kept_from is None or newest is None else (newest - kept_from).total_seconds(),
        "offsets": dict(sorted(state.offsets.items())),
        "lag_seconds": None if lag is None else lag.total_seconds(),
        "current": lag is not None and lag <= behind,
    }


def _hole(row: Mapping[str, Any]) -> Item:
    return {name: instant(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _case_counts(state: State) -> dict[str, int]:
    """How many cases there are of each kind, of all time; added up as the cells change."""
    rows = state.tiers.moving("cases", None, state.now or NEVER, ALL_TIME, _cases_only)
    found = rows.group_by(measure_of_key().alias("measure")).agg(pl.col("n").sum())
    counted = dict.fromkeys(CASES, 0)
    counted.update({_CODES[code]: n for code, n in found.iter_rows()})
    return counted


def _cases_only(rows: pl.DataFrame) -> pl.DataFrame:
    chosen = rows.filter(measure_of_key().is_in(list(_CODES)))
    kept = chosen.select(without_bin().alias("key"), "n", pl.lit(0, dtype=pl.Int64).alias("total"))
    return kept.select(with_series(pl.lit(0)).alias("key"), "n", "total")


def _balanced(counts: Mapping[str, int]) -> bool:
    went = sum(counts[name] for name in ("counted", "duplicate", "late", "rejected"))
    return counts["read"] == went and counts["cases_opened"] == counts["cases_closed"] + counts["cases_open"]


def _added_up(partitions: list[Item]) -> Item:
    names = (*_COUNTERS, *(f"cases_{name}" for name in CASES), "cases_archived")
    counts = {name: sum(p[name] for p in partitions) for name in names}
    reasons: dict[str, int] = {}
    for partition in partitions:
        for reason, n in partition["rejected_by_reason"].items():
            reasons[reason] = reasons.get(reason, 0) + n
    balanced = all(p["balanced"] for p in partitions)
    return {"balanced": balanced, **counts, "rejected_by_reason": dict(sorted(reasons.items()))}
