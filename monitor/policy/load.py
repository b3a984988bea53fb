"""Texts to a `PolicySet`, or all that is wrong with them."""

from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.policy.compiled import PolicySet, compiled
from monitor.policy.lint import lint, lint_versions
from monitor.policy.model import PolicyDocument
from monitor.policy.problems import FileProblems, PolicyError, Problem, field_text
from monitor.policy.validation import problem_of, wrong_paths
from monitor.policy.yaml_source import Document, documents

T = TypeVar("T", bound=BaseModel)

_FROZEN = ("zones", "holidays")
_STANDING_ALONE = ("limits", "targets", "slas", "feeds", "perception")


def load(texts: Iterable[tuple[str, str]]) -> PolicySet:
    """The versions of a policy from (file name, text) pairs; a text may hold several documents.

    Raises PolicyError with every problem found in any of them; hints are kept in `PolicySet.hints`.
    """
    problems: list[Problem] = []
    read: list[tuple[Document, PolicyDocument]] = []
    names = []
    for name, text in texts:
        names.append(name)
        try:
            found = documents(name, text)
        except FileProblems as error:
            problems += error.problems
            continue
        for document in found:
            model, wrong = validated(PolicyDocument, document)
            problems += wrong
            if model is not None:
                problems += lint(document, model)
                read.append((document, model))
            else:
                problems += _lint_rest(document)
    if not read and not problems:
        said = "holds no policy: it begins with `policy: NAME`"
        problems.append(Problem(names[0] if names else "policy", 0, "", said))
    problems += lint_versions(read)
    hints = [p for p in problems if p.severity == "hint"]
    if len(hints) < len(problems):
        raise PolicyError(p for p in problems if p.severity == "error")
    return compiled([(document.file, model) for document, model in read], hints)


def default_policy() -> PolicySet:
    """The policy that is in force when none is given."""
    name = "default.yaml"
    return load([(name, files("monitor.policy").joinpath(name).read_text("utf-8"))])


def validated(model: type[T], document: Document) -> tuple[T | None, list[Problem]]:
    """The document as `model`, or None and what is wrong with it, line by line."""
    if not isinstance(document.data, Mapping):
        return None, [document.problem((), "must be a mapping of fields, not a list or a text")]
    try:
        return model.model_validate(document.data, context=_frozen_names(document.data)), []
    except ValidationError as error:
        found = [problem_of(model, document, e) for e in error.errors(include_url=False)]
        return None, list(dict.fromkeys(found))


def _frozen_names(data: Mapping[str, Any]) -> dict[str, Collection[str]]:
    """The zones and countries that a document brings along, so that the installed data need not have them."""
    found = data.get("frozen")
    kept = found if isinstance(found, Mapping) else {}
    return {kind: names for kind in _FROZEN if isinstance(names := kept.get(kind), Mapping)}


def _lint_rest(document: Document) -> list[Problem]:
    """What else is wrong in a document that is wrong in places on which nothing else depends."""
    wrong = wrong_paths(PolicyDocument, document)
    if not all(path and path[0] in _STANDING_ALONE for path in wrong):
        return []
    rest = document.without(wrong, whole_items=False)
    rest = rest.without(wrong_paths(PolicyDocument, rest), whole_items=True)
    model, _ = validated(PolicyDocument, rest)
    found = [] if model is None else lint(rest, model)
    # What was left out may be missed by the rest: that is known already.
    told = tuple(field_text(path) for path in wrong)
    return [
        problem for problem in found if not problem.field.startswith(told) and not problem.field.endswith(".measure")
    ]
