"""What the API shows as of one tick: made once, read by any number of requests, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from api import items
from api.ledger import ledger_item
from api.lists import Item
from monitor.chance import Chances, expected, foretell
from monitor.figures import Figures, figures
from monitor.policy import PolicySet
from monitor.slas.burning import burning
from monitor.slas.burning import states as sla_states
from monitor.slas.corrections import corrected
from monitor.split import SplitCases
from monitor.state import State
from monitor.windows import read


@dataclass(frozen=True, slots=True)
class Board:
    """Figures of one instant, in the shapes in which they are served."""

    wall: datetime  # wall time at which it was made
    now: datetime  # the instant up to which the figures are judged
    policies: PolicySet
    grace: timedelta | None  # what verdicts are derived with; None: as the policies say
    figures: Figures
    chances: Chances  # of running clocks to be breached
    expected: pl.DataFrame  # chance.EXPECTED
    slas: list[Item]  # worst first
    services: list[Item]  # worst first
    alerts: list[Item]  # firing first
    ledger: Mapping[str, Any]


def make(
    states: Mapping[int, State],
    alerts: pl.DataFrame,
    policies: PolicySet,
    wall: datetime,
    *,
    follows_events: bool,
    split: SplitCases | None = None,
) -> Board | None:
    """The board of these states; None while no partition has a time.

    :param alerts: ALERTS, all that are remembered
    :param follows_events: `clock: event`: time is the newest event's, and nothing waits for answers on their way
    :param split: the cases that came through several partitions
    """
    found = figures(states, policies)
    if found is None:
        return None
    newest, grace = policies.newest, timedelta(0) if follows_events else None
    clocks, chances = foretell(states, policies, found.now, grace)
    pairs = burning(found.judgements, newest, found.now)
    revised = corrected(states, newest, found.now)
    holes = pl.concat([state.holes for state in states.values()])
    of_slas = sla_states(found.judgements, pairs, newest)
    slas = items.sla_items(found.judgements, pairs, of_slas, revised, holes, newest)
    shown = items.alert_items(alerts)
    services = items.service_items(slas, shown, found.standing, _open_cases(states, policies, found.now), found.now)
    return Board(
        wall=wall,
        now=found.now,
        policies=policies,
        grace=grace,
        figures=found,
        chances=chances,
        expected=expected(clocks),
        slas=slas,
        services=services,
        alerts=shown,
        ledger=ledger_item(states, found.now if follows_events else wall, follows_events=follows_events, split=split),
    )


def _open_cases(states: Mapping[int, State], policies: PolicySet, now: datetime) -> dict[str, int]:
    """Service -> cases opened and not ended."""
    window = read(states, policies.newest.labels, None, now)
    rows = window.cells.filter(pl.col("measure") == "case.open").join(window.groups, on="group")
    counted = rows.filter(pl.col("service").is_not_null()).group_by("service").agg(pl.col("n").sum())
    return dict(counted.iter_rows())
