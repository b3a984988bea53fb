"""The policy files come into force, or are refused: what the roles are told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from consumers import enact
from consumers.enact import Enactor
from consumers.policies import PolicyFollower
from consumers.policy_log import Refused, Restatement, of_refused, records
from consumers.replica import Replica
from consumers.settings import KafkaSettings, load
from consumers.tables import FileError
from monitor.names import PolicyRefusal
from monitor.policy import PolicySet
from monitor.state import SEMANTICS, State

JUDGED = datetime(2026, 3, 2, tzinfo=UTC)
TEXT = "policy: desk\nlabels: [service]\ntargets: [{clock: resolution, within: 2h}]\n"
SLA = "slas: [{id: done, measure: resolution, goal: 90%, period: 7d}]\n"


class World:
    """A policy topic, a judge, and one policy file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.path = path
        self.follower = PolicyFollower(KafkaSettings())
        self.follower.read.set()
        self.replica = Replica(load(env_file=None), alerts=False)
        self.replica._partitions, self.replica._alerts_read = 1, True
        state = State()
        state.newest_event = JUDGED
        self.replica.states[0] = state
        self.judge = SimpleNamespace(elected=True)
        self.published: list[PolicySet] = []
        self.enactor = self.another(self.judge)
        monkeypatch.setattr(enact, "publish", self._publish)
        monkeypatch.setattr(enact, "publish_refused", self._publish_refused)
        monkeypatch.setattr(enact, "LOOK_SECONDS", 0.005)

    def another(self, judge: Any, path: Path | None = None) -> Enactor:
        read = path or self.path

        def texts() -> tuple[tuple[str, str], ...]:
            try:
                return ((read.name, read.read_text()),)
            except OSError as error:
                raise FileError(f"{read.name}: {error.strerror}") from None

        return Enactor(KafkaSettings(), self.follower, self.replica, judge, texts)

    def write(self, text: str) -> None:
        self.path.write_text(text)

    @property
    def refused(self) -> Refused | None:
        return self.follower.log.refused

    async def _publish(self, _: KafkaSettings, policies: PolicySet, restatement: Restatement | None = None) -> None:
        for record in records(policies, datetime.now(UTC), restatement):
            self.follower.log.read(*record)
        assert self.follower.log.in_force is not None
        await self.follower._adopt(self.follower.log.in_force)
        self.published.append(policies)

    async def _publish_refused(self, _: KafkaSettings, refused: Refused | None) -> None:
        self.follower.log.read(*of_refused(refused))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    made = World(monkeypatch, tmp_path / "desk.yaml")
    made.write(TEXT)
    return made


@asynccontextmanager
async def running(enactor: Enactor) -> AsyncIterator[None]:
    task = asyncio.create_task(enactor.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


async def test_a_changed_file_comes_into_force_without_anybody_being_told(world: World) -> None:
    async with running(world.enactor):
        await until(lambda: world.published)
        world.write(TEXT + SLA)
        await until(lambda: world.follower.current and world.follower.current.newest.slas)
    assert len(world.published) == 2


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        (TEXT.replace("2h", "2"), PolicyRefusal.INVALID, "desk.yaml:3: targets[0].within: a bare number has no unit"),
        (TEXT.replace("2h", "3h"), PolicyRefusal.FROZEN, "the version without effective_from has judged cases"),
        (None, PolicyRefusal.UNREADABLE, "desk.yaml: No such file or directory"),
    ],
)
async def test_a_bad_file_leaves_the_policy_in_force_and_is_told_of_until_it_is_good_again(
    world: World, text: str | None, reason: PolicyRefusal, said: str
) -> None:
    async with running(world.enactor):
        await until(lambda: world.published)
        if text is None:
            world.path.unlink()
        else:
            world.write(text)
        await until(lambda: world.refused)
        assert world.refused is not None
        assert world.refused.reason == reason
        assert world.refused.problems[0].startswith(said)
        assert world.follower.current is not None
        assert world.follower.current.newest.targets[0].within == timedelta(hours=2)
        world.write(TEXT)
        await until(lambda: world.refused is None)
    assert len(world.published) == 1


async def test_a_version_of_its_own_may_promise_something_else(world: World) -> None:
    async with running(world.enactor):
        await until(lambda: world.published)
        world.write("effective_from: 2026-03-03T00:00:00Z\n" + TEXT.replace("2h", "3h"))
        await until(lambda: len(world.published) == 2)
    assert [v.targets[0].within for v in world.published[-1].versions] == [timedelta(hours=2), timedelta(hours=3)]


async def test_a_standby_changes_nothing_until_it_is_elected(world: World) -> None:
    async with running(world.enactor):
        await until(lambda: world.published)
    standby = SimpleNamespace(elected=False)
    world.write(TEXT + SLA)
    async with running(other := world.another(standby)):
        await until(lambda: other._looked and not other._looked[2])
        assert len(world.published) == 1
        standby.elected = True
        await until(lambda: len(world.published) == 2)


async def test_a_standby_with_the_files_of_yesterday_takes_nothing_back_when_it_is_elected(
    world: World, tmp_path: Path
) -> None:
    old, standby = tmp_path / "old.yaml", SimpleNamespace(elected=False)
    old.write_text(TEXT)
    async with running(world.enactor), running(other := world.another(standby, old)):
        await until(lambda: other._done)
        world.write(TEXT + SLA)
        await until(lambda: len(world.published) == 2)
        world.judge.elected, standby.elected = False, True
        await other._look()
    assert world.follower.current == world.published[-1]
    assert len(world.published) == 2


async def test_a_hangup_has_the_same_files_read_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(world.enactor):
        await until(lambda: world.enactor._done)
        world.enactor.look_again()
        await until(lambda: world.enactor._done)
    assert "the policy files are in force" in capsys.readouterr().out
    assert len(world.published) == 1


async def test_a_program_with_other_rules_puts_it_on_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(world.enactor):
        await until(lambda: world.published)
    monkeypatch.setattr(enact, "SEMANTICS", SEMANTICS + 1)
    monkeypatch.setattr("consumers.policy_log.SEMANTICS", SEMANTICS + 1)
    async with running(world.another(world.judge)):
        await until(lambda: world.follower.log.restatements)
    made = world.follower.log.restatements[1]
    assert made.why == f"the rules of the program changed: semantics {SEMANTICS} -> {SEMANTICS + 1}"
    assert made.before == made.after == world.published[0].digest


async def test_without_files_the_policy_in_force_stays_and_at_first_it_is_the_built_in_one(world: World) -> None:
    bare = Enactor(KafkaSettings(), world.follower, world.replica, world.judge, None)
    async with running(bare):
        await until(lambda: bare._done)
    assert [policies.name for policies in world.published] == ["default"]
