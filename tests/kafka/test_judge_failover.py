"""Two judges as processes of their own; the one that judges is killed while it tells somebody of an alert."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from consumers import topics
from consumers.policies import PolicyFollower
from consumers.settings import PREFIX, Settings
from consumers.worker import Worker
from tests.kafka.hook import SECRET, SECRET_ENV, Hook, receiving
from tests.kafka.traffic import as_environment, changed, event, running, send, until

pytestmark = pytest.mark.kafka

FAILOVER_SECONDS: Final = 15  # promised, from the end of one judge to what the next one tells

POLICY = """
policy: failover
labels: [service]
limits: {{grace: 1s}}
targets:
  - {{clock: first_response, within: 2s}}
slas:
  - id: answers
    measure: first_response
    goal: 95%
    period: 1h
    alerts: {{breach: each}}
    notify: [hook]
notify:
  hook: {{webhook: "{address}", secret_env: HOOK_SECRET}}
"""


class JudgeProcess:
    """`sqm judge`."""

    def __init__(self, settings: Settings, folder: Path, name: str) -> None:
        self._log = folder / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        environment = inherited | as_environment(settings) | {SECRET_ENV: SECRET}
        program = str(Path(sys.executable).with_name("sqm"))
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [program, "judge"], env=environment, cwd=folder, stdout=output, stderr=output
            )

    def elected(self) -> bool:
        lines = (json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{"))
        return any(line["event"] == "elected judge" for line in lines)

    def text(self) -> str:
        return self._log.read_text()[-2_000:]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def judges(settings: Settings, folder: Path) -> Iterator[list[JudgeProcess]]:
    both = [JudgeProcess(settings, folder, name) for name in ("one", "other")]
    try:
        yield both
    finally:
        for judge in both:
            judge.kill()


async def opened(settings: Settings, case: str) -> None:
    told: dict[str, Any] = event(case, 0, "interaction.opened", datetime.now(UTC), service="desk")
    await send(settings, [(case.encode(), json.dumps(told).encode())])


def cases(hook: Hook) -> Counter[str]:
    """How often it was told, and took, that a case is overdue."""
    return Counter(body["data"]["case"] for body in hook.bodies if body["data"]["kind"] == "breach")


async def test_another_judge_tells_within_seconds_what_a_killed_one_could_not(
    settings: Settings, tmp_path: Path
) -> None:
    await topics.ensure(settings.kafka)
    with receiving() as hook:
        policy = tmp_path / "policy.yaml"
        policy.write_text(POLICY.format(address=hook.address))
        policies = PolicyFollower(settings.kafka)
        worker = Worker(settings, policies)
        with judges(changed(settings, policy=(policy,)), tmp_path) as both:

            def words() -> str:
                return "\n".join(judge.text() for judge in both)

            async with running(policies.run()), running(worker.run()):
                await until(lambda: any(judge.elected() for judge in both), what=words)
                await opened(settings, "told before")
                await until(lambda: "told before" in cases(hook), what=words)
                hook.failures = 1_000_000
                await opened(settings, "being told")
                tried = len(hook.ids)
                await until(lambda: len(hook.ids) > tried, what=words)
                (active,) = (judge for judge in both if judge.elected())
                active.kill()
                killed = time.monotonic()
                hook.failures = 0
                await opened(settings, "overdue meanwhile")
                await until(lambda: {"being told", "overdue meanwhile"} <= cases(hook).keys(), what=words)
                took = time.monotonic() - killed
                assert took < FAILOVER_SECONDS, words()
                print(f"another judge told after {took:.1f} s")
                await opened(settings, "told after")
                await until(lambda: "told after" in cases(hook), what=words)
    assert cases(hook) == dict.fromkeys(["told before", "being told", "overdue meanwhile", "told after"], 1)
