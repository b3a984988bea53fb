"""What a partition gives up in time: ended cases and old ids go, their figures stay, and nothing counts twice."""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import late
from monitor.engine import Step, step
from monitor.frames import latest
from monitor.policy import PolicySet, load
from monitor.state import SLICES, State
from monitor.summary import summary
from tests.monitor.test_engine import END, Event, event, read

DAY = 1440  # minutes
POLICY = """
policy: support
labels: [service]
targets:
  - {clock: first_response, within: 2h}
  - {clock: resolution, within: 4h}
limits: {retention: 30d, dedup: 48h, reopen: 7d}
"""


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load([("support.yaml", POLICY)])


def solved(case: str, day: float) -> list[Event]:
    start = day * DAY
    return [
        event(case, "opened", start, service="billing"),
        event(case, "responded", start + 60),
        event(case, "resolved", start + 300),
    ]


def pulse(day: float) -> list[Event]:
    """What makes a partition that old, and is no case."""
    return [event("pulse", "rating.submitted", day * DAY, csat=4)]


def taken(state: State, events: Sequence[Event], policies: PolicySet, *, forgets: bool = True) -> Step:
    """What a batch makes of a state, once time has come to its newest event."""
    arrived = read(events)
    times = [time for time in (state.now, latest(arrived.events["time"])) if time is not None]
    made = step(state, arrived, max(times), policies, grace=timedelta(0), forgets=forgets)
    state.apply(made.delta)
    return made


def sweep(state: State, day: float, policies: PolicySet) -> None:
    """Let every slice of the cases have its turn."""
    for turn in range(SLICES + 1):
        taken(state, pulse(day + turn / SLICES / 24), policies)


def aged(events: Sequence[Event], day: float, policies: PolicySet) -> State:
    state = State()
    taken(state, events, policies)
    sweep(state, day, policies)
    return state


def live(state: State) -> set[str]:
    return set(state.history.frame()["case"]) - {"pulse"}


def books(state: State) -> dict[str, int]:
    counts = dict.fromkeys(("read", "counted", "duplicate", "late", "rejected"), 0) | state.ledger()
    assert counts["read"] == counts["counted"] + counts["duplicate"] + counts["late"] + counts["rejected"]
    return counts


def cells(state: State) -> list[tuple[object, ...]]:
    return sorted(state.tiers.rows().drop("tier").iter_rows(), key=repr)


@pytest.mark.parametrize(
    ("events", "day", "kept"),
    [
        pytest.param(solved("old", 0), 30.3, set(), id="ended longer ago than the retention"),
        pytest.param(solved("young", 0), 29.9, {"young"}, id="ended within the retention"),
        pytest.param(solved("open", 0)[:2], 90, {"open"}, id="still open"),
        pytest.param([event("cut", "opened", 0), event("cut", "cancelled", 9)], 30.3, set(), id="cancelled long ago"),
        pytest.param([event("lost", "responded", 0)], 30.3, set(), id="never opened, and silent for that long"),
        pytest.param([event("lost", "responded", DAY)], 30.3, {"lost"}, id="never opened, heard of since"),
        pytest.param(
            [*solved("back", 0), event("back", "reopened", 400)], 90, {"back"}, id="reopened and open ever since"
        ),
        pytest.param(
            [*solved("again", 0), event("again", "reopened", 400), event("again", "resolved", 20 * DAY)],
            49,
            {"again"},
            id="solved again within the retention",
        ),
    ],
)
def test_a_case_is_kept_until_it_has_ended_for_the_retention(
    events: list[Event], day: float, kept: set[str], policies: PolicySet
) -> None:
    assert live(aged(events, day, policies)) == kept


def test_every_case_has_its_turn_also_where_events_are_hours_apart(policies: PolicySet) -> None:
    state = State()
    taken(state, [each for n in range(40) for each in solved(f"c{n}", 0)], policies)
    for hour in range(SLICES + 1):
        taken(state, pulse(31 + hour / 24), policies)
    assert live(state) == set()


def test_archiving_changes_no_figure(policies: PolicySet) -> None:
    events = [each for n in range(40) for each in solved(f"c{n}", n / 40)]
    state, keeping = State(), State()
    for number in range(0, len(events), 7):
        taken(state, events[number : number + 7], policies)
        taken(keeping, events[number : number + 7], policies, forgets=False)
    for turn in range(2 * SLICES):
        more = pulse(32 + turn / SLICES / 24)
        taken(state, more, policies)
        taken(keeping, more, policies, forgets=False)
    assert live(state) == set()
    assert len(live(keeping)) == 40
    assert cells(state) == cells(keeping)
    assert summary({0: state}, policies, END + timedelta(days=40)) == summary(
        {0: keeping}, policies, END + timedelta(days=40)
    )


def test_whatever_comes_for_an_archived_case_is_late_and_changes_nothing(policies: PolicySet) -> None:
    state = aged(solved("old", 0), 31, policies)
    before = cells(state)
    made = taken(
        state,
        [*solved("old", 0), event("old", "reopened", 31 * DAY), event("old", "rating.submitted", 31 * DAY)],
        policies,
    )
    assert cells(state) == before
    assert live(state) == set()
    assert books(state)["late"] == 5
    assert made.late["reason"].unique().to_list() == ["late"]
    archived = state.archived.frame()["at"][0]
    assert made.late["message"][0] == f"its case was archived at {archived:%F %T} UTC, long after it had ended"
    assert made.late.select("case", "source", "id").row(0) == ("old", "/desk", "opened-0")


def test_what_is_restored_from_slices_has_archived_the_same_cases(policies: PolicySet) -> None:
    state = aged([*solved("old", 0), *solved("young", 10)], 31, policies)
    again = State()
    for number in range(SLICES):
        again.apply(state.slice(number))
    assert live(again) == live(state) == {"young"}
    taken(again, solved("old", 0), policies)
    assert books(again)["late"] == 3
    assert cells(again) == cells(state)


def test_the_id_of_a_measured_event_is_known_for_the_horizon_and_later_ones_are_late(policies: PolicySet) -> None:
    def measured(name: str, day: float) -> list[Event]:
        return [event(name, "measured", day * DAY, name, response_time_s=5)]

    state = State()
    taken(state, measured("a", 0), policies)
    taken(state, [*measured("a", 0), *measured("b", 1)], policies)
    assert (books(state)["counted"], books(state)["duplicate"], books(state)["late"]) == (2, 1, 0)
    taken(state, measured("c", 2.5), policies)
    made = taken(state, [*measured("a", 0), *measured("b", 1), *measured("never seen", 0.4)], policies)
    assert (books(state)["counted"], books(state)["duplicate"], books(state)["late"]) == (3, 2, 2)
    (message,) = made.late["message"].unique()
    assert message.startswith("its time lies before 2026-03-01 21:00:00 UTC, since when ids are remembered")
    assert made.late["field"].unique().to_list() == ["time"]


def test_a_measured_event_sent_again_with_a_newer_time_after_the_horizon_counts_again(policies: PolicySet) -> None:
    def measured(name: str, day: float) -> list[Event]:
        return [event(name, "measured", day * DAY, name, response_time_s=5)]

    state = State()
    taken(state, measured("a", 0), policies)
    taken(state, measured("a", 1), policies)
    assert (books(state)["counted"], books(state)["conflicting"]) == (1, 1)  # within it, the first counts
    taken(state, measured("b", 4), policies)
    taken(state, measured("a", 4), policies)
    assert books(state)["counted"] == 3


def test_no_more_ids_are_remembered_than_so_many(policies: PolicySet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "IDS_KEPT", 32)
    monkeypatch.setattr(late, "_SURPLUS", 2)
    state = State()
    events = [event(f"m{n}", "measured", n, f"m{n}", response_time_s=5) for n in range(100)]
    for each in events:
        taken(state, [each], policies)
    assert state.ids.frame().height <= 36
    taken(state, events, policies)
    counts = books(state)
    assert counts["counted"] == 100
    assert counts["late"] + counts["duplicate"] == 100
    assert counts["duplicate"] >= 32


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 6), st.integers(1, 3)), min_size=1, max_size=40))
def test_no_event_counts_twice_whenever_it_comes_again(drawn: list[tuple[int, float, int]]) -> None:
    policies = load([("support.yaml", POLICY.replace("retention: 30d", "retention: 8d"))])
    state = State()
    counted: set[int] = set()
    sent: dict[int, Event] = {}
    for number, day, batches in drawn:
        for _ in range(batches):
            sent.setdefault(number, event(f"m{number}", "measured", day * DAY, f"m{number}", response_time_s=5))
            before = books(state)["counted"]
            taken(state, [sent[number]], policies)
            if books(state)["counted"] > before:
                assert number not in counted
                counted.add(number)
    answered = state.tiers.window(None, None).cells.filter(pl.col("measure") == "case.opened")["n"].sum()
    assert answered == len(counted)


def test_what_is_older_than_the_cells_is_late(policies: PolicySet) -> None:
    state = State()
    taken(state, pulse(401), policies)
    made = taken(state, [*solved("ancient", 0), *solved("old", 2)], policies)
    assert live(state) == {"old"}
    assert made.late.height == 3
    assert made.late["message"][0] == "its time lies before 2026-03-02 09:00:00 UTC, the oldest figures that are kept"


def test_where_time_is_that_of_the_events_nothing_is_archived_and_nothing_late(policies: PolicySet) -> None:
    state = State()
    for events in ([*solved("old", 0)], pulse(500), solved("ancient", 0), solved("old", 0)):
        taken(state, events, policies, forgets=False)
    assert live(state) == {"old", "ancient"}
    assert (books(state)["late"], books(state)["duplicate"]) == (0, 3)


def test_what_was_archived_or_forgotten_never_counts_again_also_once_time_is_that_of_the_events(
    policies: PolicySet,
) -> None:
    state = aged([*solved("old", 0), event("m", "measured", 0, response_time_s=5)], 31, policies)
    before = cells(state)
    again = [*solved("old", 0), event("m", "measured", 0, response_time_s=5)]
    taken(state, again, policies, forgets=False)
    taken(state, again, policies)
    assert cells(state) == before
    assert books(state)["late"] == 8
