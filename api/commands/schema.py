"""`sqm schema`: the JSON Schema of a policy, a mapping or an event."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from monitor.events.schema import event_schema
from monitor.mapping import mapping_schema
from monitor.policy import policy_schema


class What(StrEnum):
    POLICY = "policy"
    MAPPING = "mapping"
    EVENT = "event"


_SCHEMAS = {What.POLICY: policy_schema, What.MAPPING: mapping_schema, What.EVENT: event_schema}


def schema(what: Annotated[What, typer.Argument(help="What the schema is of.", show_default=False)]) -> None:
    """Print a JSON Schema, so that editors complete and check what you write."""
    typer.echo(json.dumps(_SCHEMAS[what](), indent=2, ensure_ascii=False))
