"""Metrics: what Prometheus reads is what was meant, however odd the label values."""

import asyncio
import gzip
import json
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import httpx2
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from api import metric_parts
from api.context import Context
from api.families import FAMILIES
from api.metrics import Part, exposition, samples
from api.ticker import Ticker
from monitor.indicators import REGISTRY
from monitor.names import LABELS, Metric
from tests.api.serving import prometheus, served
from tests.api.world import NOON, Replica, context, event, lives, policies


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def rendered(replica: Replica) -> str:
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    return here.exposition.text.decode()


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(['"', "\\", "\n", '\\"\n', ""])


@given(st.lists(st.tuples(names, st.none() | names, st.floats(allow_nan=False)), max_size=5, unique_by=lambda r: r[:2]))
def test_any_label_value_comes_back_as_it_was(rows: list[tuple[str, str | None, float]]) -> None:
    frame = pl.DataFrame(
        [(str(i), *row) for i, row in enumerate(rows)],
        schema={"i": pl.String, "service": pl.String, "team": pl.String, "value": pl.Float64},
        orient="row",
    )
    text = "# TYPE m gauge\n" + samples("m", frame, ("i", "service", "team"))
    wanted = {}
    for i, (service, team, number) in enumerate(rows):
        labels = {"i": str(i), "service": service, "team": team}
        wanted["m", frozenset((k, v) for k, v in labels.items() if v)] = number
    assert parsed(text) == wanted


def test_rows_without_a_value_leave_no_line_and_families_without_samples_no_head() -> None:
    frame = pl.DataFrame({"sla": ["a", "b"], "value": [None, 0.5]})
    assert samples("m", frame, ("sla",)) == 'm{sla="b"} 0.5\n'
    assert Part(Metric.SLA_GOAL).add(frame.clear(), ("sla",)).text() == ""


async def test_figures_are_there_under_their_names(replica: Replica) -> None:
    found = parsed(await rendered(replica))
    assert value(found, "sqm_sla_goal_ratio", sla="first-response") == 0.95
    assert value(found, "sqm_sla_compliance_ratio", sla="first-response", window="period", service="billing") == 0.5
    left = value(found, "sqm_sla_error_budget_remaining_ratio", sla="first-response", service="billing")
    assert left == pytest.approx(-9)
    assert value(found, "sqm_clocks", clock="first_response", outcome="breached", service="web", priority="P1") == 4
    assert value(found, "sqm_events_total", result="counted") == 58
    assert value(found, "sqm_rejected_total", reason="bad_time") == 1
    assert value(found, "sqm_ledger_balanced") == 1
    assert value(found, "sqm_alerts_active", alert="burn", severity="page", sla="first-response") == 0
    assert value(found, "sqm_indicator_n", indicator="csat_mean", dimension="perception", window="7d") == 5
    assert ("process_cpu_seconds_total", frozenset()) in found


async def test_totals_agree_with_the_ledger_and_clocks_with_the_summary(http: httpx2.AsyncClient) -> None:
    found = parsed((await http.get("/metrics")).text)
    summary = (await http.get("/v1/summary")).json()
    for clock, outcomes in summary["clocks"].items():
        for outcome, n in outcomes.items():
            if outcome != "no_target":
                pair = {("clock", clock), ("outcome", outcome)}
                assert n == sum(v for (name, labels), v in found.items() if name == "sqm_clocks" and pair <= labels)
        running = sum(v for (name, la), v in found.items() if name == "sqm_clocks_open" and ("clock", clock) in la)
        assert running == outcomes["open"] + outcomes["at_risk"]


async def test_the_histogram_counts_each_first_answer_once_and_never_falls(replica: Replica) -> None:
    def buckets(text: str) -> dict[frozenset[tuple[str, str]], float]:
        return {labels: v for (name, labels), v in parsed(text).items() if name.startswith("sqm_response_time_seconds")}

    before = await rendered(replica)
    found = parsed(before)
    labels = {"service": "web", "priority": "P1"}
    assert value(found, "sqm_response_time_seconds_count", **labels) == 3  # INC-003, INC-009 and INC-021
    assert value(found, "sqm_response_time_seconds_sum", **labels) == (31 + 73 + 157) * 60
    assert value(found, "sqm_response_time_seconds_bucket", le="1024.0", **labels) == 0
    assert value(found, "sqm_response_time_seconds_bucket", le="2048.0", **labels) == 1
    assert value(found, "sqm_response_time_seconds_bucket", le="8192.0", **labels) == 2
    assert value(found, "sqm_response_time_seconds_bucket", le="+Inf", **labels) == 3
    # An earlier answer of the same case corrects the verdict; what was published stays.
    replica.fold([event("INC-009", "responded", NOON - timedelta(hours=10), by="agent")], NOON)
    after = await rendered(replica)
    assert value(parsed(after), "sqm_corrected_total") == 1
    assert buckets(after) == buckets(before)


async def test_it_is_rendered_once_and_compressed_once(ticked: Context, http: httpx2.AsyncClient) -> None:
    plain = await http.get("/metrics", headers={"accept-encoding": "identity"})
    packed = await http.get("/metrics", headers={"accept-encoding": "gzip"})
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content == ticked.exposition.text
    assert ticked.exposition.text is ticked.exposition.text
    assert ticked.exposition.gzipped is ticked.exposition.gzipped
    assert gzip.decompress(ticked.exposition.gzipped) == ticked.exposition.text


async def test_without_figures_the_process_still_shows_its_own() -> None:
    here = context(Replica(policies(), caught_up=False))
    await Ticker(here).tick()
    assert b"process_resident_memory_bytes" in here.exposition.text
    assert b"sqm_sla" not in here.exposition.text


async def test_the_metrics_of_a_small_world_are_as_they_were(replica: Replica) -> None:
    """Golden text: all but indicators, burn, histogram and what the process knows of itself."""
    text = await rendered(replica)
    golden = Path(__file__).with_name("metrics.golden.txt")
    assert told(text) == golden.read_text(encoding="utf-8")


def told(text: str) -> str:
    """The lines that are the same on every machine, and few enough to be read."""
    left_out = (
        *(Metric.INDICATOR, Metric.INDICATOR_N, Metric.SLA_BURN_RATE, Metric.RESPONSE_TIME, Metric.BUILD_INFO),
        *(Metric.TICK_SECONDS, Metric.STREAM_CLIENTS),
    )
    kept = []
    for line in text.splitlines():
        name = line.split()[2] if line.startswith("#") else line.split("{")[0].split()[0]
        if name.startswith("sqm_") and not name.startswith(left_out):
            kept.append(line)
    return "\n".join(kept) + "\n"


def test_every_name_has_a_family_and_every_family_its_help() -> None:
    assert set(FAMILIES) == set(Metric)
    for name, family in FAMILIES.items():
        assert family.help.endswith("."), name
        assert name.endswith("_total") == (family.type == "counter"), name
        assert family.of_policy in ("", "each", "single", "by")
    assert all(indicator.id in FAMILIES[Metric.INDICATOR].help for indicator in REGISTRY)


def test_a_hundred_thousand_samples_take_a_fifth_of_a_second() -> None:
    n = 100_000
    frame = pl.DataFrame(
        {
            "sla": [f"sla-{i % 50}" for i in range(n)],
            "window": [("5m", "1h", "6h", "30d")[i % 4] for i in range(n)],
            "service": [f"service {i % 300}" for i in range(n)],
            "team": [None if i % 3 else f"team {i}" for i in range(n)],
            "value": [i / 7 for i in range(n)],
        }
    )

    def once() -> float:
        began = time.process_time()  # of all threads: others may keep the machine busy
        exposition([Part(Metric.SLA_BURN_RATE).add(frame, ("sla", "window", *LABELS))])
        return time.process_time() - began

    assert min(once() for _ in range(5)) < 0.2


async def test_alerts_that_fire_are_counted_by_kind_severity_and_sla() -> None:
    firing = [
        {"kind": "burn", "severity": "page", "sla": "first-response", "state": "firing", "labels": {"service": "web"}},
        {"kind": "breach", "severity": "ticket", "sla": "first-response", "state": "firing", "labels": {}},
        {"kind": "breach", "severity": "ticket", "sla": "first-response", "state": "firing", "labels": {}},
        {"kind": "burn", "severity": "page", "sla": "promises", "state": "resolved", "labels": {}},
    ]
    [part] = metric_parts.of_alerts(firing, policies().newest)
    found = parsed(part.text())
    assert value(found, "sqm_alerts_active", alert="breach", severity="ticket", sla="first-response") == 2
    assert value(found, "sqm_alerts_active", alert="burn", severity="page", sla="first-response", service="web") == 1
    assert value(found, "sqm_alerts_active", alert="burn", severity="page", sla="promises") == 0


@pytest.mark.prometheus
async def test_promtool_finds_nothing_to_say_about_them(replica: Replica) -> None:
    text = await rendered(replica)
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


@pytest.mark.prometheus
async def test_a_real_prometheus_scrapes_them(tmp_path: Path) -> None:
    odd = 'quo"ted \\ line\nbreak ü'
    replica = Replica(policies())
    replica.fold([*lives(), event("INC-950", "opened", NOON - timedelta(hours=9), service=odd)], NOON)
    here = context(replica)
    await Ticker(here, wall=lambda: NOON).tick()
    async with served(here) as address:
        host = address.removeprefix("http://")
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [{"job_name": "sqm", "static_configs": [{"targets": [host]}]}],
        }
        tmp_path.joinpath("prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
        async with prometheus(tmp_path) as asked:
            assert await asked('count(sqm_sla_goal_ratio{job="sqm"})') == 2
            assert await asked("sum(sqm_events_total)") == 62
            assert await asked(f"sqm_clocks{{clock='first_response',service={json.dumps(odd)}}}") == 1
            assert await asked("histogram_quantile(0.5, sum by (le) (sqm_response_time_seconds_bucket))") > 60
            assert await asked("scrape_samples_scraped") > 500
