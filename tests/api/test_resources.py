"""Every resource: what it holds of a small world whose truth is known."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from aiokafka import TopicPartition

from api.context import Context
from api.ticker import Ticker
from consumers.holes import Hole, accepted
from consumers.policy_log import Refused, Restatement
from monitor import engine
from monitor.keys import keys_of
from monitor.names import HoleKind, PolicyRefusal
from monitor.summary import summary
from tests.api.conftest import asking
from tests.api.world import NOON, Replica, context, event, policies, read


async def items(http: httpx2.AsyncClient, address: str) -> list[dict[str, Any]]:
    answer = await http.get(address)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["items"]
    return listed


async def walk(http: httpx2.AsyncClient, address: str) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = (await http.get(address + (f"&cursor={cursor}" if cursor else ""))).json()
        found += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return found


async def test_the_summary_is_that_of_a_replay(http: httpx2.AsyncClient, replica: Replica) -> None:
    assert (await http.get("/v1/summary")).json() == summary(replica.states, replica.policies, NOON)


async def test_slas_stand_with_their_figures_worst_first(http: httpx2.AsyncClient) -> None:
    rows = await items(http, "/v1/slas")
    assert [(r["id"], r["labels"], r["good"], r["bad"], r["state"]) for r in rows] == [
        ("first-response", {"service": "billing"}, 6, 6, "breached"),
        ("first-response", {"service": "web"}, 7, 5, "breached"),
        ("promises", {}, 1, 3, "too_few"),
    ]
    assert rows[0]["compliance"] == 0.5
    assert rows[0]["budget_left"] == pytest.approx(-9)
    assert (rows[0]["window_from"], rows[0]["window_to"]) == ("2026-10-21T12:00:00.000Z", "2026-11-20T12:00:00.000Z")
    assert rows[2]["window_from"] == "2026-10-31T23:00:00.000Z"  # midnight in Berlin
    assert [(b["window"], b["short_window"], b["factor"], b["severity"]) for b in rows[0]["burn"]] == [
        ("1h", "5m", 14.4, "page"),
        ("6h", "30m", 6.0, "page"),
        ("1d", "2h", 3.0, "ticket"),
        ("3d", "6h", 1.0, "ticket"),
    ]


async def test_one_sla_has_all_its_rows(http: httpx2.AsyncClient) -> None:
    one = (await http.get("/v1/slas/first-response")).json()
    assert (one["title"], one["owner"], one["goal"]) == ("Every customer is answered in time", "support-leads", 0.95)
    assert one["items"] == [row for row in await items(http, "/v1/slas") if row["id"] == "first-response"]


async def test_indicators_have_the_total_and_each_value_of_each_label(http: httpx2.AsyncClient) -> None:
    rows = await items(http, "/v1/indicators?window=7d&id=first_response_within_ratio")
    assert [(r["labels"], r["n"]) for r in rows] == [
        ({}, 24),
        ({"service": "billing"}, 12),
        ({"service": "web"}, 12),
        ({"priority": "P1"}, 8),
        ({"priority": "P2"}, 8),
    ]
    assert rows[0]["value"] == pytest.approx(13 / 24)
    assert rows[0]["low"] < rows[0]["value"] < rows[0]["high"]
    assert await items(http, "/v1/indicators?window=7d&id=first_response_within_ratio&service=web") == [rows[2]]
    assert await items(http, "/v1/indicators?window=7d&id=first_response_within_ratio&by=total") == [rows[0]]


async def test_windows_that_no_tick_shows_are_made_when_asked_for(http: httpx2.AsyncClient) -> None:
    [row] = await items(http, "/v1/indicators?window=90d&id=first_response_within_ratio&by=total")
    assert (row["window"], row["n"]) == ("90d", 24)


async def test_services_say_what_is_open_there(http: httpx2.AsyncClient) -> None:
    rows = await items(http, "/v1/services")
    assert [(r["service"], r["state"], r["open"], r["waiting"], r["slas"]) for r in rows] == [
        ("billing", "breached", 9, 3, {"breached": 1}),
        ("web", "breached", 10, 2, {"breached": 1}),
    ]
    assert sum(r["open"] for r in rows) == (await http.get("/v1/summary")).json()["ledger"]["cases_open"]
    assert rows[0]["oldest_waiting_seconds"] == 21 * 3600


async def test_clocks_come_in_the_order_in_which_they_fall_due(http: httpx2.AsyncClient) -> None:
    rows = await walk(http, "/v1/clocks?limit=3")
    with_due = [row for row in rows if row["due"] is not None]
    assert rows[: len(with_due)] == with_due
    assert [row["due"] for row in with_due] == sorted(row["due"] for row in with_due)
    assert {row["outcome"] for row in rows} == {"open", "at_risk"}
    first = rows[0]
    assert (first["case"], first["clock"], first["due"]) == ("INC-004", "promise", "2026-11-20T13:00:00.000Z")
    assert (first["remaining_seconds"], first["elapsed_seconds"], first["used_ratio"]) == (3600, 5 * 3600, 0.8333)
    paused = rows[-1]
    assert (paused["paused"], paused["due"], paused["remaining_seconds"]) == (True, None, None)
    # paused one hour after it was opened, of a target of a day
    assert (paused["clock"], paused["elapsed_seconds"], paused["used_ratio"]) == ("resolution", 3600, 0.0417)


async def test_clocks_come_in_the_order_of_their_chance_to_breach(http: httpx2.AsyncClient) -> None:
    rows = await walk(http, "/v1/clocks?order=chance&limit=3")
    chances = [row["chance_ratio"] for row in rows if row["chance_ratio"] is not None]
    assert len(chances) == 2
    assert chances == sorted(chances, reverse=True)
    assert {row["chance_ratio"] for row in rows[2:]} == {None}  # too few are known, and their number is told
    assert all(row["chance_n"] is not None and row["chance_alike"] is None for row in rows[2:])
    likeliest = rows[0]
    assert (likeliest["case"], likeliest["clock"], likeliest["used_ratio"]) == ("INC-004", "promise", 0.8333)
    assert (likeliest["chance_n"], likeliest["chance_alike"]) == (3, "service")
    by_due = await walk(http, "/v1/clocks?order=due")
    assert sorted(map(str, by_due)) == sorted(map(str, rows))


async def test_clocks_past_due_are_listed_when_asked_for(http: httpx2.AsyncClient) -> None:
    rows = await items(http, "/v1/clocks?outcome=breached&clock=first_response")
    assert len(rows) == 5
    assert all(row["remaining_seconds"] < 0 and row["used_ratio"] > 1 for row in rows)


async def test_verdicts_come_latest_first_and_every_one_once(http: httpx2.AsyncClient) -> None:
    rows = await walk(http, "/v1/verdicts?limit=7")
    keys = [(row["case"], row["clock"], row["cycle"]) for row in rows]
    assert len(keys) == len(set(keys)) == 54
    decided = [row["decided"] for row in rows if row["decided"]]
    assert decided == sorted(decided, reverse=True)
    assert [row["decided"] for row in rows[len(decided) :]] == [None] * (len(rows) - len(decided))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("outcome=breached", 14),
        ("outcome=breached&service=web", 5),
        ("outcome=breached&outcome=met&clock=first_response", 24),
        ("case=INC-003", 2),
        ("case=INC-003&case=INC-004", 5),
        ("priority=P1&clock=first_response", 8),
        ("priority=&clock=first_response", 8),
        ("service=nowhere", 0),
        ("complaint=true", 0),
        ("change=breached", 14),
        ("since=2026-11-20T11:00:00Z", 1),
        ("until=2026-11-20T11:00:00%2B00:00&outcome=breached", 13),
    ],
)
async def test_verdicts_are_filtered(http: httpx2.AsyncClient, query: str, count: int) -> None:
    assert len(await walk(http, f"/v1/verdicts?limit=1000&{query}")) == count


async def test_a_case_has_its_events_and_its_verdicts(http: httpx2.AsyncClient) -> None:
    case = (await http.get("/v1/cases/INC-003")).json()
    assert (case["phase"], case["complaint"], case["opened"]) == ("open", False, "2026-11-20T08:00:00.000Z")
    assert case["labels"] == {"service": "web", "priority": "P1"}
    assert [(e["type"], e["data"]) for e in case["events"]] == [
        ("interaction.opened", {}),
        ("interaction.responded", {}),
        ("interaction.paused", {"reason": "customer"}),
    ]
    assert [(v["clock"], v["outcome"]) for v in case["verdicts"]] == [
        ("first_response", "breached"),
        ("resolution", "open"),
    ]
    assert case["verdicts"] == sorted(await items(http, "/v1/verdicts?case=INC-003"), key=lambda v: v["clock"])


async def test_what_was_verified_last_stands_beside_the_ledger(ticked: Context, http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/ledger")).json()["verified"] == {
        "result": "different",
        "at": "2026-11-20T11:00:00.000Z",
        "took_seconds": 12.5,
        "events": 58,
        "cases": 24,
        "differences": 3,
        "first": "partition 1: first response met: live 3, recomputed 2",
        "cause": "The state was damaged.",
        "unproven": ["partition 0: sqm.events begins at offset 7"],
        "trouble": None,
        "last_equal": "2026-11-19T11:00:00.000Z",
    }
    ticked.verified = lambda: None
    assert (await http.get("/v1/ledger")).json()["verified"] is None


async def test_the_ledger_balances_in_each_partition_and_in_total(http: httpx2.AsyncClient) -> None:
    ledger = (await http.get("/v1/ledger")).json()
    assert (ledger["balanced"], ledger["read"], ledger["counted"], ledger["rejected"]) == (True, 61, 58, 3)
    assert ledger["rejected_by_reason"] == {"bad_time": 1, "malformed_json": 1, "unknown_type": 1}
    assert ledger["current_share"] == 1.0
    for name in ("read", "counted", "rejected", "cases_opened"):
        assert sum(partition[name] for partition in ledger["partitions"]) == ledger[name]


async def test_a_partition_that_lags_is_not_current(replica: Replica) -> None:
    replica.states[0].now = NOON - timedelta(minutes=5)
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    async with asking(here) as http:
        ledger = (await http.get("/v1/ledger")).json()
    assert ledger["current_share"] == 0.5
    assert [(p["current"], p["lag_seconds"]) for p in ledger["partitions"]] == [(False, 300), (True, 0)]


async def test_the_policy_is_shown_without_the_addresses_of_receivers(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/policy")
    assert "secret-token" not in answer.text
    [version] = answer.json()["versions"]
    assert version["document"]["notify"] == {"leads": "webhook"}
    assert version["targets"][0]["title"] == "first_response, priority P1"


async def test_refused_files_and_restatements_stand_with_the_policy(ticked: Context, http: httpx2.AsyncClient) -> None:
    answer = (await http.get("/v1/policy")).json()
    assert (answer["refused"], answer["restatements"]) == (None, [])
    known = ticked.policies.log
    known.refused = Refused(NOON, PolicyRefusal.FROZEN, ["the version without effective_from has judged cases"])
    for number in (1, 2):
        known.restatements[number] = Restatement(number, NOON, "Ann", f"reason {number}", "a1", "b2", 1, flips=7)
    answer = (await http.get("/v1/policy")).json()
    assert answer["refused"] == {
        "at": "2026-11-20T12:00:00.000Z",
        "reason": "frozen",
        "problems": ["the version without effective_from has judged cases"],
    }
    assert [(made["number"], made["why"], made["flips"]) for made in answer["restatements"]] == [
        (2, "reason 2", 7),
        (1, "reason 1", 7),
    ]
    await Ticker(ticked, wall=lambda: NOON).tick()
    metrics = (await http.get("/metrics")).text
    assert 'sqm_policy_refused{reason="frozen"} 1' in metrics
    assert 'sqm_policy_refused{reason="invalid"} 0' in metrics


async def test_health_says_alive_and_ready_with_reasons(http: httpx2.AsyncClient, replica: Replica) -> None:
    assert (await http.get("/healthz")).json() == {"status": "alive"}
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"ready": True, "reasons": {}, "catching_up": None, "now": "2026-11-20T12:00:00.000Z"},
    )
    replica.caught_up = False
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert ready.json()["reasons"] == {"replica": "the state is being restored from Kafka"}


async def test_a_part_in_trouble_makes_it_not_ready() -> None:
    here = context(Replica(policies()))
    trouble: list[str | None] = ["no broker answers at 127.0.0.1:9092; trying again"]
    here.health.watch("broker", lambda: trouble[0])
    async with asking(here) as http:
        assert (await http.get("/readyz")).json()["reasons"] == {
            "broker": trouble[0],
            "figures": "the first figures are being made",
        }
        assert (await http.get("/healthz")).status_code == 200


async def test_ids_with_any_character_are_found(replica: Replica) -> None:
    names = ["a/b", "ü 1", "x?y#z", "Дело №5"]
    replica.fold([event(name, "opened", NOON - timedelta(hours=1), service="web") for name in names], NOON)
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    async with asking(here) as http:
        for name in names:
            answer = await http.get(f"/v1/cases/{quote(name, safe='/')}")
            assert (answer.status_code, answer.json()["case"]) == (200, name)


async def test_holes_and_torn_cases_are_in_the_ledger_and_in_metrics(replica: Replica) -> None:
    hole = Hole(
        name="sqm.events/1@7",
        kind=HoleKind.EXPIRED,
        topic="sqm.events",
        from_offset=7,
        to_offset=10,
        missing=3,
        counted=False,
        resumed_at=10,
        detail="3 records are gone",
        from_time=NOON - timedelta(hours=2),
        to_time=NOON - timedelta(hours=1),
    )
    replica.states[1].apply({"holes": accepted([hole], NOON)})
    torn = event("INC-000", "responded", NOON - timedelta(minutes=2))
    number = next(n for n, state in replica.states.items() if not state.history.of(keys_of(["INC-000"])).height)
    state = replica.states[number]
    state.apply(engine.step(state, read([torn], number, 99), NOON, replica.policies).delta)
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    async with asking(here) as http:
        ledger = (await http.get("/v1/ledger")).json()
        metrics = (await http.get("/metrics")).text
        assert {sla["holes"] for sla in await items(http, "/v1/slas")} == {1}
    assert (ledger["holes"], ledger["missing_records"]) == (1, 3)
    assert ledger["partitions"][0]["holes"] == []
    assert ledger["partitions"][1]["holes"] == [
        {
            "topic": "sqm.events",
            "kind": "expired",
            "from_offset": 7,
            "to_offset": 10,
            "missing": 3,
            "counted": False,
            "from_time": "2026-11-20T10:00:00.000Z",
            "to_time": "2026-11-20T11:00:00.000Z",
            "resumed_at": 10,
            "accepted": "2026-11-20T12:00:00.000Z",
            "detail": "3 records are gone",
        }
    ]
    assert (ledger["cases_split"], ledger["split_cases"]) == (1, [{"case": "INC-000", "partitions": [0, 1]}])
    for line in ("sqm_ledger_holes 1", "sqm_ledger_missing_records 3", "sqm_cases_split 1"):
        assert line in metrics.splitlines()


async def test_a_partition_that_halted_elsewhere_is_named(replica: Replica) -> None:
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    replica.halts[1] = "sqm.events, partition 1: 3 records are gone"
    async with asking(here) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == {"worker": "sqm.events, partition 1: 3 records are gone"}


async def test_catching_up_is_said_and_still_ready(replica: Replica) -> None:
    here = context(replica)
    where = TopicPartition("sqm.events", 0)
    for second in range(21):
        here.backlog.add(NOON + timedelta(seconds=second), {where: second * 100}, {where: 74_000})
    await Ticker(here, wall=lambda: NOON).tick()
    async with asking(here) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["catching_up"] == "catching up, 12 min left (72,000 records)"
