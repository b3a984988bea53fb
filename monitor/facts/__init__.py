"""Facts of cases that are no clocks: opened, answered, given up, right the first time, complained about, rated.

What each measure counts stands at `names.CASE_MEASURES` and, where a choice was made, at the function that counts
it. A fact lies in the bucket of its instant under the labels in force there. Cases that were none (duplicate or
merged, rule 9) count as opened and closed, and in nothing else but what was rated about them.
"""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cases import CODE, Cases
from monitor.cells import BUCKET_MICROSECONDS, bucket_of
from monitor.facts.rows import NOTHING, FactRows, Facts, known
from monitor.frames import FACTS, INSTANT, MEASURE, SPAN, conform, empty
from monitor.names import LABELS, LIFECYCLE, Clock, Kind, Outcome
from monitor.policy import PolicySet

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WEEK: Final = timedelta(days=7)
CSAT_TOP = 4  # of 5: satisfied and very satisfied
NPS_PROMOTER, NPS_DETRACTOR = 9, 6  # at least, at most
UPHELD: Final = {
    "upheld": "complaint.upheld",
    "partly_upheld": "complaint.partly_upheld",
    "rejected": "complaint.rejected",
}


def facts(cases: Cases, policies: PolicySet, verdicts: pl.DataFrame, now: datetime) -> Facts:
    """All facts of those cases.

    :param cases: what `monitor.cases.ordered` made of their events
    :param verdicts: `clocks.judged` of all their clocks
    :param now: decides what was right the first time
    """
    rows = FactRows(cases)
    phases = cases.summary()
    _standing(rows, phases, verdicts)
    response = _first_response(cases, verdicts)
    answers = _first_answers(cases, policies, response)
    _answered(rows, response, answers)
    _abandoned(rows, policies, response, answers)
    _resolved(rows, policies, now)
    _complaints(rows)
    _ratings(rows)
    _audits(rows)
    return rows.facts()


# --- where cases stand ---


def _standing(rows: FactRows, summary: pl.DataFrame, verdicts: pl.DataFrame) -> None:
    """Opened, open, closed, unopened and inconsistent: every case that opened is open or closed, whatever it was.

    Inconsistent is a case with a contradictory clock, whether it has a target or not.
    """
    cases = rows.cases
    opened = cases.opened >= 0
    every = np.arange(cases.height)
    start, last = cases.opened[opened], cases.first[1:] - 1
    rows.add("case.opened", every[opened], cases.state[start], cases.time[start])
    complaint = opened & cases.complaint
    start = cases.opened[complaint]
    rows.add("case.opened_complaint", every[complaint], cases.state[start], cases.time[start])
    phase = summary["phase"]
    lived = np.zeros(cases.height, dtype=bool)
    lived[cases.case[cases.kind < len(LIFECYCLE)]] = True
    closed = (phase.is_in(["resolved", "final"])).to_numpy() & opened
    wrong = summary["contradictory"].to_numpy().copy()
    wrong[verdicts.filter(pl.col("outcome") == Outcome.INCONSISTENT)["case_no"].to_numpy()] = True
    for measure, chosen in (
        ("case.open", opened & ~closed),
        ("case.closed", closed),
        ("case.unopened", lived & ~opened),
        ("case.inconsistent", wrong),
    ):
        rows.add(measure, every[chosen], cases.state[last[chosen]])


# --- answered or given up ---


def _first_response(cases: Cases, verdicts: pl.DataFrame) -> pl.DataFrame:
    """C rows: outcome, stopped (µs), elapsed (ms), policy and line of each case's first_response; null without one."""
    rows = verdicts.filter(pl.col("clock") == Clock.FIRST_RESPONSE)
    place = np.full(cases.height, NOTHING)
    place[rows["case_no"].to_numpy()] = np.arange(rows.height)
    found = rows.select(
        "outcome",
        "policy",
        "line",
        stopped=pl.col("stopped").dt.epoch("us"),
        elapsed=pl.col("elapsed").dt.total_milliseconds(),
    )
    return found.select(pl.all().gather(known(place)))


def _first_answers(cases: Cases, policies: PolicySet, response: pl.DataFrame) -> Ints:
    """C: index of the first public response after the opening; N where there is none.

    A bot's counts where the line in force when the clock stopped says so.
    """
    index = np.flatnonzero(cases.mask(Kind.RESPONDED))
    index = index[(cases.opened[cases.case[index]] >= 0) & (index > cases.opened[cases.case[index]])]
    by_agents = index[cases.answers(index, bots=False)]
    lines = [(v.number, line.number) for v in policies.versions for line in v.targets if line.bots_answer]
    if not lines:
        return cases.first_of(by_agents)
    bots = pl.DataFrame(lines, schema={"policy": pl.Int16, "line": pl.Int16}, orient="row")
    counts = response.join(bots.with_columns(bots=True), on=["policy", "line"], how="left", maintain_order="left")
    of_bots = counts["bots"].fill_null(False).to_numpy()[cases.case[index]]
    return cases.first_of(index[cases.answers(index, bots=True) & (of_bots | cases.answers(index, bots=False))])


def _answered(rows: FactRows, response: pl.DataFrame, answers: Ints) -> None:
    """Answered is a case whose first response was an answer: one resolved without any is neither that nor given up."""
    cases = rows.cases
    outcome = response["outcome"]
    counted = outcome.is_in([Outcome.MET, Outcome.BREACHED, Outcome.NO_TARGET]).fill_null(False).to_numpy()
    found = answers < np.minimum(cases.first[1:], cases.final)
    at = cases.time[np.minimum(answers, len(cases.time) - 1)]
    stopped = response["stopped"].fill_null(NOTHING).to_numpy()
    answered = np.flatnonzero(counted & found & (stopped == at))
    times = response["elapsed"].gather(answered).to_numpy()
    state = cases.state[answers[answered]]
    rows.add("case.answered", answered, state, at[answered], value=times)
    for measure, outcomes in (
        ("case.answered_targeted", [Outcome.MET, Outcome.BREACHED]),
        ("case.answered_within", [Outcome.MET]),
    ):
        chosen = outcome.gather(answered).is_in(outcomes).to_numpy()
        rows.add(measure, answered[chosen], state[chosen], at[answered[chosen]])


def _abandoned(rows: FactRows, policies: PolicySet, response: pl.DataFrame, answers: Ints) -> None:
    """Given up before an answer, at that instant; within the target is who did so before the clock fell due.

    At once is who waited at most `limits.short_abandon`: the stated wait, else the time since the opening.
    """
    cases = rows.cases
    given_up = np.zeros(cases.height, dtype=bool)
    ended = cases.final < cases.first[1:]
    final = np.minimum(cases.final, len(cases.time) - 1)
    given_up[ended] = cases.kind[final[ended]] == CODE[Kind.ABANDONED]
    resolved = cases.first_of(np.flatnonzero(cases.resolves))
    given_up &= (answers > cases.final) & (resolved > cases.final) & (cases.opened >= 0) & (cases.opened < final)
    case = np.flatnonzero(given_up)
    if len(case) == 0:
        return
    at, state = cases.time[final[case]], cases.state[final[case]]
    stated = cases.column("waited", final[case]).dt.total_microseconds()
    waited = stated.fill_null(pl.Series(at - cases.time[cases.opened[case]]))
    short = waited <= policies.newest.limits.short_abandon // timedelta(microseconds=1)
    outcome = response["outcome"].gather(case)
    within = (outcome == Outcome.EXCLUDED).fill_null(False)
    targeted = within | (outcome == Outcome.BREACHED).fill_null(False)
    rows.add("case.abandoned", case, state, at)
    for measure, chosen in (
        ("case.abandoned_targeted", targeted.to_numpy()),
        ("case.abandoned_within", within.to_numpy()),
        ("case.abandoned_short", (targeted & short).to_numpy()),
    ):
        rows.add(measure, case[chosen], state[chosen], at[chosen])


# --- resolved ---


def _resolved(rows: FactRows, policies: PolicySet, now: datetime) -> None:
    """Resolved, reopened and right the first time: all at the first resolve, which must lie after the opening.

    Reopened counts once a case, however late and often it was. Right the first time is what the first resolve
    states; else no reopening within `limits.reopen` (that instant included) of the version that judges the case,
    decided once that has passed.
    """
    cases = rows.cases
    first = cases.first_of(np.flatnonzero(cases.resolves))
    known = (first < len(cases.time)) & (cases.opened >= 0) & (cases.opened < first) & ~cases.void
    case, at_event = np.flatnonzero(known), first[known]
    at, state = cases.time[at_event], cases.state[at_event]
    rows.add("case.resolved", case, state, at)
    reopening = cases.first_of(np.flatnonzero(cases.reopens))[known]
    reopened = reopening < len(cases.time)
    rows.add("case.reopened", case[reopened], state[reopened], at[reopened])
    decides = at + _reopen_limits(cases, policies)[known]
    within = np.zeros(len(case), dtype=bool)
    within[reopened] = cases.time[reopening[reopened]] <= decides[reopened]
    stated = cases.column("right_first_time", at_event)
    unstated = stated.is_null().to_numpy()
    passed = decides < now.timestamp() * 1_000_000
    right = np.where(unstated, ~within & passed, stated.fill_null(False).to_numpy())
    wrong = np.where(unstated, within, ~stated.fill_null(True).to_numpy())
    rows.add("case.right_first_time", case[right], state[right], at[right])
    rows.add("case.not_right_first_time", case[wrong], state[wrong], at[wrong])
    open_question = ~right & ~wrong
    rows.add("case.right_first_time", case[open_question], state[open_question], wake=decides[open_question])


def _reopen_limits(cases: Cases, policies: PolicySet) -> Ints:
    """C: `limits.reopen` in µs of the version that judges each case; of the newest where none does."""
    opened = cases.opened_at().to_frame("opened")
    number = opened.select(policies.version_of(pl.col("opened")).fill_null(-1)).to_series().to_numpy()
    limits = np.array([version.limits.reopen // timedelta(microseconds=1) for version in policies.versions])
    return np.asarray(limits[number], dtype=np.int64)  # -1: the last


def _complaints(rows: FactRows) -> None:
    """Complaints that stand resolved, at their last resolve: a reopened one counts again once it is resolved again.

    The outcome and redress are what that resolve said. Within 4 weeks, within 8 (and not within 4) and later are
    told by the time from the opening to it, bounds included.
    """
    cases = rows.cases
    resolves = np.flatnonzero(cases.resolves)
    last, reopened = cases.last_of(resolves), cases.last_of(np.flatnonzero(cases.reopens))
    known = cases.complaint & ~cases.void & (last > cases.opened) & (last > reopened)
    case, at_event = np.flatnonzero(known), last[known]
    if len(case) == 0:
        return
    at, state = cases.time[at_event], cases.state[at_event]
    weeks = (at - cases.time[cases.opened[case]]) / (WEEK / timedelta(microseconds=1))
    outcome = cases.column("outcome", at_event)
    chosen: dict[str, Mask] = {
        "complaint.resolved": np.ones(len(case), dtype=bool),
        "complaint.redress": cases.column("redress", at_event).fill_null(False).to_numpy(),
        "complaint.within_4_weeks": weeks <= 4,
        "complaint.within_8_weeks": (weeks > 4) & (weeks <= 8),
        "complaint.later": weeks > 8,
    }
    chosen |= {measure: (outcome == name).fill_null(False).to_numpy() for name, measure in UPHELD.items()}
    for measure, mask in chosen.items():
        rows.add(measure, case[mask], state[mask], at[mask])


# --- rated and audited ---


def _ratings(rows: FactRows) -> None:
    """Scores of ratings, in thousandths. An answer of 0 on a scale that begins at 1 means `no answer`."""
    cases = rows.cases
    index = np.flatnonzero(cases.mask(Kind.RATED))
    if len(index) == 0:
        return
    for name, lowest in (("csat", 1), ("nps", 0), ("ces", 1)):
        scores = cases.column(name, index)
        given = (scores >= lowest).fill_null(False).to_numpy()
        chosen, values = index[given], scores.filter(pl.Series(given)).to_numpy()
        thousandths = np.rint(values * 1000).astype(np.int64)
        rows.add_own(f"rating.{name}", chosen, thousandths)
        if name == "csat":
            rows.add_own("rating.csat_top2", chosen[values >= CSAT_TOP])
        if name == "nps":
            rows.add_own("rating.nps_promoter", chosen[values >= NPS_PROMOTER])
            rows.add_own("rating.nps_detractor", chosen[values <= NPS_DETRACTOR])


def _audits(rows: FactRows) -> None:
    """Scores as the share of the greatest score, in thousandths; passed and failed where the audit says so."""
    cases = rows.cases
    index = np.flatnonzero(cases.mask(Kind.AUDITED))
    if len(index) == 0:
        return
    greatest = cases.column("max_score", index)
    shares = cases.column("score", index) / greatest
    given = ((greatest > 0) & shares.is_not_null()).fill_null(False)
    thousandths = np.rint(shares.filter(given).to_numpy() * 1000).astype(np.int64)
    rows.add_own("audit.score", index[given.to_numpy()], thousandths)
    passed = cases.column("passed", index)
    rows.add_own("audit.passed", index[passed.fill_null(False).to_numpy()])
    rows.add_own("audit.failed", index[(~passed).fill_null(False).to_numpy()])


# --- measured events ---


def measured(events: pl.DataFrame, verdicts: pl.DataFrame, policies: PolicySet) -> pl.DataFrame:
    """Facts of measured events (FACTS without case, grouped by bucket: `at` is its start and `n` a number of them).

    Each is a case opened and closed at its time, right the first time only where it says so: who only reports totals
    does not tell of reopenings, so that it counts neither as resolved nor as reopened. With a response time it was
    answered; an abandoned one waited for its response time.

    :param events: EVENTS of kind measured
    :param verdicts: VERDICTS of their clocks
    """
    if events.height == 0:
        return empty(FACTS)
    labels = [label for label in LABELS if events[label].null_count() < events.height]
    flags = ["complaint", "right_first_time"]
    base = events.lazy().group_by(_bucket_start("time"), *labels, *flags).agg(n=pl.len()).collect()
    right = pl.col("right_first_time")
    parts = [
        _counted(base, "case.opened"),
        _counted(base.filter("complaint"), "case.opened_complaint"),
        _counted(base.with_columns(at=pl.lit(None, dtype=INSTANT)), "case.closed"),
        _counted(base.filter(right), "case.right_first_time"),
        _counted(base.filter(~right), "case.not_right_first_time"),
        *_measured_answers(verdicts, labels),
        *_measured_abandoned(events.filter("abandoned"), policies),
    ]
    keys = [label for label in FACTS if label not in ("n", "value", "wake")]
    rows = pl.concat([conform(part, FACTS) for part in parts if part.height])
    values = pl.when(pl.col("value").is_not_null().any()).then(pl.col("value").sum())
    return conform(rows.group_by(keys).agg(pl.col("n").sum(), values.alias("value")), FACTS)


def _bucket_start(name: str) -> pl.Expr:
    """Start of the bucket that an instant lies in, as `at`."""
    start: pl.Expr = bucket_of(pl.col(name)).cast(pl.Int64) * BUCKET_MICROSECONDS
    return start.cast(INSTANT).alias("at")


def _counted(rows: pl.DataFrame, measure: str) -> pl.DataFrame:
    return rows.with_columns(measure=pl.lit(measure, dtype=MEASURE))


def _measured_answers(verdicts: pl.DataFrame, labels: list[str]) -> list[pl.DataFrame]:
    outcome = pl.col("outcome")
    answered = (
        verdicts.lazy()
        .filter(
            (pl.col("clock") == Clock.FIRST_RESPONSE)
            & pl.col("stopped").is_not_null()
            & outcome.is_in([Outcome.MET, Outcome.BREACHED, Outcome.NO_TARGET])
        )
        .group_by(_bucket_start("stopped"), *labels, "outcome")
        .agg(n=pl.len(), value=pl.col("elapsed").dt.total_milliseconds().sum())
        .collect()
    )
    unvalued = answered.drop("value")
    return [
        _counted(answered, "case.answered"),
        _counted(unvalued.filter(outcome != Outcome.NO_TARGET), "case.answered_targeted"),
        _counted(unvalued.filter(outcome == Outcome.MET), "case.answered_within"),
    ]


def _measured_abandoned(events: pl.DataFrame, policies: PolicySet) -> list[pl.DataFrame]:
    """Given up events, one by one: they are few."""
    if events.height == 0:
        return []
    waited = pl.coalesce("waited", "response_time")
    version = policies.version_of(pl.col("time"))
    lines = [
        {"version": v.number, "line": line.number, "within": line.within}
        for v in policies.versions
        for line in v.targets
    ]
    targets = pl.DataFrame(lines, schema={"version": pl.Int16, "line": pl.Int16, "within": SPAN})
    rows = (
        events.drop("case_key")
        .with_columns(version=version, waited=waited)
        .with_columns(line=policies.line_of(Clock.FIRST_RESPONSE, pl.col("version")), n=1, at=_bucket_start("time"))
        .join(targets, on=["version", "line"], how="left")
    )
    targeted = pl.col("within").is_not_null()
    short = pl.col("waited") <= policies.newest.limits.short_abandon
    return [
        _counted(rows, "case.abandoned"),
        _counted(rows.filter(targeted), "case.abandoned_targeted"),
        _counted(rows.filter(pl.col("waited") <= pl.col("within")), "case.abandoned_within"),
        _counted(rows.filter(targeted & short), "case.abandoned_short"),
    ]
