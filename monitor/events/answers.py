"""The nested answers of a rating, checked one by one and kept as JSON with sorted names.

What is stored: `{"dimensions": {name: {"perceived": 5.0}}, "items": {…}, "weights": {name: 0.5}}`. An answer of 0
or "n/a" is no score, so it is left out, and with it an entry that has nothing else.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from monitor.events.faults import Refused, fault, off_bounds, wrong_type
from monitor.events.fields import FIELD, LONGEST_JSON
from monitor.names import Refusal

NO_ANSWER: Final = r"^ *(?:[nN]/?[aA]|-)? *$"  # texts that stand for no answer, as a regular expression
SCORES: Final = ("perceived", "expected", "adequate")

_NO_ANSWER: Final = re.compile(NO_ANSWER)
_encode = msgspec.json.Encoder(order="deterministic").encode


def answers_json(dimensions: Any, items: Any, weights: Any) -> str | None:
    """The JSON of what was answered, None for nothing; raises `Refused` with the path of what is wrong."""
    parts = {
        "dimensions": _entries("dimensions", dimensions),
        "items": _entries("items", items),
        "weights": _weights(weights),
    }
    kept = {name: part for name, part in parts.items() if part}
    if not kept:
        return None
    text = _encode(kept)
    if len(text) > LONGEST_JSON:
        name = max(kept, key=lambda part: len(_encode(kept[part])))
        message = f"found {len(text)} bytes of answers, expected at most {LONGEST_JSON}"
        raise Refused(fault(Refusal.TOO_LARGE, name, message))
    return text.decode()


def _object(name: str, value: Any, within: str, expected: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused(wrong_type(name, value, expected, within=within))
    return value


def _entries(name: str, value: Any) -> dict[str, dict[str, float]]:
    if value is None:
        return {}
    entries = {}
    for key, entry in _object(name, value, "", FIELD[name].expected).items():
        if entry is None:
            continue
        within = f".{key}"
        scores = _object(name, entry, within, "an object such as {perceived: 5}")
        kept = {score: _score(name, f"{within}.{score}", scores.get(score)) for score in SCORES}
        if found := {score: number for score, number in kept.items() if number is not None}:
            entries[key] = found
    return entries


def _score(name: str, within: str, value: Any) -> float | None:
    if value is None or (isinstance(value, str) and _NO_ANSWER.fullmatch(value)):
        return None
    return _number(name, within, value, 'a number or "n/a"') or None


def _weights(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    given = _object("weights", value, "", FIELD["weights"].expected)
    return {
        key: _number("weights", f".{key}", weight, "a number of 0 or more")
        for key, weight in given.items()
        if weight is not None
    }


def _number(name: str, within: str, value: Any, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(wrong_type(name, value, expected, within=within))
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if wrong := off_bounds(name, number, 0, None, scale=False, within=within):
        raise Refused(wrong)
    return number
