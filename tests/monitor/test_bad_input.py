"""What nobody meant to send or to write: each gets a clear answer, nothing is lost, and no other case waits for it."""

import io
import json
import sys
import unicodedata
from datetime import timedelta
from time import process_time

import polars as pl
import pytest

from monitor.clocks import derive
from monitor.engine import step
from monitor.events import Read, read_json
from monitor.frames import ORIGIN
from monitor.policy import PolicyError, PolicySet, load
from monitor.state import State
from monitor.summary import summary
from monitor.verdict_rows import csv_text, verdict_rows
from tests.monitor import lives
from tests.monitor.minutes import Event, Lives, at, policy, read

OTHER = [(0, "opened"), (30, "responded"), (200, "resolved")]  # an ordinary case beside the strange one
TARGETS = "[{clock: resolution, within: 2h}]"


def folded(events: Read, policies: PolicySet, minute: float) -> State:
    state = State()
    state.apply(step(state, events, at(minute), policies, grace=timedelta(0)).delta)
    return state


def outcomes(state: State) -> dict[str, str]:
    rows = state.verdicts.filter(pl.col("clock") == "resolution")
    return dict(rows.select("case", pl.col("outcome").cast(pl.String)).iter_rows())


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{zone: UTC, hours: {mon: []}}", "calendars.c.hours: never open: no day of the week has a shift"),
        ("{zone: UTC, hours: {}}", "calendars.c.hours: never open: no day of the week has a shift"),
        ("{zone: Europ/Berlin, hours: {mon: '09:00-17:00'}}", "(did you mean 'Europe/Berlin'?)"),
        ("{zone: America/Newyork, hours: {mon: '09:00-17:00'}}", "(did you mean 'America/New_York'?)"),
        ("{zone: Lord_Howe, hours: {mon: '09:00-17:00'}}", "(did you mean 'Australia/Lord_Howe'?)"),
    ],
)
def test_a_calendar_that_cannot_be_used_is_named_with_the_nearest_that_can(written: str, told: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load([("p.yaml", f"policy: p\ncalendars: {{c: {written}}}\n")])
    assert told in str(refused.value)


@pytest.mark.parametrize("within", ["2h", "1 business_days"])
def test_a_calendar_that_does_not_open_again_leaves_a_clock_open_and_others_judged(within: str) -> None:
    closed = "maintenance: [{from: 2020-01-01T00:00:00Z, to: 2299-01-01T00:00:00Z}]"
    calendars = f"{{c: {{zone: UTC, hours: {{mon-fri: ['09:00-17:00']}}, {closed}}}}}"
    policies = lives.policy(
        f"clock: resolution, when: {{team: closed}}, within: {within}, calendar: c",
        "clock: resolution, within: 2h",
        calendars=calendars,
    )
    rows = lives.verdicts(policies, "23:00", strange="10:00 opened team=closed", usual="10:00 opened")
    lives.check(rows, "resolution", "open due=- wake=- elapsed=0:00 | breached due=12:00")


@pytest.mark.parametrize("written", ['"\\ud83d\\ude00"', '"\\U0001F600"', "😀"])
def test_a_policy_may_be_json_in_which_a_character_is_escaped_in_two_halves(written: str) -> None:
    policies = load([("p.json", f"{{policy: p, targets: [{{clock: promise, when: {{team: {written}}}}}]}}")])
    assert dict(policies.newest.targets[0].when)["team"].values == ("😀",)
    assert load([("again", text) for text in policies.dump()]).digest == policies.digest


def test_half_a_character_is_refused_where_it_stands() -> None:
    with pytest.raises(PolicyError) as refused:
        load([("p.json", 'policy: p\ntargets:\n  - {clock: promise, when: {team: "a\\ud83d"}}')])
    assert "p.json:3: targets[0].when.team: holds half a character (a lone surrogate)" in str(refused.value)


def test_a_due_five_years_away_is_found_waits_for_its_day_and_delays_nobody() -> None:
    # 1,305 working days: Mon 2026-03-02 and 261 weeks of five days later is Mon 2031-03-03
    calendars = "{c: {zone: UTC, hours: {mon-fri: ['09:00-17:00']}}}"
    policies = policy(
        f"calendars: {calendars}\nlabels: [team]\ntargets:\n"
        "  - {clock: resolution, when: {team: far}, within: 1305 business_days, calendar: c}\n"
        "  - {clock: resolution, within: 2h}\n"
    )
    life: Lives = {"far": [(60, "opened", {"team": "far"})], "usual": [(0, "opened")]}
    state = folded(read(life), policies, 130)
    rows = state.verdicts.filter(pl.col("case") == "far")
    assert rows["due"].to_list() == [lives.at("2031-03-03T10:00+00:00")]
    assert outcomes(state) == {"far": "open", "usual": "breached"}
    before, after = (lives.at(f"2031-03-03T{clock}+00:00") for clock in ("10:00", "10:01"))
    for now, outcome in ((before, "at_risk"), (after, "breached")):
        state.apply(step(state, read({}), now, policies, grace=timedelta(0)).delta)
        assert outcomes(state)["far"] == outcome


def test_ten_thousand_events_of_one_case_cost_ten_times_as_much_as_a_thousand_at_most() -> None:
    turns: list[Event] = [
        (0, "customer_replied"), (0, "updated", {"priority": "P1"}), (0, "paused", {"reason": "x"}),
        (0, "updated", {"priority": "P2"}), (0, "resumed"), (0, "responded"), (0, "resolved"), (0, "reopened"),
    ]  # fmt: skip
    policies = policy(
        "labels: [priority]\ntargets:\n"
        "  - {clock: next_response, when: {priority: P1}, within: 1h, pauses: [x]}\n"
        "  - {clock: next_response, within: 2h, pauses: [x]}\n"
        "  - {clock: resolution, when: {priority: P1}, within: 3h, pauses: [x], on_change: restart}\n"
        "  - {clock: resolution, within: 3h}\n"
        "  - {clock: total_resolution, within: 60h, pauses: '*'}\n"
    )

    def cost(count: int) -> float:
        life: list[Event] = [(0, "opened"), *((1 + i / 2, *turns[i % 8][1:]) for i in range(count - 1))]
        events, spent = read({"long": life, "usual": OTHER}), []
        for _ in range(3):
            begun = process_time()
            state = folded(events, policies, 6_000)
            spent.append(process_time() - begun)
            ledger = state.ledger()
            assert (ledger["read"], ledger["counted"]) == (count + 3, count + 3)
            assert outcomes(state)["usual"] == "breached"
        return min(spent)

    assert cost(10_000) < 10 * cost(1_000)


def test_a_case_id_of_a_megabyte_is_refused_with_its_size_and_its_neighbours_count() -> None:
    def event(case: str) -> bytes:
        body = {"specversion": "1.0", "id": "1", "source": "s", "type": "interaction.opened", "subject": case}
        return json.dumps({**body, "time": at(0).isoformat()}).encode()

    values = [event("before"), event("x" * 1_000_000), event("after")]
    origin = pl.DataFrame({"topic": "t", "partition": 0, "offset": range(3), "index": 0}, schema=dict(ORIGIN))
    events = read_json(values, origin, future_after=None)
    assert events.refused.select("offset", "reason", "field", "message").rows() == [
        (1, "too_large", "subject", "found 1000000 characters, expected at most 1024")
    ]
    state = folded(events, policy(f"targets: {TARGETS}"), 121)
    assert outcomes(state) == {"before": "breached", "after": "breached"}
    assert {name: n for name, n in state.ledger().items() if n} == {
        "read": 3, "counted": 2, "rejected": 1, "rejected.too_large": 1,
    }  # fmt: skip


def words() -> dict[str, str]:
    """A word in every script of Unicode, by the script's name: its first letters; and what is written oddly."""
    found: dict[str, str] = {}
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        if unicodedata.category(letter).startswith("L") and (name := unicodedata.name(letter, "")):
            script = name.split(" ")[0].partition("-")[0]
            if len(found.get(script, "")) < 3:
                found[script] = found.get(script, "") + letter
    odd = {
        "emoji": "🧑‍🚒",
        "right to left": "\u202eabc",
        "combining": "e\u0301",
        "composed": "é",
        "quotes": "\"a', \\n,{}",
    }
    return found | odd | {"spaces": " a\u3000b ", "controls": "a\tb\u0085c\u2028d", "zero width": "a\u200bb"}


def test_labels_in_every_script_are_judged_by_their_line_and_come_back_as_they_were() -> None:
    scripts = words()
    assert len(scripts) > 150
    assert len(set(scripts.values())) == len(scripts)
    lines = [
        {"clock": "resolution", "when": {"service": word}, "within": f"{minutes}m"}
        for minutes, word in enumerate(scripts.values(), start=1)
    ]
    policies = load_json(
        {"policy": "p", "labels": ["service"], "limits": {"min_n": "1"}, "targets": lines, "slas": SLAS}
    )
    # each is resolved a minute after its own due, and one more in time
    life: dict[str, list[Event]] = {
        f"{word} late": [(0, "opened", {"service": word}), (n + 1, "resolved")]
        for n, word in enumerate(scripts.values(), 1)
    }
    life |= {
        f"{word} kept": [(0, "opened", {"service": word}), (n, "resolved")]
        for n, word in enumerate(scripts.values(), 1)
    }
    state = folded(read(life), policies, 2_000)
    slas = summary({0: state}, policies, at(2_000))["slas"]
    assert {sla["labels"]["service"]: (sla["good"], sla["bad"]) for sla in slas} == dict.fromkeys(
        scripts.values(), (1, 1)
    )
    rows = verdict_rows(derive(state.history.frame(), policies, at(2_000), timedelta(0)), policies)
    again = pl.read_csv(io.StringIO(csv_text(rows)))
    assert set(again["case"]) == set(life)


SLAS = [{"id": "kept", "measure": "resolution", "by": ["service"], "goal": "50%", "period": "30d"}]


def load_json(document: dict[str, object]) -> PolicySet:
    """A policy of plain data."""
    return load([("policy.json", json.dumps(document))])
