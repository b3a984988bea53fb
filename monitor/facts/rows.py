"""Facts of cases as they are collected: arrays, which become one frame at the end."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from monitor.cases import Cases, enumerated, instants
from monitor.frames import FACTS, MEASURE, empty
from monitor.names import LABELS, MEASURES

Ints = npt.NDArray[np.int64]

NOTHING: Final = np.iinfo(np.int64).min  # no instant, no value

_CODE: Final = {measure: code for code, measure in enumerate(MEASURES)}
_COLUMNS: Final = ("case", "state", "at", "value", "wake", "own")


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

    def facts(self) -> pl.DataFrame:
        """FACTS."""
        if not self._codes:
            return empty(FACTS)
        case, state, at, value, wake, own = (np.concatenate(self._parts[name]) for name in _COLUMNS)
        keys = self.cases.column("case_key", self.cases.first[:-1])
        columns = {
            "case_key": keys.gather(case),
            "measure": enumerated(np.concatenate(self._codes), MEASURE),
            "at": instants(at, at != NOTHING),
            "value": _known(value),
            "wake": instants(wake, wake != NOTHING),
            "n": pl.Series((wake == NOTHING).astype(np.int32)),
        }
        return pl.DataFrame(columns | self._labels(state, own))

    def _labels(self, state: Ints, own: Ints) -> dict[str, pl.Series]:
        labels = {label: _gathered(self.cases.labels[label], state) for label in LABELS}
        if bool((own == NOTHING).all()):
            return labels
        places = _known(own)
        of_event = {label: self.cases.history[label].gather(places) for label in LABELS}
        return {label: of_event[label].zip_with(of_event[label].is_not_null(), labels[label]) for label in LABELS}


def _known(values: Ints) -> pl.Series:
    """Values, null where NOTHING."""
    missing = values == NOTHING
    return pl.Series(values).set(pl.Series(missing), None) if missing.any() else pl.Series(values)


def _gathered(values: pl.Series, places: Ints) -> pl.Series:
    """Values at those places; most labels are unused, and nothing is quickly gathered."""
    if values.null_count() < len(values):
        return values.gather(places)
    return pl.repeat(None, len(places), dtype=values.dtype, eager=True)
