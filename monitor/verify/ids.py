"""Ids of measured events, by which twins are told, against those that were recomputed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import polars as pl

from monitor.events import READ_EVENTS
from monitor.frames import empty
from monitor.policy.values import instant_text
from monitor.verify.cases import GONE, LOST, OTHER, stands, where
from monitor.verify.findings import MOST_NAMED, Difference, Figure, Findings
from monitor.verify.rows import unlike

Find = Callable[[pl.Series], pl.DataFrame]  # READ_EVENTS with those event keys


def compare_ids(live: pl.DataFrame, ours: pl.DataFrame, partition: int, find: Find, findings: Findings) -> None:
    """Hold IDS against each other.

    :param ours: those that are within the horizon in which the state remembers ids
    """
    differing = unlike(live, ours, ["event_key"])
    events = find(differing["event_key"].head(MOST_NAMED)) if differing.height else empty(READ_EVENTS)
    findings.took(Figure.MEASURED, live.height, differing, partial(_told, partition=partition, events=events))


def _told(row: Mapping[str, Any], *, partition: int, events: pl.DataFrame) -> Difference:
    at = events.filter(pl.col("event_key") == row["event_key"]).head(1).to_dicts()
    time = row["time"] if row["live"] else row["time_ours"]
    named = f"event {at[0]['id']} of {at[0]['source']}, case {at[0]['case']}" if at else f"id {row['event_key']:x}"
    shown = "counted" if row["live"] else "not there", stands(at) if row["ours"] else "not in the topic"
    cause = OTHER if row["live"] and row["ours"] else GONE if row["live"] else LOST
    place = where(at) | ({name: at[0][name] for name in ("case", "source", "id")} if at else {})
    return Difference(Figure.MEASURED, partition, f"measured {named} ({instant_text(time)})", *shown, cause, place)
