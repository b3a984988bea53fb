"""What the events of some cases make of an empty state in one batch, with the decisions of arrival taken as given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from monitor.engine import ANSWER_TIMES, step
from monitor.events import NOTHING, Read
from monitor.frames import CELLS, CONTRIBUTIONS, HISTORY, IDS, Columns, empty
from monitor.policy import PolicySet
from monitor.state import PUBLISHED, STATE_VERDICTS, WAKES, Delta, State, add_up

TABLES: Final[Mapping[str, Columns]] = {
    "history": HISTORY,
    "verdicts": STATE_VERDICTS,
    "contributions": CONTRIBUTIONS,
    "wakes": WAKES,
}


class CaseRows(NamedTuple):
    """What a state holds of some cases, by the names of its tables."""

    history: pl.DataFrame
    verdicts: pl.DataFrame
    contributions: pl.DataFrame
    wakes: pl.DataFrame  # only of cases that time will change

    @classmethod
    def of(cls, tables: Mapping[str, pl.DataFrame]) -> "CaseRows":
        """Those tables of a delta or of a slice; absent ones are empty."""
        return cls(**{name: tables.get(name, empty(columns)) for name, columns in TABLES.items()})

    def without(self, keys: pl.Series) -> "CaseRows":
        """All but those cases."""
        if not len(keys):
            return self
        others = ~pl.col("case_key").is_in(keys.implode())
        return CaseRows(*(rows.filter(others) for rows in self))


@dataclass(frozen=True)
class Terms:
    """Under which a state was made: the same for the recomputation."""

    now: datetime
    policies: PolicySet
    grace: timedelta | None  # None: as the policies say


class Recomputed(NamedTuple):
    rows: CaseRows
    cells: pl.DataFrame  # CELLS
    ids: pl.DataFrame  # IDS of measured events
    measured: pl.DataFrame  # PUBLISHED: their response times
    answers: int  # response times of cases
    series: pl.DataFrame  # SERIES: those given, and any further ones
    ledger: Mapping[str, int]


def recompute(events: pl.DataFrame, series: pl.DataFrame, terms: Terms) -> Recomputed:
    """Fold all events of some cases.

    :param events: READ_EVENTS in log order, without those that were refused as `late` or as of the future
    :param series: SERIES as they were admitted
    """
    state = State()
    state.series = series
    read = Read(events, NOTHING.refused, 0)
    delta = step(state, read, terms.now, terms.policies, grace=terms.grace).delta
    answers = delta.get("contributions", empty(CONTRIBUTIONS)).filter(pl.col("measure").is_in(ANSWER_TIMES))
    return Recomputed(
        _rows(delta),
        delta.get("cells", empty(CELLS)),
        delta.get("ids", empty(IDS)),
        _less(delta.get("published", empty(PUBLISHED)), answers),
        int(answers["n"].sum()),
        pl.concat([series, delta["series"]]) if "series" in delta else series,
        dict(delta["ledger"].iter_rows()) if "ledger" in delta else {},
    )


def _rows(delta: Delta) -> CaseRows:
    rows = CaseRows.of(delta)
    return rows._replace(wakes=rows.wakes.drop_nulls("wake"))


def _less(published: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    taken = answers.select(list(PUBLISHED)).with_columns(-pl.col("n", "total"))
    return add_up(pl.concat([published, taken]), ("series", "bin"))


def in_the_order_of_the_log(events: pl.DataFrame, counted: pl.DataFrame, topics: Sequence[str]) -> pl.DataFrame:
    """Events of one topic after the other so that the first of twins is the one that counted.

    Within a topic that is the first one. In what order several topics were read nothing says but the state itself: of
    twins in several topics the one goes first whose content it holds.

    :param events: READ_EVENTS, those of a topic in their order there
    :param counted: `event_key`, `content_key` of what the state holds of these cases
    """
    if len(topics) == 1:
        return events
    held = counted.select("event_key", held="content_key").unique("event_key")
    told = events.join(held, on="event_key", how="left", maintain_order="left").with_columns(
        first=pl.int_range(pl.len()).over("topic", "event_key") == 0
    )
    counts = pl.col("first") & pl.col("content_key").eq_missing(pl.col("held"))
    return told.sort(~counts, maintain_order=True).drop("held", "first")
