"""From runs and segments to outcomes: which segment decided, when, and how (rules 5, 9, 11, 12, 15)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.calendars import NEVER
from monitor.cases import Cases, Ints, Mask
from monitor.clocks.segments import End, Runs, Segments, shifted
from monitor.clocks.timing import Timing
from monitor.names import CLOCKS, OUTCOMES, Outcome

OUTCOME_CODE: Final = {outcome: code for code, outcome in enumerate(OUTCOMES)}
NONE: Final = np.iinfo(np.int64).min  # no instant, no span


@dataclass(frozen=True, slots=True)
class Rows:
    """Verdicts as arrays, one entry a run; instants and spans in microseconds, NONE where there is none."""

    clock: npt.NDArray[np.uint8]
    case: Ints
    cycle: Ints
    line: Ints  # global; -1: none
    target: Ints
    started: Ints
    due: Ints
    stopped: Ints
    outcome: npt.NDArray[np.uint8]
    cut: Mask
    on_arrival: Mask
    elapsed: Ints
    paused: Ints
    decided: Ints
    wake: Ints
    state: Ints

    @classmethod
    def together(cls, parts: "list[Rows]") -> "Rows":
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class _Decision:
    """Per run: the segment that decided (or is in force), and its due as it counts."""

    segment: Ints
    due: Ints
    breached: Mask
    on_arrival: Mask
    targeted: Mask  # a line was in force at some time
    dropped: Mask  # none is now, but one was


def judge(cases: Cases, runs: Runs, parts: Segments, timing: Timing, now: int, grace: Ints) -> Rows:
    """Verdicts of the runs of one clock.

    :param now: microseconds; what is running is judged as of it
    :param grace: one a run: how long after its due a breach that no event decided is published
    """
    ripe = now - grace
    due = parts.due if parts.due is not None else timing.due(runs.case[parts.run], parts.line, parts.base)
    void = cases.void[runs.case]
    decision = _decide(runs, parts, due, ripe, void)
    outcome = _outcomes(runs, decision, void)
    at = decision.segment
    line, base = parts.line[at], parts.base[at]
    # What was no case, or contradicts itself, took no time that could be told, with a target or without.
    timed = (outcome != OUTCOME_CODE[Outcome.EXCLUDED]) & ~(void | runs.contradictory | runs.lapsed)
    own = np.where(timed, line, -1) if parts.due is None else np.full_like(line, -1)  # what pauses and calendars apply
    end = np.where(runs.end == NEVER, np.maximum(now, base), np.maximum(runs.end, base))
    elapsed, covered = timing.elapsed(runs.case, own, base, end)
    due = _reported_due(runs, parts, decision, outcome, timing, end)
    wake = _waking(runs, parts, decision, outcome, timing, due, now, grace)
    target = timing.rules.within[line]
    decided, state = _decided(cases, runs, parts, decision, outcome, due)
    return Rows(
        clock=np.full(runs.height, CLOCKS.index(runs.clock), dtype=np.uint8),
        case=runs.case,
        cycle=runs.cycle,
        line=np.where(timed & decision.targeted, line, -1),
        target=np.where(timed & decision.targeted & (target > 0), target, NONE),
        started=base,
        due=np.where(due < NEVER, due, NONE),
        stopped=np.where(timed & (runs.end < NEVER), runs.end, NONE),
        outcome=outcome,
        cut=timed & (runs.how == End.CUT),
        on_arrival=decision.on_arrival & (outcome == OUTCOME_CODE[Outcome.BREACHED]),
        elapsed=np.where(timed, elapsed, NONE),
        paused=np.where(timed, covered, NONE),
        decided=decided,
        wake=np.where(wake < NEVER, wake, NONE),
        state=state,
    )


def _decide(runs: Runs, parts: Segments, due: Ints, ripe: Ints, void: Mask) -> _Decision:
    """The first segment whose due passed before the segment ended, or had passed when it began; else the last one."""
    end = np.where(runs.end == NEVER, ripe, runs.end)[parts.run]
    head = parts.heads
    tail = np.append(head[1:], True) if len(head) else head
    end[:-1] = np.where(tail[:-1], end[:-1], parts.begin[1:])
    valid = parts.line >= 0
    arrived = valid & (due < parts.begin)
    passed = np.flatnonzero(valid & (arrived | (due < end)) & ~void[parts.run])
    first = np.full(runs.height, -1, dtype=np.int64)
    first[parts.run[passed[::-1]]] = passed[::-1]
    breached = first >= 0
    last = np.flatnonzero(tail)
    free = np.flatnonzero(~valid & (head | (shifted(parts.line, head, -1) >= 0)))  # where no line fits any more
    since = last.copy()
    since[parts.run[free]] = free
    dropped = ~valid[last] & ~breached
    targeted = np.zeros(runs.height, dtype=bool)
    targeted[parts.run[valid]] = True
    segment = np.where(breached, first, np.where(dropped & targeted, since, last))
    on_arrival = breached & arrived[segment]
    counted = np.where(on_arrival, parts.begin[segment], due[segment])
    return _Decision(segment, counted, breached, on_arrival, targeted, dropped & targeted)


def _outcomes(runs: Runs, decision: _Decision, void: Mask) -> npt.NDArray[np.uint8]:
    """Outcomes, `open` standing for `at_risk` too; the first condition that holds decides."""
    conditions = [
        (~decision.targeted, Outcome.NO_TARGET),
        (void, Outcome.EXCLUDED),
        (runs.contradictory, Outcome.INCONSISTENT),
        (runs.lapsed, Outcome.EXCLUDED),
        (decision.breached, Outcome.BREACHED),
        (decision.dropped | (runs.how == End.CUT), Outcome.EXCLUDED),
        (runs.how == End.STOPPED, Outcome.MET),
    ]
    return np.select(
        [condition for condition, _ in conditions],
        [np.uint8(OUTCOME_CODE[outcome]) for _, outcome in conditions],
        default=np.uint8(OUTCOME_CODE[Outcome.OPEN]),
    )


def _reported_due(
    runs: Runs, parts: Segments, decision: _Decision, outcome: npt.NDArray[np.uint8], timing: Timing, end: Ints
) -> Ints:
    """The due as it stands in the verdict; NEVER where there is none."""
    kept = np.zeros(len(OUTCOMES), dtype=bool)
    kept[[OUTCOME_CODE[o] for o in (Outcome.MET, Outcome.BREACHED, Outcome.OPEN)]] = True
    due = np.where(kept[outcome], decision.due, NEVER)
    if parts.due is None:
        met = np.flatnonzero(outcome == OUTCOME_CODE[Outcome.MET])
        at = decision.segment[met]
        due[met] = timing.due_if_stopped(runs.case[met], parts.line[at], parts.base[at], end[met])
    return due


def _waking(
    runs: Runs,
    parts: Segments,
    decision: _Decision,
    outcome: npt.NDArray[np.uint8],
    timing: Timing,
    due: Ints,
    now: int,
    grace: Ints,
) -> Ints:
    """When time alone may change each row next (NEVER: not); turns `open` into `at_risk` where that is so by now."""
    risk = np.full(runs.height, NEVER, dtype=np.int64)
    running = np.flatnonzero(outcome == OUTCOME_CODE[Outcome.OPEN])
    at = decision.segment[running]
    if parts.due is None:
        risk[running] = timing.at_risk(runs.case[running], parts.line[at], parts.base[at])
    else:
        risk[running] = timing.rules.share_of(parts.line[at], parts.base[at], due[running])
    outcome[risk < now] = OUTCOME_CODE[Outcome.AT_RISK]
    ripe = np.where(due < NEVER, due + grace, NEVER)
    wake = np.full(runs.height, NEVER, dtype=np.int64)
    wake[running] = np.where((risk < now) | (risk >= due), ripe, risk)[running]
    return wake


def _decided(
    cases: Cases, runs: Runs, parts: Segments, decision: _Decision, outcome: npt.NDArray[np.uint8], due: Ints
) -> tuple[Ints, Ints]:
    """The instant that decided each outcome (NONE: nothing has), and the row of the labels in force at it."""
    decided = np.full(runs.height, NONE, dtype=np.int64)
    state = parts.state[decision.segment]
    met = outcome == OUTCOME_CODE[Outcome.MET]
    decided[met] = runs.end[met]
    breached = outcome == OUTCOME_CODE[Outcome.BREACHED]
    decided[breached] = due[breached]
    excluded = outcome == OUTCOME_CODE[Outcome.EXCLUDED]
    since = np.where(decision.dropped, parts.begin[decision.segment], runs.end)
    decided[excluded] = since[excluded]
    none = np.flatnonzero(excluded & cases.void[runs.case])
    if len(none):
        last = cases.last_of(np.flatnonzero(cases.resolves))[runs.case[none]]
        decided[none], state[none] = cases.time[last], cases.state[last]
    return decided, state
