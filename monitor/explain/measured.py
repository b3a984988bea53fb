"""Why measured interactions have their verdicts: one comparison each."""

from datetime import datetime
from typing import Any

import polars as pl

from monitor.clocks import measured
from monitor.explain.model import Entry, Explanation, Move, Story
from monitor.explain.wording import named, span
from monitor.names import CLOCKS, Outcome
from monitor.policy import PolicySet
from monitor.policy.values import instant_text


def explain_measured(events: pl.DataFrame, policies: PolicySet, now: datetime) -> Explanation:
    """Why the measured events of one case have their verdicts.

    :param events: EVENTS of kind measured, of one case, at least one
    :returns: two stories for each event, without stretches: neither calendars nor pauses have a say
    """
    rows = measured(events, policies, now).to_dicts()
    rows.sort(key=lambda row: CLOCKS.index(row["clock"]))
    times = events["time"].sort().to_list()
    notes = tuple(
        f"It was reported as a whole at {instant_text(time)}: calendars and pauses have no say." for time in times
    )
    stories = tuple(_story(row, policies, now) for row in rows)
    return Explanation(str(events["case"][0]), now, policies.version_at(times[-1]), notes, stories)


def _story(row: dict[str, Any], policies: PolicySet, now: datetime) -> Story:
    words = _words(row, policies)
    at = row["decided"] or row["stopped"] or now
    entry = Entry(at, Move.STOPPED, words, line=row["line"], used=row["elapsed"])
    return Story(row["clock"], 1, row, words, "UTC", "always", (entry,), (), ())


def _words(row: dict[str, Any], policies: PolicySet) -> str:
    outcome = Outcome(row["outcome"])
    if outcome == Outcome.EXCLUDED:
        return "reported as abandoned: excluded"
    if row["line"] is None:
        taken = "no time was reported" if row["elapsed"] is None else f"{span(row['elapsed'])} reported"
        return f"{taken}: no target, so no verdict"
    line = policies.at(row["policy"]).targets[row["line"]]
    return f"{span(row['elapsed'])} reported, {named(line)} wants {span(row['target'])}: {outcome}"
