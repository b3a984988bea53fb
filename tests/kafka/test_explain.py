"""A case that nobody holds any more is explained from the events topic."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.policies import publish
from consumers.settings import PREFIX, Settings
from consumers.topics import ensure
from monitor.policy import load
from tests.kafka.traffic import ROOT, T0, as_environment, event, send

pytestmark = pytest.mark.kafka

EXAMPLE = ROOT / "deploy/examples/dispute"
SQM = Path(sys.executable).with_name("sqm")


def sqm(settings: Settings, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(
        [SQM, *words],
        cwd=folder,
        env=environment | as_environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
    )


async def test_a_case_is_explained_from_the_events_topics_under_the_policies_in_force(
    settings: Settings, tmp_path: Path
) -> None:
    others = [
        (f"other-{n}".encode(), json.dumps(event(f"other-{n}", 0, "interaction.opened", T0)).encode())
        for n in range(5_000)
    ]
    mine = [(b"INC-4711", line) for line in (EXAMPLE / "events.ndjson").read_bytes().splitlines()]
    policy = EXAMPLE / "policy.yaml"

    async def explained(*words: str) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(sqm, settings, tmp_path, "explain", "INC-4711", *words)

    nowhere = await explained("--from-kafka")
    assert nowhere.returncode == 2
    assert f"has no topic {settings.kafka.events_topics[0]}" in nowhere.stderr

    await ensure(settings.kafka)
    await send(settings, [*others[:2_500], *mine, *others[2_500:]])
    await publish(settings.kafka, load([("policy.yaml", policy.read_text())]))
    live = await explained("--from-kafka", "--json")
    assert live.returncode == 0, live.stderr
    of_file = await explained("--from", str(EXAMPLE / "events.ndjson"), "--policy", str(policy), "--json")
    assert json.loads(live.stdout)["timeline"] == json.loads(of_file.stdout)["timeline"]
