"""The schemas that editors use accept what the program accepts, and refuse plain mistakes."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from monitor.mapping import mapping_schema
from monitor.policy import policy_schema

DEPLOY = Path(__file__).parents[2] / "deploy"
POLICIES = sorted([*DEPLOY.glob("policies/*.yaml"), *DEPLOY.glob("examples/*/policy.yaml")])
MAPPINGS = sorted(DEPLOY.glob("examples/*/mapping.yaml"))


class Core(yaml.SafeLoader):
    """YAML as editors read it: dates are text."""


Core.yaml_implicit_resolvers = {
    sign: [(tag, form) for tag, form in resolvers if not tag.endswith((":timestamp", ":int"))]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))


def documents(text: str) -> list[Any]:
    return list(yaml.load_all(text, Loader=Core))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_schema_accepts_every_example(path: Path) -> None:
    for document in documents(path.read_text()):
        jsonschema.validate(document, policy_schema())


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.parent.name)
def test_the_schema_of_mappings_accepts_every_example(path: Path) -> None:
    for document in documents(path.read_text()):
        jsonschema.validate(document, mapping_schema())


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("within: 15m", "within: 15"),
        ("within: 15m", "within: 15 minutes"),
        ("within: 15m", "witin: 15m"),
        ("clock: promise", "clock: promice"),
        ("goal: 95%", "goal: 95"),
        ("on_change: retroactive", "on_change: never"),
        ("mon-fri:", "mo-fr:"),
        ("period: 30d", "period: 30"),
        ("{calendar: month,", "{calendar: year,"),
    ],
)
def test_the_schema_refuses_plain_mistakes(written: str, instead: str) -> None:
    text = (DEPLOY / "policies/support.yaml").read_text()
    assert written in text
    schema = jsonschema.Draft202012Validator(policy_schema())
    assert not all(schema.is_valid(document) for document in documents(text.replace(written, instead)))
