"""Dues in working days (rule 7): a date, not a span, which pauses push on by the calendar time they take."""

import numpy as np

from monitor.calendars import NEVER, Calendar
from monitor.cases import Ints
from monitor.clocks.pauses import Active, bisect


def due_in_days(active: Active, case: Ints, base: Ints, days: Ints, stop: Ints) -> Ints:
    """The due of each row: `days` working days after `base`, pushed on by the stretches of its case.

    A stretch counts from `base` on if it begins before the due (as pushed by those before it) and before `stop`
    (NEVER: it has not stopped), up to its end or `stop`; the due does not lie before that end. NEVER where a
    stretch that counts has no end.
    """
    rows, back = np.unique(np.stack((case, base, days, stop)), axis=1, return_inverse=True)
    return _due(active, *rows)[back.ravel()]


def _due(active: Active, case: Ints, base: Ints, days: Ints, stop: Ints) -> Ints:
    calendar, stretches = active.calendar, active.stretches
    unpaused = calendar.days_later(base, days)
    due, pushed = unpaused.copy(), np.zeros_like(base)
    last = stretches.first[case + 1]
    # The first stretch that ends after `base`; then one stretch further in each round, for the rows it concerns.
    at = bisect(stretches.end, stretches.first[case], last, base + 1)
    rows = np.flatnonzero((at < last) & (due < NEVER))
    while len(rows):
        begin = stretches.begin[at[rows]]
        counts = (begin < due[rows]) & (begin < stop[rows])
        rows, begin = rows[counts], begin[counts]
        end = np.minimum(stretches.end[at[rows]], stop[rows])
        due[rows[end == NEVER]] = NEVER
        rows, begin, end = rows[end < NEVER], begin[end < NEVER], end[end < NEVER]
        pushed[rows] += calendar.position(end) - calendar.position(np.maximum(begin, base[rows]))
        later = calendar.instant(calendar.position(unpaused[rows]) + pushed[rows])
        due[rows] = np.maximum(np.where(pushed[rows] > 0, later, unpaused[rows]), end)
        at[rows] += 1
        rows = rows[at[rows] < last[rows]]
    return due


def span_of_days(calendar: Calendar, base: Ints, days: Ints) -> Ints:
    """Calendar time from `base` to the due without pauses: what a share of the target is a share of."""
    unpaused = calendar.days_later(base, days)
    known = unpaused < NEVER
    span = calendar.position(np.where(known, unpaused, base)) - calendar.position(base)
    return np.where(known, span, NEVER)
