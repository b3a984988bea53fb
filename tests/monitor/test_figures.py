"""Figures of a tick: windows at the greatest time of the partitions, running clocks, who waits."""

from datetime import timedelta

import polars as pl

from monitor.figures import PARTITIONS, SHOWN, SHOWN_INDICATORS, STANDING, Figures, figures
from monitor.frames import JUDGEMENTS
from monitor.running import RUNNING
from monitor.state import State
from tests.monitor.minutes import Lives, at, policy, state_of

POLICIES = policy("""
labels: [service]
limits: {min_n: 1}
targets:
  - {clock: first_response, within: 10m}
  - {clock: resolution, when: {service: mail}, within: 1h, pauses: [customer]}
slas:
  - {id: answered, measure: first_response, goal: 90%, period: 30d}
""")
MAIL, CHAT = {"service": "mail"}, {"service": "chat"}


def of(*partitions: tuple[Lives, float], nearest: int = 20) -> Figures:
    states = {number: state_of(lives, POLICIES, minute) for number, (lives, minute) in enumerate(partitions)}
    found = figures(states, POLICIES, nearest=nearest)
    assert found is not None
    return found


BUSY: Lives = {
    "done": [(0, "opened", MAIL), (4, "responded"), (30, "resolved")],
    "late": [(15, "opened", MAIL)],
    "near": [(31, "opened", CHAT)],
    "fresh": [(38, "opened", CHAT)],
    "paused": [(20, "opened", MAIL), (21, "responded"), (22, "paused", {"reason": "customer"})],
}


def test_all_figures_have_their_shapes() -> None:
    found = of((BUSY, 40))
    shapes = [
        (found.partitions, PARTITIONS),
        (found.indicators, SHOWN_INDICATORS),
        (found.judgements, JUDGEMENTS),
        (found.running, RUNNING),
        (found.standing, STANDING),
    ]
    for frame, columns in shapes:
        assert dict(frame.schema) == dict(columns)


def test_running_clocks_are_listed_nearest_due_first_and_paused_ones_last() -> None:
    running = of((BUSY, 40)).running
    assert running.select("case", "clock", "outcome").rows() == [
        ("near", "first_response", "at_risk"),
        ("fresh", "first_response", "open"),
        ("late", "resolution", "open"),
        ("paused", "resolution", "open"),
    ]
    assert running["due"].to_list() == [at(41), at(48), at(75), None]
    assert of((BUSY, 40), nearest=1).running["case"].to_list() == ["near"]


def test_who_waits_is_counted_for_everything_and_for_each_value() -> None:
    standing = of((BUSY, 40)).standing.select("service", "open", "at_risk", "breached", "waiting", "oldest")
    assert standing.rows() == [
        (None, 4, 1, 1, 3, at(15)),
        ("chat", 2, 1, 0, 2, at(31)),
        ("mail", 2, 0, 1, 1, at(15)),
    ]


def test_nobody_waits_where_nothing_runs() -> None:
    standing = of(({"done": BUSY["done"]}, 40)).standing
    assert standing.select("open", "waiting", "oldest").rows() == [(0, 0, None)]


def test_windows_end_at_the_greatest_time_of_the_partitions() -> None:
    found = of((BUSY, 40), ({"other": [(0, "opened", CHAT), (2, "responded")]}, 300))
    assert found.now == at(300)
    assert found.partitions.select("partition", "now").rows() == [(0, at(40)), (1, at(300))]
    met = found.indicators.filter((pl.col("id") == "first_response_within_ratio") & pl.col("service").is_null())
    assert dict(met.select("window", "n").iter_rows()) == {"5m": 0, "1h": 0, "1d": 4, "7d": 4, "30d": 4}
    assert found.judgements.filter(pl.col("window") == "period").select("good", "bad").rows() == [(3, 1)]
    assert found.ledger["read"] == 11


def test_a_shown_window_says_how_fine_its_cells_were() -> None:
    grains = of((BUSY, 40)).indicators.select("window", "grain").unique(maintain_order=True)
    assert grains.rows() == [("5m", "10s"), ("1h", "10s"), ("1d", "1m"), ("7d", "15m"), ("30d", "15m")]
    assert tuple(grains["window"]) == SHOWN


def test_ticks_that_follow_each_other_equal_figures_made_at_once() -> None:
    state = state_of(BUSY, POLICIES, 40)
    for minute in (41, 60, 61.5, 200):
        moved = figures({0: state_of({}, POLICIES, minute, state)}, POLICIES)
        at_once = figures({0: state_of(BUSY, POLICIES, minute)}, POLICIES)
        assert moved is not None
        assert at_once is not None
        assert moved.indicators.equals(at_once.indicators)
        assert moved.judgements.equals(at_once.judgements)
        assert moved.standing.equals(at_once.standing)
        assert moved.running.drop("change", strict=False).equals(at_once.running.drop("change", strict=False))


def test_before_any_partition_has_a_time_there_are_no_figures() -> None:
    assert figures({0: State()}, POLICIES) is None
    assert figures({}, POLICIES, at(0)) is not None


def test_the_end_of_the_windows_can_be_given() -> None:
    found = figures({0: state_of(BUSY, POLICIES, 40)}, POLICIES, at(40) + timedelta(hours=3), windows=("1h",))
    assert found is not None
    assert found.indicators["n"].sum() == 0
