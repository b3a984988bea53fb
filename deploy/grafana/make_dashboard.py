"""Makes dashboards/sqm.json. Run it after a change: `python deploy/grafana/make_dashboard.py`.

The names of the metrics come from monitor/names.py, so that a dashboard never asks for what is not there. Variables:
`sla` and `service`, each of several or all; what has no service label is shown whatever service is chosen.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, TableSortByFieldState, VizLegendOptions
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

ROOT: Final = Path(__file__).resolve().parents[2]
TARGET: Final = Path(__file__).parent / "dashboards" / "sqm.json"
sys.path.insert(0, str(ROOT))

from monitor.names import LABELS, Metric  # noqa: E402 - run as a script, the project is not on the path

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${source}")
SLA: Final = 'sla=~"$sla"'
SERVICE: Final = 'service=~"$service|"'  # rows without a service belong to every choice
EACH: Final = "{{sla}} {{service}} {{channel}} {{team}} {{tier}} {{priority}} {{region}} {{category}}"
WIDTH: Final = 24


def of(metric: Metric, *matchers: str) -> str:
    """A selector."""
    return f"{metric}{{{','.join(matchers)}}}"


def query(expression: str, legend: str, *, instant: bool = False, name: str = "A") -> Dataquery:
    made = Dataquery().expr(expression).legend_format(legend).ref_id(name)
    return made.instant().format(PromQueryFormat.TABLE) if instant else made.range()


def steps(*found: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """From which value on which colour; the first has no value."""
    made = [Threshold(value=value, color=color) for value, color in found]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def number(title: str, about: str, expression: str, unit: str, thresholds: dashboard.ThresholdsConfig) -> stat.Panel:
    """One figure, as of now."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(thresholds)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query(expression, title))
        .height(4)
        .span(4)
    )


def lines(title: str, about: str, unit: str, *queries: tuple[str, str], width: int = 12) -> timeseries.Panel:
    """Figures over time: (expression, legend) each."""
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .fill_opacity(5)
        .line_width(1)
        .legend(legend)
        .height(8)
        .span(width)
    )
    for place, (expression, text) in enumerate(queries):
        panel = panel.with_target(query(expression, text, name=chr(ord("A") + place)))
    return panel


def overview() -> list[Any]:
    """The row at the top: is something wrong, and can it be trusted?"""
    firing, left = of(Metric.ALERTS_ACTIVE, SLA, SERVICE), of(Metric.SLA_BUDGET_LEFT, SLA, SERVICE)
    page = of(Metric.ALERTS_ACTIVE, 'severity="page"', SLA, SERVICE)
    no_more = steps((None, "green"), (1, "red"))
    return [
        number("Pages", "Alerts that fire and should wake somebody.", f"sum({page}) or vector(0)", "none", no_more),
        number("All alerts", "Alerts that fire, of any severity.", f"sum({firing}) or vector(0)", "none",
               steps((None, "green"), (1, "orange"))),
        number("Budgets overspent", "Objectives whose error budget of the period is used up.",
               f"count({left} <= 0) or vector(0)", "none", no_more),
        number("At risk", "Running clocks that have used most of their target.",
               f"sum({of(Metric.CLOCKS_AT_RISK, SERVICE)}) or vector(0)", "none",
               steps((None, "green"), (1, "orange"))),
        number("Partitions current", "Below 100 % the figures are those of a while ago.", str(Metric.CURRENT_SHARE),
               "percentunit", steps((None, "red"), (1, "green"))),
        number("Ledger", "1: every event that was read is accounted for.", str(Metric.LEDGER_BALANCED), "none",
               steps((None, "red"), (1, "green"))),
    ]  # fmt: skip


def objectives() -> list[Any]:
    compliance = of(Metric.SLA_COMPLIANCE, 'window="period"', SLA, SERVICE)
    return [
        _standing(compliance),
        lines("Compliance and goal", "Share of good outcomes over the period of each SLA, dashed what it asks for.",
              "percentunit", (compliance, EACH), (of(Metric.SLA_GOAL, SLA), "goal {{sla}}"))
        .override_by_query("B", [DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})]),
        lines("Error budget left", "Below 0 the period can no longer reach its goal unless old failures leave it.",
              "percentunit", (of(Metric.SLA_BUDGET_LEFT, SLA, SERVICE), EACH))
        .thresholds(steps((None, "red"), (0, "transparent"))),
        lines("Burn rate", "At 1 the budget lasts exactly for the period. Alerts need a long and a short window.",
              "none", (of(Metric.SLA_BURN_RATE, 'window!="period"', SLA, SERVICE), "{{window}} " + EACH)),
        lines("Alerts that fire", "By kind and severity.", "none",
              (f"sum by (alert, severity, sla) ({of(Metric.ALERTS_ACTIVE, SLA, SERVICE)})",
               "{{alert}} {{severity}} {{sla}}")),
    ]  # fmt: skip


def _standing(compliance: str) -> table.Panel:
    """Every objective in a row, the one with the least budget left first."""
    goal = f"{compliance} * 0 + on (sla) group_left () {of(Metric.SLA_GOAL, SLA)}"
    budget = of(Metric.SLA_BUDGET_LEFT, SLA, SERVICE)
    least_first = TableSortByFieldState().display_name("Budget left").desc(False)
    columns = {"A": (compliance, "Compliance"), "B": (goal, "Goal"), "C": (budget, "Budget left")}
    return grid("Objectives", "Over the period of each.", columns).unit("percentunit").sort_by([least_first])


def grid(title: str, about: str, columns: Mapping[str, tuple[str, str]]) -> table.Panel:
    """One row for each combination of labels; columns: letter -> (expression, title).

    Without name and window the series of one metric have the labels of the other's, so that they share a row.
    """
    panel = table.Panel().title(title).description(about).datasource(SOURCE).height(9).span(WIDTH)
    for name, (expression, _) in columns.items():
        alike = f"max without (__name__, window) ({expression})"
        panel = panel.with_target(query(alike, "", instant=True, name=name))
    named = {f"Value #{name}": title for name, (_, title) in columns.items()}
    hidden = dict.fromkeys(("Time", "__name__", "window", "instance", "job"), True)
    shown = {"excludeByName": hidden, "renameByName": named}
    return panel.with_transformation(DataTransformerConfig(id_val="merge", options={})).with_transformation(
        DataTransformerConfig(id_val="organize", options=shown)
    )


def clocks() -> list[Any]:
    outcomes = of(Metric.CLOCKS, SERVICE)
    return [
        lines("Clocks by outcome", "Of all cases and measured events ever; late events revise it.", "none",
              (f"sum by (clock, outcome) ({outcomes})", "{{clock}} {{outcome}}")),
        lines("Clocks that run", "Not breached; at risk: used most of their target.", "none",
              (f"sum by (clock) ({of(Metric.CLOCKS_OPEN, SERVICE)})", "{{clock}} open"),
              (f"sum by (clock) ({of(Metric.CLOCKS_AT_RISK, SERVICE)})", "{{clock}} at risk")),
        lines("Time to the first response", "Quantiles of what was answered within the interval, from the histogram.",
              "s", *((_quantile(share), f"{share:.0%}".replace("%", " %")) for share in (0.5, 0.9, 0.95, 0.99)),
              width=24),
    ]  # fmt: skip


def _quantile(share: float) -> str:
    buckets = f"{Metric.RESPONSE_TIME}_bucket{{{SERVICE}}}"
    return f"histogram_quantile({share}, sum by (le) (rate({buckets}[$__rate_interval])))"


def indicators() -> list[Any]:
    total = [f'{label}=""' for label in LABELS if label != "service"]  # of one label's values alone
    last_hour = ('window="1h"', 'service=~"$service"', *total)
    shares = of(Metric.INDICATOR, 'indicator=~".+_within_ratio"', *last_hour)
    seconds = of(Metric.INDICATOR, 'indicator=~".+_p95_seconds"', *last_hour)
    name = "{{indicator}} {{service}}"
    return [
        _measured(of(Metric.INDICATOR, *last_hour), of(Metric.INDICATOR_N, *last_hour)),
        lines("Within target, last hour", "Shown where there are enough events.", "percentunit", (shares, name)),
        lines("95th percentiles, last hour", "Shown where there are enough events.", "s", (seconds, name)),
    ]


def _measured(values: str, counts: str) -> table.Panel:
    """Every indicator with its n; without a service: the total."""
    return grid(
        "Indicators, last hour",
        "Values in the unit that the name ends in; empty where there are too few events.",
        {"A": (values, "Value"), "B": (counts, "n")},
    ).sort_by([TableSortByFieldState().display_name("indicator")])


def program() -> list[Any]:
    rate = "$__rate_interval"
    return [
        lines("Events a second", "By what became of them.", "none",
              (f"sum by (result) (rate({Metric.EVENTS}[{rate}]))", "{{result}}")),
        lines("Lag", "Wall clock minus the instant up to which each partition is judged.", "s",
              (str(Metric.EVENT_LAG), "partition {{partition}}")),
        lines("Records behind", "Between what was committed and the end of the topic.", "none",
              (f"sum by (partition) ({Metric.WORKER_LAG})", "partition {{partition}}"), width=8),
        lines("Refused, late, corrected, rolled up", "Events a second; verdicts a second; label combinations.", "none",
              (f"sum by (reason) (rate({Metric.REJECTED}[{rate}]))", "refused: {{reason}}"),
              (f"rate({Metric.LATE}[{rate}])", "late"),
              (f"rate({Metric.CORRECTED}[{rate}])", "corrected"),
              (str(Metric.SERIES_OVERFLOWED), "rolled up (total)"), width=8),
        lines("Where the time goes", "Share of one core that the worker spends, by stage; seconds of one tick.", "none",
              (f"sum by (stage) (rate({Metric.WORKER_STAGE}[{rate}]))", "{{stage}}"),
              (str(Metric.TICK_SECONDS), "seconds of a tick"), width=8),
    ]  # fmt: skip


def chosen(name: str, label: str, metric: Metric) -> dashboard.QueryVariable:
    """A variable of the values that a label has, all of them at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def made() -> dashboard.Dashboard:
    """The dashboard."""
    board = (
        dashboard.Dashboard("Service quality")
        .uid("sqm")
        .description("Objectives, budgets, clocks and indicators as sqm judges them. Made by make_dashboard.py.")
        .tags(["sqm", "sla"])
        .time("now-6h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(chosen("sla", "SLA", Metric.SLA_GOAL))
        .with_variable(chosen("service", "Service", Metric.CLOCKS))
    )
    rows = {
        "Now": overview(),
        "Objectives": objectives(),
        "Clocks": clocks(),
        "Indicators": indicators(),
        "The monitor itself": program(),
    }
    for title, panels in rows.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def text() -> str:
    """The file's content."""
    return JSONEncoder(sort_keys=True, indent=2).encode(made().build()) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")
