"""Settings as flags of the same name: `SQM_API__PORT` is `--port`, `SQM_KAFKA__TOPIC_PREFIX` `--topic-prefix`."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Final, get_args

import typer
from pydantic import BaseModel, SecretStr

from consumers.settings import Settings, load, variable

PANELS: Final = {
    "": "Settings",
    "kafka": "Settings: Kafka",
    "worker": "Settings: worker",
    "judge": "Settings: judge",
    "api": "Settings: api",
}


@dataclass(frozen=True, slots=True)
class Flag:
    """The flag of one setting."""

    group: str  # empty: of no group
    name: str
    flag: str
    help: str

    @property
    def parameter(self) -> str:
        return f"{self.group}__{self.name}" if self.group else self.name

    @property
    def path(self) -> str:
        return f"{self.group}.{self.name}" if self.group else self.name

    @property
    def variable(self) -> str:
        return variable((self.group, self.name) if self.group else (self.name,))


def flags() -> list[Flag]:
    """All flags. A name that several groups have is the api's; the others' begin with their group."""
    found = list(_fields())
    count = Counter(name for _, name, _ in found)
    made = []
    for group, name, text in found:
        plain = count[name] == 1 or group in ("", "api")
        words = name if plain else f"{group}_{name}"
        made.append(Flag(group, name, "--" + words.replace("_", "-"), text))
    return made


def with_settings(*groups: str, general: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that takes `settings` first, made from flags of those groups, the environment and `.env`.

    :param groups: also single settings: `api.port`, `clock`
    :param general: whether all settings of no group have flags, too
    """
    offered = [flag for flag in flags() if {flag.group, flag.path} & {*groups} or (general and not flag.group)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            own = {name: value for name, value in given.items() if name not in taken}
            command(load(**_overrides(offered, given)), **own)

        taken = {flag.parameter for flag in offered}
        kept = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        signature = inspect.Signature([*(p.replace(kind=p.KEYWORD_ONLY) for p in kept), *map(_parameter, offered)])
        run.__signature__ = signature  # type: ignore[attr-defined] # which typer reads
        run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        del run.__wrapped__
        return run

    return decorate


def _fields() -> Iterator[tuple[str, str, str]]:
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for inner, inner_field in kind.model_fields.items():
                if SecretStr not in get_args(inner_field.annotation):  # the command line is no place for a secret
                    yield name, inner, inner_field.description or ""
        else:
            yield "", name, field.description or ""


def _parameter(flag: Flag) -> inspect.Parameter:
    option = typer.Option(
        flag.flag,
        help=f"{flag.help} ({flag.variable})",
        rich_help_panel=PANELS[flag.group],
        metavar="VALUE",
        show_default=False,
    )
    return inspect.Parameter(
        flag.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _overrides(offered: list[Flag], given: dict[str, Any]) -> dict[str, Any]:
    overrides: dict[str, Any] = {}
    for flag in offered:
        if (value := given[flag.parameter]) is not None:
            where = overrides.setdefault(flag.group, {}) if flag.group else overrides
            where[flag.name] = value
    return overrides
