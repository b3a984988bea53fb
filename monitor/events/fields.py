"""The event contract as data: every type, and every field of `data` with what it may hold.

The JSON Schema, the decoder's structs, the readers of columns and the checks are all made from these tables, so
that they cannot disagree. How strict a value is read:

- In JSON nothing is converted: a number given as text, or a flag given as 0 or "true", is `wrong_type`. (Cells of
  files are text, so `read_columns` reads numbers and flags from text.)
- null is the same as absent, except for a label, where it clears the label; an empty label is absent.
- Fields that a type does not list are ignored whatever they hold.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Final

from monitor.names import LABELS, LIFECYCLE, Kind

LONGEST_TEXT: Final = 1_024  # characters of an attribute, a label or another short text
LONGEST_JSON: Final = 65_536  # bytes of the answers of one rating
LONGEST_SPAN_S: Final = 1e9  # seconds; 31 years, so that sums of milliseconds stay exact integers
FIRST_YEAR, LAST_YEAR = 1900, 2599  # of `time`: an instant outside is a mistake, and has no 10 s bucket


class Value(StrEnum):
    """What a field holds."""

    LABEL = "label"  # text; null clears it
    TEXT = "text"
    SHOWN = "shown"  # text or number that is only displayed
    FLAG = "flag"  # true or false
    NUMBER = "number"
    SECONDS = "seconds"  # a number, kept to the microsecond
    INSTANT = "instant"  # RFC 3339 with an offset
    GIVEN = "given"  # true, a positive number or any text: something was given
    ANSWERS = "answers"  # {name: {perceived, expected?, adequate?}}
    WEIGHTS = "weights"  # {name: number}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of `data`: where it counts, what it holds. Bounds include their ends."""

    name: str
    value: Value
    kinds: frozenset[Kind]
    meaning: str
    complaints_only: bool = False
    required: bool = False
    least: float | None = None
    most: float | None = None
    positive: bool = False  # 0 is outside
    choices: tuple[str, ...] = ()
    complaint_choices: tuple[str, ...] = ()  # instead of `choices`, for complaint.*

    def belongs_to(self, kind: Kind, complaint: bool) -> bool:
        return kind in self.kinds and (complaint or not self.complaints_only)

    def allowed(self, complaint: bool) -> tuple[str, ...]:
        return self.complaint_choices if complaint and self.complaint_choices else self.choices

    @property
    def path(self) -> str:
        return f"data.{self.name}"

    @property
    def expected(self) -> str:
        """What the field holds, in words."""
        if self.value in (Value.NUMBER, Value.SECONDS) and self.most is not None:
            return f"a number from {number_text(self.least or 0)} to {number_text(self.most)}"
        return "a number above 0" if self.positive else EXPECTED[self.value]


def number_text(number: float) -> str:
    """A number for people, such as 1,000,000,000."""
    return f"{number:,.12g}"


EXPECTED: Final = {
    Value.LABEL: "text",
    Value.TEXT: "text",
    Value.SHOWN: "text or a number",
    Value.FLAG: "true or false",
    Value.NUMBER: "a number of 0 or more",
    Value.SECONDS: "a number of seconds",
    Value.INSTANT: "a time such as 2026-11-20T16:30:00+08:00 (RFC 3339, with an offset)",
    Value.GIVEN: "true, false, a number or text",
    Value.ANSWERS: "an object such as {name: {perceived: 5, expected: 6}}",
    Value.WEIGHTS: "an object such as {name: 0.5}",
}


@dataclass(frozen=True, slots=True)
class EventType:
    """A name of EVENTS.md without prefix; `counted`: it is an event about a case, not the passing of time."""

    name: str
    kind: Kind
    complaint: bool

    @property
    def counted(self) -> bool:
        return self.kind is not Kind.ADVANCED


_FAMILY = (*(k for k in LIFECYCLE if k is not Kind.ACKNOWLEDGED), Kind.MEASURED)

TYPES: Final = (
    *(EventType(f"interaction.{k}", k, False) for k in _FAMILY),
    *(EventType(f"complaint.{k}", k, True) for k in (*_FAMILY, Kind.ACKNOWLEDGED)),
    EventType("rating.submitted", Kind.RATED, False),
    EventType("audit.scored", Kind.AUDITED, False),
    EventType("clock.advanced", Kind.ADVANCED, False),
)
TYPE_NAMES: Final = tuple(t.name for t in TYPES)
PREFIX: Final = r"(?:[A-Za-z0-9_-]+\.)*sqm\."  # a reverse-DNS prefix of a type, as a regular expression

_CASES = frozenset(Kind) - {Kind.ADVANCED}
_ENDS = frozenset({Kind.RESOLVED, Kind.MEASURED})


def _on(*kinds: Kind) -> frozenset[Kind]:
    return frozenset(kinds)


def _span(name: str, kinds: frozenset[Kind], meaning: str) -> Field:
    return Field(name, Value.SECONDS, kinds, meaning, least=0, most=LONGEST_SPAN_S)


_RATED, _AUDITED, _MEASURED = _on(Kind.RATED), _on(Kind.AUDITED), _on(Kind.MEASURED)

LABEL_FIELDS: Final = tuple(
    Field(label, Value.LABEL, _CASES, f"The {label} it is about; absent: no value") for label in LABELS
)
OTHER_FIELDS: Final = (
    Field("due_at", Value.INSTANT, _on(Kind.OPENED, Kind.UPDATED), "The promise given for this case"),
    Field("customer", Value.SHOWN, _on(Kind.OPENED), "Whose case it is"),
    Field("public", Value.FLAG, _on(Kind.RESPONDED), "Whether the customer sees it; absent: true"),
    Field(
        "by",
        Value.TEXT,
        _on(Kind.RESPONDED),
        "Who answered; absent: an agent",
        choices=("agent", "bot"),
    ),
    Field("reason", Value.TEXT, _on(Kind.PAUSED, Kind.RESUMED), "Who is waited for, such as customer"),
    Field("right_first_time", Value.FLAG, _ENDS, "Stated outcome; absent: seen from reopenings"),
    Field(
        "outcome",
        Value.TEXT,
        _on(Kind.RESOLVED),
        "How it ended; duplicate and merged mean that this was no case",
        complaint_choices=("upheld", "partly_upheld", "rejected", "duplicate", "merged"),
    ),
    Field("redress", Value.GIVEN, _on(Kind.RESOLVED), "Whether anything was given", complaints_only=True),
    _span("waited_s", _on(Kind.ABANDONED), "Seconds until the customer gave up"),
    _span("response_time_s", _MEASURED, "Seconds to the first response"),
    _span("resolution_time_s", _MEASURED, "Seconds to the resolution"),
    Field("abandoned", Value.FLAG, _MEASURED, "The customer gave up before an answer"),
    Field("interaction", Value.SHOWN, _CASES, "The interaction complained about", complaints_only=True),
    Field("severity", Value.SHOWN, _CASES, "How grave the complaint is", complaints_only=True),
    Field("csat", Value.NUMBER, _RATED, "Satisfaction", least=1, most=5),
    Field("nps", Value.NUMBER, _RATED, "Would recommend", least=0, most=10),
    Field("ces", Value.NUMBER, _RATED, "Ease", least=1, most=7),
    Field("dimensions", Value.ANSWERS, _RATED, "Perceived and expected service per dimension"),
    Field("items", Value.ANSWERS, _RATED, "Answers per item of a questionnaire"),
    Field("weights", Value.WEIGHTS, _RATED, "How much each dimension matters to the respondent"),
    Field("score", Value.NUMBER, _AUDITED, "Points reached", required=True, least=0),
    Field("max_score", Value.NUMBER, _AUDITED, "Points that could be reached", required=True, least=0, positive=True),
    Field("passed", Value.FLAG, _AUDITED, "Whether the inspection was passed", required=True),
    Field("inspector", Value.SHOWN, _AUDITED, "Who inspected"),
    Field("lot", Value.SHOWN, _AUDITED, "The lot that the case was drawn from"),
)
FIELDS: Final = LABEL_FIELDS + OTHER_FIELDS
FIELD: Final = {f.name: f for f in FIELDS}

ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time", "sequence", "data")
# Of several faults of one event the first in this order is the one reported; 0: the record cannot be read.
RANK: Final = {name: rank for rank, name in enumerate((*ATTRIBUTES, *(f.name for f in FIELDS)), start=1)}


_PREFIX: Final = re.compile(PREFIX)


class _Codes(dict[str, int]):
    """Number of a type's name in `TYPES`, with any prefix; -1: unknown. Remembers what it resolved."""

    def __missing__(self, name: str) -> int:
        prefix = _PREFIX.match(name)
        code = self.get(name[prefix.end() :], -1) if prefix else -1
        if code >= 0 and len(self) < 10_000:
            self[name] = code
        return code


CODE_OF: Final[dict[str, int]] = _Codes({name: code for code, name in enumerate(TYPE_NAMES)})


def nearest_type(name: str) -> str | None:
    """The known type name that `name` was most likely meant to be."""
    tail = (name.rpartition("sqm.")[2] or name)[-80:].lower()
    ending = "." + tail.rpartition(".")[2]
    alike = [known for known in TYPE_NAMES if known.endswith(ending)]
    close = get_close_matches(tail, alike or TYPE_NAMES, n=1, cutoff=0 if alike else 0.5)
    return close[0] if close else None


@lru_cache(maxsize=256)
def fields_of(codes: frozenset[int]) -> tuple[Field, ...]:
    """The fields that count for any of the types with those codes, in the order of the table."""
    types = [TYPES[code] for code in codes if code >= 0]
    return tuple(f for f in FIELDS if any(f.belongs_to(t.kind, t.complaint) for t in types))
