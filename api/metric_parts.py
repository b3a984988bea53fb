"""From figures to metric families: which samples there are, and with which labels."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import polars as pl

from api.board import Board
from api.lists import Item
from api.metrics import Part
from api.shapes import instant
from api.verified import of_verified
from consumers.policy_log import PolicyLog
from consumers.verify.record import Verified
from monitor.cells.bins import ORIGIN, STEPS
from monitor.frames import LABEL_COLUMNS
from monitor.names import CLOCKS, LABELS, AlertKind, AlertState, Metric, Outcome, PolicyRefusal
from monitor.policy import PolicySet, PolicyVersion
from monitor.slas.counts import Counts
from monitor.slas.objectives import Measures
from monitor.state import State

# Of `le`: every 32nd bin edge, which are the powers of two, from 1/8 s to 24 days.
EDGES: Final = tuple(range(-3, 22))
SHOWN: Final = (Outcome.MET, Outcome.BREACHED, Outcome.OPEN, Outcome.AT_RISK, Outcome.EXCLUDED, Outcome.INCONSISTENT)
CLOCK_COUNTS: Final = tuple(f"{clock}.{outcome}" for clock in CLOCKS for outcome in SHOWN)


class Material(NamedTuple):
    """What the metrics of a tick are made of; nothing of it changes afterwards."""

    board: Board
    clocks: pl.DataFrame  # counts.COUNTS of all that was read
    published: list[pl.DataFrame]  # of each partition: response times as first published (bin, n, total), with labels
    policy: PolicyLog
    verified: Verified | None
    stream_clients: int
    tick_seconds: float


def material(
    board: Board,
    states: Mapping[int, State],
    policy: PolicyLog,
    verified: Verified | None,
    stream_clients: int,
    tick_seconds: float,
) -> Material:
    """Taken while no state changes; what is dear is left to `every`."""
    counted = Counts(states, Measures(CLOCK_COUNTS, ()))(None, board.now).counts
    published = [state.published.join(state.series, on="series", how="left") for state in states.values()]
    return Material(board, counted, published, policy, verified, stream_clients, tick_seconds)


def every(made_of: Material) -> Iterator[Part]:
    """All families made of figures, in the order in which they stand."""
    board = made_of.board
    newest = board.policies.newest
    yield from of_slas(board.figures.judgements, newest)
    yield from of_clocks(clock_counts(made_of.clocks), board.expected)
    yield from of_indicators(board.figures.indicators)
    yield from of_response_times(made_of.published)
    yield from of_ledger(board.ledger)
    yield from of_verified(made_of.verified)
    yield from of_alerts(board.alerts, newest)
    yield from of_policy(board.policies, made_of.policy)
    yield from of_program(made_of.stream_clients, made_of.tick_seconds)


def of_slas(judgements: pl.DataFrame, version_in_force: PolicyVersion) -> Iterator[Part]:
    """Compliance, goal, budget and burn of every objective (JUDGEMENTS)."""
    labels = ("sla", "window", *LABELS)
    periods = judgements.filter(pl.col("window") == "period")
    goals = pl.DataFrame(
        [(sla.id, float(sla.goal)) for sla in version_in_force.slas],
        schema={"sla": pl.String(), "value": pl.Float64()},
        orient="row",
    )
    yield Part(Metric.SLA_COMPLIANCE).add(judgements, labels, "compliance")
    yield Part(Metric.SLA_GOAL).add(goals, ("sla",))
    yield Part(Metric.SLA_BUDGET_LEFT).add(periods, ("sla", *LABELS), "budget_left")
    yield Part(Metric.SLA_BURN_RATE).add(judgements, labels, "burn")


def clock_counts(counted: pl.DataFrame) -> pl.DataFrame:
    """(clock, outcome, labels) -> value, from counts.COUNTS; rows of one combination are added up."""
    summed = counted.group_by("measure", *LABELS).agg(pl.col("n").sum().alias("value"))
    parts = pl.col("measure").cast(pl.String).str.split_exact(".", 1).struct
    named = summed.with_columns(clock=parts.field("field_0"), outcome=parts.field("field_1"))
    return named.sort("clock", "outcome", *LABELS)


def of_clocks(counted: pl.DataFrame, expected: pl.DataFrame) -> Iterator[Part]:
    """How many clocks there are, run, are at risk and will probably be breached (chance.EXPECTED)."""
    keys = ("clock", *LABELS)

    def of(*outcomes: Outcome) -> pl.DataFrame:
        """0 where such clocks are known and none is so now: a gauge that vanishes hides that it fell."""
        value = pl.col("value").filter(pl.col("outcome").is_in(outcomes)).sum()
        return counted.group_by(keys).agg(value).sort(keys)

    yield Part(Metric.CLOCKS).add(counted, ("clock", "outcome", *LABELS))
    open_ = of(Outcome.OPEN, Outcome.AT_RISK)
    yield Part(Metric.CLOCKS_OPEN).add(open_, keys)
    yield Part(Metric.CLOCKS_AT_RISK).add(of(Outcome.AT_RISK), keys)
    likely = open_.join(
        expected.with_columns(pl.col("clock").cast(pl.String)),
        on=keys,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    # None is to be expected where none runs; where some do and no chance is known, nothing is said.
    breaches = pl.when(pl.col("value") == 0).then(0.0).otherwise("breaches").round(4).alias("breaches")
    yield Part(Metric.CLOCKS_EXPECTED_BREACHES).add(likely.with_columns(breaches), keys, "breaches")


def of_indicators(indicators: pl.DataFrame) -> Iterator[Part]:
    """Values above `min_n`, and of how many things each is made."""
    labels = ("indicator", "dimension", "window", *LABELS)
    named = indicators.rename({"id": "indicator"})
    yield Part(Metric.INDICATOR).add(named, labels)
    yield Part(Metric.INDICATOR_N).add(named.filter(pl.col("n") > 0), labels, "n")


def of_response_times(rows: Sequence[pl.DataFrame]) -> Iterator[Part]:
    """The histogram of first publications, cumulated over its edges."""
    part = Part(Metric.RESPONSE_TIME)
    if not any(frame.height for frame in rows):
        yield part
        return
    every = pl.concat([frame.select("bin", "n", "total", *LABELS) for frame in rows])
    totals = every.group_by(LABELS).agg(pl.col("n").sum(), pl.col("total").sum() / 1000).sort(LABELS)
    totals = totals.with_row_index("at")
    # The first power of two that is not less than what the bin holds; a zero is below all of them.
    above = ((pl.col("bin") - ORIGIN) / STEPS).ceil().clip(EDGES[0], EDGES[-1] + 1).cast(pl.Int32)
    placed = every.with_columns(above=above).join(totals.select("at", *LABELS), on=LABELS, nulls_equal=True)
    held = placed.group_by("at", "above").agg(pl.col("n").sum().alias("value"))
    edges = pl.DataFrame(
        {"above": [*EDGES, EDGES[-1] + 1], "le": [*(str(2.0**edge) for edge in EDGES), "+Inf"]},
        schema={"above": pl.Int32(), "le": pl.String()},
    )
    buckets = totals.select("at", *LABELS).join(edges, how="cross", maintain_order="left_right")
    buckets = buckets.join(held, on=["at", "above"], how="left", maintain_order="left")
    buckets = buckets.with_columns(pl.col("value").fill_null(0).cum_sum().over("at"))
    labels = tuple(LABELS)
    yield (
        part.add(buckets, (*labels, "le"), suffix="_bucket")
        .add(totals, labels, "total", suffix="_sum")
        .add(totals, labels, "n", suffix="_count")
    )


def of_ledger(ledger: Mapping[str, Any]) -> Iterator[Part]:
    """Where events went, and how far each partition is; `ledger` as `/v1/ledger` shows it."""

    def many(name: Metric, label: str, values: Mapping[str, float | None]) -> Part:
        frame = pl.DataFrame(list(values.items()), schema={label: pl.String(), "value": pl.Float64()}, orient="row")
        return Part(name).add(frame, (label,))

    results = ("counted", "duplicate", "late", "rejected")
    yield many(Metric.EVENTS, "result", {result: ledger[result] for result in results})
    yield many(Metric.REJECTED, "reason", ledger["rejected_by_reason"])
    yield _one(Metric.LATE, ledger["late"])
    horizons = {str(p["partition"]): p["dedup_horizon_seconds"] for p in ledger["partitions"]}
    yield many(Metric.DEDUP_HORIZON, "partition", {p: at for p, at in horizons.items() if at is not None})
    yield _one(Metric.CASES_ARCHIVED, ledger["cases_archived"])
    yield _one(Metric.CORRECTED, ledger["corrected"])
    yield _one(Metric.SERIES_OVERFLOWED, ledger["overflowed"])
    yield _one(Metric.LEDGER_BALANCED, int(ledger["balanced"]))
    yield _one(Metric.LEDGER_HOLES, ledger["holes"])
    yield _one(Metric.LEDGER_MISSING, ledger["missing_records"])
    yield _one(Metric.CASES_SPLIT, ledger["cases_split"])
    yield _one(Metric.CURRENT_SHARE, ledger["current_share"])
    yield many(Metric.EVENT_LAG, "partition", {str(p["partition"]): p["lag_seconds"] for p in ledger["partitions"]})


def _one(name: Metric, value: float) -> Part:
    return Part(name).add(pl.DataFrame({"value": [value]}), ())


def of_alerts(alerts: Sequence[Item], version_in_force: PolicyVersion) -> Iterator[Part]:
    """How many alerts fire, by kind, severity and SLA; 0 for what the policy asks for and does not fire."""
    quiet = [
        (str(kind), severity, sla.id)
        for sla in version_in_force.slas
        for kind, severity in _watched(sla.alerts.burn != "none", sla.alerts.breach == "each")
    ]
    columns = {"alert": pl.String(), "severity": pl.String(), "sla": pl.String(), **LABEL_COLUMNS}
    firing = [
        (item["kind"], item["severity"], item["sla"], *(item["labels"].get(label) for label in LABELS))
        for item in alerts
        if item["state"] == AlertState.FIRING
    ]
    rows = pl.DataFrame(firing, schema=columns, orient="row").with_columns(value=pl.lit(1))
    known = {row[:3] for row in firing if not any(row[3:])}
    nothing = [(*row, *(None for _ in LABELS)) for row in quiet if row not in known]
    zeros = pl.DataFrame(nothing, schema=columns, orient="row").with_columns(value=pl.lit(0))
    summed = pl.concat([rows, zeros]).group_by(list(columns)).agg(pl.col("value").sum()).sort(list(columns))
    yield Part(Metric.ALERTS_ACTIVE).add(summed, tuple(columns))


def _watched(burn: bool, breach: bool) -> Iterator[tuple[AlertKind, str]]:
    if burn:
        yield AlertKind.BURN, "page"
        yield AlertKind.BURN, "ticket"
    if breach:
        yield AlertKind.BREACH, "ticket"


def of_policy(policies: PolicySet, known: PolicyLog) -> Iterator[Part]:
    """Which policy is in force, since when, and whether newer files were refused."""
    newest = policies.newest
    policy = {
        "policy": [newest.name],
        "digest": [policies.digest[:12]],
        "effective_from": [instant(newest.effective_from)],
        "value": [1],
    }
    schema = {"policy": pl.String(), "digest": pl.String(), "effective_from": pl.String(), "value": pl.Int64()}
    yield Part(Metric.POLICY_INFO).add(pl.DataFrame(policy, schema=schema), ("policy", "digest", "effective_from"))
    if known.in_force is not None and known.in_force.published is not None:
        yield _one(Metric.POLICY_PUBLISHED, known.in_force.published.timestamp())
    reason = known.refused.reason if known.refused is not None else None
    refused = {"reason": [str(one) for one in PolicyRefusal], "value": [int(one == reason) for one in PolicyRefusal]}
    yield Part(Metric.POLICY_REFUSED).add(pl.DataFrame(refused), ("reason",))


def of_program(clients: int, tick_seconds: float) -> Iterator[Part]:
    """Which program serves this, and how it fares."""
    yield Part(Metric.BUILD_INFO).add(pl.DataFrame({"version": [version("sqm")], "value": [1]}), ("version",))
    yield _one(Metric.STREAM_CLIENTS, clients)
    yield _one(Metric.TICK_SECONDS, tick_seconds)
