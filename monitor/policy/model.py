"""What may stand in a policy: the pydantic models are its only definition.

One `PolicyDocument` is one version. Values are checked here one by one; what concerns several of them
(unknown labels, unreachable lines, weights) is checked in `lint.py`.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from monitor.names import Clock
from monitor.policy.calendar_model import Calendar
from monitor.policy.durations import format_span, parse_span
from monitor.policy.frozen import Frozen
from monitor.policy.values import (
    SHARE_SCHEMA,
    Count,
    Flag,
    Instant,
    Name,
    Names,
    Number,
    Part,
    Share,
    Span,
    Target,
    Url,
    When,
    Whole,
    Zone,
    decimal_text,
    one_of,
    parse_share,
    unknown,
)


class OnChange(StrEnum):
    """What becomes of a running clock when another line of the policy begins to fit its case."""

    RETROACTIVE = "retroactive"  # measured again from its start
    RESTART = "restart"  # it starts at the change
    KEEP = "keep"  # the line it started under stays


def _parse_at_risk(written: object) -> Decimal | Literal[False]:
    return False if written in (False, "false") else parse_share(written)


def _none_for_false(written: object) -> object:
    return "none" if written == "false" else written


ClockName = Annotated[Clock, BeforeValidator(one_of(Clock))]
AtRisk = Annotated[
    Decimal | Literal[False],
    PlainValidator(_parse_at_risk),
    PlainSerializer(lambda share: decimal_text(share) if share else False),
    WithJsonSchema({"anyOf": [SHARE_SCHEMA, {"const": False}]}),
]


class Limits(Part):
    """Bounds and horizons; every one has a default."""

    series: Count = Field(default=20_000, description="most combinations of label values a partition holds")
    future_skew: Span = Field(default=timedelta(minutes=5), description="how far ahead of the clock a time may lie")
    grace: Span = Field(default=timedelta(seconds=30), description="how long a breach waits for an answer on its way")
    retention: Span = Field(default=timedelta(days=30), description="how long a case is kept after its end")
    dedup: Span = Field(default=timedelta(hours=48), description="how long ids of measured events are remembered")
    reopen: Span = Field(default=timedelta(days=7), description="a reopening within it: not right the first time")
    short_abandon: Span = Field(default=timedelta(seconds=5), description="given up so soon that nobody could answer")
    min_n: Count = Field(default=25, description="fewest observations for which a figure is shown")


class TargetDocument(Part):
    """One line of `targets`: for each clock the first line whose `when` fits the case wins."""

    clock: ClockName
    when: Mapping[str, When] = Field(default_factory=dict, description="which cases; nothing: all")
    within: Target | None = Field(default=None, description="15m, 4h, 2d of calendar time, or 3 business_days")
    calendar: str = Field(default="always", description="a calendar of this policy, or `always` (24x7)")
    at_risk: AtRisk = Field(
        default=Decimal("0.8"), description="share of the target from which an open clock is at risk; false: never"
    )
    bots_answer: Flag = Field(default=False, description="whether a bot's public response stops the clock")
    pauses: Names = Field(default=(), description='pause reasons that stop this clock; "*": every one')
    on_change: Annotated[OnChange, BeforeValidator(one_of(OnChange))] = OnChange.RETROACTIVE


class IndicatorMeasure(Part):
    """An indicator that must keep to a threshold."""

    indicator: str
    at_least: Number | None = None
    at_most: Number | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give at_least or at_most, one of the two")
        return self


class CalendarPeriod(Part):
    """A period that begins with each day, week, month or quarter of a zone."""

    calendar: Literal["day", "week", "month", "quarter"]
    zone: Zone = "UTC"


def _parse_measure(written: object) -> object:
    if not isinstance(written, str):
        return IndicatorMeasure.model_validate(written)
    for clock in Clock:
        if written == clock:
            return clock
    said = "is no clock; an indicator is written {indicator: ID, at_least: 0.85}"
    raise unknown(written, [str(clock) for clock in Clock], said)


def _parse_period(written: object) -> timedelta | CalendarPeriod:
    if isinstance(written, Mapping | CalendarPeriod):
        return CalendarPeriod.model_validate(written)
    period = parse_span(written)
    if not timedelta(minutes=1) <= period <= timedelta(days=400):
        raise ValueError("a rolling period lasts from 1m to 400d (as long as cells are kept)")
    return period


def _period_text(period: timedelta | CalendarPeriod) -> object:
    return period.model_dump() if isinstance(period, CalendarPeriod) else format_span(period)


Period = Annotated[
    timedelta | CalendarPeriod,
    PlainValidator(_parse_period, json_schema_input_type=Span | CalendarPeriod),
    PlainSerializer(_period_text),
]


class SlaAlerts(Part):
    """What of this SLA raises an alert."""

    burn: Annotated[Literal["standard", "none"], BeforeValidator(_none_for_false)] = "standard"
    breach: Annotated[Literal["each", "none"], BeforeValidator(_none_for_false)] = "none"
    at_risk: Flag = False


class Sla(Part):
    """An objective: the share of good outcomes over a period, one for each combination of `by`."""

    id: Name
    title: str = ""
    owner: str = ""
    measure: Annotated[Clock | IndicatorMeasure, BeforeValidator(_parse_measure)] = Field(
        description="a clock, or an indicator with a threshold"
    )
    where: Mapping[str, When] = Field(default_factory=dict, description="labels it is limited to")
    by: Names = Field(default=(), description="labels: one objective for each of their values")
    goal: Share
    period: Period = Field(description="30d (rolling), or {calendar: month, zone: Europe/Berlin}")
    min_events: Whole = Field(default=50, description="fewest events for which a burn alert may fire")
    alerts: SlaAlerts = SlaAlerts()
    notify: Names = ()


class Feed(Part):
    """A source of events that should not fall silent."""

    match: Mapping[str, When] = Field(alias="from")
    silent_after: Span
    calendar: str = "always"


class Item(Part):
    """One question of a survey."""

    dimension: str
    text: str = ""


def _parse_scale(written: object) -> object:
    low, dash, high = str(written).partition("-") if isinstance(written, str) else ("", "", "")
    if isinstance(written, tuple):
        return written
    if not dash or not low.strip().isdigit() or not high.strip().isdigit() or int(low) >= int(high):
        raise ValueError(f"{written!r} is no scale: write one like 1-7")
    return int(low), int(high)


class Perception(Part):
    """How customers are asked about the service, and how the dimensions weigh."""

    dimensions: Mapping[str, Number] = Field(description="weight of each dimension; they sum to 1")
    scale: Annotated[
        tuple[int, int],
        BeforeValidator(_parse_scale),
        PlainSerializer(lambda s: f"{s[0]}-{s[1]}"),
        WithJsonSchema({"type": "string", "pattern": r"^\d+\s*-\s*\d+$", "examples": ["1-7"]}),
    ] = (1, 7)
    items: Mapping[str, Item] = Field(default_factory=dict)


class Receiver(Part):
    """Where alerts go: a webhook, an Apprise address (kept in the environment or a file), or Alertmanager."""

    webhook: Url | None = None
    secret_env: str | None = Field(default=None, description="environment variable with the webhook's secret")
    secret_file: str | None = Field(default=None, description="file with the webhook's secret")
    apprise_env: str | None = Field(default=None, description="environment variable with the Apprise address")
    apprise_file: str | None = Field(default=None, description="file with the Apprise address")
    url: Url | None = Field(default=None, description="address of an Alertmanager")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("webhook", "apprise_env", "apprise_file", "url") if getattr(self, name)]
        if len(ways) != 1:
            raise ValueError("give one of webhook, apprise_env, apprise_file or url (an Alertmanager)")
        secrets = [name for name in ("secret_env", "secret_file") if getattr(self, name)]
        if len(secrets) > 1 or (secrets and self.webhook is None):
            raise ValueError("a webhook takes one of secret_env and secret_file; other ways take neither")
        return self

    @property
    def kind(self) -> Literal["webhook", "apprise", "alertmanager"]:
        """Which of the ways it is."""
        if self.webhook:
            return "webhook"
        return "alertmanager" if self.url else "apprise"


class PolicyDocument(Part):
    """One version of a policy: what was promised to whom, and what is worth watching."""

    policy: Name = Field(description="the policy's name, the same in all its versions")
    effective_from: Instant | None = Field(
        default=None, description="cases opened from then on are judged by this version; none: all before the others"
    )
    labels: Names = Field(default=(), description="labels that become series; the others stay on the case")
    limits: Limits = Limits()
    calendars: Mapping[str, Calendar] = Field(default_factory=dict)
    targets: tuple[TargetDocument, ...] = Field(default=(), strict=False)
    slas: tuple[Sla, ...] = Field(default=(), strict=False)
    feeds: tuple[Feed, ...] = Field(default=(), strict=False)
    perception: Perception | None = None
    notify: Mapping[str, Receiver] = Field(default_factory=dict)
    frozen: Frozen | None = Field(
        default=None, description="holidays and zone rules as they were; written by the monitor, not by hand"
    )

    def judging_calendars(self) -> Mapping[str, Calendar]:
        """The calendars that a target line counts by."""
        named = {line.calendar for line in self.targets}
        return {name: calendar for name, calendar in self.calendars.items() if name in named}


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of one policy document, for editors."""
    schema = PolicyDocument.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "sqm policy"}
