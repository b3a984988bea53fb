"""The fault table in its short form, row by row. Another seed: `FAULTS_SEED=7 make test PYTEST_ARGS=tests/faults`."""

import os
from pathlib import Path

import pytest

from consumers.broker import Broker
from tests.faults import rows
from tests.faults.scene import SHORT, scene
from tests.kafka.receiver import SECRET, SECRET_ENV

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
SEED=int(os.environ.get("FAULTS_SEED", "1"))

@pytest.fixture(autouse=True)
def _secret(monkeypatch): monkeypatch.setenv(SECRET_ENV, SECRET)

@pytest.mark.parametrize("row", [rows.a_zombie_is_fenced])
async def test_row(row, broker: Broker, tmp_path: Path) -> None:
    async with scene(broker.bootstrap, SEED, SHORT, tmp_path) as s:
        await row(s)
