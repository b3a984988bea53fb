"""Telling receivers about alerts, at least once each, in order.

Each receiver has a queue of its own and is told one thing at a time, so that none waits for another. What fails is
tried again with growing pauses for a day, under the same id; what is refused as such is given up. A receiver is told
again what it knows only where nobody is left to record that it was told, or where its answer was lost.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import httpx2
import stamina
import structlog
from stamina.instrumentation import set_on_retry_hooks

from consumers.alerts_log import Delivery, Row
from consumers.receivers import NotDelivered, Refused, tell
from consumers.to_the_end import to_the_end
from monitor.policy.model import Receiver

log = structlog.get_logger()

PATIENCE_SECONDS: Final = 10.0  # for one answer
LAST_WORDS_SECONDS: Final = 2.0  # for an answer to what is being told when nobody is to be told any more
FIRST_PAUSE: Final = timedelta(milliseconds=500)
LONGEST_PAUSE: Final = timedelta(minutes=1)
GIVE_UP_AFTER: Final = timedelta(days=1)
REPEAT_EVERY: Final = timedelta(minutes=1)  # Alertmanager takes for resolved what it is not told again

Key = tuple[str, str, str, datetime]  # of a Delivery


class Result(StrEnum):
    """What became of a try to deliver: log field and metric label."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    GIVEN_UP = "given_up"


class Courier:
    """Delivers transitions. It remembers what it was given until that is recorded, and takes nothing twice."""

    def __init__(self, counts: Counter[tuple[str, str]] | None = None) -> None:
        """`counts`: where results are counted, by receiver and `Result`."""
        set_on_retry_hooks([])  # what fails is logged here, with its receiver and alert
        self._client: httpx2.AsyncClient | None = None
        self._known: dict[Key, Delivery] = {}
        self._settled: list[Delivery] = []
        self._receivers: Mapping[str, Receiver] = {}
        self._queues: dict[str, asyncio.Queue[Delivery | list[Row]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._repeated: datetime | None = None
        self.counts: Counter[tuple[str, str]] = Counter() if counts is None else counts

    def use(self, receivers: Mapping[str, Receiver]) -> None:
        """Deliver to these from now on: those of a new policy."""
        self._receivers = receivers

    def send(self, deliveries: Iterable[Delivery]) -> None:
        """Queue deliveries that it has not got yet; each receiver is told its own in this order."""
        for delivery in deliveries:
            if delivery.key not in self._known:
                self._known[delivery.key] = delivery
                self._queue(delivery.receiver).put_nowait(delivery)

    def settled(self) -> list[Delivery]:
        """What was told, or given up, and not yet said to be recorded."""
        return list(self._settled)

    def recorded(self, deliveries: Iterable[Delivery]) -> None:
        """Forget these: they are recorded as settled."""
        keys = {delivery.key for delivery in deliveries}
        self._settled = [delivery for delivery in self._settled if delivery.key not in keys]
        for key in keys:
            self._known.pop(key, None)

    def repeat(self, firing: Callable[[str], list[Row]], wall: datetime) -> None:
        """Once a minute, tell each Alertmanager again what fires; one that does not answer is not pressed.

        :param firing: the alerts that fire for the receiver of that name
        """
        if self._repeated is not None and wall - self._repeated < REPEAT_EVERY:
            return
        self._repeated = wall
        for name, receiver in self._receivers.items():
            if receiver.kind == "alertmanager" and self._queue(name).empty() and (alerts := firing(name)):
                self._queue(name).put_nowait(alerts)

    async def stop(self) -> None:
        """Begin to tell nothing more; what is being told is settled, if its answer comes soon."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks, self._queues = {}, {}

    async def close(self) -> None:
        """Stop and forget; what was not delivered stays recorded as such."""
        await self.stop()
        self._known, self._settled = {}, []
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _queue(self, name: str) -> asyncio.Queue[Delivery | list[Row]]:
        if name not in self._queues:
            self._queues[name] = asyncio.Queue()
            self._tasks[name] = asyncio.create_task(self._work(name), name=f"telling {name}")
        return self._queues[name]

    async def _work(self, name: str) -> None:
        queue = self._queues[name]
        while True:
            item = await queue.get()
            if isinstance(item, Delivery):
                await self._deliver(item)
                continue
            try:
                await self._tell(name, item)
            except NotDelivered as error:
                log.warning("Alertmanager was not told again what fires", receiver=name, error=str(error))

    async def _deliver(self, delivery: Delivery) -> None:
        told = {"receiver": delivery.receiver, "alert": delivery.alert["id"], "state": delivery.alert["state"]}
        tries = stamina.retry_context(
            on=lambda error: isinstance(error, NotDelivered) and error.retriable,
            attempts=None,
            timeout=GIVE_UP_AFTER,
            wait_initial=FIRST_PAUSE,
            wait_max=LONGEST_PAUSE,
        )
        try:
            async for attempt in tries:
                with attempt:
                    await to_the_end(self._try(delivery, told), LAST_WORDS_SECONDS)
        except NotDelivered as error:
            self.counts[delivery.receiver, Result.GIVEN_UP] += 1
            self._settled.append(delivery)
            log.error("alert given up", **told, error=str(error))

    async def _try(self, delivery: Delivery, told: Mapping[str, str]) -> None:
        try:
            await self._tell(delivery.receiver, [delivery.alert])
        except NotDelivered as error:
            if error.retriable:
                self.counts[delivery.receiver, Result.RETRIED] += 1
                log.warning("alert not delivered yet", **told, error=str(error))
            raise
        self.counts[delivery.receiver, Result.DELIVERED] += 1
        self._settled.append(delivery)
        log.info("alert delivered", **told)

    async def _tell(self, name: str, alerts: list[Row]) -> None:
        receiver = self._receivers.get(name)
        if receiver is None:
            raise Refused("the policy in force does not name this receiver")
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=PATIENCE_SECONDS, follow_redirects=False)
        try:
            await tell(receiver, alerts, self._client)
        except NotDelivered:
            raise
        except Exception as error:  # of a library: the others' alerts must not wait for it
            raise NotDelivered(f"unexpected: {type(error).__name__}") from error
