"""What holds now and would be an alert: one frame of claims for all kinds, one function a kind.

A claim says that something holds or is over; `monitor/alerts.py` compares claims with the alerts there were and
makes transitions of the differences. A further kind of alert is a further function here.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import polars as pl

from monitor.frames import INSTANT, LABEL_COLUMNS, SPAN, Columns, conform, empty
from monitor.names import LABELS, AlertKind, AlertReason, Clock, Judged, Outcome, Severity
from monitor.policy import PolicyVersion
from monitor.policy.conditions import fits

# Who a claim is about: rows with the same values here speak of the same thing. The labels of `burn` alerts only,
# since a correction can change those of a case.
IDENTITY: Final = ("kind", "severity", "sla", *LABELS, "case", "clock", "cycle", "partition")

CLAIMS: Final[Columns] = {
    "kind": pl.String(),
    "severity": pl.String(),
    "sla": pl.String(),
    **LABEL_COLUMNS,  # to show; of `burn` also to tell apart
    "case": pl.String(),
    "clock": pl.String(),
    "cycle": pl.Int32(),
    "partition": pl.Int32(),
    "holds": pl.Boolean(),
    "single": pl.Boolean(),  # an event of its own: reported even if it is over before it was ever seen to hold
    "reason": pl.String(),  # an AlertReason: why it fires where it holds, why it resolves where it does not
    "since": INSTANT,  # when it became true; null: now
    "ended": INSTANT,  # when it ceased to be; null where it does not hold: now
    "news": INSTANT,  # the instant it speaks of, whose age tells old news
    # the figures behind it, by kind
    "bad": pl.Int64(),
    "n": pl.Int64(),
    "burn_long": pl.Float64(),
    "burn_short": pl.Float64(),
    "factor": pl.Float64(),
    "long": pl.String(),
    "short": pl.String(),
    "due": INSTANT,
    "started": INSTANT,
    "stopped": INSTANT,
    "target": SPAN,
    "elapsed": SPAN,
    "found": pl.String(),  # ledger: which counters differ
}

# What the alerts read of verdicts: published ones, labels in the place of `series`.
WATCHED: Final[Columns] = {
    "case": pl.String(),
    "clock": pl.String(),
    "cycle": pl.Int32(),
    "outcome": pl.String(),
    "on_arrival": pl.Boolean(),
    "started": INSTANT,
    "due": INSTANT,
    "stopped": INSTANT,
    "target": SPAN,
    "elapsed": SPAN,
    "change": pl.String(),
    **LABEL_COLUMNS,
}

_NOT_BURNING: Final = {
    Judged.BURNING: AlertReason.BURNING,
    Judged.NOT_BURNING: AlertReason.RECOVERED,
    Judged.NO_EVENTS: AlertReason.RECOVERED,
    Judged.TOO_FEW: AlertReason.TOO_FEW,
    Judged.NOT_SIGNIFICANT: AlertReason.NOT_SIGNIFICANT,
}
_TELLING: Final = [str(j) for j in (Judged.BURNING, Judged.NOT_SIGNIFICANT, Judged.TOO_FEW)]

# What must be the sum of what.
_BOOKS: Final = (
    ("read", ("counted", "duplicate", "late", "rejected")),
    ("cases_opened", ("cases_closed", "cases_open")),
)


def burn_claims(pairs: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """One claim for each objective, combination of `by` and severity: holds where any of its pairs burns.

    Its figures are those of the pair that says most: one that burns, else one that would but for few events.
    """
    rank = pl.col("judged").replace_strict(
        {judged: place for place, judged in enumerate(_TELLING)}, default=len(_TELLING), return_dtype=pl.UInt8
    )
    first = pairs.sort(rank, "pair", maintain_order=True).unique(
        ["sla", *LABELS, "severity"], keep="first", maintain_order=True
    )
    holds = pl.col("judged") == Judged.BURNING
    reason = pl.col("judged").replace_strict({str(k): str(v) for k, v in _NOT_BURNING.items()}, return_dtype=pl.String)
    claims = first.with_columns(
        kind=pl.lit(str(AlertKind.BURN)), holds=holds, single=pl.lit(False), reason=reason, news=pl.lit(now)
    )
    return conform(claims, CLAIMS)


def watched_clocks(policy: PolicyVersion) -> tuple[Clock, ...]:
    """The clocks whose single cases raise alerts."""
    wanted = {
        sla.measure
        for sla in policy.slas
        if isinstance(sla.measure, Clock) and (sla.alerts.breach == "each" or sla.alerts.at_risk)
    }
    return tuple(clock for clock in Clock if clock in wanted)


def breach_claims(verdicts: pl.DataFrame, policy: PolicyVersion) -> pl.DataFrame:
    """A claim for each breached verdict and each objective that asks for `breach: each`: holds while the clock runs.

    A breach on arrival, which a change of target made, is no alert: nobody could have prevented it.

    :param verdicts: WATCHED
    """
    rows = verdicts.filter((pl.col("outcome") == Outcome.BREACHED) & ~pl.col("on_arrival").fill_null(False))
    running = pl.col("stopped").is_null()
    return _case_claims(
        rows,
        [(sla.id, sla.measure, fits(sla.where)) for sla in policy.slas if sla.alerts.breach == "each"],
        kind=pl.lit(str(AlertKind.BREACH)),
        severity=pl.lit(str(Severity.TICKET)),
        holds=running,
        single=pl.lit(True),
        reason=pl.when(running).then(pl.lit(str(AlertReason.BREACHED))).otherwise(pl.lit(str(AlertReason.STOPPED))),
        since=pl.col("due"),
        ended=pl.col("stopped"),
        news=pl.col("due"),
    )


def at_risk_claims(verdicts: pl.DataFrame, policy: PolicyVersion, now: datetime) -> pl.DataFrame:
    """A claim for each verdict at risk and each objective that asks for `at_risk: true`.

    :param verdicts: WATCHED
    """
    return _case_claims(
        verdicts.filter(pl.col("outcome") == Outcome.AT_RISK),
        [(sla.id, sla.measure, fits(sla.where)) for sla in policy.slas if sla.alerts.at_risk],
        kind=pl.lit(str(AlertKind.AT_RISK)),
        severity=pl.lit(str(Severity.INFO)),
        holds=pl.lit(True),
        single=pl.lit(False),
        reason=pl.lit(str(AlertReason.AT_RISK)),
        news=pl.lit(now),
    )


def _case_claims(rows: pl.DataFrame, slas: list[tuple[str, object, pl.Expr]], **columns: pl.Expr) -> pl.DataFrame:
    parts = [
        conform(rows.filter((pl.col("clock") == str(measure)) & where).with_columns(sla=pl.lit(sla), **columns), CLAIMS)
        for sla, measure, where in slas
    ]
    return pl.concat(parts) if parts else empty(CLAIMS)


def ledger_claims(ledgers: Mapping[int, Mapping[str, int]], wall: datetime) -> pl.DataFrame:
    """A claim for each partition whose books do not balance.

    :param ledgers: partition -> counters of `names.LEDGER`, and cases_opened, cases_closed, cases_open
    """
    rows = [
        {"partition": partition, "found": "; ".join(found)}
        for partition, ledger in sorted(ledgers.items())
        if (found := [told for _, told in imbalances(ledger)])
    ]
    claims = pl.DataFrame(rows, schema={"partition": pl.Int32, "found": pl.String}).with_columns(
        kind=pl.lit(str(AlertKind.LEDGER)),
        severity=pl.lit(str(Severity.PAGE)),
        holds=pl.lit(True),
        single=pl.lit(False),
        reason=pl.lit(str(AlertReason.IMBALANCE)),
        news=pl.lit(wall),
    )
    return conform(claims, CLAIMS)


def imbalances(ledger: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """The books that do not balance: what is not the sum of its parts, and how they differ, in words.

    :param ledger: counters of `names.LEDGER`, and cases_opened, cases_closed, cases_open
    """
    for whole, parts in _BOOKS:
        counts = {name: ledger.get(name, 0) for name in parts}
        if ledger.get(whole, 0) != sum(counts.values()):
            told = " + ".join(f"{name} {n}" for name, n in counts.items())
            yield whole, f"{whole} {ledger.get(whole, 0)}, but {told} = {sum(counts.values())}"


def subject() -> pl.Expr:
    """Text expression over CLAIMS or ALERTS rows: the same for rows about the same thing."""
    of_case = pl.col("case").is_not_null()
    parts = [
        pl.when(of_case).then(None).otherwise(pl.col(name)) if name in LABELS else pl.col(name).cast(pl.String)
        for name in IDENTITY
    ]
    # No attribute may hold a NUL character, so that it tells absent from empty.
    return pl.concat_str([part.fill_null("\0") for part in parts], separator="\x1f").alias("subject")
