"""A written mapping to a `MappingDocument`, or all that is wrong with it."""

from collections.abc import Iterator, Mapping

from monitor.events.fields import CODE_OF, FIELDS, TYPE_NAMES, TYPES, nearest_type
from monitor.mapping.model import Cell, EventDocument, MappingDocument
from monitor.names import LABELS, Kind
from monitor.policy.load import validated
from monitor.policy.problems import FileProblems, MappingError, Path, Problem, listed, nearest
from monitor.policy.yaml_source import Document, documents


def load_mapping(name: str, text: str) -> MappingDocument:
    """The mapping in `text`. Raises MappingError with file, line, field and message of all that is wrong."""
    try:
        found = documents(name, text)
    except FileProblems as error:
        raise MappingError(error.problems) from None
    if len(found) != 1:
        said = "holds no mapping" if not found else "holds several documents: a mapping is one"
        raise MappingError([Problem(name, 0, "", said)])
    mapping, problems = validated(MappingDocument, found[0])
    if mapping is not None:
        problems += lint(found[0], mapping)
    if mapping is None or problems:
        raise MappingError(problems)
    return mapping


def lint(document: Document, mapping: MappingDocument) -> list[Problem]:
    """What is wrong though every single value is right."""
    problems = list(_labels(document, ("labels",), mapping.labels))
    for i, event in enumerate(mapping.events):
        problems += _event(document, ("events", i), event)
    return problems


def _labels(document: Document, path: Path, labels: Mapping[str, Cell]) -> Iterator[Problem]:
    for label in labels:
        if label not in LABELS:
            said = f"unknown label {label!r}: events carry {listed(LABELS)}"
            yield document.problem((*path, label), said, nearest(label, LABELS))


def _event(document: Document, path: Path, event: EventDocument) -> Iterator[Problem]:
    code = CODE_OF[event.type]
    if code < 0:
        said = f"unknown type {event.type!r}: see `sqm schema event`"
        yield document.problem((*path, "type"), said, nearest_type(event.type) or nearest(event.type, TYPE_NAMES))
        return
    kind, complaint = TYPES[code].kind, TYPES[code].complaint
    if kind is Kind.ADVANCED:
        yield document.problem((*path, "type"), "is no event of a case: `sqm send` adds it by itself")
        return
    known = [field.name for field in FIELDS if field.belongs_to(kind, complaint)]
    for name in event.data:
        if name not in known:
            said = f"{event.type} has no field {name!r}: there are {listed(known, 20)}"
            yield document.problem((*path, "data", name), said, nearest(name, known))
    for field in FIELDS:
        if field.required and field.belongs_to(kind, complaint) and field.name not in event.data:
            yield document.problem((*path, "data", field.name), f"is required for {event.type}")
    if not event.at.column:
        yield document.problem((*path, "at"), "names no column")
