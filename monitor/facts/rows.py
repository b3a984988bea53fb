"""Facts of cases as they are collected: arrays, which become one frame at the end."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cases import Cases, enumerated, gathered, instants
from monitor.frames import FACTS, MEASURE, empty, referring
from monitor.names import LABELS, MEASURES

Ints = npt.NDArray[np.int64]

NOTHING: Final = np.iinfo(np.int64).min  # no instant, no value

_CODE: Final = {measure: code for code, measure in enumerate(MEASURES)}
_COLUMNS: Final = ("case", "state", "at", "value", "wake", "own")


class Facts(NamedTuple):
    rows: pl.DataFrame  # referring(FACTS)
    labels: pl.DataFrame  # LABEL_COLUMNS: those of the cases, then those that ratings and audits have of their own


class FactRows:
    """Collects facts of the cases; small batches are many, so each fact costs arrays and no frame."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self._codes: list[npt.NDArray[np.uint8]] = []
        self._parts: dict[str, list[Ints]] = {name: [] for name in _COLUMNS}

    def add(
        self,
        measure: str,
        case: Ints,
        state: Ints,
        at: Ints | None = None,
        *,
        value: Ints | None = None,
        wake: Ints | None = None,
        own: Ints | None = None,
    ) -> None:
        """One fact for each of `case`; with `wake` rows that only say when to look again.

        :param state: rows of `cases.labels`
        :param at: microseconds since 1970; None: without bucket
        :param own: rows of the history whose own labels come before those of the case
        """
        if len(case) == 0:
            return
        self._codes.append(np.full(len(case), _CODE[measure], dtype=np.uint8))
        for name, array in zip(_COLUMNS, (case, state, at, value, wake, own), strict=True):
            self._parts[name].append(np.full(len(case), NOTHING) if array is None else array)

    def add_own(self, measure: str, index: Ints, value: Ints | None = None) -> None:
        """A fact of each of the events at `index`, at its time and under its own labels, filled up from its case."""
        cases = self.cases
        self.add(measure, cases.case[index], cases.state[index], cases.time[index], value=value, own=cases.row[index])

    def facts(self) -> Facts:
        """All that was added."""
        if not self._codes:
            return Facts(empty(referring(FACTS)), self.cases.labels)
        case, state, at, value, wake, own = (np.concatenate(self._parts[name]) for name in _COLUMNS)
        state, labels = self._labels(state, own)
        columns = {
            "case_key": self.cases.keys.gather(case),
            "measure": enumerated(np.concatenate(self._codes), MEASURE),
            "at": instants(at, at != NOTHING),
            "value": known(value),
            "wake": instants(wake, wake != NOTHING),
            "n": pl.Series((wake == NOTHING).astype(np.int32)),
            "case_no": case,
            "state": state,
        }
        return Facts(pl.DataFrame(columns), labels)

    def _labels(self, state: Ints, own: Ints) -> tuple[Ints, pl.DataFrame]:
        """The labels of the cases and, after them, those of the events that have their own; and who has which."""
        labels = self.cases.labels
        mine = np.flatnonzero(own != NOTHING)
        if not len(mine):
            return state, labels
        of_event, of_case = (
            gathered(frame.select(LABELS), places)
            for frame, places in ((self.cases.history, own[mine]), (labels, state[mine]))
        )
        filled = of_event.select(pl.coalesce(pl.col(label), of_case[label]).alias(label) for label in LABELS)
        state = state.copy()
        state[mine] = labels.height + np.arange(len(mine))
        return state, pl.concat([labels, filled])


def known(values: Ints) -> pl.Series:
    """Values, null where NOTHING."""
    missing = values == NOTHING
    return pl.Series(values).set(pl.Series(missing), None) if missing.any() else pl.Series(values)
