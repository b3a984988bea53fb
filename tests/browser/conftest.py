"""A headless Chromium, and pages in it that complain of what no test may overlook."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.conftest import PROGRAMS

OpenPage = Callable[..., Awaitable[Page]]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
WIDE, PHONE = (1440, 900), (360, 740)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    [names] = PROGRAMS["browser"]
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, f"none of {', '.join(names)} is installed"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Opens pages; at the end none of them may have asked another host, nor have had an error in its scripts."""
    complaints: list[str] = []
    async with AsyncExitStack() as open_ones:

        async def opened(address: str, size: tuple[int, int] = WIDE, **options: Any) -> Page:
            width, height = size
            context = await browser.new_context(
                viewport={"width": width, "height": height}, reduced_motion="reduce", **options
            )
            open_ones.push_async_callback(context.close)
            page = await context.new_page()
            _watch(page, urlsplit(address).netloc, complaints)
            await page.goto(address)
            return page

        yield opened
        await _settled(browser)
    assert complaints == []


async def _settled(browser: Browser) -> None:
    """Whatever the pages had to say was said."""
    for context in browser.contexts:
        for page in context.pages:
            await page.evaluate("0")


def _watch(page: Page, host: str, complaints: list[str]) -> None:
    def asked(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != host:
            complaints.append(f"asked {url}")

    def said(kind: str, text: str, url: str) -> None:
        # That an answer is missing or an error is told by the browser itself, whatever the page makes of it.
        answered = text.startswith("Failed to load resource") and "/v1/" in url
        if kind in ("error", "warning") and not answered:
            complaints.append(f"{kind}: {text} ({url})")

    page.on("request", lambda request: asked(request.url))
    page.on("console", lambda message: said(message.type, message.text, message.location["url"]))
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
