"""What roles know of themselves, as Prometheus reads it."""

from prometheus_client.exposition import generate_latest

from api.role_metrics import registry
from consumers.health import PartitionHealth, RoleHealth, Status


def test_roles_tell_their_status_their_partitions_and_what_became_of_alerts() -> None:
    worker, judge = RoleHealth("worker"), RoleHealth("judge", Status.RUNNING)
    worker.partitions[3] = PartitionHealth(3, lag=17, records=1_000, seconds={"step": 1.5})
    judge.deliveries.update({("leads", "delivered"): 2, ("leads", "retried"): 5})
    lines = generate_latest(registry([worker, judge])).decode().splitlines()
    for line in (
        'sqm_role_status{role="worker",status="starting"} 1.0',
        'sqm_role_status{role="judge",status="running"} 1.0',
        'sqm_worker_lag_records{partition="3"} 17.0',
        'sqm_worker_halted{partition="3"} 0.0',
        'sqm_worker_records_total{partition="3"} 1000.0',
        'sqm_worker_stage_seconds_total{partition="3",stage="step"} 1.5',
        'sqm_alert_deliveries_total{receiver="leads",result="delivered"} 2.0',
        'sqm_alert_deliveries_total{receiver="leads",result="retried"} 5.0',
    ):
        assert line in lines
