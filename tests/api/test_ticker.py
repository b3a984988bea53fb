"""Ticks: what goes out, what counts as news, and what happens when figures cannot be made."""

import json
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.context import Context
from api.listener import Frame
from api.routes.stream import Tick
from api.ticker import Ticker
from monitor.frames import ALERTS
from tests.api.world import NOON, Replica, context, event, lives, policies


def events(frames: list[Frame]) -> list[tuple[str, Any]]:
    """(event, data) of each frame."""
    found = []
    for frame in frames:
        data = "".join(line[6:] for line in frame.data.decode().splitlines() if line.startswith("data: "))
        found.append((frame.event, json.loads(data)))
    return found


def alert(state: str = "firing", minutes: int = 0, **other: Any) -> dict[str, Any]:
    row = dict.fromkeys(ALERTS) | {
        "id": "a1",
        "kind": "burn",
        "severity": "page",
        "sla": "first-response",
        "service": "web",
        "state": state,
        "reason": "burning",
        "title": "web burns its budget",
        "detail": "",
        "since": NOON,
        "at": NOON + timedelta(minutes=minutes),
        "wall": NOON,
    }
    return row | other


async def ticking(replica: Replica) -> tuple[Context, Ticker]:
    here = context(replica)
    ticker = Ticker(here, wall=lambda: NOON)
    await ticker.tick()
    return here, ticker


async def test_a_tick_has_the_shape_that_is_promised(replica: Replica) -> None:
    here, _ = await ticking(replica)
    [(name, tick)] = events(here.stream.join(None).take())
    assert name == "tick"
    Tick.model_validate(tick)
    assert (tick["tick"], tick["now"], tick["ready"], tick["current_share"]) == (1, "2026-11-20T12:00:00.000Z", True, 1)
    assert tick["clocks_next"][0]["case"] == "INC-004"
    assert len(tick["clocks_next"]) == 20
    assert {(row["window"], *row["labels"]) for row in tick["indicators"]} == {
        ("1h",),
        ("1d",),
        ("1h", "service"),
        ("1d", "service"),
    }
    assert all(row["n"] > 0 for row in tick["indicators"])


async def test_ticks_count_up(replica: Replica) -> None:
    here, ticker = await ticking(replica)
    client = here.stream.join(None)
    await ticker.tick()
    assert [tick["tick"] for _, tick in events(client.take())] == [2]


async def test_verdicts_are_news_when_they_are_published_and_only_then(replica: Replica) -> None:
    here, ticker = await ticking(replica)
    client = here.stream.join(None)
    client.take()
    late = NOON + timedelta(minutes=1)
    replica.fold(
        [
            event("INC-000", "resolved", NOON - timedelta(minutes=50)),
            event("INC-005", "updated", NOON - timedelta(minutes=1), priority="P2"),  # moves, publishes nothing
            event("INC-100", "opened", NOON - timedelta(minutes=20), service="web", priority="P1"),
        ],
        late,
    )
    await ticker.tick()
    found = [(data["case"], data["clock"], data["change"]) for name, data in events(client.take()) if name == "verdict"]
    news = found[:2] + sorted(found[2:])
    assert news == [
        ("INC-100", "first_response", "breached"),
        ("INC-000", "first_response", "corrected"),  # a resolve is an answer, and it was in time
        ("INC-000", "promise", "met"),
        ("INC-000", "resolution", "met"),
    ]
    await ticker.tick()
    assert [name for name, _ in events(client.take())] == ["tick"]


async def test_alerts_are_news_once_also_when_the_topic_is_read_again(replica: Replica) -> None:
    here, ticker = await ticking(replica)
    client = here.stream.join(None)
    client.take()

    async def told(*rows: dict[str, Any]) -> list[tuple[str, str]]:
        replica.judge(*rows)
        await ticker.tick()
        return [(data["id"], data["state"]) for name, data in events(client.take()) if name == "alert"]

    assert await told(alert()) == [("a1", "firing")]
    replica.transitions = 0  # it is read again
    assert await told(alert()) == []
    assert await told(alert("resolved", 5, ended=NOON + timedelta(minutes=5))) == [("a1", "resolved")]
    assert await told(alert(minutes=9), alert("resolved", 10)) == [("a1", "firing"), ("a1", "resolved")]


async def test_what_came_before_the_first_tick_is_no_news() -> None:
    replica = Replica(policies())
    here = context(replica)
    ticker = Ticker(here, wall=lambda: NOON)
    client = here.stream.join(None)
    replica.judge(alert())
    replica.fold(lives(), NOON)
    await ticker.tick()
    assert [name for name, _ in events(client.take())] == ["tick"]


async def test_a_storm_of_verdicts_is_cut_and_the_tick_says_so(replica: Replica) -> None:
    here, ticker = await ticking(replica)
    client = here.stream.join(None)
    client.take()
    opened = NOON - timedelta(hours=5)
    replica.fold([event(f"STORM-{n}", "opened", opened, service="web") for n in range(250)], NOON)
    await ticker.tick()
    frames = events(client.take())
    assert [name for name, _ in frames].count("verdict") == 200
    assert frames[-1][1]["verdicts_omitted"] == 50


async def test_a_tick_that_fails_is_said_and_the_next_one_tries_again(replica: Replica) -> None:
    here, ticker = await ticking(replica)
    whole, replica.states = replica.states, {0: None}  # type: ignore[dict-item] # so that it fails
    with capture_logs() as logged:
        await ticker.tick()
    assert [line["event"] for line in logged] == ["a tick failed"]
    assert here.troubles() == {"figures": "figures cannot be made: AttributeError; the log has the cause"}
    assert here.board is not None
    replica.states = whole
    await ticker.tick()
    assert here.troubles() == {}


async def test_news_of_a_tick_that_fails_are_told_by_the_next(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, ticker = await ticking(replica)
    client = here.stream.join(None)
    replica.judge(alert())
    with monkeypatch.context() as broken, capture_logs():
        broken.setattr("api.ticker.transition_items", None)
        await ticker.tick()
    replica.judge(alert("resolved", 5))
    await ticker.tick()
    found = [(name, data.get("state")) for name, data in events(client.take())]
    assert found == [("alert", "firing"), ("alert", "resolved"), ("tick", None)]


async def test_another_server_goes_on_where_this_one_ended() -> None:
    replicas = [Replica(policies()) for _ in range(2)]
    (here, ticker), (there, later) = [(made := context(each), Ticker(made, wall=lambda: NOON)) for each in replicas]
    for each in replicas:
        each.fold(lives(), NOON)
    await ticker.tick()
    client = here.stream.join(None)
    last = client.take()[-1].data.splitlines()[0].removeprefix(b"id: ").decode()
    for each in replicas:
        each.fold([event("INC-100", "opened", NOON - timedelta(hours=5), service="web")], NOON)
        each.judge(alert(), alert("resolved", 10))
    await ticker.tick()
    await later.tick()
    news = events(client.take())
    assert [name for name, _ in news] == ["verdict", "alert", "alert", "tick"]
    assert events(there.stream.join(last).take())[:3] == news[:3]


async def test_while_the_state_is_restored_nothing_is_sent(replica: Replica) -> None:
    replica.caught_up = False
    here, _ = await ticking(replica)
    assert here.stream.join(None).take() == []
    assert here.board is None


async def test_figures_stay_while_the_state_is_restored_anew(replica: Replica) -> None:
    here, ticker = await ticking(replica)
    before = here.exposition.text
    replica.caught_up = False
    await ticker.tick()
    assert here.board is not None
    assert here.exposition.text is before
    assert here.troubles() == {"replica": "the state is being restored from Kafka"}


@pytest.mark.parametrize("clock", ["wall", "event"])
async def test_with_the_clock_of_events_history_is_current(replica: Replica, clock: str) -> None:
    here = context(replica)
    here.settings = here.settings.model_copy(update={"clock": clock})
    await Ticker(here, wall=lambda: NOON + timedelta(days=400)).tick()
    assert here.board is not None
    assert here.board.ledger["current_share"] == (1.0 if clock == "event" else 0.0)


async def test_what_charts_draw_is_kept_for_who_comes_later_and_no_longer_than_it_is_drawn(replica: Replica) -> None:
    here = context(replica)
    walls = iter([NOON, NOON + timedelta(minutes=5), NOON + timedelta(minutes=16)])
    ticker = Ticker(here, wall=lambda: next(walls))
    for _ in range(3):
        await ticker.tick()
    kept = here.recent.items()
    assert [point["at"] for point in kept] == ["2026-11-20T12:05:00.000Z", "2026-11-20T12:16:00.000Z"]
    *_, (_, tick) = events(here.stream.join(None).take())
    assert tick["point"] == kept[-1]
    assert kept[-1]["values"][""]["at_risk"] == sum(row["at_risk"] for row in tick["services"])
    [web] = [row for row in tick["services"] if row["service"] == "web"]
    assert kept[-1]["values"]["web"]["at_risk"] == web["at_risk"]
