"""Cycles of `next_response`: from the earliest unanswered reply to the next answer.

Whether a bot's answer ends a cycle depends on the line in force, which under `keep` depends on where the cycle
began. So this is a small state machine; it runs over all cases at once as a parallel scan: each event is a table
"state before -> state after", and tables are composed over 1, 2, 4, 8 … events until they span the longest case.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.calendars import NEVER
from monitor.cases import CODE, RESOLVED, Cases, Ints, Mask
from monitor.clocks.rules import Rules
from monitor.clocks.segments import End, Runs, Segments, heads, segments, shifted
from monitor.names import Clock, Kind

IDLE: Final = 0  # no reply waits
WAITING: Final = 1  # a reply to a resolved case: its cycle starts at the reopening
FREE: Final = 2  # a cycle runs, no line fits
UNDER: Final = 3  # + line: a cycle runs under that line


def cycles(cases: Cases, rules: Rules, stops: Ints, chosen: Ints) -> tuple[Runs, Segments]:
    """Runs and segments of `next_response`.

    :param stops: C: index of the event that stopped first_response, N where none has
    :param chosen: one a row of `cases.labels`: the line of next_response that fits it, or -1
    """
    index = _concerned(cases, stops)
    case = cases.case[index]
    line = chosen[cases.state[index]]
    lines = np.unique(line[line >= 0])  # numbers of the states
    fits = np.where(line >= 0, UNDER + np.searchsorted(lines, line), FREE)
    after = _scan(_tables(cases, rules, index, fits, lines), heads(case))
    before = shifted(after, heads(case), IDLE)
    starts = (before < FREE) & (after >= FREE)
    ends = (before >= FREE) & (after < FREE)
    runs = _runs(cases, index, starts, ends)
    cuts = np.flatnonzero(starts | ((after >= FREE) & (cases.kind[index] == CODE[Kind.UPDATED])))
    run = (np.cumsum(starts) - 1)[cuts]
    at = index[cuts]
    return runs, segments(cases, rules, run, at, cases.time[at], line[cuts])


def _concerned(cases: Cases, stops: Ints) -> Ints:
    """Events after first_response stopped that can move a cycle, of the opened cases that got a reply then."""
    index = np.flatnonzero(
        cases.mask(Kind.CUSTOMER_REPLIED, Kind.UPDATED, Kind.RESPONDED) | cases.resolves | cases.reopens
    )
    case = cases.case[index]
    opened = cases.opened[case]
    index = index[(opened >= 0) & (index > opened) & (index > stops[case]) & (index < cases.final[case])]
    asked = np.zeros(cases.height, dtype=bool)
    asked[cases.case[index[cases.kind[index] == CODE[Kind.CUSTOMER_REPLIED]]]] = True
    return index[asked[cases.case[index]]]


def _tables(cases: Cases, rules: Rules, index: Ints, fits: Ints, lines: Ints) -> npt.NDArray[np.intp]:
    """For each event a row: the state after it for each state before it."""
    table = np.tile(np.arange(UNDER + len(lines)), (len(index), 1))
    kind = cases.kind[index]
    replied = kind == CODE[Kind.CUSTOMER_REPLIED]
    is_resolved = cases.phase[index] == RESOLVED
    table[replied, IDLE] = np.where(is_resolved, WAITING, fits)[replied]
    updated = kind == CODE[Kind.UPDATED]
    keeps = np.append(rules.keep[lines], False)[fits - UNDER] & (fits >= UNDER)
    table[updated, FREE] = fits[updated]
    moves = updated & ~keeps
    table[moves, UNDER:] = fits[moves, None]
    reopened = cases.reopens[index]
    table[reopened, WAITING] = fits[reopened]
    agent = cases.answers(index, bots=False)
    bot = cases.answers(index, bots=True) & ~agent
    counts = np.append(rules.bots[lines], False)  # the last one: no line fits
    table[np.ix_(bot, UNDER + np.flatnonzero(counts[:-1]))] = IDLE
    table[bot & counts[np.where(fits >= UNDER, fits - UNDER, -1)], WAITING] = IDLE
    table[agent | cases.resolves[index]] = IDLE
    return table


def _scan(table: npt.NDArray[np.intp], head: Mask) -> Ints:
    """The state after each event, starting IDLE at each head."""
    if not len(table):
        return np.empty(0, dtype=np.int64)
    table[head] = table[head, :1]  # whatever was before, a case begins idle
    starts = np.flatnonzero(head)
    longest = int(np.diff(np.append(starts, len(head))).max())
    span = 1
    while span < longest:
        table[span:] = np.take_along_axis(table[span:], table[:-span], axis=1)
        span *= 2
    return table[:, IDLE].astype(np.int64)


def _runs(cases: Cases, index: Ints, starts: Mask, ends: Mask) -> Runs:
    """Cycles from where they start to the next end in the case, else to its final event."""
    begins, stops = np.flatnonzero(starts), np.flatnonzero(ends)
    at = index[begins]
    case = cases.case[at]
    # Starts and ends of a case alternate: the end that follows a start is its own, if it is of the same case.
    following = np.append(stops, -1)[np.searchsorted(stops, begins)]
    ended = (following >= 0) & (cases.case[index[following]] == case)
    stop = index[following]
    final = cases.final[case]
    is_final = ~ended & (final < cases.first[case + 1])
    end = np.where(ended, cases.time[stop], NEVER)
    end[is_final] = cases.time[final[is_final]]
    answered = ended & ~cases.resolves[stop]
    how = np.where(answered, End.STOPPED, np.where(ended | is_final, End.CUT, End.RUNNING)).astype(np.uint8)
    number = np.arange(len(at))
    cycle = number - number[np.searchsorted(case, case)] + 1 if len(at) else number
    never = np.zeros(len(at), dtype=bool)
    return Runs(Clock.NEXT_RESPONSE, case, cycle, cases.time[at], end, how, never, never)
