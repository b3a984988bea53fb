"""`sqm rules`: Prometheus alerting rules for the objectives of a policy."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.common import policies_of
from monitor.alerts import prometheus_rules as monitor_rules


def rules(
    policy: Annotated[list[Path], typer.Argument(help="Policy files: the versions of one policy.", show_default=False)],
) -> None:
    """Print a Prometheus rule file for the objectives of the newest version."""
    typer.echo(monitor_rules.rules(policies_of(policy).newest), nl=False)
