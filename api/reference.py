"""The reference pages, made from the code: `python -m api.reference` writes them, a test finds them out of date.

Settings, metrics, indicators, CLI, events, policy, mapping and HTTP are each described in one place, which is what the
program itself goes by; these pages are that place in Markdown.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import typer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from api.app import create_app
from api.cli import COMMANDS, application
from api.commands.options import flags
from api.context import Context
from api.families import FAMILIES
from api.markdown import cell, code, kind, members, shapes, table, written
from api.problems import KINDS
from consumers.policies import FixedPolicies
from consumers.replica import Replica
from consumers.settings import described, load
from monitor.events.fields import ATTRIBUTES, FIELDS, TYPES
from monitor.events.schema import event_schema
from monitor.indicators import REGISTRY
from monitor.mapping import mapping_schema
from monitor.names import Metric, Refusal
from monitor.policy import default_policy, policy_schema

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference"
MADE: Final = "<!-- Made by `make docs` from the code: edit that, not this. -->\n"
COLUMNS: Final = 110  # of the help of the CLI

Page = Iterator[str]

_REFUSED: Final[Mapping[Refusal, str]] = {
    Refusal.MALFORMED_JSON: "The value is no JSON.",
    Refusal.NOT_A_CLOUDEVENT: "It is JSON, and no CloudEvent in any of the four encodings.",
    Refusal.UNKNOWN_ENCODING: "Its `content-type` is none of those that are read.",
    Refusal.DAMAGED_RECORD: "The record itself cannot be read, such as a cut-off Arrow stream.",
    Refusal.MISSING_FIELD: "A required attribute or field is absent or empty.",
    Refusal.WRONG_TYPE: "A field holds another JSON type than it must.",
    Refusal.UNKNOWN_TYPE: "The event's `type` is none of those below.",
    Refusal.BAD_TIME: "A time is not RFC 3339, has no offset, or is no date that exists.",
    Refusal.FUTURE_TIME: "The time lies further ahead of the clock than `limits.future_skew`.",
    Refusal.NOT_FINITE: "A number is NaN or infinite.",
    Refusal.NEGATIVE: "A number is below 0 that cannot be.",
    Refusal.OFF_SCALE: "A score lies outside its scale.",
    Refusal.UNKNOWN_VALUE: "A text is none of those that the field may hold.",
    Refusal.TOO_LARGE: "A text, an object or a number is larger than what is kept.",
    Refusal.LATE: "The event came after its case was archived, or is older than what is remembered; counted as `late`.",
}
_OF_POLICY: Final = {
    "each": "every label of the policy",
    "single": "at most one label of the policy; none: the total",
    "by": "the labels in the SLA's `by`",
    "": "",
}


def settings() -> Page:
    yield "# Settings\n"
    yield (
        "Each is an environment variable, may stand in a file `.env` of the working folder, and is a flag of the "
        "commands that use it; a flag beats the environment, the environment the file.\n"
    )
    by_variable = {flag.variable: flag.flag for flag in flags()}
    rows = (
        (code(name), code(by_variable.get(name, "")), _default(field), field.description or "")
        for name, field in described()
    )
    yield table(("variable", "flag", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    """The default, as one would write it; those that depend on the machine are in the description."""
    value = field.default
    if value is PydanticUndefined or value is None or value in ((), ""):
        return ""
    if isinstance(value, tuple):
        return code(",".join(str(part) for part in value))
    return code(str(value).lower() if isinstance(value, bool) else value)


def metrics() -> Page:
    yield "# Metrics\n"
    yield (
        "`/metrics` is rendered once a tick. Counters and the histogram never fall; figures that a late event can "
        "revise are gauges.\n"
    )
    rows = []
    for name in Metric:
        family = FAMILIES[name]
        labels = ", ".join(code(label) for label in family.labels)
        help_text = family.help if name != Metric.INDICATOR else "Service-quality [indicators](indicators.md)."
        following = _OF_POLICY[family.of_policy]
        rows.append((code(name), family.type, ", ".join(x for x in (labels, following) if x), help_text))
    yield table(("metric", "type", "labels", "meaning"), rows)
    yield "A label without a value is absent. `window` is `period` or the length of a burn window for SLAs.\n"


def indicators() -> Page:
    yield "# Indicators\n"
    yield (
        "Over any window, for everything and for each value of each label. Below `limits.min_n` there is no value, "
        "only `n`. Intervals are 95 %.\n"
    )
    for dimension in dict.fromkeys(indicator.dimension for indicator in REGISTRY):
        yield f"## {dimension.capitalize()}\n"
        rows = (
            (code(i.id), i.title, i.unit, f"{i.better} is better", i.formula, i.source)
            for i in REGISTRY
            if i.dimension == dimension
        )
        yield table(("id", "title", "unit", "direction", "formula", "source and interval"), rows)


def cli() -> Page:
    yield "# Command line\n"
    for name in ("", *COMMANDS):
        yield f"## sqm {name}".rstrip() + "\n"
        yield f"```text\n{_help(name)}\n```\n"
    yield "Exit codes: 0 done, 1 done with something amiss, 2 something given cannot be used; the message names it.\n"


def _help(command: str) -> str:
    environment = {"COLUMNS": str(COLUMNS), "TERMINAL_WIDTH": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb"}
    found = CliRunner().invoke(application(), [*command.split(), "--help"], env=environment, prog_name="sqm")
    return "\n".join(line.rstrip() for line in found.output.strip("\n").splitlines())


def events() -> Page:
    yield "# Events\n"
    yield (
        "A CloudEvents 1.0 event per thing that happens. `sqm schema event` prints the JSON Schema. Unknown fields of "
        "`data` are ignored.\n"
    )
    yield "## Attributes\n"
    schema = event_schema()
    properties = schema["properties"]
    required = {*schema["required"], "subject"}
    rows = ((code(n), "yes" if n in required else "", properties[n].get("description", "")) for n in ATTRIBUTES)
    yield table(("attribute", "required", "meaning"), rows)
    yield "`subject` is not required of `clock.advanced`, which is about no case.\n"
    yield "## Fields of data\n"
    fields = ((code(f.name), f.expected + _choices(f.choices), _types(f), _needed(f)) for f in FIELDS)
    yield table(("field", "holds", "in", "meaning"), fields)
    yield "## Types\n"
    yield ", ".join(code(event_type.name) for event_type in TYPES) + ".\n"
    yield "A reverse-DNS prefix that ends in `.sqm.` may stand before each.\n"
    yield "## Why an event is refused\n"
    yield table(("reason", "meaning"), ((code(reason), _REFUSED[reason]) for reason in Refusal))


def _choices(choices: tuple[str, ...]) -> str:
    return f": {', '.join(code(choice) for choice in choices)}" if choices else ""


def _needed(field: Any) -> str:
    meaning = str(field.meaning)
    if field.complaint_choices:
        meaning += f"; of complaints one of {', '.join(code(choice) for choice in field.complaint_choices)}"
    return meaning + (" (required)" if field.required else "")


def _types(field: Any) -> str:
    """The types whose events may carry the field, families in one word."""
    found = [t for t in TYPES if field.belongs_to(t.kind, t.complaint)]
    if len(found) == sum(t.counted for t in TYPES):
        return "all"
    if len(found) == sum(t.complaint for t in TYPES) and all(t.complaint for t in found):
        return "`complaint.*`"
    families = {t.name.partition(".")[0] for t in found}
    if families == {"interaction", "complaint"}:
        return ", ".join(dict.fromkeys(code("*." + t.name.partition(".")[2]) for t in found))
    return ", ".join(code(t.name) for t in found)


def policy() -> Page:
    yield "# Policy\n"
    yield (
        "What was promised to whom. `sqm check FILE` says what a policy means, or what is wrong with it; `sqm schema "
        "policy` prints the JSON Schema.\n"
    )
    yield from shapes(policy_schema(), "Document")
    yield "## The built-in policy\n"
    yield "In force where `sqm run` is given none and none was published before.\n"
    text = Path(sys.modules[default_policy.__module__].__file__ or "").with_name("default.yaml")
    yield f"```yaml\n{text.read_text(encoding='utf-8').strip()}\n```\n"


def mapping() -> Page:
    yield "# Mapping\n"
    yield (
        "How rows of other people's tables become events, for `sqm replay` and `sqm send`. `sqm schema mapping` prints "
        "the JSON Schema.\n"
    )
    yield from shapes(mapping_schema(), "Document")


def http() -> Page:
    document = create_app(Context(load(env_file=None), Replica(load(env_file=None)), FixedPolicies(default_policy())))
    openapi = document.openapi()
    yield "# HTTP\n"
    yield f"{cell(openapi['info']['description'])} `/openapi.json` is the OpenAPI document, `/docs` this page.\n"
    for path, methods in openapi["paths"].items():
        for operation in methods.values():
            yield from _operation(path, operation)
    yield "# Shapes\n"
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        yield f"## {name}\n"
        yield cell(schema.get("description", "")) + "\n"
        yield members(schema) if schema.get("properties") else f"One of {kind(schema)}.\n"
    yield "# Problems\n"
    rows = ((code(name), k.status, k.title, k.meaning) for name, k in KINDS.items())
    yield table(("type", "status", "title", "how to go on"), rows)


def _operation(path: str, operation: Mapping[str, Any]) -> Page:
    yield f"## GET {path}\n"
    yield f"{operation['summary']}. {cell(operation.get('description', ''))}\n"
    parameters = operation.get("parameters", [])
    if parameters:
        rows = ((code(p["name"]), kind(p["schema"]), _given(p), p.get("description", "")) for p in parameters)
        yield table(("parameter", "type", "default", "meaning"), rows)
    answers = []
    for status, answer in operation["responses"].items():
        for media, content in (answer.get("content") or {"": {}}).items():
            schema = content.get("schema")
            answers.append((status, kind(schema) if schema else code(media), answer.get("description", "")))
    yield table(("status", "answer", "meaning"), answers)


def _given(parameter: Mapping[str, Any]) -> str:
    default = parameter["schema"].get("default")
    if parameter.get("required"):
        return "required"
    return code(written(default)) if default not in (None, []) else ""


PAGES: Final[Mapping[str, Callable[[], Page]]] = {
    "cli.md": cli,
    "settings.md": settings,
    "events.md": events,
    "policy.md": policy,
    "mapping.md": mapping,
    "indicators.md": indicators,
    "metrics.md": metrics,
    "http.md": http,
}


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    return {name: MADE + "\n".join(make()).rstrip() + "\n" for name, make in PAGES.items()}


def main(folder: Path = FOLDER) -> None:
    """Write the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        folder.joinpath(name).write_text(text, encoding="utf-8")
    typer.echo(f"wrote {len(PAGES)} pages to {folder}")


if __name__ == "__main__":
    main()
