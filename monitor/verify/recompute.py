"""What the events of some cases make of an empty state in one batch, with the decisions of arrival taken as given.

Where rules changed meanwhile, what they judged only once is folded by those of its day: one batch for each of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from monitor.dedup import unseen
from monitor.engine import ANSWER_TIMES, step
from monitor.events import NOTHING, Read
from monitor.frames import CELLS, CONTRIBUTIONS, HISTORY, IDS, Columns, empty
from monitor.policy import PolicySet
from monitor.state import PUBLISHED, STATE_VERDICTS, WAKES, Delta, State, add_up
from monitor.verify.spans import NUMBER, Spans

TABLES: Final[Mapping[str, Columns]] = {
    "history": HISTORY,
    "verdicts": STATE_VERDICTS,
    "contributions": CONTRIBUTIONS,
    "wakes": WAKES,
}


_MADE: Final[Mapping[str, Columns]] = {**TABLES, "cells": CELLS, "ids": IDS, "published": PUBLISHED}


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
    policies: PolicySet  # in force now: they judge all live cases
    grace: timedelta | None  # None: as the policies say
    spans: Spans  # of the log: which rules judged what is judged only once


class Recomputed(NamedTuple):
    rows: CaseRows
    cells: pl.DataFrame  # CELLS
    ids: pl.DataFrame  # IDS of measured events
    measured: pl.DataFrame  # PUBLISHED: their response times
    answers: int  # response times of cases
    series: pl.DataFrame  # SERIES: those given, and any further ones
    ledger: Mapping[str, int]
    doubtful: frozenset[int]  # numbers of rules that judged some of it once, and by which it cannot be judged again


def recompute(events: pl.DataFrame, series: pl.DataFrame, terms: Terms, archived: pl.DataFrame) -> Recomputed:
    """Fold all events of some cases.

    :param events: READ_EVENTS in log order, without those that were refused as `late` or as of the future
    :param series: SERIES as they were admitted
    :param archived: ARCHIVED: the cases among them that are; `at` null: that is no longer known
    """
    ledger: Counter[str] = Counter()
    fresh, numbers = _judged(events, terms.spans, archived, ledger)
    deltas = []
    for policies, batch in _batches(fresh, numbers, terms):
        state = State()
        state.series = series
        delta = step(state, Read(batch, NOTHING.refused, 0), terms.now, policies, grace=terms.grace).delta
        series = pl.concat([series, delta["series"]]) if "series" in delta else series
        ledger.update(dict(delta["ledger"].iter_rows()) if "ledger" in delta else {})
        deltas.append(delta)
    tables = {name: [delta[name] for delta in deltas if name in delta] for name in _MADE}
    made = {name: pl.concat(rows) if rows else empty(_MADE[name]) for name, rows in tables.items()}
    answers = made["contributions"].filter(pl.col("measure").is_in(ANSWER_TIMES))
    return Recomputed(
        _rows(made),
        made["cells"],
        made["ids"],
        _less(made["published"], answers),
        int(answers["n"].sum()),
        series,
        ledger,
        frozenset(numbers.unique().to_list()) - terms.spans.sets.keys(),
    )


def _judged(
    events: pl.DataFrame, spans: Spans, archived: pl.DataFrame, ledger: Counter[str]
) -> tuple[pl.DataFrame, pl.Series]:
    """The events to fold, and the number of the rules that judged each; twins are counted and left out where they may
    have come under others."""
    if spans.one:
        return events, pl.Series([spans.last], dtype=NUMBER).new_from_index(0, events.height)
    found = unseen(events, empty(HISTORY), empty(IDS))
    ledger.update(duplicate=events.height - found.events.height, conflicting=found.conflicting)
    return found.events, spans.judging(found.events, archived)


def _batches(events: pl.DataFrame, numbers: pl.Series, terms: Terms) -> Iterator[tuple[PolicySet, pl.DataFrame]]:
    """The events by what judged them; by the policies in force now where that is not known."""
    by_judging: dict[str, tuple[PolicySet, list[int]]] = {}
    for number in numbers.unique().sort().to_list():
        policies = terms.spans.sets.get(number, terms.policies)
        by_judging.setdefault(policies.judging, (policies, []))[1].append(number)
    for policies, held in by_judging.values():
        yield policies, events if len(by_judging) == 1 else events.filter(numbers.is_in(held))


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
