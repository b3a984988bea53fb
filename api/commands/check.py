"""`sqm check`: what a policy means in plain words, or file, line and field of what is wrong with it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import policies_of, said
from monitor.policy.words import in_plain_words


def check(
    policy: Annotated[list[Path], typer.Argument(help="Policy files: the versions of one policy.", show_default=False)],
) -> None:
    """Say what a policy promises, or what is wrong with it (then exit code 2)."""
    policies = policies_of(policy)
    for line in in_plain_words(policies, datetime.now(UTC).date()):
        typer.echo(line)
    for hint in policies.hints:
        said.print(f"hint: {hint}", style="yellow", markup=False)
