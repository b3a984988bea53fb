"""The chance to breach: what is learned of a clock, from which others, and when nothing is said."""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor import engine
from monitor.chance import CHANCES, expected, foretell
from monitor.chance.course import STEPS
from monitor.chance.tables import survival
from monitor.clocks import derive
from monitor.frames import CLOCK, HISTORY, conform
from monitor.names import LABELS, Alike
from monitor.policy import PolicySet
from monitor.running import running, with_used
from monitor.state import State
from tests.monitor.minutes import Event, Lives, at, policy, read, state_of

DAY = 24 * 60.0

POLICIES = policy("""
labels: [service, priority, team]
limits: {min_n: 25}
targets:
  - {clock: resolution, when: {priority: P9}, within: 10h}
  - {clock: resolution, when: {service: [mail, chat, post]}, within: 100m, pauses: [customer]}
""")
MAIL = {"service": "mail", "priority": "P1", "team": "a"}


def foretold(states: Mapping[int, State], policies: PolicySet = POLICIES) -> pl.DataFrame:
    """Open clocks with `used` and CHANCES, by case."""
    now = max(state.now for state in states.values() if state.now)
    return foretell(states, policies, now, timedelta(0)).clocks.sort("case")


def lives(*groups: tuple[int, float, float | None, Mapping[str, Any]], name: str = "") -> dict[str, list[Event]]:
    """`n` cases each, opened at a minute, resolved so many minutes later (None: they run), with labels."""
    made: dict[str, list[Event]] = {}
    for n, opened, took, labels in groups:
        for _ in range(n):
            ends: list[Event] = [] if took is None else [(opened + took, "resolved")]
            made[f"{name}{len(made):04d}"] = [(opened, "opened", labels), *ends]
    return made


def of_one(past: Lives, case: Sequence[Event], minute: float) -> dict[str, Any]:
    """What is foretold of one more case."""
    rows = foretold({0: state_of({**past, "one": case}, POLICIES, minute)})
    return rows.filter(pl.col("case") == "one").row(0, named=True)


# Of a hundred each, met after a tenth and after half of the target, and breached.
THIRDS = lives((100, 0, 10, MAIL), (100, 0, 50, MAIL), (100, 0, 150, MAIL))


@pytest.mark.parametrize(
    ("used", "chance", "n"),
    [
        (0, 100 / 300, 300),
        (5, 100 / 300, 300),
        (20, 100 / 200, 200),
        (49, 100 / 200, 200),
        (60, 1, 100),
        (99, 1, 100),
    ],
)
def test_it_is_the_share_that_was_breached_of_those_that_got_as_far(used: float, chance: float, n: int) -> None:
    one = of_one(THIRDS, [(DAY - used, "opened", MAIL)], DAY)
    assert one["used"] == pytest.approx(used / 100)
    assert one["chance"] == pytest.approx(chance, abs=0.01)
    assert (one["chance_n"], one["chance_alike"]) == (n, Alike.LABELS)


def test_it_rises_while_the_clock_runs_and_stays_between_0_and_1() -> None:
    past = lives(*((20, 0, took, MAIL) for took in range(3, 180, 7)))
    waiting = {f"w{minute:03d}": [(DAY - minute, "opened", MAIL)] for minute in range(100)}
    rows = foretold({0: state_of({**past, **waiting}, POLICIES, DAY)})
    chances = rows["chance"].to_list()
    assert rows["used"].is_sorted()
    assert chances == sorted(chances)
    assert 0 < chances[0] < chances[-1] < 1


def test_a_paused_clock_keeps_its_chance() -> None:
    running_on = of_one(THIRDS, [(DAY - 30, "opened", MAIL)], DAY)
    paused: list[Event] = [(DAY - 90, "opened", MAIL), (DAY - 60, "paused", {"reason": "customer"})]
    assert of_one(THIRDS, paused, DAY)["chance"] == pytest.approx(running_on["chance"])


# --- which clocks are like it ---

OTHER = {"service": "chat", "priority": "P1", "team": "a"}
P9 = {"service": "mail", "priority": "P9", "team": "a"}


@pytest.mark.parametrize(
    ("labels", "alike", "n"),
    [
        (MAIL, Alike.LABELS, 60),
        ({**MAIL, "team": "b"}, Alike.TARGET, 60),  # nothing is known of that team
        ({**MAIL, "priority": "P2"}, Alike.SERVICE, 60),
        ({**MAIL, "service": "post"}, Alike.CLOCK, 90),
        (P9, Alike.SERVICE, 60),  # another priority, with a target of ten hours
        (OTHER, Alike.LABELS, 30),
    ],
)
def test_few_are_widened_until_there_are_enough(labels: dict[str, str], alike: Alike, n: int) -> None:
    past = lives((30, 0, 10, MAIL), (30, 0, 150, MAIL), (30, 0, 20, OTHER))
    one = of_one(past, [(DAY, "opened", labels)], DAY)
    assert (one["chance_alike"], one["chance_n"]) == (alike, n)


def test_few_of_a_class_move_its_chance_towards_their_own() -> None:
    """24 are too few to be named, and yet they know more of their team than the others do."""
    always_late = {**MAIL, "team": "late"}
    past = lives((200, 0, 10, MAIL), (24, 0, 150, always_late))
    late, usual = (of_one(past, [(DAY, "opened", labels)], DAY) for labels in (always_late, MAIL))
    assert late["chance_alike"] == Alike.TARGET
    assert late["chance"] > 0.7 > 0.1 > usual["chance"]


# --- when nothing is said ---


@pytest.mark.parametrize("n", [0, 1, 24])
def test_without_enough_clocks_there_is_no_chance_but_their_number(n: int) -> None:
    one = of_one(lives((n, 0, 10, MAIL)), [(DAY, "opened", MAIL)], DAY)
    assert (one["chance"], one["chance_n"], one["chance_alike"]) == (None, n, None)


def test_what_still_runs_is_not_taken_for_met() -> None:
    """An hour after the beginning the quick ones are done, and nobody knows of the others."""
    young = lives((50, 0, 5, MAIL), (100, 0, None, MAIL))
    rows = foretold({0: state_of(young, POLICIES, 50)})
    assert rows["chance"].to_list() == [None] * 100
    grown = foretold({0: state_of({**young, **lives((1, 101, None, MAIL), name="new")}, POLICIES, 101)})
    assert grown.filter(pl.col("case").str.starts_with("new"))["chance"].item() == pytest.approx(2 / 3, abs=0.02)


def test_those_breached_have_none() -> None:
    rows = foretold({0: state_of({**THIRDS, "late": [(DAY - 101, "opened", MAIL)]}, POLICIES, DAY)})
    assert rows.select(*CHANCES).rows() == [(None, None, None)]


def test_clocks_that_started_long_ago_teach_nothing_of_short_targets() -> None:
    assert of_one(THIRDS, [(29 * DAY, "opened", MAIL)], 29 * DAY)["chance_n"] == 300
    assert of_one(THIRDS, [(32 * DAY, "opened", MAIL)], 32 * DAY)["chance_n"] == 0


# --- what is learned of one clock ---


@pytest.mark.parametrize(
    ("events", "step"),
    [
        ([(0, "opened", MAIL), (30, "resolved")], 15),
        ([(0, "opened", MAIL), (100, "resolved")], STEPS - 1),  # at the very due
        ([(0, "opened", MAIL), (150, "resolved")], STEPS),
        ([(0, "opened", MAIL)], STEPS),  # breached, and still runs
        ([(0, "opened", MAIL), (150, "cancelled")], STEPS),
        ([(0, "opened", MAIL), (30, "cancelled")], None),
        ([(0, "opened", MAIL), (30, "resolved", {"outcome": "duplicate"})], None),
        ([(DAY, "opened", MAIL)], None),
        ([(0, "opened", P9), (200, "updated", MAIL)], None),  # breached on arrival: it did not run to that due
        ([(0, "opened", {"service": "none"}), (30, "resolved")], None),
        # 20 of 100 minutes: the pause does not count
        ([(0, "opened", MAIL), (10, "paused", {"reason": "customer"}), (60, "resumed"), (70, "resolved")], 10),
        ([(30, "measured", {**MAIL, "resolution_time_s": 60})], None),  # it never ran
    ],
)
def test_a_clock_is_counted_where_it_was_met_or_breached(events: list[Event], step: int | None) -> None:
    cells = state_of({"c": events}, POLICIES, DAY + 1).tiers.window(None, None).cells
    rows = cells.filter(pl.col("measure") == "resolution.reached")
    assert (rows["bin"] % (STEPS + 1)).to_list() == ([] if step is None else [step])
    assert rows["n"].to_list() == [1] * rows.height


# --- laws ---

SHARES = policy("""
labels: [service]
calendars: {office: {zone: Europe/Berlin, hours: {mon-fri: ["09:00-12:00", "13:00-17:00"]}}}
targets:
  - {clock: first_response, within: 12h, calendar: office}
  - {clock: resolution, within: 3 business_days, calendar: office, pauses: [customer]}
  - {clock: total_resolution, within: 4d, pauses: ["*"]}
  - {clock: promise}
""")


@settings(max_examples=60, deadline=None)
@given(
    opened=st.integers(0, 3000),
    pauses=st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 600)), max_size=2),
    ran=st.integers(0, 4000),
    promised=st.integers(4001, 9000),
)
def test_the_share_used_is_what_the_time_left_leaves(
    opened: int, pauses: list[tuple[int, int]], ran: int, promised: int
) -> None:
    """Read off the due, or derived for a paused clock: the same as elapsed time by the whole."""
    events: list[Event] = [(opened, "opened", {"due_at": at(opened + promised).isoformat()})]
    for after, length in pauses:
        events += [(opened + after, "paused", {"reason": "customer"}), (opened + after + length, "resumed")]
    now = opened + ran
    shown = {"c": [event for event in events if event[0] <= now]}
    states = {0: state_of(shown, SHARES, now)}
    rows = with_used(running(states), states, SHARES, timedelta(0))
    history = conform(read(shown).events, HISTORY)
    derived = derive(history, SHARES, at(now), timedelta(0)).select(
        "clock", "elapsed", running=pl.col("stopped").is_null()
    )
    open_ = rows.filter(pl.col("outcome") != "breached").join(derived, on="clock", suffix="_derived")
    for row in open_.iter_rows(named=True):
        assert row["used"] == pytest.approx(row["elapsed_derived"] / row["whole"], abs=1e-9), row["clock"]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), chunks=st.integers(1, 4), again=st.integers(0, 30))
def test_order_chunks_and_duplicates_change_no_chance(seed: int, chunks: int, again: int) -> None:
    drawn = random.Random(seed)
    groups = [(5, drawn.uniform(0, DAY), took, MAIL) for took in (10, 50, 150, None) for _ in range(3)]
    past = lives(*groups, (30, 0, 20, OTHER), (3, DAY, None, MAIL))
    told_in_order = foretold({0: state_of(past, POLICIES, DAY)})
    told = read(past)
    order = [*range(told.events.height), *drawn.choices(range(told.events.height), k=again)]
    drawn.shuffle(order)
    state = State()
    for chunk in range(chunks):
        part = told._replace(events=told.events[order[chunk::chunks]])
        state.apply(engine.step(state, part, at(DAY), POLICIES, grace=timedelta(0)).delta)
    assert_frame_equal(foretold({0: state}), told_in_order)


def test_cases_spread_over_partitions_have_the_chances_of_one() -> None:
    past: dict[str, list[Event]] = {
        **lives((40, 0, 10, MAIL), (30, 0, 150, MAIL), (30, 0, 20, OTHER)),
        "one": [(DAY - 50, "opened", MAIL)],
    }
    halves = [dict(list(past.items())[part::2]) for part in (0, 1)]
    spread = foretold({part: state_of(half, POLICIES, DAY) for part, half in enumerate(halves)})
    whole = foretold({0: state_of(past, POLICIES, DAY)})
    assert_frame_equal(spread.drop("partition"), whole.drop("partition"))


def test_the_breaches_to_be_expected_are_the_chances_added_up() -> None:
    waiting = {f"w{used}": [(DAY - used, "opened", MAIL)] for used in (0, 20, 60)}
    states = {0: state_of({**THIRDS, **waiting}, POLICIES, DAY)}
    [row] = expected(foretold(states)).to_dicts()
    assert row["breaches"] == pytest.approx(1 / 3 + 1 / 2 + 1, abs=0.02)
    assert {label: row[label] for label in LABELS if row[label]} == MAIL


def test_a_policy_without_labels_compares_clocks_and_their_targets() -> None:
    plain = policy("labels: []\ntargets:\n  - {clock: resolution, within: 100m}\n")
    past = lives((30, 0, 10, {}), (30, 0, 150, {}), (1, DAY, None, {}))
    row = foretold({0: state_of(past, plain, DAY)}, plain).row(0, named=True)
    assert (row["chance"], row["chance_n"]) == (pytest.approx(0.5, abs=0.02), 60)
    assert row["chance_alike"] == Alike.CLOCK_TARGET


@pytest.mark.parametrize(
    ("labels", "levels"),
    [
        ([], ["clock", "clock_target"]),
        (["team"], ["clock", "clock_target", "labels_target"]),
        (["service"], ["clock", "service", "service_target"]),
        (["service", "team"], ["clock", "service", "service_target", "labels_target"]),
        (["priority"], ["clock", "priority", "priority_target"]),
        (["service", "priority"], ["clock", "service", "service_priority", "service_priority_target"]),
        (
            ["service", "priority", "team"],
            ["clock", "service", "service_priority", "service_priority_target", "labels_target"],
        ),
    ],
)
def test_what_is_alike_is_named_by_labels_that_the_policy_has(labels: list[str], levels: list[str]) -> None:
    texts = {label: pl.Series([], dtype=pl.String) for label in labels}
    running = pl.DataFrame({"clock": pl.Series([], dtype=CLOCK), "length": pl.Series([], dtype=pl.Int64), **texts})
    counted = {name: pl.Series([], dtype=pl.Int64) for name in ("step", "ended", "running")}
    assert [str(alike) for alike in survival(running.with_columns(**counted), running, labels)] == levels


def test_nothing_is_said_of_clocks_whose_state_other_policies_judged() -> None:
    """Its lines are not those of the policies at hand: after a change it is derived anew, and then told again."""
    waiting = {"one": [(DAY - 50, "opened", MAIL)]}
    state = state_of({**lives((40, 0, 10, MAIL)), **waiting}, POLICIES, DAY)
    fewer = policy("labels: []\ntargets:\n  - {clock: resolution, within: 100m}\n")
    assert foretold({0: state}, fewer)["chance"].to_list() == [None]
