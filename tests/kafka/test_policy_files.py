"""A policy file is edited while all runs: what the roles make of it, and judging anew on record."""

import json
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumers.client import consumer, started
from consumers.settings import Settings
from monitor.names import Topic
from tests.kafka.test_roles import POLICY, Running, Start, send, start

__all__ = ["start"]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def policy(sqm: Running) -> dict[str, Any]:
    status, answer = sqm.get("/v1/policy")
    return answer if status == 200 else {}


def outcomes(sqm: Running) -> tuple[int, int]:
    status, answer = sqm.get("/v1/summary")
    counts = answer["clocks"]["first_response"] if status == 200 else {"met": 0, "breached": 0}
    return counts["met"], counts["breached"]


async def told(settings: Settings, change: str) -> int:
    """How many verdict events of that kind there are."""
    topic = settings.kafka.topic(Topic.VERDICTS)
    client = await started(consumer(settings.kafka))
    try:
        client.assign([TopicPartition(topic, number) for number in range(settings.kafka.partitions)])
        await client.seek_to_beginning()
        ends = await client.end_offsets(client.assignment())
        found = 0
        while any([await client.position(where) < end for where, end in ends.items()]):
            for records in (await client.getmany(timeout_ms=500)).values():
                found += sum(json.loads(record.value)["type"] == f"sqm.verdict.{change}" for record in records)
        return found
    finally:
        await client.stop()


async def test_an_edited_file_comes_into_force_or_is_refused_and_a_restatement_is_on_record(
    settings: Settings, start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    await send(settings, range(40))  # answered after 7 minutes
    sqm = start(settings.kafka.bootstrap, settings.kafka.topic_prefix, "run", "--policy", "policy.yaml")
    sqm.until(lambda: outcomes(sqm) == (40, 0))

    # An objective is edited freely; a broken file changes nothing.
    file.write_text(POLICY.replace("90%", "95%"))
    sqm.until(lambda: policy(sqm)["versions"][0]["document"]["slas"][0]["goal"] == "0.95")
    file.write_text(POLICY.replace("policy: roles", "polcy: roles"))
    refused = sqm.until(lambda: policy(sqm)["refused"])
    assert (refused["reason"], refused["problems"][0]) == ("invalid", "policy.yaml:1: policy: is required")
    sqm.until(lambda: 'sqm_policy_refused{reason="invalid"} 1' in metrics(sqm))

    # What has been judged is not edited, also not when somebody asks for it with a signal.
    stricter = POLICY.replace("95%", "90%").replace("1h", "5m")
    file.write_text(stricter)
    sqm.process.send_signal(signal.SIGHUP)
    sqm.until(lambda: (policy(sqm)["refused"] or {}).get("reason") == "frozen")
    assert outcomes(sqm) == (40, 0)

    # A version of its own judges what opens from then on.
    later = datetime.now(UTC) + timedelta(hours=1)
    file.write_text(f"{POLICY}---\n{stricter}effective_from: {later.isoformat()}\n")
    sqm.until(lambda: len(policy(sqm)["versions"]) == 2)
    assert policy(sqm)["refused"] is None
    assert outcomes(sqm) == (40, 0)

    # Judging anew is asked for, shown, and kept.
    (tmp_path / "stricter.yaml").write_text(stricter)
    shown = restate(tmp_path, settings, "--why", "5 minutes were promised")
    assert (shown.returncode, "40 verdicts of 40 live cases flip" in shown.stderr) == (1, True), shown.stderr
    assert outcomes(sqm) == (40, 0)
    done = restate(tmp_path, settings, "--why", "5 minutes were promised", "--by", "Ann", "--yes")
    assert done.returncode == 0, done.stderr
    assert "first_response" in done.stdout
    sqm.until(lambda: outcomes(sqm) == (0, 40))
    made = policy(sqm)["restatements"]
    assert [(m["number"], m["by"], m["why"], m["flips"]) for m in made] == [(1, "Ann", "5 minutes were promised", 40)]
    assert await told(settings, "restated") == 40
    assert await told(settings, "corrected") == 0
    assert sqm.end() < 10


def metrics(sqm: Running) -> str:
    address = sqm.said().split("answers at ")[1].split()[0]
    with urllib.request.urlopen(address + "metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def restate(folder: Path, settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ["--bootstrap", settings.kafka.bootstrap, "--topic-prefix", settings.kafka.topic_prefix]
    command = [str(Path(sys.executable).with_name("sqm")), "restate", "--policy", "stricter.yaml", *where, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
