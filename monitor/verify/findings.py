"""What a comparison of a state with its events found: how much was compared, what differs, what could not be told."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import polars as pl

MOST_NAMED: Final = 5  # differences of one figure that are told in words; all are counted


class Figure(StrEnum):
    """What is compared. What is above explains what is below, and so is told first."""

    EVENT = "event"  # of a live case
    MEASURED = "measured_event"  # its id, within the dedup horizon
    LEDGER = "ledger"
    VERDICT = "verdict"
    CONTRIBUTION = "contribution"  # of a live case to the cells
    WAKE = "wake"  # when time alone will change a case
    CELL = "cell"  # of any tier, and the sums of all time
    RESPONSE_TIME = "response_time"  # as first published
    TIME = "newest_event"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not what its events say."""

    figure: Figure
    partition: int | None  # None: of all partitions together
    subject: str  # which figure, in words
    live: str  # what the state says
    recomputed: str  # what the events say
    cause: str  # the likely one, a sentence
    place: Mapping[str, Any] = field(default_factory=dict)  # case, clock, labels, bucket …, as far as they apply

    def __str__(self) -> str:
        where = "" if self.partition is None else f"partition {self.partition}: "
        return f"{where}{self.subject}: live {self.live}, recomputed {self.recomputed}"


@dataclass
class Findings:
    """Of one partition, or of several added up."""

    compared: Counter[Figure] = field(default_factory=Counter)
    differing: Counter[Figure] = field(default_factory=Counter)
    named: list[Difference] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)  # what could not be compared, and why, in sentences

    @property
    def equal(self) -> bool:
        return not self.differing

    @property
    def first(self) -> Difference | None:
        """The difference that explains most of the others: by figure, then as they were found."""
        order = list(Figure)
        return min(self.named, key=lambda found: order.index(found.figure), default=None)

    def took(
        self, figure: Figure, compared: int, rows: pl.DataFrame, tell: Callable[[dict[str, Any]], Difference]
    ) -> None:
        """So many were compared; `rows` differ, each of which `tell` puts into words."""
        self.compared[figure] += compared
        if rows.height:
            self.found(figure, rows.height, map(tell, rows.head(self._room(figure)).iter_rows(named=True)))

    def found(self, figure: Figure, differing: int, named: Iterable[Difference]) -> None:
        """So many differ, the first of which are these."""
        self.differing[figure] += differing
        self.named += list(named)[: self._room(figure)]

    def add(self, other: "Findings") -> None:
        """Those of another partition."""
        self.compared += other.compared
        self.differing += other.differing
        for difference in other.named:
            if self._room(difference.figure):
                self.named.append(difference)
        self.unproven += other.unproven

    def _room(self, figure: Figure) -> int:
        return max(0, MOST_NAMED - sum(known.figure == figure for known in self.named))
