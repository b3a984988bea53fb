"""A backlog is seen by who only reads: it is spoken of while it is there, and no longer."""

import pytest

from consumers import topics
from consumers.backlog import Backlog, follow
from consumers.settings import Settings
from tests.kafka.traffic import lives, replicated, running, send, until, working

pytestmark = pytest.mark.kafka


async def test_a_backlog_is_seen_from_outside_until_it_is_worked_off(settings: Settings) -> None:
    await topics.ensure(settings.kafka)
    backlog, sent = Backlog(), lives(50)
    async with replicated(settings) as replica, running(follow(settings.kafka, replica, backlog)):
        await send(settings, sent)
        await until(lambda: backlog.left() is not None)
        left = backlog.left()
        assert left is not None
        assert left.records == len(sent)
        assert str(left) == f"catching up, {len(sent)} records left"  # how fast is not known so soon
        async with working(settings):
            await until(lambda: backlog.left() is None)
