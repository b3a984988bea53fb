"""Every metric family: its type, its labels and its help. The names are `monitor.names.Metric`."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from monitor.indicators import REGISTRY
from monitor.names import Metric

FamilyType = Literal["gauge", "counter", "histogram"]


class Family(NamedTuple):
    """What a metric is."""

    type: FamilyType
    labels: tuple[str, ...]  # before the labels of the policy
    of_policy: str  # which labels of the policy follow: "each", "single", "by" or "" (none)
    help: str


def _of_indicators(what: str) -> str:
    said = "; ".join(f"{i.id}: {i.title} ({i.unit}, {i.better} is better)" for i in REGISTRY)
    return f"{what} {said}."


FAMILIES: Final[Mapping[str, Family]] = {
    Metric.SLA_COMPLIANCE: Family(
        "gauge", ("sla", "window"), "by", "Share of good outcomes, good / (good + bad), over the window."
    ),
    Metric.SLA_GOAL: Family("gauge", ("sla",), "", "The share of good outcomes that the SLA asks for."),
    Metric.SLA_BUDGET_LEFT: Family(
        "gauge", ("sla",), "by", "Error budget left in the period: 1 minus the share used; negative once overspent."
    ),
    Metric.SLA_BURN_RATE: Family(
        "gauge",
        ("sla", "window"),
        "by",
        "How fast the error budget burns over the window; at 1 it lasts exactly for the period.",
    ),
    Metric.CLOCKS: Family(
        "gauge",
        ("clock", "outcome"),
        "each",
        "Clocks of all cases and measured events by outcome; revised by late events.",
    ),
    Metric.CLOCKS_OPEN: Family("gauge", ("clock",), "each", "Clocks that run and are not breached, at risk or not."),
    Metric.CLOCKS_AT_RISK: Family(
        "gauge", ("clock",), "each", "Running clocks that have used the share of their target that the policy states."
    ),
    Metric.CLOCKS_EXPECTED_BREACHES: Family(
        "gauge",
        ("clock",),
        "each",
        "Breaches to be expected of the clocks that run: their chances, as far as known, added up.",
    ),
    Metric.INDICATOR: Family(
        "gauge", ("indicator", "dimension", "window"), "single", _of_indicators("Service-quality indicators.")
    ),
    Metric.INDICATOR_N: Family(
        "gauge", ("indicator", "dimension", "window"), "single", "How many things the indicator is made of."
    ),
    Metric.RESPONSE_TIME: Family(
        "histogram", (), "each", "Time to the first response as first published; later corrections are not in it."
    ),
    Metric.EVENTS: Family(
        "counter", ("result",), "", "Events read, by what became of them: counted, duplicate, late or rejected."
    ),
    Metric.REJECTED: Family("counter", ("reason",), "", "Events refused, by reason."),
    Metric.LATE: Family("counter", (), "", "Events that came too late to count."),
    Metric.DEDUP_HORIZON: Family(
        "gauge",
        ("partition",),
        "",
        "How far before the newest event ids of measured events are remembered; absent: for ever, so far.",
    ),
    Metric.CASES_ARCHIVED: Family("gauge", (), "", "Cases that ended longer ago than the retention."),
    Metric.CORRECTED: Family("counter", (), "", "Published verdicts that a later read event proved wrong."),
    Metric.SERIES_OVERFLOWED: Family(
        "counter", (), "", "Times a label combination beyond limits.series was counted under __other__."
    ),
    Metric.LEDGER_BALANCED: Family(
        "gauge", (), "", "1 while read = counted + duplicate + late + rejected and opened = closed + open."
    ),
    Metric.LEDGER_HOLES: Family(
        "gauge", (), "", "Holes in the events topics that were accepted: records that are gone; it never falls."
    ),
    Metric.LEDGER_MISSING: Family("gauge", (), "", "Records that these holes lack, as far as it can be told."),
    Metric.CASES_SPLIT: Family(
        "gauge", (), "", "Cases whose events came through several partitions, each of which judges a part of them."
    ),
    Metric.EVENT_LAG: Family("gauge", ("partition",), "", "Wall clock minus the instant up to which cases are judged."),
    Metric.CURRENT_SHARE: Family("gauge", (), "", "Share of the partitions that keep up with their topic."),
    Metric.ALERTS_ACTIVE: Family("gauge", ("alert", "severity", "sla"), "by", "Alerts that fire, by kind."),
    Metric.POLICY_INFO: Family("gauge", ("policy", "digest", "effective_from"), "", "The policy in force; always 1."),
    Metric.POLICY_PUBLISHED: Family("gauge", (), "", "When the policy in force was published."),
    Metric.POLICY_REFUSED: Family(
        "gauge", ("reason",), "", "1 while policy files are refused for that reason and the policy before them stays."
    ),
    Metric.BUILD_INFO: Family("gauge", ("version",), "", "The program that serves this; always 1."),
    Metric.ROLE_STATUS: Family("gauge", ("role", "status"), "", "1 for the status that a role of this process has."),
    Metric.WORKER_LAG: Family("gauge", ("partition",), "", "Records between what was committed and the topic's end."),
    Metric.WORKER_HALTED: Family(
        "gauge", ("partition",), "", "1 for a partition that halted: somebody has to decide; /readyz says why."
    ),
    Metric.WORKER_LAST_COMMIT: Family("gauge", ("partition",), "", "When the partition was last committed."),
    Metric.WORKER_RECORDS: Family("counter", ("partition",), "", "Records taken from Kafka since the start."),
    Metric.WORKER_STAGE: Family(
        "counter", ("partition", "stage"), "", "Seconds that this process spent on the partition, by stage."
    ),
    Metric.DELIVERIES: Family(
        "counter", ("receiver", "result"), "", "Tries to deliver an alert: delivered, retried or given_up after a day."
    ),
    Metric.STREAM_CLIENTS: Family("gauge", (), "", "Clients of /v1/stream."),
    Metric.VERIFY_EQUAL: Family(
        "gauge", (), "", "1 if the last `sqm verify` found the state equal to what the events make of it, else 0."
    ),
    Metric.VERIFY_DIFFERENCES: Family("gauge", (), "", "Differences that the last `sqm verify` found."),
    Metric.VERIFY_LAST_RUN: Family("gauge", (), "", "When the last `sqm verify` began, whatever came of it."),
    Metric.VERIFY_LAST_SUCCESS: Family("gauge", (), "", "When the last `sqm verify` began that found no difference."),
    Metric.VERIFY_SECONDS: Family("gauge", (), "", "How long the last `sqm verify` took."),
    Metric.VERIFY_EVENTS: Family("gauge", (), "", "Events that the last `sqm verify` read again."),
    Metric.TICK_SECONDS: Family("gauge", (), "", "How long it took to make the figures of this tick."),
}
