"""Pauses that stop no clock, because no line of the policy lists their reason."""

import polars as pl

from monitor.events.faults import clipped
from monitor.names import Kind
from monitor.policy import PolicySet
from monitor.policy.problems import listed, nearest


def unlisted_reasons(events: pl.DataFrame, policies: PolicySet) -> list[str]:
    """A sentence for each reason of `paused` events that no line of any version lists, the most frequent first.

    :param events: EVENTS, or any frame with their columns kind and reason
    """
    lines = [line for version in policies.versions for line in version.targets]
    if any(line.every_pause for line in lines):
        return []
    known = sorted({reason for line in lines for reason in line.pauses})
    strange = (
        events.filter(pl.col("kind") == Kind.PAUSED.value, ~pl.col("reason").is_in(known).fill_null(False))
        .group_by("reason")
        .len("n")
        .sort("n", "reason", descending=[True, False])
    )
    return [_sentence(reason, n, known) for reason, n in strange.iter_rows()]


def _sentence(reason: str | None, n: int, known: list[str]) -> str:
    why = "without a reason" if reason is None else f"for {clipped(reason)!r}"
    said = f"1 pause {why} stops no clock" if n == 1 else f"{n:,} pauses {why} stop no clock"
    near = nearest(clipped(reason), known) if reason is not None else None
    meant = f" (did you mean {near!r}?)" if near else ""
    return f"{said}: lines of `targets` list {listed(known) or 'no reason'} under `pauses`{meant}"
