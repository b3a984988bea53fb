"""Prometheus alerting rules for a policy's objectives, for those who alert from there instead of from sqm.

A pure function: policy -> text of a rule file. What PromQL cannot ask is missing in them: `min_events` and the
binomial test that keep few events quiet; single breached cases; old news. sqm's own alerts have all of that.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import yaml

from monitor.names import Metric, Rule, Severity
from monitor.policy import PolicyVersion
from monitor.policy.durations import format_span
from monitor.policy.model import Sla
from monitor.slas import PERIOD, usual_pairs
from monitor.slas.burn import Pair
from monitor.slas.objectives import Counting, objective
from monitor.slas.periods import in_words

HEAD: Final = """\
# Made by `sqm rules` from the policy {policy}: change that, then make this anew.
# Burn rates and windows: Google, The Site Reliability Workbook (2018), chapter 5. Of calendar periods the factors are
# those of the longest (a month of 31 days).
"""


def rules(policy: PolicyVersion) -> str:
    """The rule file: one group for each objective that counts; burn alerts by severity, and a spent budget."""
    groups = [
        {"name": f"sqm-{sla.id}", "rules": list(_of_sla(sla))}
        for sla in policy.slas
        if isinstance(objective(sla), Counting)
    ]
    text = yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return HEAD.format(policy=policy.name) + text


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _of_sla(sla: Sla) -> Iterator[dict[str, Any]]:
    pairs = usual_pairs(sla)
    for severity in Severity:
        chosen = [pair for pair in pairs if pair.severity == severity]
        if chosen:
            yield _burns(sla, severity, chosen)
    yield _spent(sla)


def _burns(sla: Sla, severity: Severity, pairs: Sequence[Pair]) -> dict[str, Any]:
    return {
        "alert": str(Rule.BURNS),
        "expr": "\nor ignoring (window)\n".join(f"({_pair(sla, pair)})" for pair in pairs),
        "labels": {"severity": str(severity), "sla": sla.id},
        "annotations": {
            "summary": f"{_who(sla)}: the budget burns too fast",
            "description": f"In the last {{{{ $labels.window }}}} the {in_words(sla.period)} error budget burnt "
            "{{ $value | humanize }} times as fast as it may.",
        },
    }


def _pair(sla: Sla, pair: Pair) -> str:
    def faster(window: str) -> str:
        return f'{Metric.SLA_BURN_RATE}{{sla="{sla.id}", window="{window}"}} > {_decimal(pair.factor)}'

    return f"{faster(format_span(pair.long))} and ignoring (window) {faster(format_span(pair.short))}"


def _spent(sla: Sla) -> dict[str, Any]:
    return {
        "alert": str(Rule.SPENT),
        "expr": f'{Metric.SLA_BUDGET_LEFT}{{sla="{sla.id}"}} < 0',
        "labels": {"severity": str(Severity.TICKET), "sla": sla.id},
        "annotations": {
            "summary": f"{_who(sla)}: the error budget is spent",
            "description": f"More failed in the {PERIOD} than the goal of {_percent(sla)} leaves room for.",
        },
    }


def _percent(sla: Sla) -> str:
    wanted = objective(sla)
    assert isinstance(wanted, Counting)
    return f"{_decimal(Fraction(wanted.goal) * 100)} %"


def _decimal(number: Fraction) -> str:
    """A number for PromQL and people: 14.4, 6, 0.933333."""
    return f"{float(number):.6f}".rstrip("0").rstrip(".")


def _who(sla: Sla) -> str:
    """The objective's title and the values of its `by`; what would be a template is quoted."""
    title = (sla.title or sla.id).replace("{{", '{{ "{{" }}')
    values = " ".join(f"{{{{ $labels.{label} }}}}" for label in sla.by)
    return f"{title} ({values})" if values else title
