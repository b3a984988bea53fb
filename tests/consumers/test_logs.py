"""What is logged, and what is not."""

import asyncio
import gc
import logging
from collections.abc import Iterator

import pytest
import structlog
from aiokafka.errors import KafkaError

from consumers import logs
from consumers.settings import load


@pytest.fixture(autouse=True)
def _configured(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    del capsys  # it comes first: lines go to what stderr is when they are configured
    root, client, loops = (logging.getLogger(name) for name in ("", "aiokafka", "asyncio"))
    before = (root.handlers[:], root.level, client.propagate, loops.filters[:])
    logs.configure(load(env_file=None, log_format="text"))
    yield
    root.handlers[:], root.level, client.propagate, loops.filters[:] = before
    structlog.reset_defaults()


@pytest.mark.parametrize(("error", "told"), [(KafkaError("gone"), False), (ValueError("a fault of ours"), True)])
async def test_what_kafkas_client_leaves_behind_is_not_told_again(
    capsys: pytest.CaptureFixture[str], error: Exception, told: bool
) -> None:
    asyncio.get_running_loop().create_future().set_exception(error)
    gc.collect()
    assert (str(error) in capsys.readouterr().err) == told
