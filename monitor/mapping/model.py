"""What may stand in a mapping: how rows of a foreign table become events."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from monitor.policy.values import Names, Number, Part, When, Zone


class Cell(Part):
    """Where a value comes from: a column, with its values translated or scaled, or a constant."""

    column: str | None = None
    value: str | None = Field(default=None, description="a constant")
    map: Mapping[str, str | None] | None = Field(
        default=None, description="other texts for some of the column's; null: none. What is not listed stays"
    )
    scale: Number | None = Field(default=None, description="factor on a column of numbers, such as 0.001")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise ValueError("give a column, or {value: x} for a constant")
        changes = [name for name in ("map", "scale") if getattr(self, name) is not None]
        if len(changes) > 1 or (changes and self.column is None):
            raise ValueError("a column takes map or scale, one of the two; a constant takes neither")
        return self


class At(Part):
    """Where an event's time comes from: one column, or several joined with a space, and seconds added."""

    column: Names
    plus: str | None = Field(default=None, description="column of seconds that are added")


class TimeFormat(Part):
    """How the table writes times; an offset in the value beats `zone`."""

    zone: Zone | None = Field(default=None, description="IANA zone of times without an offset")
    format: str | None = Field(default=None, description="strptime format of times that are not ISO 8601")


def _as_cell(written: object) -> object:
    return Cell(column=written) if isinstance(written, str) else written


def _as_at(written: object) -> object:
    return {"column": written} if isinstance(written, str | list) else written


CellField = Annotated[Cell, BeforeValidator(_as_cell, json_schema_input_type=str | Cell)]
AtField = Annotated[At, BeforeValidator(_as_at, json_schema_input_type=str | list[str] | At)]


class EventDocument(Part):
    """One kind of event that a row may give."""

    type: str
    at: AtField
    when: Mapping[str, When] = Field(default_factory=dict, description="conditions on the row's cells")
    once: Literal["first"] | None = Field(default=None, description="only the first row of the case that fits")
    data: Mapping[str, CellField] = Field(default_factory=dict)
    id: str | None = Field(default=None, description="column of the event's id; else a hash of the event")


class MappingDocument(Part):
    """How the rows of a CSV or Parquet file become events."""

    source: str = Field(default="file", min_length=1, description="the events' `source`")
    rows: Literal["cases", "events"] = Field(description="whether a row is a case or something that happened")
    case: str = Field(description="column of the case id")
    id: str | None = Field(default=None, description="column of the events' ids; else a hash of the event")
    time: TimeFormat = TimeFormat()
    missing: Names = Field(default=(), description="cells that count as empty, such as ? and NA")
    labels: Mapping[str, CellField] = Field(default_factory=dict)
    events: tuple[EventDocument, ...] = Field(strict=False, min_length=1)


def mapping_schema() -> dict[str, Any]:
    """The JSON Schema of a mapping, for editors."""
    schema = MappingDocument.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "sqm mapping"}


def columns_of(mapping: MappingDocument) -> dict[str, tuple[str | int, ...]]:
    """Every column that the mapping names, and the first place where it does."""
    found: dict[str, tuple[str | int, ...]] = {}

    def named(column: str | None, *place: str | int) -> None:
        if column is not None:
            found.setdefault(column, place)

    named(mapping.case, "case")
    named(mapping.id, "id")
    for label, cell in mapping.labels.items():
        named(cell.column, "labels", label)
    for i, event in enumerate(mapping.events):
        for column in event.at.column:
            named(column, "events", i, "at")
        named(event.at.plus, "events", i, "at", "plus")
        named(event.id, "events", i, "id")
        for column in event.when:
            named(column, "events", i, "when", column)
        for field, cell in event.data.items():
            named(cell.column, "events", i, "data", field)
    return found
