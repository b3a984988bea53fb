"""The structs that msgspec decodes events into: one for any event, smaller ones for streams of one sort.

A struct costs by its fields, given or not: the one for measured events, with 12 of the 33 fields of `data`, is decoded,
read and freed in two thirds of the time. So a batch is decoded by the smallest shape that fits a few samples of it, and
what then turns out to be of another type is decoded again by the full one: the choice never changes a result.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
import numpy as np

from monitor.events.fields import CODE_OF, FIELDS, TYPES, Field, Value, fields_of
from monitor.events.times import Flags
from monitor.names import LIFECYCLE, Kind

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)

# An absent label is "" and a null one is None, so that the two stay apart.
_HOLDS: Final[dict[Value, tuple[Any, Any]]] = {
    Value.LABEL: (str | None, ""),
    Value.TEXT: (str | None, None),
    Value.SHOWN: (str | float | int | None, None),
    Value.FLAG: (bool | None, None),
    Value.NUMBER: (float | None, None),
    Value.SECONDS: (float | None, None),
    Value.INSTANT: (str | None, None),
    Value.GIVEN: (bool | float | str | None, None),
    Value.ANSWERS: (dict[str, Any] | None, None),
    Value.WEIGHTS: (dict[str, Any] | None, None),
}

Event = Any  # a struct with attributes id source type time subject sequence, and `data`, with one for each field
_SAMPLES: Final = 8


class Shape:
    """Structs for events of some types.

    No reference cycle can come from JSON, so the structs need no garbage collection. What they cannot hold raises one
    of `UNREADABLE`, null for `data` and base64 among it: rare enough to be read patiently.
    """

    def __init__(self, codes: frozenset[int], fields: Sequence[Field]) -> None:
        self.fields: Final = frozenset(f.name for f in fields)
        self.codes: Final = codes
        self.holds: Final[Flags] = np.array([*(code in codes for code in range(len(TYPES))), True])  # by code, or -1
        holders = [(f.name, *_HOLDS[f.value]) for f in fields]
        self.Data: Final = msgspec.defstruct("Data", holders, gc=False, frozen=True)
        self.no_data: Final = self.Data()
        attributes: list[Any] = [
            ("specversion", Literal["1.0"]),
            *((name, str) for name in ("id", "source", "type", "time")),
            *((name, str | None, None) for name in ("subject", "sequence")),
            ("data", self.Data, self.no_data),
            ("data_base64", None, None),
        ]
        self.Event: Final[Callable[..., Event]] = msgspec.defstruct("Event", attributes, gc=False)
        self.decode: Final[Callable[[bytes], Event]] = msgspec.json.Decoder(self.Event).decode
        self.decode_data: Final[Callable[[bytes], Any]] = msgspec.json.Decoder(self.Data).decode


def _shape(kinds: Sequence[Kind]) -> Shape:
    """The shape of interactions of those kinds; `clock.advanced`, which has no fields, fits any."""
    of_kinds = [code for code, t in enumerate(TYPES) if t.kind in kinds and not t.complaint]
    advanced = [code for code, t in enumerate(TYPES) if not t.counted]
    codes = frozenset(of_kinds + advanced)
    return Shape(codes, fields_of(codes))


ANY: Final = Shape(frozenset(range(len(TYPES))), FIELDS)
_SMALLER: Final = (_shape([Kind.MEASURED]), _shape(LIFECYCLE))


def shape_of(values: Sequence[bytes]) -> Shape:
    """The shape to decode a batch by, chosen by a few of its values."""
    if len(values) < 4 * _SAMPLES:
        return ANY
    codes = {_code(value) for value in values[:: len(values) // _SAMPLES]} - {-1}
    return next((shape for shape in _SMALLER if codes <= shape.codes), ANY)


def _code(value: bytes) -> int:
    try:
        return CODE_OF[ANY.decode(value).type]
    except UNREADABLE:
        return -1
