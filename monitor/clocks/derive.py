"""derive: the set of events of many cases -> their verdicts, all clocks, as of `now`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from monitor.cases import Cases, Ints, enumerated, labelled, ordered
from monitor.clocks.cycles import cycles
from monitor.clocks.openings import Openings, promised, truncated
from monitor.clocks.outcome import NONE, Rows, judge
from monitor.clocks.pauses import resolved
from monitor.clocks.rules import Rules, microseconds, rules_of
from monitor.clocks.segments import Runs, Segments
from monitor.clocks.timing import Timing
from monitor.frames import CLOCK, INSTANT, OUTCOME, SPAN, VERDICTS, conform, empty, referring
from monitor.names import CLOCKS, Clock, Kind
from monitor.policy import PolicySet


def derive(
    history: pl.DataFrame | Cases, policies: PolicySet, now: datetime, grace: timedelta | None = None
) -> pl.DataFrame:
    """The verdicts of all cases in `history`: a pure function of the set of its rows.

    :param history: HISTORY in any order (every event of each case in it), or what `ordered` made of it
    :param now: running clocks are judged as of it; `wake` says from when on (`wake < now`) a row may differ
    :param grace: how long after its due a breach is published that no event decided; None: as each case's policy
        version says
    :returns: VERDICTS: the clocks that the case's policy version names, and first_response and resolution always
    """
    cases = history if isinstance(history, Cases) else ordered(history)
    return conform(labelled(judged(cases, policies, now, grace), cases.labels), VERDICTS)


def judged(cases: Cases, policies: PolicySet, now: datetime, grace: timedelta | None = None) -> pl.DataFrame:
    """As `derive`, in the columns `referring(VERDICTS)`; `state` is a row of `cases.labels`."""
    rules = rules_of(policies)
    which = np.flatnonzero(cases.opened >= 0)
    if not len(which):
        return empty(referring(VERDICTS))
    version = np.full(cases.height, -1, dtype=np.int64)
    version[which] = rules.version_of(cases.time[cases.opened[which]])
    waits = rules.grace if grace is None else np.full_like(rules.grace, grace // timedelta(microseconds=1))
    plain = Timing(cases, rules)
    parts = []
    for runs, segments in lives(cases, rules, which, version):
        total = runs.clock == Clock.TOTAL_RESOLUTION
        timing = Timing(cases, rules, resolved(cases)) if total else plain
        parts.append(judge(cases, runs, segments, timing, microseconds(now), waits[version[runs.case]]))
    return _frame(cases, rules, version, Rows.together(parts))


def lives(cases: Cases, rules: Rules, which: Ints, version: Ints) -> Iterator[tuple[Runs, Segments]]:
    """Runs and segments of one clock after the other, of the opened cases `which`; `version`: C, -1 before all."""
    named = {clock: which[rules.named[version[which], number]] for number, clock in enumerate(CLOCKS)}
    named[Clock.ACKNOWLEDGEMENT] = named[Clock.ACKNOWLEDGEMENT][cases.complaint[named[Clock.ACKNOWLEDGEMENT]]]
    wanted = [clock for clock in CLOCKS if len(named[clock])]
    chosen = _chosen(cases, rules, version, wanted)
    openings = Openings.of(cases, rules)
    resolves = cases.resolves

    parts = openings.segments(which, chosen[Clock.FIRST_RESPONSE])
    answers = openings.answered(parts, which)
    runs, stop = openings.runs(Clock.FIRST_RESPONSE, which, answers | resolves)
    yield runs, truncated(parts, runs, stop)

    if Clock.NEXT_RESPONSE in wanted:
        stops = np.full(cases.height, len(cases.time), dtype=np.int64)
        stops[which] = np.where(rules.named[version[which], CLOCKS.index(Clock.NEXT_RESPONSE)], stop, len(cases.time))
        yield cycles(cases, rules, stops, chosen[Clock.NEXT_RESPONSE])

    parts = openings.segments(which, chosen[Clock.RESOLUTION])
    runs, stop = openings.runs(Clock.RESOLUTION, which, resolves)
    yield runs, truncated(parts, runs, stop)

    if Clock.TOTAL_RESOLUTION in wanted:
        some = named[Clock.TOTAL_RESOLUTION]
        parts = openings.segments(some, chosen[Clock.TOTAL_RESOLUTION], openings.reopenings())
        runs, stop = openings.last_runs(some)
        yield runs, truncated(parts, runs, stop)

    if Clock.ACKNOWLEDGEMENT in wanted:
        some = named[Clock.ACKNOWLEDGEMENT]
        parts = openings.segments(some, chosen[Clock.ACKNOWLEDGEMENT])
        answers = openings.answered(parts, some) | cases.mask(Kind.ACKNOWLEDGED)
        runs, stop = openings.runs(Clock.ACKNOWLEDGEMENT, some, answers | resolves)
        yield runs, truncated(parts, runs, stop)

    if Clock.PROMISE in wanted:
        some = named[Clock.PROMISE]
        parts = openings.segments(some, chosen[Clock.PROMISE])
        runs, stop = openings.runs(Clock.PROMISE, some, resolves)
        yield runs, promised(cases, truncated(parts, runs, stop), chosen[Clock.PROMISE])


def _chosen(cases: Cases, rules: Rules, version: Ints, clocks: list[Clock]) -> dict[Clock, Ints]:
    """For each clock the line that fits each row of `cases.labels`: global number, -1 for none."""
    owner = cases.case[cases.setter[1:]]
    labels = cases.labels.tail(-1).with_columns(pl.Series("complaint", cases.complaint[owner]))
    lines = rules.choose(labels, version[owner], clocks)
    return {clock: np.concatenate(([-1], lines[clock])) for clock in clocks}


def _frame(cases: Cases, rules: Rules, version: Ints, rows: Rows) -> pl.DataFrame:
    """referring(VERDICTS) of the rows."""
    first = cases.first[rows.case]
    policy = version[rows.case]
    line = np.where(rows.line < 0, NONE, rows.line - rules.first_line[policy])
    frame = pl.DataFrame(
        {
            "case_key": cases.keys.gather(rows.case),
            "case": cases.column("case", first),
            "clock": enumerated(rows.clock, CLOCK),
            "cycle": rows.cycle,
            "complaint": cases.complaint[rows.case],
            "policy": policy,
            "outcome": enumerated(rows.outcome, OUTCOME),
            "cut": rows.cut,
            "on_arrival": rows.on_arrival,
            "line": line,
            "case_no": rows.case,
            "state": rows.state,
            **{name: getattr(rows, name) for name in (*_INSTANTS, *_SPANS)},
        }
    )
    nullable = [_known("line"), *(_known(n).cast(INSTANT) for n in _INSTANTS), *(_known(n).cast(SPAN) for n in _SPANS)]
    return conform(frame.with_columns(*nullable), referring(VERDICTS))


_INSTANTS: Final = ("started", "due", "stopped", "decided", "wake")
_SPANS: Final = ("target", "elapsed", "paused")


def _known(name: str) -> pl.Expr:
    """The column, null where NONE."""
    return pl.when(pl.col(name) != NONE).then(pl.col(name))
