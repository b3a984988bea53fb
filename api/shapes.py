"""What the answers have in common: times, labels, lists, and the query parameters that lists share.

Times are RFC 3339 UTC with milliseconds, durations seconds with `_seconds` in the name, ratios lie between 0 and 1.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from api.cursors import DEFAULT, MOST
from monitor.names import LABELS

Instant = Annotated[
    str,
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T08:30:00.000Z"]}),
]
Ratio = Annotated[float, Field(description="Between 0 and 1.")]


def _asked_instant(value: object) -> datetime:
    """An instant of a query: a number, which could be seconds or milliseconds of anything, is none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or "T" not in str(value).upper():
        raise ValueError(f"{value!r} is no RFC 3339 time with an offset, such as 2026-11-20T08:30:00Z")
    return found


AskedInstant = Annotated[
    datetime, PlainValidator(_asked_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]

INSTANT_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"


class Shape(BaseModel):
    """An answer: exactly these members."""

    model_config = ConfigDict(extra="forbid")


LabelValues = Annotated[
    dict[str, str],
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"enum": list(LABELS)},
            "description": "Label values; a label without a value is absent. `{}` is the total.",
            "examples": [{"service": "billing"}],
        }
    ),
]

Next = Annotated[
    str | None,
    Field(description="Pass it as `cursor` to get the next page; null: this was the last."),
]


def _label_values(label: str) -> Any:
    return Field([], description=f"Only rows of this {label}; repeat for any of several, empty for none.")


class LabelFilter(BaseModel):
    """Filters by label; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    service: list[str] = _label_values("service")
    channel: list[str] = _label_values("channel")
    team: list[str] = _label_values("team")
    agent: list[str] = _label_values("agent")
    tier: list[str] = _label_values("tier")
    priority: list[str] = _label_values("priority")
    region: list[str] = _label_values("region")
    category: list[str] = _label_values("category")

    def wanted(self) -> dict[str, list[str]]:
        """Label -> values that are wanted, for the labels that are filtered by."""
        given = {label: getattr(self, label) for label in LABELS}
        return {label: values for label, values in given.items() if values}


class Paging(LabelFilter):
    """Filters by label, and where in the list to begin."""

    limit: int = Field(DEFAULT, ge=1, le=MOST, description="The most rows of one answer.")
    cursor: str | None = Field(None, max_length=4096, description="`next` of the answer before.")

    def filters(self) -> dict[str, Any]:
        """Everything but the place: what a cursor is bound to."""
        return self.model_dump(exclude={"limit", "cursor"}, exclude_defaults=True)


class NoParameters(BaseModel):
    """For resources that take no parameters: any is refused."""

    model_config = ConfigDict(extra="forbid")


def instant(value: datetime | None) -> str | None:
    """RFC 3339 UTC with milliseconds (cut, not rounded)."""
    if value is None:
        return None
    value = value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def seconds(value: timedelta | None) -> float | None:
    """Seconds with three decimals."""
    return None if value is None else round(value.total_seconds(), 3)


def instant_text(column: str) -> pl.Expr:
    """A column of instants as RFC 3339 UTC text with milliseconds."""
    return pl.col(column).dt.truncate("1ms").dt.strftime(INSTANT_FORMAT)


def seconds_of(column: str) -> pl.Expr:
    """A column of spans as seconds with three decimals."""
    return (pl.col(column).dt.total_microseconds() / 1_000_000).round(3)


def labels_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a row that have a value."""
    return {label: row[label] for label in LABELS if row.get(label) is not None}


def fits(wanted: Mapping[str, list[str]]) -> pl.Expr:
    """True for rows whose label columns have one of the wanted values; "" stands for no value."""
    conditions = [pl.lit(True)]
    for label, values in wanted.items():
        condition = pl.col(label).is_in(values)
        conditions.append(condition.fill_null("" in values))
    return pl.all_horizontal(conditions)


def fits_labels(labels: Mapping[str, str], wanted: Mapping[str, list[str]]) -> bool:
    """As `fits`, for the labels of one item."""
    return all(labels.get(label, "") in values for label, values in wanted.items())
