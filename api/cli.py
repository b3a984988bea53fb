"""The command `sqm`. Each command is a function of a module of `api/commands`."""

import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import typer

HELP: Final = """\
Service quality from a stream of events: SLAs, error budgets, breaches and alerts, exactly right.

Begin with [bold]sqm demo[/]; then [bold]sqm check POLICY[/] and [bold]sqm run --policy POLICY[/] for your own services.
"""
UNUSABLE: Final = 2  # exit code: something given cannot be used; the message names it

# Name: module and panel of the help. A module is imported only when its command is run: they are heavy.
COMMANDS: Final = {
    "demo": ("api.commands.demo", "Run"),
    "run": ("api.commands.run", "Run"),
    "worker": ("api.commands.run", "Run"),
    "judge": ("api.commands.run", "Run"),
    "api": ("api.commands.run", "Run"),
    "explain": ("api.commands.explain", "Run"),
    "restate": ("api.commands.restate", "Run"),
    "verify": ("api.commands.verify", "Run"),
    "check": ("api.commands.check", "Files"),
    "replay": ("api.commands.replay", "Files"),
    "send": ("api.commands.send", "Files"),
    "schema": ("api.commands.schema", "Files"),
    "rules": ("api.commands.rules", "Files"),
}


def application(*names: str) -> typer.Typer:
    """The command line with those commands, with all of them if none is named."""
    app = typer.Typer(
        name="sqm",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_sqm)
    for name in names or COMMANDS:
        module, panel = COMMANDS[name]
        app.command(name, rich_help_panel=panel)(getattr(import_module(module), name))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sqm {version('sqm')}")
        raise typer.Exit


def _sqm(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point: what one sentence explains is said so, with exit code 2."""
    try:
        application(*(name for name in sys.argv[1:2] if name in COMMANDS))(prog_name="sqm")
    except KeyboardInterrupt:
        os._exit(130)  # threads that wait for a network would hold it up
    except Exception as error:
        from api.commands.failures import EXPLAINED

        if not isinstance(error, EXPLAINED):
            raise
        for line in str(error).splitlines():
            typer.secho(f"sqm: {line}", fg="red", err=True)
        sys.exit(UNUSABLE)
