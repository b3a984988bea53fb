"""What a verification cannot reach, and since when it can prove sums: in sentences, never passed over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from consumers.policy_log import PolicyLog
from consumers.verify.source import Brought
from monitor.names import HoleKind, Refusal
from monitor.policy import PolicyError, PolicySet
from monitor.policy.values import instant_text
from monitor.state import SEMANTICS, State
from monitor.verify import Difference, Figure, Findings, Spans

# Records that were counted and are gone. Where it was the state that was lost, it was made anew of what there is.
_COUNTED_HOLE: Final = pl.col("kind").is_in([HoleKind.TRUNCATED, HoleKind.REPLACED]) & pl.col("counted")


def out_of_reach(
    partition: int, state: State, brought: Brought, policies: PolicySet
) -> tuple[datetime | None, list[str]]:
    """From when on all events can be read again (None: all can), and what cannot be."""
    counted = state.ledger().get("read", 0)
    since: datetime | None = None
    why = []
    skew = policies.newest.limits.future_skew
    for topic, begin in brought.begins.items():
        if begin > 0 and brought.read is not None and brought.read < counted:
            stamp = brought.first_records.get(topic, state.now)
            assert stamp is not None
            since = max(stamp + skew, since) if since else stamp + skew
            why.append(
                f"partition {partition}: {topic} begins at offset {begin:,}: of {counted:,} events that were "
                f"counted {counted - brought.read:,} cannot be read again, those of before {instant_text(stamp)}"
            )
    for hole in state.holes.filter(_COUNTED_HOLE).iter_rows(named=True):
        since = max(hole["accepted"] + skew, since) if since else hole["accepted"] + skew
        why.append(
            f"partition {partition}: a hole was accepted at {instant_text(hole['accepted'])}, so not all that "
            f"was counted before can be read again: {hole['detail']}"
        )
    return since, why


def spans(state: State, policies: PolicySet, log: PolicyLog, *, placed: bool) -> Spans:
    """Which rules judged which events of a partition, with those that can be applied again.

    :param policies: in force, and those that the state was judged by last
    :param placed: whether its events say where they stood in the topics
    """
    sets: dict[int, PolicySet] = {}
    for row in state.in_force.unique("number").iter_rows(named=True):
        if row["semantics"] == SEMANTICS and (found := _as_judged(row, policies, log)) is not None:
            sets[row["number"]] = found
    known = Spans(state.in_force, sets, placed)
    sets[known.last] = policies
    return known


def _as_judged(row: Mapping[str, Any], policies: PolicySet, log: PolicyLog) -> PolicySet | None:
    """The policies of a row of IN_FORCE; None: they are no longer there, or this program reads them otherwise."""
    if row["policies"] == policies.judging:
        return policies
    try:
        found = log.of_versions(row["versions"].split(" "))
    except (PolicyError, KeyError):
        return None
    return found if found.judging == row["policies"] else None


def tell_cut_off(partition: int, state: State, brought: Brought, findings: Findings) -> None:
    """Topics that end before the offset up to which the state has read them."""
    for topic, end in brought.ends.items():
        stop = state.offsets.get(topic, 0)
        if end < stop:
            cause = "The topic was truncated or made anew: the workers halt at that, too, and say what to do."
            shown = f"read up to offset {stop:,}", f"it ends at offset {end:,}"
            difference = Difference(Figure.EVENT, partition, topic, *shown, cause, {"topic": topic, "offset": end})
            findings.found(Figure.EVENT, stop - end, [difference])


def decisions_gone(partition: int, state: State, brought: Brought, rejected_from: int) -> list[str]:
    """Refusals on arrival that are no longer on record.

    :param rejected_from: where the rejected topic begins
    """
    ledger = state.ledger()
    counted = ledger.get("late", 0) + ledger.get(f"rejected.{Refusal.FUTURE_TIME}", 0)
    known = brought.refused[str(Refusal.LATE)] + brought.refused[str(Refusal.FUTURE_TIME)]
    if not rejected_from or known >= counted:
        return []
    return [
        f"partition {partition}: {counted - known:,} events were refused on arrival (late, or of the future), "
        "and the rejected topic no longer says which: those that the events topics still hold show as differences"
    ]
