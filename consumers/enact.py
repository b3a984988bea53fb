"""The policy files come into force: read when somebody changes them, admitted by the elected judge, or refused.

Every process that may judge looks at its files about once a second. What they say is compared with the policy in
force; only the elected judge publishes, so that a standby with files of yesterday changes nothing. Looking at the
content, and not waiting for the file system to call, also sees what is mounted over a network or swapped by links.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from consumers.client import said
from consumers.policies import PolicyFollower, publish, publish_refused
from consumers.policy_log import Refused, Restatement
from consumers.replica import Replica
from consumers.settings import KafkaSettings
from consumers.tables import FileError
from monitor.names import PolicyRefusal
from monitor.policy import FileProblems, PolicyFrozen, PolicySet, admitted, default_policy, load
from monitor.state import SEMANTICS

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0

Texts = tuple[tuple[str, str], ...]  # file name, content
Content = Texts | FileError | None  # None: no files were named


class Elected(Protocol):
    """Who knows whether this process is the judge."""

    @property
    def elected(self) -> bool: ...


class Enactor:
    """See the module. Without files the policy in force stays; if there is none, the built-in one is published.

    :param texts: reads the files; raises FileError. None: no files were named
    :param follower, replica: run by somebody else
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        follower: PolicyFollower,
        replica: Replica,
        judge: Elected,
        texts: Callable[[], Texts] | None,
    ) -> None:
        self._kafka = kafka
        self._follower = follower
        self._replica = replica
        self._judge = judge
        self._texts = texts
        self._told = asyncio.Event()
        self._seen: str | None = None  # the content as it was a moment ago
        self._done: str | None = None  # the content that was taken, or refused
        self._looked: tuple[str, str, bool] | None = None

    def look_again(self) -> None:
        """Read the files now, and say what becomes of them also if they are the same."""
        self._done = self._looked = None
        self._told.set()

    async def run(self) -> None:
        """Look until cancelled."""
        await self._follower.read.wait()
        self._seen = _key(await asyncio.to_thread(self._content))
        while True:
            try:
                await self._look()
            except KafkaError as error:
                self._looked = None
                log.warning("the policy files are looked at again", error=said(error))
            self._told.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        content = await asyncio.to_thread(self._content)
        key = _key(content)
        settled, self._seen = key == self._seen, key  # somebody may be writing right now
        if not settled or key == self._done:
            return
        in_force = self._follower.current
        if in_force is not None and not self._replica.caught_up:
            return  # what was judged is not known yet
        looked = (key, in_force.digest if in_force else "", self._judge.elected)
        if looked != self._looked:
            self._looked = looked
            if await self._settle(content, in_force):
                self._done = key

    def _content(self) -> Content:
        try:
            return None if self._texts is None else self._texts()
        except FileError as error:
            return error

    async def _settle(self, content: Content, in_force: PolicySet | None) -> bool:
        """Whether nothing is left to do about this content."""
        may = self._judge.elected or in_force is None
        try:
            wanted = await asyncio.to_thread(self._wanted, content, in_force)
        except (FileError, FileProblems, PolicyFrozen) as error:
            if may:
                refused = Refused(datetime.now(UTC), _reason(error), str(error).splitlines())
                log.error("the policy files are refused", reason=refused.reason, problems=refused.problems)
                await publish_refused(self._kafka, refused)
            return may
        if in_force is not None and wanted.digest == in_force.digest and not self._new_semantics():
            if may and self._follower.log.refused is not None:
                await publish_refused(self._kafka, None)
            log.info("the policy files are in force", policy=wanted.name, digest=wanted.digest[:12])
            return True
        if may:
            await publish(self._kafka, wanted, self._restatement(in_force, wanted))
        return may

    def _wanted(self, content: Content, in_force: PolicySet | None) -> PolicySet:
        """The versions that should be in force. Raises FileError, PolicyError, PolicyFrozen."""
        if isinstance(content, FileError):
            raise content
        if content is None and in_force is not None:
            return in_force
        given = default_policy() if content is None else load(content)
        with self._replica.reading() as states:
            newest = [state.newest_event for state in states.values() if state.newest_event is not None]
        return admitted(given, in_force, max(newest, default=None), datetime.now(UTC).year)

    def _new_semantics(self) -> bool:
        known = self._follower.log.in_force
        return known is not None and known.semantics != SEMANTICS

    def _restatement(self, in_force: PolicySet | None, wanted: PolicySet) -> Restatement | None:
        """The record of rules of the program that judge all live cases anew."""
        known = self._follower.log.in_force
        if in_force is None or known is None or known.semantics == SEMANTICS:
            return None
        return Restatement(
            number=self._follower.log.next_restatement,
            at=datetime.now(UTC),
            by=f"sqm {version('sqm')}",
            why=f"the rules of the program changed: semantics {known.semantics} -> {SEMANTICS}",
            before=in_force.digest,
            after=wanted.digest,
            semantics=SEMANTICS,
        )


def _key(content: Content) -> str:
    """The same for the same content."""
    return str(content) if isinstance(content, FileError) else repr(content)


def _reason(error: Exception) -> PolicyRefusal:
    if isinstance(error, FileError):
        return PolicyRefusal.UNREADABLE
    return PolicyRefusal.FROZEN if isinstance(error, PolicyFrozen) else PolicyRefusal.INVALID
