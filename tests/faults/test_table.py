"""The fault table in its short form. Another seed: `FAULTS_SEED=7 make test PYTEST_ARGS=tests/faults`."""

import os
from pathlib import Path

import pytest

from consumers.broker import Broker
from tests.faults.scene import SHORT
from tests.faults.table import ROWS, Row
from tests.kafka.hook import SECRET, SECRET_ENV

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
def seed() -> int:
    """From the variable FAULTS_SEED; the same one otherwise, so that a test fails for a change and not by chance."""
    return int(os.environ.get("FAULTS_SEED", "1"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
async def test_what_was_sent_is_what_is_shown_whatever_fails(
    row: Row, seed: int, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why := row.lacking():
        pytest.skip(why)
    monkeypatch.setenv(SECRET_ENV, SECRET)
    print(f"seed {seed}: FAULTS_SEED={seed} shows it again")
    await row.run(broker.bootstrap, seed, SHORT, tmp_path)
