"""What verdicts would be without pauses: derived again from the events without them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from monitor.clocks import derive
from monitor.explain.happened import Happened
from monitor.explain.model import Pause
from monitor.explain.wording import Scene, for_reason, span
from monitor.frames import KEY
from monitor.names import Kind, Outcome, spoken
from monitor.policy import PolicySet

MOST_PAUSES: Final = 50  # of one case that are taken away one by one; the longest, if there are more
MOST_ROWS: Final = 200_000  # events that are judged anew for it

_Place = tuple[str, int]  # clock and cycle


class Otherwise:
    """The verdicts of one case without each of its pauses, and without all; `untried` counts pauses left out."""

    def __init__(
        self,
        happened: Happened,
        pauses: Sequence[Pause],
        policies: PolicySet,
        now: datetime,
        grace: timedelta | None,
    ) -> None:
        most = max(1, min(MOST_PAUSES, MOST_ROWS // len(happened.events)))
        different = list(dict.fromkeys(pauses))
        longest = sorted(different, key=lambda pause: (pause.end or now) - pause.start, reverse=True)[:most]
        self.untried = len(different) - len(longest)
        self._number = {pause: number for number, pause in enumerate(longest)}
        self._rows = _derived(happened, longest, policies, now, grace) if longest else {}

    def verdict(self, place: _Place, pause: Pause | None) -> Mapping[str, Any] | None:
        """The row of VERDICTS of that clock and cycle without a pause, or (None) without any.

        None for a pause that was not taken away, and where the clock would have no row.
        """
        number = -1 if pause is None else self._number.get(pause)
        return None if number is None else self._rows.get((number, *place))


def _derived(
    happened: Happened, pauses: Sequence[Pause], policies: PolicySet, now: datetime, grace: timedelta | None
) -> dict[tuple[int, str, int], dict[str, Any]]:
    """Rows of VERDICTS by number of the pause (-1: without any), clock and cycle: each is a case of its own."""
    events = happened.cases.history.select(pl.all().gather(happened.cases.row)).with_row_index("index")
    is_pause = pl.col("kind") == str(Kind.PAUSED)
    parts = [
        events.filter(~(is_pause & pl.col("index").is_between(pause.first, pause.last - 1))).with_columns(
            pl.lit(number, KEY).alias("case_key")
        )
        for number, pause in enumerate(pauses)
    ]
    parts.append(events.filter(~is_pause).with_columns(pl.lit(-1, KEY).alias("case_key")))
    rows = derive(pl.concat(parts).drop("index"), policies, now, grace)
    return {(int(row["case_key"]), row["clock"], row["cycle"]): row for row in rows.to_dicts()}


def words(is_: Mapping[str, Any], would: Mapping[str, Any], pause: Pause | None, scene: Scene) -> str:
    """`without the pause for customer (Mon 2026-03-02 10:00 +01:00 to 12:10): breached at …, 4 h used`."""
    outcome = spoken(would["outcome"])
    if would["due"] is not None:
        outcome += f"{_how(would)} {scene.at(would['due'])}"
    instead = "" if is_["outcome"] == would["outcome"] else f" instead of {spoken(is_['outcome'])}"
    used = "" if would["elapsed"] is None else f", {span(would['elapsed'])} used"
    return f"without {_pause(pause, scene)}: {outcome}{instead}{used}"


def _how(would: Mapping[str, Any]) -> str:
    if would["outcome"] != Outcome.BREACHED:
        return ", due"
    return " on arrival at" if would["on_arrival"] else " at"


def _pause(pause: Pause | None, scene: Scene) -> str:
    if pause is None:
        return "any pause"
    end = "now" if pause.end is None else scene.at(pause.end, pause.start)
    return f"the pause{for_reason(pause.reason)} ({scene.at(pause.start)} to {end})"
