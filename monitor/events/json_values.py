"""CloudEvents as JSON to structs: a fast way for events that are well typed, a patient one that says what is wrong."""

import json
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from monitor.events.draft import Codes, codes_of
from monitor.events.faults import Fault, Refused, fault, missing, shown, unreadable, wrong_type
from monitor.events.fields import CODE_OF, EXPECTED, FIELDS, TYPES, Field, Value
from monitor.events.shapes import ANY, UNREADABLE, Event, Shape, learned
from monitor.names import Refusal

EXPECTED_ATTRIBUTES: Final = {
    "id": "text that is unique within the source",
    "source": "text that names the producer",
    "type": "one of the types of the event contract, such as interaction.opened",
    "subject": "text, the id of the case",
    "time": EXPECTED[Value.INSTANT],
    "sequence": "text",
    "data": "an object",
}
_TEXTS: Final = ("id", "source", "type", "subject", "time", "sequence")
_REQUIRED: Final = frozenset({"id", "source", "type", "time"})  # and the subject, but for clock.advanced

T = TypeVar("T")
Found = tuple[Event, Fault | None]


class Decoded(NamedTuple):
    """Events as structs, one a value, in order; what is wrong by position, and then as much as could be read."""

    events: list[Event]
    faults: dict[int, Fault]
    codes: Codes  # of their types
    types: list[str]
    shape: Shape
    strays: list[int]  # those that have the shape of any event instead


def decode_events(values: Sequence[bytes]) -> Decoded:
    """CloudEvents in structured mode."""
    shape = learned(values)
    if shape is not ANY:
        decoded = _decode(values, shape.decode, _read_any, shape, most_strays=len(values) // 8)
        if decoded is not None:
            return decoded
    return decode_each(values, ANY.decode, read_object)


def decode_each(values: Sequence[T], decode: Callable[[T], Event], otherwise: Callable[[T], Found]) -> Decoded:
    """`decode` of each value to a struct of any event, and `otherwise` of those on which it raises."""
    decoded = _decode(values, decode, otherwise, ANY, most_strays=len(values))
    assert decoded is not None
    return decoded


def _read_any(value: bytes) -> Found:
    """An event that does not fit a learned shape, or no event at all."""
    try:
        return ANY.decode(value), None
    except UNREADABLE:
        return read_object(value)


def _decode(
    values: Sequence[T],
    decode: Callable[[T], Event],
    otherwise: Callable[[T], Found],
    shape: Shape,
    *,
    most_strays: int,
) -> Decoded | None:
    """None: more than `most_strays` events do not fit the shape, so that it is not worth while."""
    events: list[Event] = []
    faults: dict[int, Fault] = {}
    strays: list[int] = []
    decoded = map(decode, values)
    while len(events) < len(values):
        try:
            events.extend(decoded)
        except UNREADABLE:
            # What came before the error is in the list already, and the iterator is past the value that raised it.
            row = len(events)
            event, wrong = otherwise(values[row])
            events.append(event)
            strays.append(row)
            if wrong is not None:
                faults[row] = wrong
            elif len(strays) - len(faults) > most_strays:
                return None
    types = [event.type for event in events]
    return Decoded(events, faults, codes_of(types), types, shape, strays)


def read_object(value: bytes) -> Found:
    """An event in structured mode that the fast way refused, and what is wrong with it if anything is."""
    try:
        found = parse(value)
    except Refused as refused:
        return _blank({}), refused.fault
    if not isinstance(found, dict):
        wrong = f"found {shown(found)}, expected a JSON object that is a CloudEvent"
        if isinstance(found, list):
            wrong += "; for a list set the header content-type: application/cloudevents-batch+json"
        return _blank({}), unreadable(Refusal.NOT_A_CLOUDEVENT, wrong)
    return read_attributes(found)


def parse(value: bytes) -> Any:
    """JSON, with NaN and Infinity let through so that their place can be named; raises `Refused`."""
    try:
        text = value.decode()
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # refuses half of a surrogate pair
    except UnicodeDecodeError as error:
        wrong = f"not UTF-8: byte {error.start} is {value[error.start]:#04x}"
    except UnicodeEncodeError:
        wrong = "half of a surrogate pair in a text"
    except json.JSONDecodeError as error:
        wrong = f"not JSON: {error.msg} at character {error.pos} of {len(text)}" if text else "not JSON: it is empty"
    except RecursionError:
        wrong = "nested too deeply"
    except ValueError as error:
        wrong = f"not JSON: {error}"
    else:
        return found
    raise Refused(unreadable(Refusal.MALFORMED_JSON, wrong))


def read_attributes(given: Mapping[str, Any]) -> Found:
    """An event from its attributes; the fault is the first in the order of `RANK`."""
    event = _blank(given)
    try:
        _check_attributes(given)
        event.data, wrong = _read_data(given)
    except Refused as refused:
        return event, refused.fault
    return event, wrong


def _blank(given: Mapping[str, Any]) -> Event:
    """What of the attributes is text, the rest empty."""
    texts = {name: value for name in _TEXTS if isinstance(value := given.get(name), str)}
    return ANY.Event("1.0", **{"id": "", "source": "", "type": "", "time": "", **texts})


def _check_attributes(given: Mapping[str, Any]) -> None:
    version = given.get("specversion")
    if version != "1.0":
        found = "specversion is missing" if version is None else f"found {shown(version)}"
        _refuse(fault(Refusal.NOT_A_CLOUDEVENT, "specversion", f'{found}, expected "1.0"'))
    for name in _TEXTS:
        value = given.get(name)
        if value is None and name in _REQUIRED:
            _refuse(missing(name, EXPECTED_ATTRIBUTES[name]))
        if value is not None and not isinstance(value, str):
            _refuse(wrong_type(name, value, EXPECTED_ATTRIBUTES[name]))
        if name == "type" and CODE_OF[str(value)] < 0:
            return  # reported as an unknown type: what else it holds means nothing


def _read_data(given: Mapping[str, Any]) -> tuple[Any, Fault | None]:
    """`data` without the fields of a wrong type, and the first of these: the others are checked all the same."""
    data = given.get("data")
    if data is None and (encoded := given.get("data_base64")) is not None:
        data = _from_base64(encoded)
    if data is None:
        return ANY.no_data, None
    if not isinstance(data, dict):
        _refuse(wrong_type("data", data, EXPECTED_ATTRIBUTES["data"]))
    code = CODE_OF[given["type"]]
    kind = TYPES[code] if code >= 0 else None
    if kind is None:
        return ANY.no_data, None
    read: dict[str, Any] = {}
    wrong: Fault | None = None
    for field in FIELDS:
        if field.name in data and field.belongs_to(kind.kind, kind.complaint):
            try:
                read[field.name] = _read_field(field, data[field.name])
            except Refused as refused:
                wrong = wrong or refused.fault
    return ANY.Data(**read), wrong


def _from_base64(encoded: Any) -> Any:
    if not isinstance(encoded, str):
        _refuse(wrong_type("data", encoded, "base64 text in data_base64"))
    try:
        return parse(b64decode(encoded, validate=True))
    except (Base64Error, ValueError):
        return _refuse(fault(Refusal.MALFORMED_JSON, "data", "data_base64 is not base64"))
    except Refused as refused:
        return _refuse(fault(Refusal.MALFORMED_JSON, "data", f"data_base64 is {refused.fault.message}"))


def _read_field(field: Field, value: Any) -> Any:
    """A value of the type that the field holds; raises `Refused`. Bounds are checked later, with all others."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match field.value:
        case _ if value is None:
            return None
        case Value.LABEL | Value.TEXT | Value.INSTANT if isinstance(value, str):
            return value
        case Value.FLAG if isinstance(value, bool):
            return value
        case Value.SHOWN if number or isinstance(value, str):
            return value
        case Value.GIVEN if isinstance(value, bool | str):
            return value
        case Value.NUMBER | Value.SECONDS | Value.GIVEN if number:
            return _float(value)
        case Value.ANSWERS | Value.WEIGHTS if isinstance(value, dict):
            return value
    return _refuse(wrong_type(field.name, value, field.expected))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _refuse(wrong: Fault) -> NoReturn:
    raise Refused(wrong)
