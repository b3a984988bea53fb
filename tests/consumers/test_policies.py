"""Following the policies: what is found on the way to the end of the topic is not in force."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from consumers.follow import Batch, Tail
from consumers.policies import PolicyFollower
from consumers.policy_log import records
from consumers.settings import KafkaSettings
from monitor.policy import PolicySet, load

WHERE = TopicPartition("sqm.policy", 0)


def policies(goal: str) -> PolicySet:
    sla = f"{{id: answers, measure: first_response, goal: {goal}, period: 7d}}"
    return load([("p", f"policy: p\nlabels: []\ntargets: [{{clock: first_response, within: 1h}}]\nslas: [{sla}]\n")])


def published(given: PolicySet) -> list[Any]:
    """The records of a set."""
    return [SimpleNamespace(key=key, value=value) for key, value in records(given, datetime(2026, 3, 2, tzinfo=UTC))]


class InPieces(Tail):
    """A topic that is read with several fetches."""

    def __init__(self, fetches: Sequence[Sequence[Any]]) -> None:
        super().__init__(KafkaSettings(), [WHERE])
        self._fetches = list(fetches)

    async def take(self, timeout_seconds: float = 0.25) -> Batch:
        return {WHERE: self._fetches.pop(0)}

    async def at_end(self, partition: TopicPartition) -> bool:
        return not self._fetches


async def test_a_set_that_a_later_one_replaced_is_never_the_first_to_be_in_force() -> None:
    old, new = policies("90%"), policies("95%")
    follower = PolicyFollower(KafkaSettings())
    tail = InPieces([published(old), published(new)])
    first = asyncio.create_task(follower.first())
    await follower._take(tail, WHERE)
    done, _ = await asyncio.wait([first], timeout=0.05)
    assert not done
    await follower._take(tail, WHERE)
    assert await first == new
