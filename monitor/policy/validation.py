"""pydantic's errors as problems of a written file: line, field, what was expected there, nearest name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.policy.problems import Path, Problem, listed, nearest
from monitor.policy.yaml_source import Document

_PLAIN = {
    "missing": "is required",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "mapping_type": "must be a mapping of fields",
    "dict_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "model_attributes_type": "must be a mapping of fields",
}


def problem_of(model: type[BaseModel], document: Document, error: ErrorDetails) -> Problem:
    """One error of validating `document` as `model`."""
    kind, loc, written = error["type"], error["loc"], error["input"]
    path = _written_path(document.data, loc)
    if kind == "extra_forbidden":
        known = sorted({name for part in _models_at(model, loc[:-1]) for name in _names(part)})
        said = f"unknown field; there are {listed(known, 20)}"
        return document.problem(path, said, nearest(str(loc[-1]), known))
    if kind == "unknown_name":
        context = error["ctx"]
        return document.problem(path, context["message"], context["nearest"])
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        said = f"{written!r} is not one of {listed(allowed, 20)}"
        return document.problem(path, said, nearest(str(written), allowed))
    if kind == "missing":
        path = (*path, loc[-1]) if path != loc else path
    message = _PLAIN.get(kind) or error["msg"].removeprefix("Value error, ")
    return document.problem(path, message)


def wrong_paths(model: type[BaseModel], document: Document) -> list[Path]:
    """Where the document is no `model`; empty if it is one."""
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        return [_written_path(document.data, e["loc"]) for e in error.errors(include_url=False)]
    return []


def _written_path(data: Any, loc: Sequence[str | int]) -> Path:
    """The part of pydantic's location that leads through `data`; markers of its own are left out."""
    path: list[str | int] = []
    for step in loc:
        if isinstance(data, Mapping):
            inside = step in data
        else:
            inside = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if inside:
            data = data[step]
            path.append(step)
    return tuple(path)


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _models_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that may stand at `loc`, seen from `model`."""
    found = [model]
    for step in loc:
        if isinstance(step, int):
            continue  # an item of a list: its models were collected with the list
        fields = [
            field.annotation
            for part in found
            for name, field in part.model_fields.items()
            if (field.alias or name) == step
        ]
        found = [part for annotation in fields for part in _models_in(annotation)] or found
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _models_in(inner)]
