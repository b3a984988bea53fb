"""Runs and segments of the five clocks that start with the opening of a case."""

from dataclasses import dataclass, replace

import numpy as np

from monitor.calendars import NEVER
from monitor.cases import CODE, RESOLVED, Cases, Ints, Mask
from monitor.clocks.rules import Rules
from monitor.clocks.segments import End, Runs, Segments, segments
from monitor.names import Clock, Kind


@dataclass(frozen=True, slots=True)
class Openings:
    """What the clocks of opened cases share."""

    cases: Cases
    rules: Rules
    cuts: Ints  # opening and later live updates of each opened case: where targets are chosen

    @classmethod
    def of(cls, cases: Cases, rules: Rules) -> "Openings":
        """Of all opened cases."""
        updates = np.flatnonzero(cases.mask(Kind.UPDATED))
        case = cases.case[updates]
        live = (cases.opened[case] >= 0) & (updates > cases.opened[case]) & (updates < cases.final[case])
        openings = cases.opened[cases.opened >= 0]
        cuts = np.sort(np.concatenate((openings, updates[live]))) if live.any() else openings
        return cls(cases, rules, cuts)

    def segments(self, which: Ints, chosen: Ints, cuts: Ints | None = None) -> Segments:
        """Segments of these cases (ascending), up to their end, before it is known where the clock stops."""
        cuts = self.cuts if cuts is None else cuts
        run = self._numbers(which)[self.cases.case[cuts]]
        cuts, run = cuts[run >= 0], run[run >= 0]
        return segments(self.cases, self.rules, run, cuts, self.cases.time[cuts], chosen[self.cases.state[cuts]])

    def _numbers(self, which: Ints) -> Ints:
        """C: the place of each case in `which`, -1 for the others."""
        numbers = np.full(self.cases.height, -1, dtype=np.int64)
        numbers[which] = np.arange(len(which))
        return numbers

    def answered(self, parts: Segments, which: Ints) -> Mask:
        """N: public responses of agents, and of bots where the line in force counts them (before the opening: the
        line at the opening)."""
        cases = self.cases
        index = np.flatnonzero(cases.mask(Kind.RESPONDED))
        agent = cases.answers(index, bots=False)
        answers = np.zeros(len(cases.time), dtype=bool)
        answers[index[agent]] = True
        bots = index[cases.answers(index, bots=True) & ~agent]
        bots = bots[self._numbers(which)[cases.case[bots]] >= 0]
        if len(bots):
            at = np.maximum(bots, cases.opened[cases.case[bots]])
            in_force = parts.line[np.searchsorted(parts.index, at, side="right") - 1]
            answers[bots] = self.rules.bots[in_force]
        return answers

    def runs(self, clock: Clock, which: Ints, stops: Mask) -> tuple[Runs, Ints]:
        """Runs from the opening to the first event in `stops` (N), and its index (N: none).

        A stop before the opening contradicts it; one after the final event does not count.
        """
        cases = self.cases
        index = np.flatnonzero(stops)
        stop = cases.first_of(index[index < cases.final[cases.case[index]]])[which]
        return self._ended(clock, which, stop, stop < cases.opened[which]), stop

    def last_runs(self, which: Ints) -> tuple[Runs, Ints]:
        """Runs of total_resolution: from the opening to the last resolve, if no reopening followed."""
        cases = self.cases
        resolves = np.flatnonzero(cases.resolves)
        last = cases.last_of(np.flatnonzero(cases.resolves | cases.reopens))[which]
        stopped = (last >= 0) & cases.resolves[last]
        stop = np.where(stopped, last, len(cases.time))
        early = cases.first_of(resolves)[which] < cases.opened[which]
        return self._ended(Clock.TOTAL_RESOLUTION, which, stop, early), stop

    def _ended(self, clock: Clock, which: Ints, stop: Ints, contradictory: Mask) -> Runs:
        cases = self.cases
        opened, final = cases.opened[which], cases.final[which]
        start = cases.time[opened]
        stopped = stop < len(cases.time)
        end = np.where(stopped, cases.time[np.where(stopped, stop, 0)], NEVER)
        is_final = ~stopped & (final < cases.first[which + 1])
        ended_at = cases.time[np.where(is_final, final, 0)]
        end = np.where(is_final, np.maximum(ended_at, start), end)
        how = np.where(stopped, End.STOPPED, np.where(is_final, End.CUT, End.RUNNING)).astype(np.uint8)
        return Runs(
            clock=clock,
            case=which,
            cycle=np.ones(len(which), dtype=np.int64),
            start=start,
            end=end,
            how=how,
            contradictory=contradictory,
            lapsed=final < opened,
        )

    def reopenings(self) -> Ints:
        """Where total_resolution's targets are chosen: not by updates while resolved, but at the reopening."""
        cases = self.cases
        if not cases.reopens.any() and len(self.cuts) == int((cases.opened >= 0).sum()):
            return self.cuts
        phase = cases.phase
        running = (phase[self.cuts] != RESOLVED) | (self.cuts == cases.opened[cases.case[self.cuts]])
        reopens = np.flatnonzero(cases.reopens)
        reopens = reopens[reopens > cases.opened[cases.case[reopens]]]
        reopens = reopens[cases.opened[cases.case[reopens]] >= 0]
        return np.sort(np.concatenate((self.cuts[running], reopens)))


def truncated(parts: Segments, runs: Runs, stop: Ints) -> Segments:
    """Only segments that begin before their run stops; the first one where its times contradict."""
    return parts.select(parts.heads | ((parts.index < stop[parts.run]) & ~runs.contradictory[parts.run]))


def promised(cases: Cases, parts: Segments, chosen: Ints) -> Segments:
    """Segments of `promise` with the due that is in force in each; no line where none has been given.

    A later promise takes the place of one that has not passed when it is given; one that has passed stays.
    `on_change` has no say: the line is the one `chosen` for the labels.
    """
    index = _promises(cases)
    case = cases.case[index]
    due = cases.column("due_at", index).to_physical().to_numpy()
    given = np.maximum(cases.time[index], cases.time[cases.opened[case]])
    following = np.append(given[1:], NEVER)
    following[:-1][case[1:] != case[:-1]] = NEVER
    passed = np.flatnonzero((due < following) & (following < NEVER) | (due < given))
    stuck = np.full(cases.height, len(index), dtype=np.int64)
    stuck[case[passed[::-1]]] = passed[::-1]
    newest = np.searchsorted(np.maximum(index, cases.opened[case]), parts.index, side="right") - 1
    own = cases.case[parts.index]
    known = (newest >= 0) & (np.append(case, -1)[newest] == own)
    counts = np.where(known, np.minimum(newest, stuck[own]), -1)
    in_force = np.where(known, np.append(due, NEVER)[counts], NEVER)
    return replace(parts, line=np.where(known, chosen[parts.state], -1), base=parts.begin[_head(parts)], due=in_force)


def _head(parts: Segments) -> Ints:
    """For each segment the first one of its run."""
    return np.asarray(np.flatnonzero(parts.heads)[parts.run])


def _promises(cases: Cases) -> Ints:
    """Events that gave a promise: openings and live updates; of those up to the opening only the last."""
    index = np.flatnonzero(cases.mask(Kind.OPENED, Kind.UPDATED))
    case = cases.case[index]
    first = cases.opened[case]
    mine = (cases.kind[index] == CODE[Kind.UPDATED]) | (index == first)
    index = index[(first >= 0) & mine & ((index < cases.final[case]) | (index == first))]
    index = index[cases.column("due_at", index).is_not_null().to_numpy()]
    case = cases.case[index]
    early = index <= cases.opened[case]
    replaced = np.zeros(len(index), dtype=bool)
    replaced[:-1] = early[:-1] & early[1:] & (case[:-1] == case[1:])
    return np.asarray(index[~replaced])
