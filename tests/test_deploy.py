"""What deploy/ holds is right: each configuration by its own checker, the compose file by what it points to."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.kafka_jars import kafka_version
from consumers.settings import described
from monitor.names import Metric
from monitor.policy import load

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def checked(*command: str) -> str:
    done = subprocess.run(command, cwd=DEPLOY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.prometheus
def test_prometheus_takes_its_configuration_and_rules() -> None:
    assert "1 rule files found" in checked("promtool", "check", "config", "prometheus/prometheus.yml")


@pytest.mark.prometheus
def test_alertmanager_takes_its_configuration() -> None:
    checked("amtool", "check-config", "alertmanager/alertmanager.yml")


def test_the_rules_ask_for_metrics_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "sqm.rules.yml").read_text())
    asked = {n for g in rules["groups"] for r in g["rules"] for n in re.findall(r"\bsqm_\w+", r["expr"])}
    assert asked
    assert asked <= {str(metric) for metric in Metric}


def test_every_file_that_compose_mounts_is_there(compose: dict[str, Any]) -> None:
    mounted = [
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith(".")
    ]
    assert mounted
    assert all((DEPLOY / path).exists() for path in mounted)
    named = {v.split(":")[0] for s in compose["services"].values() for v in s.get("volumes", ()) if v[0] != "."}
    assert named == set(compose["volumes"])


def test_compose_gives_settings_that_exist(compose: dict[str, Any]) -> None:
    known = {name for name, _ in described()}
    given = {n for s in compose["services"].values() for n in s.get("environment", {}) if n.startswith("SQM_")}
    assert given
    assert given <= known


def test_compose_listens_on_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_runs_the_kafka_that_the_tests_ran_against(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_every_image_of_compose_is_of_a_fixed_version(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values() if "build" not in service]
    assert all(re.search(r":v?\d+\.\d+", image) or image == "sqm" for image in images)


def test_what_depends_on_a_service_names_one(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])


def test_the_image_is_not_run_by_root_and_says_whether_it_is_healthy() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last_stage = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert any(re.match(r"USER [1-9]\d+$", line) for line in last_stage)
    assert any(line.startswith("HEALTHCHECK") for line in last_stage)
    assert any(line == 'ENTRYPOINT ["sqm"]' for line in last_stage)


def test_everything_that_the_image_is_built_from_reaches_it() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    needed = {"pyproject.toml", "requirements.lock", "deploy/requirements.lock", "README.md", "LICENSE"}
    assert needed | {"monitor", "consumers", "api", "deploy/policies"} == let_in
    assert all((ROOT / path).exists() for path in let_in)


def pins(path: Path) -> dict[str, str]:
    """Each pinned requirement and its hashes."""
    entries = re.findall(r"^([\w.\-\[\]]+==[^\s\\]+)[^\n]*\\\n((?:    --hash=\S+(?: \\)?\n)+)", path.read_text(), re.M)
    return {name: " ".join(re.findall(r"sha256:\w+", hashes)) for name, hashes in entries}


def test_the_image_gets_the_very_packages_that_were_tested() -> None:
    image, tested = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert len(image) > 40
    assert image.items() <= tested.items(), "run `make lock`"


def test_the_example_environment_names_settings_that_exist() -> None:
    named = re.findall(r"^#(SQM_\w+)=", (ROOT / ".env.example").read_text(), re.M)
    assert len(named) > 8
    assert set(named) <= {name for name, _ in described()}


@pytest.mark.parametrize("path", sorted((DEPLOY / "policies").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_policy_can_be_used(path: Path) -> None:
    assert load([(path.name, path.read_text())]).newest.targets


def test_the_policy_of_the_demo_comes_with_the_package() -> None:
    assert (ROOT / "consumers/simulate/demo.yaml").read_text() == (DEPLOY / "policies/demo.yaml").read_text()
