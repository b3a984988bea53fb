"""The Grafana dashboard: it is what the code makes, and everything it asks for is there."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from api.families import FAMILIES
from monitor.names import LABELS

GRAFANA = Path(__file__).resolve().parents[1] / "deploy" / "grafana"
STAND_INS = {"$__rate_interval": "1m", "$service": "billing|web", "$sla": "answered"}
ALWAYS_THERE = {"instance", "job", "le"}


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "sqm.json").read_text())
    return read


def expressions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def parsed(expression: str) -> Any:
    for name, text in STAND_INS.items():
        expression = expression.replace(name, text)
    assert "$" not in expression
    return promql.parse(expression)


def selectors(node: Any) -> Iterator[promql.VectorSelector]:
    """Every selector in it."""
    match node:
        case promql.VectorSelector():
            yield node
        case promql.MatrixSelector():
            yield node.vector_selector
        case promql.BinaryExpr():
            yield from selectors(node.lhs)
            yield from selectors(node.rhs)
        case promql.Call():
            for argument in node.args:
                yield from selectors(argument)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from selectors(node.expr)


def family(name: str | None) -> str:
    """The metric that a sample belongs to."""
    found = [n for n in FAMILIES if name in (n, f"{n}_bucket", f"{n}_sum", f"{n}_count")]
    assert len(found) == 1, f"{name} is not exposed"
    return found[0]


# The SDK would rather have its newer schema, which Grafana reads from files only where that is switched on.
@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
def test_the_file_is_what_the_code_makes() -> None:
    made = runpy.run_path(str(GRAFANA / "make_dashboard.py"))["text"]()
    assert made == (GRAFANA / "dashboards" / "sqm.json").read_text(), "run `python deploy/grafana/make_dashboard.py`"


def test_every_query_is_promql_over_metrics_and_labels_that_are_exposed(board: dict[str, Any]) -> None:
    asked = [selector for text in expressions(board) for selector in selectors(parsed(text))]
    assert len(asked) > 30
    for selector in asked:
        known = FAMILIES[family(selector.name)]
        labels = {*known.labels, *ALWAYS_THERE, *(LABELS if known.of_policy else ())}
        assert {matcher.name for matcher in selector.matchers.matchers} <= labels, selector.prettify()


def test_what_an_owner_of_an_sla_asks_about_is_on_it(board: dict[str, Any]) -> None:
    shown = {family(s.name) for text in expressions(board) for s in selectors(parsed(text))}
    about_objectives = {name for name in FAMILIES if name.startswith("sqm_sla_")}
    about_events = {"sqm_events_total", "sqm_event_lag_seconds", "sqm_ledger_balanced", "sqm_rejected_total"}
    about_cases = {"sqm_clocks", "sqm_clocks_open", "sqm_clocks_at_risk", "sqm_response_time_seconds"}
    assert about_objectives | about_events | about_cases | {"sqm_indicator", "sqm_alerts_active"} <= shown


def test_variables_are_filled_from_labels_that_are_exposed(board: dict[str, Any]) -> None:
    variables = {v["name"]: v for v in board["templating"]["list"]}
    assert list(variables) == ["source", "sla", "service"]
    for name in ("sla", "service"):
        metric = variables[name]["query"].removeprefix("label_values(").partition(",")[0]
        known = FAMILIES[metric]
        assert name in (*known.labels, *(LABELS if known.of_policy else ()))


def test_panels_have_a_title_a_place_of_their_own_and_say_what_they_show(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_grafana_is_told_of_the_folder_and_of_the_source_that_it_asks() -> None:
    def provisioned(kind: str) -> Any:
        [path] = (GRAFANA / "provisioning" / kind).glob("*.yaml")
        return yaml.safe_load(path.read_text())

    compose = yaml.safe_load((GRAFANA.parent / "compose.yaml").read_text())
    mounts = {v.split(":")[1]: v.split(":")[0] for v in compose["services"]["grafana"]["volumes"]}
    [provider] = provisioned("dashboards")["providers"]
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
    [source] = provisioned("datasources")["datasources"]
    assert source["type"] == "prometheus"
    host, port = source["url"].removeprefix("http://").split(":")
    assert host in compose["services"]
    assert port == "9090"
