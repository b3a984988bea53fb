"""Rules for Prometheus: their text, that promtool takes them, and that they fire when they should."""

import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

from monitor.alerts.prometheus_rules import rules
from monitor.policy import load

POLICY = """
policy: support
labels: [service]
targets:
  - {clock: first_response, within: 4h}
slas:
  - {id: answers, title: Answered in time, measure: first_response, by: [service], goal: 80%, period: 30d}
  - {id: month, title: "{{odd}}", measure: first_response, goal: 99.9%, period: {calendar: month, zone: Europe/Berlin}}
  - {id: quiet, measure: first_response, goal: 95%, period: 28d, alerts: {burn: none}}
  - {id: speed, measure: {indicator: first_response_p95_seconds, at_most: 600}, goal: 95%, period: 1d}
"""

GOLDEN = """\
# Made by `sqm rules` from the policy support: change that, then make this anew.
# Burn rates and windows: Google, The Site Reliability Workbook (2018), chapter 5. Of calendar periods the factors are
# those of the longest (a month of 31 days).
groups:
- name: sqm-answers
  rules:
  - alert: SqmSlaBudgetBurns
    expr: |-
      (sqm_sla_burn_rate{sla="answers", window="3h12m"} > 4.5 and ignoring (window) sqm_sla_burn_rate{sla="answers", window="16m"} > 4.5)
      or ignoring (window)
      (sqm_sla_burn_rate{sla="answers", window="8h"} > 4.5 and ignoring (window) sqm_sla_burn_rate{sla="answers", window="40m"} > 4.5)
    labels:
      severity: page
      sla: answers
    annotations:
      summary: 'Answered in time ({{ $labels.service }}): the budget burns too fast'
      description: In the last {{ $labels.window }} the 30-day error budget burnt {{ $value | humanize }} times as fast as it may.
"""  # noqa: E501


@pytest.fixture
def made() -> str:
    return rules(load([("policy.yaml", POLICY)]).newest)


def test_rules_are_this_text(made: str) -> None:
    assert made.startswith(GOLDEN)


def test_each_objective_that_counts_has_a_group_with_what_it_asks_for(made: str) -> None:
    groups = {group["name"]: [rule["alert"] for rule in group["rules"]] for group in yaml.safe_load(made)["groups"]}
    assert groups == {
        "sqm-answers": ["SqmSlaBudgetBurns", "SqmSlaBudgetBurns", "SqmSlaBudgetSpent"],
        "sqm-month": ["SqmSlaBudgetBurns", "SqmSlaBudgetBurns", "SqmSlaBudgetSpent"],
        "sqm-quiet": ["SqmSlaBudgetSpent"],
    }


def test_factors_of_a_month_are_those_of_31_days(made: str) -> None:
    expression = yaml.safe_load(made)["groups"][1]["rules"][0]["expr"]
    assert '{sla="month", window="1h"} > 14.88 and' in expression
    assert "> 6.2 and" in expression


def test_every_expression_is_promql(made: str) -> None:
    for group in yaml.safe_load(made)["groups"]:
        for rule in group["rules"]:
            promql_parser.parse(rule["expr"])


def test_a_title_is_never_a_template(made: str) -> None:
    assert '{{ "{{" }}odd}}: the budget burns too fast' in made


@pytest.mark.prometheus
def test_promtool_takes_them_and_they_fire_when_both_windows_burn(made: str, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None
    (tmp_path / "sqm.yml").write_text(made, encoding="utf-8")
    checked = subprocess.run([promtool, "check", "rules", "--lint-fatal", "sqm.yml"], cwd=tmp_path, check=False)
    assert checked.returncode == 0

    def series(window: str, values: str) -> dict[str, str]:
        return {"series": f'sqm_sla_burn_rate{{sla="answers", service="billing", window="{window}"}}', "values": values}

    def burns(window: str, rate: str) -> dict[str, object]:
        return {
            "exp_labels": {"severity": "page", "sla": "answers", "service": "billing", "window": window},
            "exp_annotations": {
                "summary": "Answered in time (billing): the budget burns too fast",
                "description": f"In the last {window} the 30-day error budget burnt {rate} times as fast as it may.",
            },
        }

    def at(time: str, alerts: list[dict[str, object]]) -> dict[str, object]:
        return {"eval_time": time, "alertname": "SqmSlaBudgetBurns", "exp_alerts": alerts}

    # minute   0    1    2    3
    # 3h12m    4    4.8  4.8  4.8
    # 16m      5    5    4.5  5
    # 8h       0    0    0    4.9    and 40m 5
    test = {
        "rule_files": ["sqm.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    series("3h12m", "4 4.8 4.8 4.8"),
                    series("16m", "5 5 4.5 5"),
                    series("8h", "0 0 0 4.9"),
                    series("40m", "5 5 5 5"),
                ],
                "alert_rule_test": [
                    at("0m", []),
                    at("1m", [burns("3h12m", "4.8")]),
                    at("2m", []),
                    at("3m", [burns("3h12m", "4.8")]),
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    tested = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
