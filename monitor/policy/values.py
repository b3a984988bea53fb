"""The types of a policy's fields: read from the text that was written, exact, with a JSON Schema each."""

import re
from collections.abc import Callable, Container, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from monitor.policy.conditions import Condition, parse_condition
from monitor.policy.durations import BusinessDays, format_span, parse_span, parse_target
from monitor.policy.problems import listed, nearest

E = TypeVar("E", bound=StrEnum)


class Part(BaseModel):
    """A part of a policy or mapping: nothing in it can be changed, and no unknown key is let through."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


def unknown(written: object, known: Iterable[str], said: str) -> PydanticCustomError:
    """The error of a name that is none of those known: `'written' said`, with the nearest one."""
    context = {"message": f"{written!r} {said}", "nearest": nearest(str(written), known)}
    return PydanticCustomError("unknown_name", "{message}", context)


def one_of(kind: type[E]) -> Callable[[object], E]:
    """A reader of the members of an enumeration."""

    def parse(written: object) -> E:
        for member in kind:
            if written == member:
                return member
        known = [str(member) for member in kind]
        raise unknown(written, known, f"is not one of {listed(known)}")

    return parse


def parse_decimal(written: object) -> Decimal:
    """`95%`, `99.9%` or `0.95` as an exact Decimal. Raises ValueError."""
    if isinstance(written, Decimal):
        return written
    text = written.strip() if isinstance(written, str) else ""
    number, percent = (text[:-1].rstrip(), True) if text.endswith("%") else (text, False)
    try:
        value = Decimal(number)
    except InvalidOperation:
        raise ValueError(f"{written!r} is not a number: write one like 95% or 0.95") from None
    if not value.is_finite():
        raise ValueError("must be a finite number")
    return value.scaleb(-2) if percent else value


def parse_share(written: object) -> Decimal:
    """A share strictly between 0 and 1. Raises ValueError."""
    value = parse_decimal(written)
    if value > 1:
        raise ValueError(f"must lie between 0 and 1: write {value}% for {value} in a hundred")
    if not 0 < value < 1:
        raise ValueError("must lie between 0 and 1 (0% and 100%), both excluded")
    return value


def decimal_text(value: Decimal) -> str:
    """A Decimal without exponent and without idle zeros: `0.95`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Decimal) -> str:
    """A share for people: `99.9%`."""
    return f"{decimal_text(share * 100)}%"


def parse_whole(written: object) -> int:
    """A whole number. Raises ValueError."""
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    if isinstance(written, str) and re.fullmatch(r"-?\d{1,15}", written.strip()):
        return int(written)
    raise ValueError(f"{written!r} is not a whole number")


def parse_flag(written: object) -> bool:
    """`true` or `false`. Raises ValueError."""
    if isinstance(written, bool):
        return written
    if written in ("true", "false"):
        return written == "true"
    raise ValueError(f"{written!r} is neither true nor false")


def parse_instant(written: object) -> datetime:
    """An instant with its offset, in UTC, cut to microseconds. Raises ValueError."""
    if isinstance(written, datetime):
        return written.astimezone(UTC)
    example = "write one like 2026-01-01T00:00:00Z"
    try:
        instant = datetime.fromisoformat(written.strip() if isinstance(written, str) else "")
    except ValueError:
        raise ValueError(f"{written!r} is not an instant: {example}") from None
    if instant.tzinfo is None:
        raise ValueError(f"an instant needs its offset: {example}")
    return instant.astimezone(UTC)


def instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def frozen_names(info: ValidationInfo, kind: str) -> Container[object]:
    """The names of `kind` (`zones`, `holidays`) that the document brings along: the installed data need not know
    them."""
    names: Container[object] = (info.context or {}).get(kind, ())
    return names


def parse_zone(written: object, info: ValidationInfo) -> str:
    """The name of an IANA time zone. Raises ValueError with the nearest one."""
    if isinstance(written, str) and (written in _zones() or written in frozen_names(info, "zones")):
        return written
    raise unknown(written, sorted(_zones()), "is no IANA time zone: write one like Europe/Berlin")


def parse_name(written: object) -> str:
    """A name: letters, digits, `_`, `-`, `.`. Raises ValueError."""
    if isinstance(written, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", written):
        return written
    raise ValueError(f"{written!r} is not a name: letters, digits, '-', '_' and '.', at most 100, no spaces")


def parse_url(written: object) -> str:
    """An http(s) address. Raises ValueError."""
    if isinstance(written, str) and re.fullmatch(r"https?://[^\s/]+\S*", written):
        return written
    raise ValueError(f"{written!r} is not an address: it starts with http:// or https://")


def positive(parse: Callable[[object], Any], said: str) -> Callable[[object], Any]:
    """`parse`, refusing what is not more than nothing."""

    def parse_positive(written: object) -> Any:
        value = parse(written)
        if value in (timedelta(0), BusinessDays(0)) or (isinstance(value, int) and value < 1):
            raise ValueError(said)
        return value

    return parse_positive


def _one_or_many(written: object) -> object:
    return [written] if isinstance(written, str) else written


def _target_text(target: timedelta | BusinessDays) -> str:
    return str(target) if isinstance(target, BusinessDays) else format_span(target)


_SPAN_SCHEMA = {
    "type": "string",
    "pattern": r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$",
    "examples": ["90s", "15m", "4h", "2d", "1h30m"],
}
_TARGET_SCHEMA = {
    "type": "string",
    "pattern": r"^((?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?|\d+\s*business_days?)$",
    "examples": ["15m", "4h", "3 business_days"],
}
SHARE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": r"^(\d+(\.\d*)?|\.\d+)\s*%?$"},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ],
    "examples": ["95%", 0.95],
}
_NUMBER_SCHEMA = {"anyOf": [{"type": "string", "pattern": r"^-?\d+(\.\d+)?\s*%?$"}, {"type": "number"}]}
_WORD_SCHEMA: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_CONDITION_SCHEMA = {"anyOf": [_WORD_SCHEMA, {"type": "array", "items": _WORD_SCHEMA, "minItems": 1}]}
_NAME_SCHEMA = {"type": ["string", "integer"], "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"}

# PlainValidator: the text alone decides; the annotation says what comes out.
Span = Annotated[timedelta, PlainValidator(parse_span), PlainSerializer(format_span), WithJsonSchema(_SPAN_SCHEMA)]
Target = Annotated[
    timedelta | BusinessDays,
    PlainValidator(positive(parse_target, "a target of nothing: the clock would be due the moment it starts")),
    PlainSerializer(_target_text),
    WithJsonSchema(_TARGET_SCHEMA),
]
Share = Annotated[Decimal, PlainValidator(parse_share), PlainSerializer(decimal_text), WithJsonSchema(SHARE_SCHEMA)]
Number = Annotated[
    Decimal, PlainValidator(parse_decimal), PlainSerializer(decimal_text), WithJsonSchema(_NUMBER_SCHEMA)
]
Names = Annotated[
    tuple[str, ...], Field(strict=False), BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
]
Whole = Annotated[int, BeforeValidator(parse_whole), Field(ge=0)]
Count = Annotated[int, BeforeValidator(parse_whole), Field(ge=1)]
Flag = Annotated[bool, BeforeValidator(parse_flag)]
Instant = Annotated[
    datetime,
    PlainValidator(parse_instant),
    PlainSerializer(instant_text),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Zone = Annotated[str, PlainValidator(parse_zone), WithJsonSchema({"type": "string"})]
Name = Annotated[str, PlainValidator(parse_name), WithJsonSchema(_NAME_SCHEMA)]
Url = Annotated[str, PlainValidator(parse_url), WithJsonSchema({"type": "string", "format": "uri"})]
When = Annotated[
    Condition,
    PlainValidator(parse_condition),
    PlainSerializer(Condition.written),
    WithJsonSchema(_CONDITION_SCHEMA),
]
