"""Markdown from data: tables, and JSON Schemas as tables of their members."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; pipes and line breaks in cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell(c) for c in line) + " |\n" for line in lines)


def cell(content: object) -> str:
    return " ".join(str(content).split()).replace("|", "\\|")


def code(content: object) -> str:
    """`content`, or nothing where there is none; backticks in it would end it early."""
    text = str(content)
    return f"`{text}`" if text else ""


def written(value: object) -> str:
    """A value as one writes it in JSON or YAML."""
    return json.dumps(value, ensure_ascii=False)


def kind(schema: Schema) -> str:
    """A schema's type in a few words; shapes are links to their headings."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(kind(part) for part in schema[union]))
    if "enum" in schema or "const" in schema:
        return ", ".join(code(v) for v in schema.get("enum", [schema.get("const")]))
    types = schema.get("type", "any")
    if isinstance(types, list):
        return " or ".join(kind({**schema, "type": one}) for one in types)
    if types == "array":
        return f"list of {kind(schema.get('items', {}))}"
    values = schema.get("additionalProperties")
    if types == "object" and isinstance(values, Mapping):
        return f"map to {kind(values)}"
    return str(schema.get("format") or types)


def anchor(heading: str) -> str:
    """How a heading is linked to."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def members(schema: Schema) -> str:
    """The members of an object: name, type, default, meaning."""
    required = set(schema.get("required", ()))
    rows = [
        (code(name), kind(of), _default(of, name in required), _meaning(of))
        for name, of in schema.get("properties", {}).items()
    ]
    return table(("member", "type", "default", "meaning"), rows)


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    return code(written(default)) if default not in (None, "", [], {}) else ""


def _meaning(schema: Schema) -> str:
    said = str(schema.get("description", ""))
    examples = schema.get("examples")
    return f"{said} Such as {code(written(examples[0]))}.".strip() if examples else said


def shapes(schema: Schema, name: str) -> Iterator[str]:
    """An object and everything it refers to, a heading and a table each."""
    yield from _shape(name, schema)
    for other in sorted(schema.get("$defs", {})):
        yield from _shape(other, schema["$defs"][other])


def _shape(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}\n"
    if schema.get("description"):
        yield f"{cell(schema['description'])}\n"
    if schema.get("properties"):
        yield members(schema)
    elif "enum" in schema:
        yield f"One of {kind(schema)}.\n"
