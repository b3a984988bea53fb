"""What a verification cannot reach, and since when it can prove sums: in sentences, never passed over."""

from datetime import UTC, datetime
from typing import Final

import polars as pl

from consumers.policy_log import PolicyLog
from consumers.verify.source import Brought
from monitor.names import HoleKind, Refusal
from monitor.policy import PolicySet
from monitor.policy.values import instant_text
from monitor.state import State
from monitor.verify import Difference, Figure, Findings

# Records that were counted and are gone. Where it was the state that was lost, it was made anew of what there is.
_COUNTED_HOLE: Final = pl.col("kind").is_in([HoleKind.TRUNCATED, HoleKind.REPLACED]) & pl.col("counted")


def out_of_reach(
    partition: int, state: State, brought: Brought, policies: PolicySet, log: PolicyLog
) -> tuple[datetime | None, list[str]]:
    """From when on sums can be compared (None: all can), and what cannot be read again."""
    counted = state.ledger().get("read", 0)
    since, why = _rules_since(log, policies), []
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


def _rules_since(log: PolicyLog, policies: PolicySet) -> datetime | None:
    """Since when the rules in force judge what is judged only once: measured events, and cases that are archived.

    None: always. What was judged once before, by other rules, keeps its verdict.
    """
    alike = len({(version.labels, str(version.limits)) for version in policies.versions}) == 1
    if log.in_force is None or (alike and not log.restatements):
        return None
    since = log.in_force.published or datetime.now(UTC)
    return since + policies.newest.limits.future_skew


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
