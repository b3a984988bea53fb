"""What is wrong with an event: reason, place and words for people."""

import math
from typing import Any, NamedTuple

from monitor.events.fields import RANK, number_text
from monitor.names import Refusal


class Fault(NamedTuple):
    """One thing wrong with one event; `rank` orders the faults of an event, the least is reported."""

    rank: int
    reason: Refusal
    field: str  # path such as data.csat; empty: the record as a whole
    message: str


class Refused(Exception):
    """Raised where one event is read by itself and found wrong."""

    retriable = False

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def fault(reason: Refusal, name: str, message: str, *, within: str = "") -> Fault:
    """A fault of the attribute or field of that name; `within`: the path below it."""
    data = name in RANK and RANK[name] > RANK["data"]
    return Fault(RANK.get(name, 0), reason, (f"data.{name}" if data else name) + within, message)


def unreadable(reason: Refusal, message: str) -> Fault:
    """A fault of the record as a whole."""
    return Fault(0, reason, "", message)


def missing(name: str, expected: str) -> Fault:
    return fault(Refusal.MISSING_FIELD, name, f"{name} is missing, expected {expected}")


def wrong_type(name: str, value: Any, expected: str, *, within: str = "") -> Fault:
    return fault(Refusal.WRONG_TYPE, name, f"found {shown(value)}, expected {expected}", within=within)


def off_bounds(
    name: str, value: float, least: float | None, most: float | None, *, scale: bool, within: str = ""
) -> Fault | None:
    """The fault of a number that is not finite or lies outside [least, most]; None: it is fine.

    `scale`: the bounds are those of a scale, so that what lies outside is `off_scale`.
    """
    low, found = number_text(least or 0), number_text(value)
    expected = f"{low} or more" if most is None else f"{low} to {number_text(most)}"
    if not math.isfinite(value):
        return fault(Refusal.NOT_FINITE, name, f"found {found}, expected a finite number", within=within)
    if least is not None and value < least:
        reason = Refusal.OFF_SCALE if scale else Refusal.NEGATIVE
        return fault(reason, name, f"found {found}, expected {expected}", within=within)
    if most is not None and value > most:
        reason = Refusal.OFF_SCALE if scale else Refusal.TOO_LARGE
        return fault(reason, name, f"found {found}, expected {expected}", within=within)
    return None


def shown(value: Any) -> str:
    """A JSON value in a few words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_number(value)}"
        case str():
            return f'the text "{clipped(value)}"'
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a value of type {type(value).__name__}"


def _number(value: float) -> str:
    return number_text(value) if isinstance(value, float) or abs(value) < 1 << 53 else clipped(str(value))


def clipped(text: str, length: int = 40) -> str:
    """`text`, cut to a length that fits a message."""
    return text if len(text) <= length else text[: length - 1] + "…"
