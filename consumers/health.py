"""How a role fares: for `/readyz`, metrics and the page. Sentences, not codes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from time import perf_counter


class Status(StrEnum):
    STARTING = "starting"
    RESTORING = "restoring"
    RUNNING = "running"
    DISCONNECTED = "disconnected"  # goes on by itself once Kafka answers
    FAILING = "failing"  # tries again by itself, but an error comes back
    HALTED = "halted"  # somebody has to decide
    STOPPED = "stopped"


@dataclass
class PartitionHealth:
    """One partition as its worker sees it."""

    partition: int
    status: Status = Status.STARTING
    detail: str = ""  # a sentence, where something is wrong
    now: datetime | None = None
    current: bool = False  # all topics keep up
    lag: int = 0  # offsets between what was committed and the end
    last_commit: datetime | None = None
    records: int = 0  # taken from Kafka since the start
    committed: int = 0  # of these, in the committed state
    seconds: dict[str, float] = field(default_factory=dict)  # spent since the start, by stage

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time within to a stage."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


@dataclass
class RoleHealth:
    """One role of this process."""

    role: str
    status: Status = Status.STARTING
    detail: str = ""
    partitions: dict[int, PartitionHealth] = field(default_factory=dict)
    warm: int = 0  # copies of other workers' partitions that could be taken over now
    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)  # of alerts: by receiver and result

    def set(self, status: Status, detail: str = "") -> None:
        self.status, self.detail = status, detail

    def trouble(self) -> str | None:
        """Why this role's figures cannot be trusted now, in a sentence; None when they can."""
        if self.status != Status.RUNNING:
            return self.detail or f"the {self.role} is {self.status}"
        details = dict.fromkeys(p.detail for p in self.partitions.values() if p.detail)
        if details:
            return "; ".join(details)
        restoring = [p.partition for p in self.partitions.values() if p.status != Status.RUNNING]
        if restoring:
            return f"the {self.role} is restoring {len(restoring)} of {len(self.partitions)} partitions"
        return None
