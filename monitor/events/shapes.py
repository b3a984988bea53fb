"""The structs that msgspec decodes events into: one for any event, and small ones learned from a stream.

A struct costs by its fields, given or not, and so does reading them: a stream whose events have four fields in `data`
is decoded and read in two thirds of the time by a struct of these four. So a batch is decoded by a closed shape that
has just the fields of a few samples of it. An event with any other field does not fit it, and is decoded by the shape
of any event: what is learned never changes a result.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from monitor.events.fields import FIELD, FIELDS, Value

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

_SAMPLES: Final = 16
_MOST_KEYS: Final = 64  # of `data` in the samples; with more there is nothing to be learned


class Shape:
    """Structs for events whose `data` has those fields; `closed`: and no key besides them and `others`.

    No reference cycle can come from JSON, so the structs need no garbage collection. What they cannot hold raises one
    of `UNREADABLE`, null for `data` and base64 among it: rare enough to be read patiently.
    """

    def __init__(self, fields: Iterable[str], others: Sequence[str] = (), *, closed: bool) -> None:
        self.fields: Final = frozenset(fields)
        holders: list[Any] = [(name, *_HOLDS[FIELD[name].value]) for name in sorted(self.fields)]
        ignored = {f"ignored_{place}": key for place, key in enumerate(others)}  # known to the stream, not to the table
        holders += [(name, msgspec.Raw, msgspec.Raw()) for name in ignored]
        self.Data: Final = msgspec.defstruct(
            "Data", holders, rename=ignored, forbid_unknown_fields=closed, gc=False, frozen=True
        )
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


ANY: Final = Shape([field.name for field in FIELDS], closed=False)


class _Sample(msgspec.Struct):
    data: dict[str, msgspec.Raw]


_keys_of = msgspec.json.Decoder(_Sample).decode


def learned(values: Sequence[bytes]) -> Shape:
    """A shape for a batch, seen from a few of its values."""
    if len(values) < 8 * _SAMPLES:
        return ANY
    keys: set[str] = set()
    for value in values[:: len(values) // _SAMPLES]:
        try:
            keys.update(_keys_of(value).data)
        except UNREADABLE:
            continue
    return _shape(frozenset(keys)) if len(keys) <= _MOST_KEYS else ANY


@lru_cache(maxsize=64)
def _shape(keys: frozenset[str]) -> Shape:
    return Shape(keys & FIELD.keys(), sorted(keys - FIELD.keys()), closed=True)
