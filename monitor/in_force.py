"""Which rules judged from when on: a row at each change of them, so that what was judged once can be judged so again.

Live cases are judged anew when rules change. Measured events and archived cases are not: they keep what the rules of
their day said. Events are told apart by their offsets, archived cases by the age of the partition when they went.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from monitor.frames import INSTANT, Columns, conform

IN_FORCE: Final[Columns] = {
    "number": pl.Int32(),  # of the rules, from 1; one row for each topic that had been read when they began
    "topic": pl.String(),  # null: none had been, they judge from the beginning on
    "from_offset": pl.Int64(),  # the first that they judge; of a topic without a row: all that earlier rules do not
    "newest_event": INSTANT,  # the newest event before them; what was archived up to then was judged by earlier ones
    "now": INSTANT,  # the partition's time when they began
    "policies": pl.String(),  # `judging` of the policies
    "versions": pl.String(),  # digests of the versions, in their order
    "semantics": pl.Int32(),
}


def begun(
    known: pl.DataFrame,
    policies: str,
    versions: Sequence[str],
    semantics: int,
    *,
    offsets: Mapping[str, int],
    newest_event: datetime | None,
    now: datetime,
) -> pl.DataFrame:
    """IN_FORCE rows of rules that begin to judge; none where they are the last of `known`.

    :param known: IN_FORCE so far; none of a state that older programs made, so that nobody knows what judged it before
    :param policies: `judging` of the policies
    :param versions: digests of their versions
    :param offsets: next offset by topic, before what they are the first to judge
    """
    if known.height:
        last = known.row(-1, named=True)
        if (last["policies"], last["semantics"]) == (policies, semantics):
            return known.clear()
    places: list[tuple[str | None, int]] = [*offsets.items()] or [(None, 0)]
    rows = pl.DataFrame(places, schema={name: IN_FORCE[name] for name in ("topic", "from_offset")}, orient="row")
    return conform(
        rows.with_columns(
            number=pl.lit((last_number(known) or 0) + 1),
            newest_event=pl.lit(newest_event, INSTANT),
            now=pl.lit(now, INSTANT),
            policies=pl.lit(policies),
            versions=pl.lit(" ".join(versions)),
            semantics=pl.lit(semantics),
        ),
        IN_FORCE,
    )


def last_number(known: pl.DataFrame) -> int | None:
    """The number of the rules that judge now; None: not recorded yet."""
    return known.row(-1, named=True)["number"] if known.height else None


def resumed(known: pl.DataFrame, starts: Mapping[str, int]) -> pl.DataFrame:
    """IN_FORCE where reading went on at those offsets by topic: of what comes there the last rules are the first."""
    first = pl.col("topic").replace_strict(dict(starts), default=None, return_dtype=pl.Int64)
    return known.with_columns(from_offset=pl.min_horizontal("from_offset", first))
