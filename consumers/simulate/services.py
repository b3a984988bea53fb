"""The simulated services: who they are, when they are busy, and how their cases go. Times are seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Share of a day's arrivals by local hour, relative to each other.
ROUND_THE_CLOCK = (6, 5, 5, 5, 5, 6, 7, 8, 10, 11, 12, 12, 11, 11, 11, 11, 11, 11, 12, 12, 11, 10, 8, 7)
OFFICE_DAY = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 18, 16, 11, 14, 16, 15, 13, 9, 5, 4, 3, 2, 2, 1)
LONG_DAY = (2, 1, 1, 1, 2, 4, 9, 13, 15, 14, 13, 12, 12, 13, 13, 13, 12, 11, 9, 7, 6, 5, 4, 3)


@dataclass(frozen=True, slots=True)
class Life:
    """How the cases of a service go; shares are of all its cases, times are medians."""

    response: Mapping[str, float]  # by priority
    answer: float  # the agent's next answer
    think: float  # the customer's next message
    work: float  # from the last answer to the resolve
    replies: float  # share of cases (and of those again) in which the customer writes once more
    response_spread: float = 0.5
    bot: float = 0.0
    note: float = 0.03  # an answer that the customer does not see
    abandoned: float = 0.0
    patience: float = 60.0
    paused: float = 0.0
    pause: float = 7200.0
    reasons: Mapping[str, float] = field(default_factory=lambda: {"customer": 1.0})
    raised: float = 0.03  # priority raised, moved to another team
    promise: float | None = None  # from the opening to the promised time
    promised_again: float = 0.0
    cancelled: float = 0.01
    nothing: float = 0.01  # resolved as a duplicate
    reopened: float = 0.03
    reopening: float = 14400.0
    closing: float = 3600.0
    complaint: float = 0.01
    rated: float = 0.2
    rating: str = "csat"
    audited: float = 0.02


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its labels, its rhythm, and the life of its cases (None: it reports finished calls only)."""

    name: str
    prefix: str  # of the case ids
    encoding: str  # how it publishes while live: structured, binary, batch or arrow
    zone: str
    hours: tuple[int, ...]
    weekend: float  # a weekend day's arrivals relative to a weekday's
    cases_per_day: float
    live_factor: float  # how much busier it is while somebody watches
    channels: Mapping[str, float]
    teams: Mapping[str, float]
    categories: Mapping[str, float]
    regions: Mapping[str, float]
    priorities: Mapping[str, float]
    tiers: Mapping[str, float]
    agents: int
    life: Life | None
    slows_to: float | None  # share of its work that it gets done in an incident; None: it has none

    @property
    def source(self) -> str:
        return f"urn:example:{self.name}"


TIERS = {"free": 60, "pro": 30, "enterprise": 10}

CHAT = Service(
    name="support-chat",
    prefix="CHAT",
    encoding="structured",
    zone="UTC",
    hours=ROUND_THE_CLOCK,
    weekend=0.8,
    cases_per_day=600,
    live_factor=100,
    channels={"web-chat": 60, "app-chat": 30, "messenger": 10},
    teams={"frontline": 80, "product-experts": 20},
    categories={"how-to": 45, "account": 25, "bug": 20, "feature": 10},
    regions={"emea": 40, "amer": 35, "apac": 25},
    priorities={"P1": 5, "P2": 20, "P3": 75},
    tiers=TIERS,
    agents=40,
    life=Life(
        response={"P1": 10, "P2": 15, "P3": 19},
        answer=25,
        think=45,
        work=90,
        replies=0.55,
        response_spread=0.45,
        bot=0.3,
        abandoned=0.03,
        patience=20,
        paused=0.03,
        pause=600,
        reopened=0.03,
        reopening=3600,
        closing=900,
        complaint=0.004,
        rated=0.25,
    ),
    slows_to=0.1,
)

BILLING = Service(
    name="billing",
    prefix="BILL",
    encoding="binary",
    zone="Europe/Berlin",
    hours=OFFICE_DAY,
    weekend=0.25,
    cases_per_day=260,
    live_factor=25,
    channels={"email": 55, "portal": 35, "letter": 10},
    teams={"invoices": 55, "payments": 30, "collections": 15},
    categories={"invoice": 50, "refund": 25, "dunning": 15, "contract": 10},
    regions={"de": 55, "at": 15, "ch": 10, "nl": 20},
    priorities={"P1": 3, "P2": 22, "P3": 75},
    tiers={"consumer": 75, "business": 25},
    agents=14,
    life=Life(
        response={"P1": 900, "P2": 3000, "P3": 5400},
        answer=5400,
        think=10800,
        work=21600,
        replies=0.35,
        paused=0.3,
        pause=28800,
        reasons={"customer": 70, "third_party": 30},
        raised=0.06,
        nothing=0.02,
        reopened=0.06,
        reopening=43200,
        closing=86400,
        complaint=0.03,
        rated=0.15,
        rating="nps",
        audited=0.05,
    ),
    slows_to=None,
)

FIELD = Service(
    name="field-service",
    prefix="VISIT",
    encoding="batch",
    zone="America/New_York",
    hours=LONG_DAY,
    weekend=0.6,
    cases_per_day=240,
    live_factor=130,
    channels={"app": 55, "web": 25, "partner": 20},
    teams={"north": 35, "south": 40, "west": 25},
    categories={"repair": 50, "installation": 30, "maintenance": 20},
    regions={"ny": 40, "nj": 30, "ct": 30},
    priorities={"P1": 15, "P2": 35, "P3": 50},
    tiers={"standard": 80, "premium": 20},
    agents=60,
    life=Life(
        response={"P1": 25, "P2": 35, "P3": 45},
        answer=900,
        think=3600,
        work=14400,
        replies=0.15,
        response_spread=0.4,
        paused=0.12,
        pause=14400,
        reasons={"parts": 60, "customer": 30, "weather": 10},
        promise=41000,
        promised_again=0.08,
        cancelled=0.04,
        reopened=0.03,
        reopening=86400,
        closing=7200,
        complaint=0.012,
        rated=0.3,
        rating="ces",
        audited=0.04,
    ),
    slows_to=0.1,
)

PHONE = Service(
    name="phone-line",
    prefix="CALL",
    encoding="arrow",
    zone="America/Chicago",
    hours=LONG_DAY,
    weekend=0.5,
    cases_per_day=900,
    live_factor=120,
    channels={"phone": 100},
    teams={"english": 70, "spanish": 30},
    categories={"orders": 50, "delivery": 35, "other": 15},
    regions={"us-east": 50, "us-west": 50},
    priorities={"P3": 100},
    tiers={"standard": 90, "premium": 10},
    agents=80,
    life=None,
    slows_to=0.6,
)

SERVICES = (CHAT, BILLING, FIELD, PHONE)
