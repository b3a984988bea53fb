"""Which rules judged which event: spans of the log, as the state recorded them (IN_FORCE).

offset      0 ........ 500 ........ 900 ....
rules             1          2          3        live cases: always by the last
measured          by 1       by 2       by 3     archived cases: by those in force when they were archived
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from monitor.in_force import IN_FORCE
from monitor.names import Kind
from monitor.policy import PolicySet

UNKNOWN: Final = 0  # number of rules that are not on record
NUMBER: Final = IN_FORCE["number"]


@dataclass(frozen=True)
class Spans:
    """See the module.

    :param rows: IN_FORCE of the state
    :param sets: by number, what judged; without those that this program cannot judge by
    :param placed: whether events say where they stood in the topics
    """

    rows: pl.DataFrame
    sets: Mapping[int, PolicySet]
    placed: bool = True

    @property
    def last(self) -> int:
        """The number of the rules by which all live cases are judged."""
        return max(self._numbers, default=1)

    @property
    def _numbers(self) -> list[int]:
        return self.rows["number"].unique().sort().to_list()

    @property
    def one(self) -> bool:
        """Whether the rules have never changed."""
        return self.rows.height == 1 and self.rows["topic"][0] is None

    def judging(self, events: pl.DataFrame, archived: pl.DataFrame) -> pl.Series:
        """The number of the rules by which each event was judged for the last time.

        :param events: READ_EVENTS
        :param archived: ARCHIVED: the cases among them that are; `at` null: that is no longer known
        """
        told = events.select("case_key", "kind").join(archived, on="case_key", how="left", maintain_order="left")
        of_archived = told.join(
            archived.select("case_key", number=self._at(archived["at"])),
            on="case_key",
            how="left",
            maintain_order="left",
        )["number"]
        measured = told["kind"] == Kind.MEASURED
        lived = of_archived.fill_null(self.last)
        return lived.zip_with(~measured, self._where(events)).alias("number")

    def has(self, number: int) -> bool:
        """Whether any rules of that number judged; UNKNOWN: some that are not on record."""
        return (
            number in self._numbers if number != UNKNOWN else not self.rows.height or self.rows["topic"][0] is not None
        )

    def up_to(self, number: int) -> "Spans":
        """As it was while those rules were the last."""
        sets = {each: rules for each, rules in self.sets.items() if each <= number}
        return Spans(self.rows.filter(pl.col("number") <= number), sets, self.placed)

    def until(self, number: int) -> datetime | None:
        """All that those rules judged lies before it, or at it; None: no others have followed yet."""
        following = self.rows.filter(pl.col("number") > number).head(1)
        times = (
            [at for at in following.select("newest_event", "now").row(0) if at is not None] if len(following) else []
        )
        return max(times, default=None)

    def _where(self, events: pl.DataFrame) -> pl.Series:
        """By where they stood."""
        numbers = np.full(events.height, UNKNOWN, dtype=np.int32)
        if not self.placed:
            return pl.Series(numbers, dtype=NUMBER)
        offsets = events["offset"].to_numpy()
        for topic in events["topic"].unique().to_list():
            mine = (events["topic"] == topic).to_numpy()
            starts = dict(self.rows.filter(pl.col("topic") == topic).select("number", "from_offset").iter_rows())
            begins = np.array([starts.get(number, 0) for number in self._numbers], dtype=np.int64)
            numbers[mine] = np.searchsorted(begins, offsets[mine], side="right")
        return pl.Series(numbers, dtype=NUMBER)

    def _at(self, archived: pl.Series) -> pl.Series:
        """By the age of the partition when a case was archived: the last rules that began before it."""
        began = self.rows.group_by("number").agg(pl.col("newest_event").first()).sort("number")
        begun = np.array([-(2**63) if at is None else at for at in began["newest_event"].to_physical()], dtype=np.int64)
        at = archived.to_physical().fill_null(-(2**63)).to_numpy()
        found = np.searchsorted(begun, at, side="left").astype(np.int32)
        return pl.Series(found, dtype=NUMBER)
