"""The rows of the fault table that break the broker, its disk or the network, in their short form."""

from pathlib import Path
import os
import pytest

from tests.faults import broker_rows
from tests.faults.disk import can_mount
from tests.faults.scene import SHORT
from tests.kafka.receiver import SECRET, SECRET_ENV
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
SEED=int(os.environ.get("FAULTS_SEED", "1"))

@pytest.fixture(autouse=True)
def _secret(monkeypatch): monkeypatch.setenv(SECRET_ENV, SECRET)

@pytest.mark.parametrize("row", [broker_rows.the_broker_is_killed, broker_rows.the_disk_is_full, broker_rows.the_network_is_bad])
async def test_row(row, tmp_path: Path) -> None:
    await row(tmp_path, SEED, SHORT)
