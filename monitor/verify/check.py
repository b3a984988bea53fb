"""One partition, part by part: its events folded anew, and what comes of them held against what the state says.

A part is all cases whose keys lie in some stretch, so that a partition of any size is checked within the memory of a
part: cells add up over the parts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from monitor.cells.grains import ALL_TIME, BUCKET_SPAN, REACH
from monitor.cells.tiers import TIER_ROWS, Tiers
from monitor.frames import ARCHIVED, CELLS, conform, empty
from monitor.names import Kind
from monitor.state import PUBLISHED, add_up, add_up_cells
from monitor.verify import again
from monitor.verify.admission import regrouped, renumbered, unknown_admission
from monitor.verify.alerts import breached
from monitor.verify.cases import Part, compare_cases
from monitor.verify.figures import (
    Reach,
    check_books,
    compare_cells,
    compare_ledger,
    compare_newest,
    compare_published,
)
from monitor.verify.findings import Findings
from monitor.verify.ids import Find, compare_ids
from monitor.verify.looks import Looks
from monitor.verify.recompute import CaseRows, Recomputed, Terms, in_the_order_of_the_log, recompute

_KEYS = ("event_key", "content_key")
_SUMS = tuple(name for name in TIER_ROWS if name not in ("n", "total"))


@dataclass(frozen=True)
class Head:
    """What a state says of its partition as a whole."""

    partition: int
    newest_event: datetime | None
    series: pl.DataFrame  # SERIES
    published: pl.DataFrame  # PUBLISHED
    ledger: Mapping[str, int]
    ids: pl.DataFrame  # IDS
    ids_from: datetime | None  # those of before are forgotten; None: none are
    archived: Callable[[pl.Series], pl.DataFrame]  # ARCHIVED: of case keys those that are


@dataclass(frozen=True)
class Arrived:
    """What reading the events told beside the events themselves."""

    read: int | None  # None: nothing says, nor what was refused
    refused: Mapping[str, int]  # by reason; `late` among them
    newest_event: datetime | None


class Check:
    """See the module: `part` for each part, then `finish`.

    :param topics: that the events come from
    :param whole: every event that was counted can be read again
    :param looks: of judges, that are to be worked out again
    """

    def __init__(
        self,
        head: Head,
        terms: Terms,
        topics: Sequence[str],
        *,
        reach: Reach,
        whole: bool,
        looks: Looks | None = None,
    ) -> None:
        self._head, self._terms, self._topics, self._reach, self._whole = head, terms, topics, reach, whole
        self._series = head.series
        self._tiers = Tiers.empty()
        self._tiers.evict(terms.now)
        self._ids: list[pl.DataFrame] = []
        self._again = [empty(again.AGAIN)]
        self._unclear = empty(again.AGAIN)["event_key"]  # ids of which nothing says what counted
        self._measured: list[pl.DataFrame] = []
        self._answers = 0
        self._doubtful: set[int] = set()  # numbers of rules by which something cannot be judged again
        self._ledger: Counter[str] = Counter()
        self._beyond = 0  # live cases some events of which are out of reach
        self.findings = Findings()
        self.looks = looks or Looks(head.partition, terms, {})
        self.cases = 0
        self.breached: list[pl.DataFrame] = []  # WATCHED: what should stand as alerts

    def part(self, live: CaseRows, events: pl.DataFrame) -> None:
        """Check the cases of a part.

        :param live: what the state holds of them
        :param events: READ_EVENTS: all that can be read of them, but for what was refused on arrival
        """
        ordered = in_the_order_of_the_log(events, self._counted(live.history, events), self._topics)
        archived = self._archived(live, events)
        ours = recompute(ordered, self._series, self._terms, archived)
        self._series = ours.series
        beyond = self._out_of_reach(live, events)
        if ours.ledger.get("duplicate"):
            self._again.append(again.sent_again(ordered, self._head.ids_from))
        self._add(ours, live, beyond)
        self.looks.part(ordered, live, beyond, archived, ours)
        unknown = unknown_admission(self._series)
        left = ours.rows.without(pl.concat([beyond, archived["case_key"]]))
        held, left = (_told_apart(rows, unknown) for rows in (live.without(beyond), left))
        self.cases += live.history["case_key"].n_unique()
        self._beyond += len(beyond)
        of_beyond = live.verdicts.filter(pl.col("case_key").is_in(beyond.implode()))
        stand = pl.concat([left.verdicts, of_beyond])
        self.breached.append(breached(stand, self._series, self._terms.policies.newest))
        compare_cases(held, left, Part(self._head.partition, ordered, self._series, self.findings))

    def finish(self, tiers: pl.DataFrame, arrived: Arrived, find: Find) -> Findings:
        """Check the sums.

        :param tiers: TIER_ROWS of the state
        :param find: finds events by their keys, to name them
        """
        head, findings, partition = self._head, self.findings, self._head.partition
        unknown = unknown_admission(self._series)
        self._leave_to_arrival(pl.concat(self._again))
        compare_ids(*self._remembered(), partition, find, findings)
        check_books({**head.ledger, **_cases(tiers)}, partition, findings)
        if self._whole:
            compare_ledger(head.ledger, self._counters(arrived), partition, findings)
            if arrived.read is not None:
                compare_newest(head.newest_event, arrived.newest_event, partition, findings)
        if unknown is not None:
            findings.unproven.append(
                f"partition {partition}: limits.series was raised after it had been reached: what was counted as "
                f"__other__ before is compared in one sum with the series that were admitted since"
            )
        if self._beyond:
            findings.unproven.append(
                f"partition {partition}: {self._beyond:,} live cases have events that cannot be read again"
            )
        sums, ours = (regrouped(rows, unknown, _SUMS) for rows in (tiers, self._tiers.rows()))
        reach = self._reach.less(
            self._terms.spans, self._doubtful, max(head.newest_event or self._terms.now, self._terms.now)
        )
        compare_cells(sums, ours, self._series, partition, reach, findings)
        measured = add_up(pl.concat(self._measured), ("series", "bin")) if self._measured else head.published.clear()
        if reach.since is None:
            first, least = (regrouped(rows, unknown, ("series", "bin")) for rows in (head.published, measured))
            compare_published(first, least, self._answers, self._series, partition, findings)
        return findings

    def _leave_to_arrival(self, sent: pl.DataFrame) -> None:
        """Take it from the ledger how many of those events (AGAIN) counted again; what they may be in is not proven."""
        more = self._head.ledger.get("counted", 0) - self._ledger["counted"] if self._whole else None
        last = sent["time"].max()
        if not isinstance(last, datetime) or (more is not None and not 0 < more <= sent.height):
            return  # none was sent again, or none of them counted: then all can be proven
        self._ledger.update(counted=more or 0, duplicate=-(more or 0))
        self._unclear = sent["event_key"].unique()
        self._reach = self._reach.after(last + BUCKET_SPAN, again.WHY)
        self.looks.leave_out(last, again.WHY)
        self.findings.unproven.append(again.in_words(self._head.partition, sent.height, more))

    def _add(self, ours: Recomputed, live: CaseRows, beyond: pl.Series) -> None:
        cells = [ours.cells]
        if len(beyond):  # of these the state's own word is taken
            of_them = pl.col("case_key").is_in(beyond.implode())
            taken = ours.rows.contributions.filter(of_them).with_columns(-pl.col("n", "total"))
            cells += [rows.select(list(CELLS)) for rows in (taken, live.contributions.filter(of_them))]
        self._tiers.add(add_up_cells(pl.concat(cells)))
        self._ids.append(self._within(ours.ids))
        self._doubtful |= ours.doubtful
        self._measured.append(ours.measured.select(list(PUBLISHED)))
        self._answers += ours.answers
        self._ledger.update(ours.ledger)

    def _out_of_reach(self, live: CaseRows, events: pl.DataFrame) -> pl.Series:
        """Live cases of which the state holds events that cannot be read again; where all can, none are."""
        if self._whole:
            return live.history["case_key"].clear()
        return live.history.join(events, on="event_key", how="anti")["case_key"].unique()

    def _counted(self, history: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
        """Keys of the events of these cases that the state holds; needed only where the log does not order them."""
        if len(self._topics) == 1:
            return history.select(_KEYS)
        ids = self._head.ids.filter(pl.col("event_key").is_in(events["event_key"].implode()))
        return pl.concat([history.select(_KEYS), ids.select(_KEYS)])

    def _within(self, ids: pl.DataFrame) -> pl.DataFrame:
        """Those that the state should remember."""
        kept_from = self._head.ids_from
        return ids if kept_from is None else ids.filter(pl.col("time") >= kept_from)

    def _remembered(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Ids of the state and recomputed ones; of those that cannot be read again the state's own word is taken."""
        live, ours = self._head.ids, pl.concat(self._ids) if self._ids else self._head.ids.clear()
        if not self._whole:
            live = live.filter(pl.col("event_key").is_in(ours["event_key"].implode()))
        if not len(self._unclear):
            return live, ours
        clear = ~pl.col("event_key").is_in(self._unclear.implode())
        return live.filter(clear), ours.filter(clear)

    def _archived(self, live: CaseRows, events: pl.DataFrame) -> pl.DataFrame:
        """ARCHIVED: the cases among these events that are. Where sums cannot all be proven, theirs cannot be either."""
        newest = events.filter(pl.col("kind") != Kind.MEASURED).group_by("case_key").agg(pl.col("time").max())
        told = newest.join(self._head.archived(newest["case_key"]), on="case_key", how="left")
        gone = pl.col("at").is_not_null()
        if self._head.newest_event is not None:  # of what lies so far back it was forgotten that it is archived
            held = pl.col("case_key").is_in(live.history["case_key"].unique().implode())
            gone |= ~held & (pl.col("time") < self._head.newest_event - REACH)
        archived = told.filter(gone)
        last = archived["time"].max()
        if self._reach.since is not None and isinstance(last, datetime):
            self._reach = self._reach.after(last)
        return conform(archived, ARCHIVED)

    def _counters(self, arrived: Arrived) -> dict[str, int]:
        ours = {name: self._ledger[name] for name in ("counted", "duplicate", "conflicting")}
        if len(self._unclear):
            del ours["conflicting"]  # with which of several contents a later one was compared
        if arrived.read is None:
            return ours
        late = arrived.refused.get("late", 0)
        refused = {reason: n for reason, n in arrived.refused.items() if reason != "late"}
        ours |= {f"rejected.{reason}": n for reason, n in refused.items()}
        return ours | {"read": arrived.read, "late": late, "rejected": sum(refused.values())}


def _told_apart(rows: CaseRows, unknown: pl.Series | None) -> CaseRows:
    return rows._replace(
        verdicts=renumbered(rows.verdicts, unknown), contributions=renumbered(rows.contributions, unknown)
    )


def _cases(tiers: pl.DataFrame) -> dict[str, int]:
    """How many cases were opened, are closed and are open, as the sums of all time have it."""
    counted = tiers.filter(pl.col("tier") == ALL_TIME).group_by("measure").agg(pl.col("n").sum())
    found = dict(counted.iter_rows())
    return {f"cases_{name}": found.get(f"case.{name}", 0) for name in ("opened", "closed", "open")}
