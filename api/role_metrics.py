"""What the roles of this process know of themselves, as metrics: status, commits, lag, time spent by stage."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.families import FAMILIES
from consumers.health import PartitionHealth, RoleHealth, Status
from monitor.names import Metric as Name


def registry(roles: Sequence[RoleHealth]) -> CollectorRegistry:
    """A private registry of what this process knows of itself; `roles` may still grow."""
    own = CollectorRegistry()
    ProcessCollector(registry=own)
    PlatformCollector(registry=own)
    own.register(RoleCollector(roles))
    return own


class RoleCollector(Collector):
    """Reads the roles' health whenever metrics are rendered."""

    def __init__(self, roles: Sequence[RoleHealth]) -> None:
        self._roles = roles

    def collect(self) -> Iterable[Metric]:
        status = _gauge(Name.ROLE_STATUS)
        lag, committed = _gauge(Name.WORKER_LAG), _gauge(Name.WORKER_LAST_COMMIT)
        halted = _gauge(Name.WORKER_HALTED)
        records, spent = _counter(Name.WORKER_RECORDS), _counter(Name.WORKER_STAGE)
        deliveries = _counter(Name.DELIVERIES)
        for role in self._roles:
            for one in Status:
                status.add_metric([role.role, one], float(role.status == one))
            for (receiver, result), n in list(role.deliveries.items()):
                deliveries.add_metric([receiver, result], n)
            for partition in list(role.partitions.values()):
                halted.add_metric([str(partition.partition)], float(partition.status == Status.HALTED))
                _add_partition(partition, lag, committed, records, spent)
        return [family for family in (status, lag, halted, committed, records, spent, deliveries) if family.samples]


def _add_partition(
    partition: PartitionHealth,
    lag: GaugeMetricFamily,
    committed: GaugeMetricFamily,
    records: CounterMetricFamily,
    spent: CounterMetricFamily,
) -> None:
    number = str(partition.partition)
    lag.add_metric([number], partition.lag)
    records.add_metric([number], partition.records)
    if partition.last_commit is not None:
        committed.add_metric([number], partition.last_commit.timestamp())
    for stage, seconds in list(partition.seconds.items()):
        spent.add_metric([number, stage], seconds)


def _gauge(name: Name) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, FAMILIES[name].help, labels=FAMILIES[name].labels)


def _counter(name: Name) -> CounterMetricFamily:
    return CounterMetricFamily(name, FAMILIES[name].help, labels=FAMILIES[name].labels)
