"""One case out of many events, of files or of the events topics, and why its verdicts are so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from monitor.dedup import unseen
from monitor.events import READ_EVENTS, Read
from monitor.explain import Explanation, explain, explain_measured
from monitor.frames import HISTORY, IDS, REFUSED, conform, empty
from monitor.keys import keys_of
from monitor.names import Kind
from monitor.policy import PolicySet
from monitor.policy.values import instant_text

MOST_ALIKE: Final = 50  # ids that are remembered for a hint
MOST_REFUSED: Final = 5  # refused events that are named


@dataclass
class OneCase:
    """What was read of one case; `take` it from any number of reads."""

    case: str
    events: list[pl.DataFrame] = field(default_factory=list)
    refused: list[pl.DataFrame] = field(default_factory=list)
    alike: set[str] = field(default_factory=set)  # other cases whose ids are much as this one's
    _newest: dict[int, datetime] = field(default_factory=dict)  # time of all events, by partition

    def take(self, read: Read) -> None:
        """Keep what is of this case."""
        self.events.append(read.events.filter(pl.col("case_key").is_in(keys_of([self.case]).implode())))
        self.refused.append(read.refused.filter(pl.col("case") == self.case))
        for partition, newest in read.events.group_by("partition").agg(pl.col("time").max()).iter_rows():
            self._newest[partition] = max(newest, self._newest.get(partition, newest))
        if len(self.alike) < MOST_ALIKE:
            self.alike.update(read.events.filter(alike(self.case))["case"].unique().sort().head(MOST_ALIKE))

    @property
    def newest(self) -> datetime | None:
        """Time of the newest event, whatever its case, in the partitions that hold the case."""
        held = {partition for read in self.events for partition in read["partition"].unique()}
        return max((newest for partition, newest in self._newest.items() if partition in held), default=None)

    def explained(self, policies: PolicySet, now: datetime, grace: timedelta | None) -> Explanation | None:
        """Why its clocks have their verdicts by `now`; None if none of its events was read of the time up to then."""
        every = pl.concat([empty(READ_EVENTS), *self.events])
        # Of twins the first in the log counts, whatever their times.
        fresh = unseen(every, empty(HISTORY), empty(IDS)).events.filter(pl.col("time") <= now)
        if not fresh.height:
            return None
        settled = pl.col("kind") == str(Kind.MEASURED)
        history, measured = conform(fresh.filter(~settled), HISTORY), fresh.filter(settled)
        parts = [explain(history, policies, now, grace)] if history.height else []
        parts += [explain_measured(measured, policies, now)] if measured.height else []
        later = self.later(now)
        left_out = [f"{later:,} of its events lie after {instant_text(now)}: they are left out."] if later else []
        return _joined(parts, (*left_out, *self.refusals()))

    def later(self, now: datetime) -> int:
        """How many of its events lie after an instant."""
        return sum(read.filter(pl.col("time") > now).height for read in self.events)

    def refusals(self) -> list[str]:
        """What of the case was refused, and why, in sentences."""
        return list(_refused(pl.concat([empty(REFUSED), *self.refused])))


def alike(case: str) -> pl.Expr:
    """Whether `case` begins or ends as an id that may be meant by it; letter case does not matter."""
    folded, most = pl.col("case").str.to_lowercase(), max(1, len(case) - 2)
    return folded.str.starts_with(case[:most].lower()) | folded.str.ends_with(case[-most:].lower())


def _joined(parts: Sequence[Explanation], notes: tuple[str, ...]) -> Explanation:
    """One explanation of a case that has a history, measured events, or both."""
    first = parts[0]
    return replace(
        first,
        notes=(*(note for part in parts for note in part.notes), *notes),
        stories=tuple(story for part in parts for story in part.stories),
    )


def _refused(refused: pl.DataFrame) -> Iterator[str]:
    """What of the case was refused, and why: it counts nowhere."""
    for topic, offset, what, message in (
        refused.head(MOST_REFUSED).select("topic", "offset", "field", "message").iter_rows()
    ):
        yield f"An event of it was refused ({topic}:{offset}): {': '.join(part for part in (what, message) if part)}."
    if refused.height > MOST_REFUSED:
        yield f"{refused.height - MOST_REFUSED:,} more of its events were refused."
