"""What many tests need: a real broker (one for the session), settings with topics of their own, no stray settings."""

import gc
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings as example_settings

from consumers.broker import Broker
from consumers.settings import PREFIX, Settings, load

# How long an example takes says more about the machine's neighbours than about the code.
example_settings.register_profile("no deadline", deadline=None)
example_settings.load_profile("no deadline")

# Programs of the system that some tests start, by marker: any of these names will do.
PROGRAMS = {
    "browser": (("chromium", "chromium-browser", "google-chrome"),),
    "prometheus": (("promtool",), ("prometheus",), ("amtool",)),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without CI=true, tests whose programs are not installed are skipped, and say so; in CI they have to run."""
    if os.environ.get("CI") == "true":
        return
    for marker, needed in PROGRAMS.items():
        missing = [names[0] for names in needed if not any(map(shutil.which, names))]
        if missing:
            mark = pytest.mark.skip(reason=f"not installed: {', '.join(missing)} (a package of the system)")
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(mark)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """What Kafka's client left behind goes now.

    Python 3.11 prints the traceback of a failure that nobody asked for with a parser that does not bear being called
    within itself, and plugins are parsed when they end.
    """
    gc.collect()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker that all tests share; tests that stop or kill one start their own."""
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def settings(broker: Broker, tmp_path: Path) -> Settings:
    """Settings for the shared broker, with topics, group and data folder of this test alone."""
    name = f"t{uuid.uuid4().hex[:12]}"
    return load(
        env_file=None,
        data_dir=tmp_path / "data",
        kafka={"bootstrap": broker.bootstrap, "topic_prefix": name, "group": name},
        worker={"static": False},
        api={"port": 0},
    )


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command that a test runs sends log lines to a stream that is closed when the test ends."""
    yield
    structlog.reset_defaults()
