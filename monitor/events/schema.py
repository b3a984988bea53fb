"""The JSON Schema of an event in structured mode, made from the same tables as the decoder.

What a schema cannot say stays with the decoder: that a date exists, that a time is not in the future, that a score is
at most its `max_score`, the size of all answers together. `data_base64` is read too, and not described here.
"""

from typing import Any, Final

from monitor.events.answers import NO_ANSWER, SCORES
from monitor.events.fields import ATTRIBUTES, FIELDS, LONGEST_TEXT, PREFIX, TYPES, EventType, Field, Value

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DATE: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_HOURS: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_TIME: Final = rf"^{_DATE}[Tt ]{_HOURS}:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]{_HOURS})$"
_LONGEST_TIME: Final = 64

_MEANINGS: Final = {
    "specversion": "The version of CloudEvents",
    "id": "Unique within the source; an event is known by its subject, source and id",
    "source": "The producer",
    "type": "What happened, with or without a reverse-DNS prefix that ends in sqm.",
    "subject": "The id of the case; also the key of the record",
    "time": "When it happened at the service, RFC 3339 with an offset",
    "sequence": "Orders events of one case that share an instant",
    "data": "Labels and what the type adds; other fields are ignored",
}


def event_schema() -> Schema:
    """JSON Schema (2020-12) of one event, of whatever type."""
    return {
        "$schema": DIALECT,
        "$id": "urn:sqm:event",
        "title": "Event",
        "description": "A CloudEvents 1.0 event about a case, in structured mode",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time"],
        "properties": {name: {"description": _MEANINGS[name], **_ATTRIBUTES[name]} for name in ATTRIBUTES},
        "allOf": [{"if": _is_of(t), "then": _then(t)} for t in TYPES],
        "$defs": {**_ANSWERS, **{field.name: _field(field) for field in FIELDS}},
    }


_KEY_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": "^[^\\u0000]*$"}
_INSTANT: Final = {"type": "string", "format": "date-time", "pattern": _TIME, "maxLength": _LONGEST_TIME}
_ATTRIBUTES: Final[dict[str, Schema]] = {
    "specversion": {"const": "1.0"},
    "id": _KEY_TEXT,
    "source": _KEY_TEXT,
    "type": {"type": "string", "pattern": f"^(?:{PREFIX})?(?:{'|'.join(t.name.replace('.', r'[.]') for t in TYPES)})$"},
    "subject": {**_KEY_TEXT, "type": ["string", "null"], "minLength": 0},
    "time": _INSTANT,
    "sequence": {"type": ["string", "null"], "maxLength": LONGEST_TEXT},
    "data": {"type": ["object", "null"]},
}


def _is_of(event_type: EventType) -> Schema:
    name = event_type.name.replace(".", "[.]")
    return {"required": ["type"], "properties": {"type": {"type": "string", "pattern": f"^(?:{PREFIX})?{name}$"}}}


def _then(event_type: EventType) -> Schema:
    fields = [field for field in FIELDS if field.belongs_to(event_type.kind, event_type.complaint)]
    required = [field.name for field in fields if field.required]
    properties = {field.name: _reference(field, event_type.complaint) for field in fields}
    then: Schema = {"properties": {"data": {"properties": properties}}}
    if event_type.counted:
        then["required"] = ["subject"]
        then["properties"]["subject"] = {"type": "string", "minLength": 1}
    if required:
        then["required"].append("data")
        then["properties"]["data"] |= {"type": "object", "required": required}
    return then


def _reference(field: Field, complaint: bool) -> Schema:
    reference: Schema = {"$ref": f"#/$defs/{field.name}"}
    if allowed := field.allowed(complaint):
        reference["enum"] = [*allowed, None]
    return reference


def _field(field: Field) -> Schema:
    holds = _HOLDS[field.value]
    types = holds["type"] if field.required else [*holds["type"], "null"]
    return {"description": field.meaning, **holds, "type": types, **_bounds(field)}


def _bounds(field: Field) -> Schema:
    if field.value is Value.GIVEN:
        return {"minimum": 0}
    bounds: Schema = {"exclusiveMinimum" if field.positive else "minimum": field.least, "maximum": field.most}
    return {name: bound for name, bound in bounds.items() if bound is not None}


_SCORE: Final = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": NO_ANSWER},
        {"type": "null"},
    ],
    "description": "0 and n/a are no scores",
}
_ANSWERS: Final[Schema] = {
    "answers": {"type": ["object", "null"], "properties": {score: {"$ref": "#/$defs/score_given"} for score in SCORES}},
    "score_given": _SCORE,
}
_HOLDS: Final[dict[Value, Schema]] = {
    Value.LABEL: {"type": ["string"], "maxLength": LONGEST_TEXT},
    Value.TEXT: {"type": ["string"], "maxLength": LONGEST_TEXT},
    Value.SHOWN: {"type": ["string", "number"], "maxLength": LONGEST_TEXT},
    Value.FLAG: {"type": ["boolean"]},
    Value.NUMBER: {"type": ["number"]},
    Value.SECONDS: {"type": ["number"]},
    Value.INSTANT: {**_INSTANT, "type": ["string"]},
    Value.GIVEN: {"type": ["boolean", "number", "string"]},
    Value.ANSWERS: {"type": ["object"], "additionalProperties": {"$ref": "#/$defs/answers"}},
    Value.WEIGHTS: {"type": ["object"], "additionalProperties": {"type": ["number", "null"], "minimum": 0}},
}
