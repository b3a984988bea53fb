"""The whole of it: a real broker, `sqm run` as somebody starts it, events over Kafka, and a browser that looks on."""

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from consumers.broker import Broker
from consumers.settings import PREFIX, Settings, load
from tests.browser.conftest import OpenPage
from tests.kafka.traffic import ROOT, Event, Sent, as_environment, event, send, until

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

POLICY = """
policy: shop
labels: [service]
limits: {min_n: 5, grace: 0s}
targets:
  - {clock: first_response, within: 1h}
slas:
  - {id: answers, title: Customers are answered, measure: first_response, by: [service],
     goal: 95%, period: 7d, min_events: 10}
"""


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """One that may be killed."""
    with Broker(tmp_path / "kafka") as running:
        yield running


@pytest.fixture
def system(own_broker: Broker, tmp_path: Path) -> Iterator[tuple[Settings, Path]]:
    """`sqm run` with that broker: its settings, and the file with what it says."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    kafka = {"bootstrap": own_broker.bootstrap, "partitions": 2, "retry_pause_seconds": 1.0}
    settings = load(
        env_file=None, data_dir=tmp_path / "data", policy=(policy,), kafka=kafka, api={"port": 0}
    )  # fmt: skip
    outside = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    command = [str(Path(sys.executable).with_name("sqm")), "run"]
    said = tmp_path / "said.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            command, env=outside | as_environment(settings), cwd=ROOT, stdout=output, stderr=output
        )
    try:
        yield settings, said
    finally:
        process.kill()
        process.wait()


def keyed(one: Event) -> Sent:
    return one["subject"].encode(), json.dumps(one).encode()


def answered(when: datetime, seconds: float) -> Sent:
    case = uuid.uuid4().hex
    return keyed(event(case, 0, "interaction.measured", when, service="shop", response_time_s=seconds))


@asynccontextmanager
async def incident(settings: Settings) -> AsyncIterator[None]:
    """Meanwhile whoever asks the shop is answered two hours later."""

    async def go_on() -> None:
        while True:
            now = datetime.now(UTC)
            await send(settings, [answered(now - timedelta(seconds=n), 7_200) for n in range(10)])
            await asyncio.sleep(1)

    under_way = asyncio.create_task(go_on())
    try:
        yield
    finally:
        under_way.cancel()
        with suppress(asyncio.CancelledError):
            await under_way


async def address_of(said: Path) -> str:
    def found() -> "re.Match[str] | None":
        return re.search(r"http://127\.0\.0\.1:\d+", said.read_text())

    await until(lambda: found() is not None, 60, said.read_text)
    match = found()
    assert match
    return match[0]


async def test_the_page_fills_an_incident_is_seen_and_a_dead_broker_is_told(
    own_broker: Broker, system: tuple[Settings, Path], open_page: OpenPage
) -> None:
    settings, said = system
    page = await open_page(await address_of(said))
    verdict, freshness = page.locator("#verdict"), page.locator("#freshness")
    await expect(page.locator("body[data-tick]")).to_be_attached(timeout=60_000)

    now = datetime.now(UTC)
    good = [answered(now - timedelta(hours=1, seconds=n), 30) for n in range(200)]
    waiting = [keyed(event(f"order-{n}", 0, "interaction.opened", now, service="shop")) for n in range(3)]
    await send(settings, [*good, *waiting])
    await expect(page.locator("#balance")).to_have_text(
        "Balanced: each of 203 events read is accounted for.", timeout=30_000
    )
    await expect(page.locator("#slas > li")).to_contain_text("shop: Customers are answered")
    await expect(page.locator("#services tr")).to_contain_text("shop")
    await expect(page.locator("#clocks tr")).to_have_count(3)
    await page.select_option("#window", "1d")
    await expect(page.locator("#indicators li", has_text="First responses within target")).to_contain_text("100.0 %")
    await expect(verdict).to_have_attribute("data-level", "good")

    async with incident(settings):
        alert = page.locator('#alerts > li[data-severity="page"]')
        await expect(alert).to_contain_text("shop: Customers are answered", timeout=45_000)
        await expect(alert).to_contain_text("[burning]")
        await expect(verdict).to_have_attribute("data-level", "bad")
        await expect(freshness).to_contain_text("Live")

    await asyncio.to_thread(own_broker.kill)
    await expect(freshness).to_contain_text("Figures are stale: as of", timeout=60_000)
    await expect(freshness).to_contain_text(own_broker.bootstrap)
    await asyncio.to_thread(own_broker.start)
    await expect(freshness).to_contain_text("Live", timeout=60_000)
