"""Why measured interactions have their verdicts: one comparison each."""

from datetime import datetime
from typing import Any

import polars as pl

from monitor.clocks import measured
from monitor.explain.model import Entry, Explanation, Move, Story
from monitor.explain.notes import judged
from monitor.explain.story import ALWAYS
from monitor.explain.wording import fitting, named, promised, span
from monitor.names import CLOCKS, Outcome
from monitor.policy import PolicySet, PolicyVersion
from monitor.policy.values import instant_text


def explain_measured(events: pl.DataFrame, policies: PolicySet, now: datetime) -> Explanation:
    """Why the measured events of one case have their verdicts, each by the version in force at its time.

    :param events: EVENTS of kind measured, of one case, at least one
    :returns: a story for each event and clock that its version names, without stretches: neither calendars nor pauses
        have a say
    """
    events = events.sort("time", maintain_order=True)
    times = events["time"].to_list()
    versions = [policies.version_at(time) for time in times]
    notes = tuple(
        f"It was reported as a whole at {instant_text(time)}{judged(policies, version)}. "
        "Calendars and pauses have no say."
        for time, version in zip(times, versions, strict=True)
    )
    rows = measured(events, policies, now).to_dicts()  # all events for one clock, then all for the other
    stories = [
        _story(row, time, version)
        for row, time, version in zip(rows, times * 2, versions * 2, strict=True)
        if version is not None and row["clock"] in version.clocks
    ]
    stories.sort(key=lambda story: CLOCKS.index(story.clock))
    return Explanation(str(events["case"][0]), now, versions[-1], notes, tuple(stories))


def _story(row: dict[str, Any], at: datetime, version: PolicyVersion) -> Story:
    words = _words(row, instant_text(at), version)
    entry = Entry(at, Move.STOPPED, words, line=row["line"], used=row["elapsed"])
    return Story(row["clock"], 1, row, words, "UTC", ALWAYS, (entry,), (), ())


def _words(row: dict[str, Any], at: str, version: PolicyVersion) -> str:
    outcome = Outcome(row["outcome"])
    if outcome == Outcome.EXCLUDED:
        return f"reported at {at} as abandoned: excluded"
    if row["elapsed"] is None:
        return f"no time was reported at {at}: no target, so no verdict"
    taken = f"{span(row['elapsed'])} reported at {at}"
    if row["line"] is not None:
        return f"{taken}, {named(version.targets[row['line']])} wants {span(row['target'])}: {outcome}"
    line = fitting(version, row["clock"], row, row["complaint"])
    why = (
        f"no line of {row['clock']} fits" if line is None else f"{named(line)} wants {promised(version, line)}, no span"
    )
    return f"{taken}, {why}: no target, so no verdict"
