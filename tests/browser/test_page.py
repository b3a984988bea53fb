"""The page in a real browser, around states that the real engine folded: what it shows, and when it warns."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

import msgspec
import polars as pl
import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from playwright.async_api import Page, expect

from api.context import Context
from api.ticker import Ticker
from consumers.holes import Hole, accepted
from consumers.policies import FixedPolicies
from consumers.policy_log import Refused
from consumers.settings import load
from monitor.frames import ALERTS
from monitor.names import HoleKind, PolicyRefusal
from tests.api.serving import served
from tests.api.test_ticker import alert
from tests.api.world import NOON, VERIFIED, Replica, lives, policies
from tests.browser.conftest import PHONE, WIDE, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# Contrast of every text that is visible against what lies behind it, by WCAG 2.2 (1.4.3).
CONTRASTS = """() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const behind = (element) => {
    if (!element) return parse(getComputedStyle(document.body).backgroundColor);
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? behind(element.parentElement) : over(own, behind(element.parentElement));
  };
  const light = (color) => {
    const [r, g, b] = color.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("noscript")) continue;
    const back = behind(element);
    const [high, low] = [light(over(parse(getComputedStyle(element).color), back)), light(back)].sort((a, b) => b - a);
    found.push([Math.round(((high + 0.05) / (low + 0.05)) * 100) / 100, walker.currentNode.data.trim()]);
  }
  return found;
}"""


class World:
    """A served page over folded states, ticking."""

    def __init__(self) -> None:
        self.replica = Replica(policies())
        self.replica.fold(lives(), NOON)
        settings = load(env_file=None, judge={"tick_seconds": 0.2})
        self.here = Context(settings, self.replica, FixedPolicies(self.replica.policies))
        self.address = ""
        self._ticker = Ticker(self.here, wall=lambda: NOON)
        self._server = AsyncExitStack()

    async def serve(self) -> None:
        port = int(self.address.rpartition(":")[2] or 0)
        self.address = await self._server.enter_async_context(served(self.here, port))

    async def fall_silent(self) -> None:
        await self._server.aclose()

    def raise_alert(self, **row: Any) -> None:
        """As the replica does when the judge has written one."""
        rows = pl.DataFrame([alert(**row)], schema=dict(ALERTS), orient="row")
        known = self.replica.alerts.filter(pl.col("id") != rows["id"][0])
        self.replica.alerts = pl.concat([known, rows])
        self.replica.judge(rows.row(0, named=True))

    async def tick(self) -> None:
        await self._ticker.run()


@pytest_asyncio.fixture(loop_scope="module")
async def world() -> AsyncIterator[World]:
    made = World()
    await made.serve()
    ticking = asyncio.create_task(made.tick())
    yield made
    await made.fall_silent()
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking


async def texts(page: Page, selector: str) -> list[str]:
    return [" ".join(text.split()) for text in await page.locator(selector).all_inner_texts()]


async def full(page: Page) -> None:
    """Until the page shows a tick."""
    await expect(page.locator("body[data-tick]")).to_be_attached(timeout=30_000)


async def test_the_page_fills_with_the_worst_first(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    await full(page)
    await expect(page.locator("#verdict")).to_have_attribute("data-level", "bad")
    await expect(page.locator("#verdict-said")).to_have_text("2 objectives breached.")
    await expect(page.locator("#verdict-worst")).to_have_text(
        "Worst: billing: Every customer is answered in time, 50.0 % of 95 %."
    )
    assert (await page.title()).startswith("⚠ 2 objectives breached")
    first, _, last = await texts(page, "#slas > li")
    assert first.startswith("breached billing: Every customer is answered in time 50.00 % of 95 %")
    assert "over by 900 %" in first
    assert "6 of 12 missed it over 30d" in first
    assert last.startswith("too few promises 25.00 % of 90 %")
    assert await texts(page, "#services th") == ["billing", "web"]
    await expect(page.locator("#clocks tr")).to_have_count(16)
    nearest = page.locator("#clocks tr").first
    await expect(nearest).to_have_text(re.compile(r"^INC-004billing · P2promise(1 h|59 m \d+ s)83 %9\d % of 3$"))
    assert await texts(page, "#balance") == ["Balanced: each of 61 events read is accounted for."]
    assert "1 refused: bad time" in await texts(page, "#refusals li")
    await expect(page.locator("#charts canvas")).to_have_count(4)


async def test_indicators_stand_by_dimension_with_interval_and_n(world: World, open_page: OpenPage) -> None:
    page = await open_page(f"{world.address}/#window=1d")
    await full(page)
    assert await page.locator("#window").input_value() == "1d"
    assert await page.locator("#indicators h3").all_text_contents() == ["responsiveness", "reliability", "perception"]
    row = page.locator("#indicators li", has_text="First responses within target")
    await expect(row).to_have_text("First responses within target54.2 %35.1 % to 72.1 %24")
    await page.select_option("#window", "1h")
    await expect(row).not_to_contain_text("54.2 %")
    assert page.url.endswith("#window=1h")


async def test_an_alert_that_comes_on_the_stream_is_shown_and_ends_among_the_ended(
    world: World, open_page: OpenPage
) -> None:
    page = await open_page(world.address)
    await expect(page.locator("#alerts-none")).to_be_visible()
    world.raise_alert(title="web burns its budget", detail="5 of 12 were late")
    await expect(page.locator("#alerts > li")).to_contain_text("web burns its budget")
    await expect(page.locator("#alerts > li")).to_contain_text("5 of 12 were late [burning]")
    await expect(page.locator("#alerts-count")).to_have_text("1 firing")
    await expect(page.locator("#verdict-said")).to_contain_text("1 alert firing")
    world.raise_alert(state="resolved", reason="recovered", minutes=1)
    await expect(page.locator("#alerts > li")).to_have_count(0)
    await page.click("#ended summary")
    await expect(page.locator("#alerts-ended > li")).to_contain_text("[recovered]")


async def test_of_many_alerts_the_loudest_come_first_and_the_rest_on_demand(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    for number in range(8):
        world.raise_alert(id=f"t{number}", severity="ticket", title=f"ticket {number}")
    world.raise_alert(id="p", severity="page", since=NOON - timedelta(hours=1))
    rows = page.locator("#alerts > li")
    await expect(rows).to_have_count(9)
    await expect(rows.first).to_have_attribute("data-severity", "page")
    await expect(rows.nth(8)).to_be_hidden()
    await page.get_by_role("button", name="Show 3 more").click()
    await expect(rows.nth(8)).to_be_visible()


async def test_the_service_filter_filters_everything_and_stays_in_the_address(
    world: World, open_page: OpenPage
) -> None:
    world.raise_alert(service="billing", title="billing burns its budget")
    page = await open_page(world.address)
    await full(page)
    await page.select_option("#service", "web")
    await expect(page.locator("#slas > li")).to_have_count(1)
    assert page.url == f"{world.address}/#service=web"
    await page.reload()
    await full(page)
    assert await page.locator("#service").input_value() == "web"
    assert await texts(page, "#services th") == ["web"]
    assert all("web" in text for text in await texts(page, "#clocks th"))
    await expect(page.locator("#verdict-said")).to_have_text("web: 1 objective breached.")
    await expect(page.locator("#alerts-none")).to_be_visible()
    # What it leaves out is said, so that nobody takes it for all there is.
    await expect(page.locator("#hidden")).to_contain_text("2 objectives, 1 firing alert")
    await page.click("#hidden-all")
    await expect(page.locator("#slas > li")).to_have_count(3)
    await expect(page.locator("#alerts > li")).to_have_count(1)


async def test_a_case_opens_from_the_list_with_its_clocks_and_events_and_keeps_the_filter(
    world: World, open_page: OpenPage
) -> None:
    page = await open_page(f"{world.address}/#service=billing")
    await full(page)
    await page.get_by_role("link", name="INC-004").first.click()
    await expect(page.locator("#case-title")).to_have_text("Case INC-004")
    await expect(page.locator("#case-body tr", has_text="promise")).to_contain_text("at risk")
    await expect(page.locator("#case-body tr", has_text="responded")).to_be_visible()
    assert page.url.endswith("#service=billing&case=INC-004")
    await page.click("#case-close")
    await expect(page.locator("#case")).to_be_hidden()
    assert page.url.endswith("#service=billing")
    await page.goto(f"{world.address}/#case=NO-SUCH")
    await expect(page.locator("#case-body")).to_contain_text("NO-SUCH")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_a_case_is_drawn_on_one_time_axis_and_told_in_words(
    world: World, open_page: OpenPage, size: tuple[int, int]
) -> None:
    page = await open_page(f"{world.address}/#case=INC-003", size)
    await full(page)
    drawing = page.get_by_role("img", name="resolution open")
    await expect(drawing.locator(".name")).to_have_text(
        ["first response: breached", "resolution: open", "promise: no target"]
    )
    paused = drawing.locator("rect.paused")
    await expect(paused.locator("title")).to_contain_text("paused for customer")
    counted = drawing.locator("svg.clock", has_text="resolution").locator("rect.counted")
    whole, before, after = [
        await one.evaluate("(e) => e.getBoundingClientRect()") for one in (drawing, counted, paused)
    ]
    # One hour that counts, then three of a pause, on an axis from the opening to now.
    assert before["width"] == pytest.approx(whole["width"] / 4, abs=2)
    assert after["width"] == pytest.approx(whole["width"] * 3 / 4, abs=2)
    assert whole["right"] <= size[0]
    said = await texts(page, "#case-body .clock-told:has-text('Resolution') .moves > li > span")
    assert said[:3] == [
        "opened: line 3 (every case), 24 h round the clock: 0 m of 24 h used, due Sat 08:00",
        "paused for customer: 1 h of 24 h used, no due while paused",
        "now open: 1 h of 24 h used, no due while paused",
    ]
    await page.locator("summary", has_text="1 h count, 3 h paused").click()
    await expect(page.locator(".clock-told details[open] li", has_text="3 h: paused for customer")).to_be_visible()


async def test_it_says_that_its_figures_are_stale_when_partitions_fall_behind(
    world: World, open_page: OpenPage
) -> None:
    page = await open_page(world.address)
    freshness = page.locator("#freshness")
    await expect(freshness).to_contain_text("Live: as of")
    before = await page.locator("#slas").bounding_box()
    current = world.replica.states[0].now
    world.replica.states[0].now = NOON - timedelta(minutes=5)
    await expect(freshness).to_contain_text("Figures are stale: as of")
    await expect(freshness).to_contain_text("1 of 2 partitions is behind")
    await expect(page.locator("body")).to_have_attribute("data-freshness", "stale")
    assert await page.locator("#slas").bounding_box() == before  # nothing moves
    world.replica.states[0].now = current
    await expect(freshness).to_contain_text("Live: as of")


async def test_it_says_that_the_connection_is_lost_and_goes_on_by_itself(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    await full(page)
    await world.fall_silent()
    await expect(page.locator("#freshness")).to_contain_text("Connection lost")
    await expect(page.locator("#freshness")).to_contain_text("Trying again")
    await expect(page.locator("body")).to_have_class("lost")
    seen = await page.locator("body").get_attribute("data-tick")
    await world.serve()
    await expect(page.locator("#freshness")).to_contain_text("Live: as of", timeout=15_000)
    assert await page.locator("body").get_attribute("data-tick") != seen


async def test_the_ledger_out_of_balance_is_the_first_thing_said(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    await full(page)
    state = world.replica.states[0]
    state.ledger = lambda: {"read": 9}  # type: ignore[method-assign] # of this one state
    await expect(page.locator("#verdict-said")).to_contain_text("The ledger does not balance")
    await expect(page.locator("#balance")).to_contain_text("NOT BALANCED")


async def test_what_was_verified_last_is_told_below_the_balance(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    await full(page)
    line = page.locator("#verified")
    await expect(line).to_be_hidden()
    world.here.verified = lambda: VERIFIED
    await expect(line).to_contain_text(
        "NOT EQUAL, 3 differences. partition 1: first response met: live 3, recomputed 2."
    )
    await expect(line).to_contain_text("Not proven: partition 0: sqm.events begins at offset 7")
    world.here.verified = lambda: msgspec.structs.replace(VERIFIED, result="equal", unproven=[])
    await expect(line).to_contain_text("recomputed from 58 events, equal.")


async def test_what_is_missing_torn_or_still_to_be_read_is_said(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    await full(page)
    hole = Hole("sqm.events/1@7", HoleKind.EXPIRED, "sqm.events", 7, 10, 3, False, 10, "3 records are gone")
    world.replica.states[1].apply({"holes": accepted([hole], NOON)})
    holes = page.locator("#holes > li")
    await expect(holes).to_have_text(
        [
            "A hole: 3 records of sqm.events, partition 1, are gone that were never counted; "
            "accepted 2026-11-20T12:00:00.000Z"
        ]
    )
    await expect(page.locator("#slas > li").first).to_contain_text("records are missing (see the ledger)")
    where = TopicPartition("sqm.events", 0)
    for second in range(21):
        world.here.backlog.add(NOON + timedelta(seconds=second), {where: second * 100}, {where: 74_000})
    await expect(page.locator("#freshness")).to_contain_text("catching up, 12 min left (72,000 records)")


@pytest.mark.parametrize("address", ["/", "/#case=INC-004", "/#service=web"])
async def test_a_phone_never_has_to_be_scrolled_sideways(world: World, open_page: OpenPage, address: str) -> None:
    world.raise_alert(title="a" * 90, detail="word " * 60)
    page = await open_page(world.address + address, PHONE)
    await expect(page.locator("#slas > li").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_every_text_can_be_read_in_light_and_in_dark(
    world: World, open_page: OpenPage, scheme: str, size: tuple[int, int]
) -> None:
    world.raise_alert()
    world.raise_alert(id="t", severity="ticket")
    world.replica.states[0].now = NOON - timedelta(minutes=5)
    page = await open_page(f"{world.address}/#case=INC-004", size, color_scheme=scheme)
    await expect(page.locator("#freshness")).to_contain_text("stale")
    await expect(page.locator("#case-body table").first).to_be_visible()
    found = await page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [pair for pair in found if pair[0] < 4.5] == []


async def test_a_label_is_text_whatever_it_holds(world: World, open_page: OpenPage) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    world.raise_alert(title=nasty, detail=nasty, service=nasty)
    page = await open_page(world.address)
    await expect(page.locator("#alerts .title")).to_have_text(nasty)
    assert await page.locator("#alerts img").count() == 0


async def test_refused_policy_files_are_told_of_until_they_are_taken(world: World, open_page: OpenPage) -> None:
    page = await open_page(world.address)
    notice = page.locator("#refused")
    await full(page)
    await expect(notice).to_be_hidden()
    problem = "desk.yaml:3: targets[0].within: a bare number has no unit"
    world.here.policies.log.refused = Refused(NOON, PolicyRefusal.INVALID, [problem])
    await expect(notice).to_contain_text("The policy files are not right: the policy before them stays in force")
    await expect(notice).to_contain_text(problem)
    found = [ratio for ratio, text in await page.evaluate(CONTRASTS) if text == problem]
    assert len(found) == 1
    assert found[0] >= 4.5
    world.here.policies.log.refused = None
    await expect(notice).to_be_hidden()
