"""`/docs`: the OpenAPI document as one plain page of HTML, readable without scripts.

Swagger UI and its like bring a megabyte of scripts, from a CDN by default. Everything here is read with GET, so that a
link to try an address is all the interaction there is to offer.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from api.problems import KINDS

Schema = Mapping[str, Any]

_HEAD: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>sqm: HTTP reference</title><link rel="stylesheet" href="/manual.css"></head><body>
"""

STYLE: Final = """\
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav ul { columns: 16rem; padding-left: 1.2rem; }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
h2 { overflow-wrap: anywhere; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { background: var(--soft); padding: 0.8rem; overflow-x: auto; border-radius: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.6rem 0.3rem 0; text-align: left; vertical-align: top; }
.type { white-space: nowrap; opacity: 0.8; }
"""


def manual(openapi: Schema) -> str:
    """The page for an OpenAPI document."""
    return "".join(_page(openapi))


def _page(openapi: Schema) -> Iterator[str]:
    info, paths, shapes = openapi["info"], openapi["paths"], openapi["components"]["schemas"]
    yield _HEAD
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}: HTTP</h1>"
    yield f"<p>{_words(info['description'])}</p>"
    yield '<p><a href="/">Live page</a> · <a href="/openapi.json">OpenAPI document</a></p><nav><h2>Addresses</h2><ul>'
    for path in paths:
        yield f'<li><a href="#{_anchor(path)}"><code>{escape(path)}</code></a></li>'
    yield "</ul></nav>"
    for path, methods in paths.items():
        for operation in methods.values():
            yield from _operation(path, operation)
    yield "<h1>Shapes</h1>"
    for name in sorted(shapes):
        yield from _shape(name, shapes[name])
    yield "<h1>Problems</h1>"
    for name, kind in KINDS.items():
        yield f'<section id="problem-{name}"><h2>{kind.status}: {escape(kind.title)}</h2>'
        yield f"<p>{_words(kind.meaning)}</p></section>"
    yield "</body></html>\n"


def _operation(path: str, operation: Schema) -> Iterator[str]:
    shown = escape(path)
    yield f'<section id="{_anchor(path)}"><h2><code>GET {shown}</code></h2>'
    yield f"<p><strong>{escape(operation.get('summary', ''))}.</strong> {_words(operation.get('description', ''))}</p>"
    if "{" not in path:
        yield f'<p><a href="{shown}">Open {shown}</a></p>'
    parameters = operation.get("parameters", [])
    if parameters:
        yield '<div class="scroll"><table><tr><th>Parameter</th><th>Type</th><th>Meaning</th></tr>'
        for parameter in parameters:
            schema = parameter["schema"]
            said = parameter.get("description") or schema.get("description", "")
            default = schema.get("default")
            said += f" Default: `{default}`." if default is not None else ""
            yield _row(parameter["name"], schema, said)
        yield "</table></div>"
    yield '<div class="scroll"><table><tr><th>Answer</th><th>Type</th><th>Meaning</th></tr>'
    for status, answer in operation["responses"].items():
        for media, content in (answer.get("content") or {"": {}}).items():
            schema = content.get("schema") or {}
            kind = kind_of(schema) if schema else f"<code>{escape(media)}</code>"
            yield f"<tr><td><code>{status}</code></td><td class='type'>{kind}</td>"
            yield f"<td>{_words(answer.get('description', ''))}</td></tr>"
    yield "</table></div></section>"


def _shape(name: str, schema: Schema) -> Iterator[str]:
    yield f'<section id="shape-{escape(name)}"><h2>{escape(name)}</h2><p>{_words(schema.get("description", ""))}</p>'
    if "enum" in schema:
        yield "<p>One of " + ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"]) + ".</p>"
    if schema.get("properties"):
        yield '<div class="scroll"><table><tr><th>Member</th><th>Type</th><th>Meaning</th></tr>'
        for member, of in schema["properties"].items():
            said = of.get("description", "")
            examples = of.get("examples")
            said += f" Example: `{examples[0]}`." if examples else ""
            yield _row(member, of, said)
        yield "</table></div>"
    yield "</section>"


def _row(name: str, schema: Schema, said: str) -> str:
    return (
        f"<tr><td><code>{escape(name)}</code></td><td class='type'>{kind_of(schema)}</td><td>{_words(said)}</td></tr>"
    )


def kind_of(schema: Schema) -> str:
    """A schema's type in a few words of HTML, shapes as links."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f'<a href="#shape-{escape(name)}">{escape(name)}</a>'
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(kind_of(part) for part in schema[union])
    if "enum" in schema or "const" in schema:
        return " ".join(escape(str(value)) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if schema.get("format"):
        return escape(schema["format"])
    return escape(str(schema.get("type", "any")))


def _anchor(path: str) -> str:
    return "get-" + escape(path.strip("/").replace("/", "-").replace("{", "").replace("}", "").replace(":path", ""))


def _words(text: str) -> str:
    """Text with its `code` marked."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
