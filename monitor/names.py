"""Every name that leaves the program or is stored by it: kinds, clocks, measures, reasons, metrics.

The order of `KINDS` is part of the semantics (rule 2 of the clocks); the names of `MEASURES` are stored in
`sqm.state`, and in packed cells their places, so entries are appended at the very end, never renamed nor moved.
"""

from enum import StrEnum

# The labels an event may carry. A policy lists which of them become series.
LABELS = ("service", "channel", "team", "agent", "tier", "priority", "region", "category")

OTHER = "__other__"  # the value that labels take once `limits.series` is reached


class Kind(StrEnum):
    """What happened, without its family; the order decides between events of one instant and sequence."""

    OPENED = "opened"
    RESPONDED = "responded"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    PAUSED = "paused"
    RESUMED = "resumed"
    REOPENED = "reopened"
    CUSTOMER_REPLIED = "customer_replied"
    UPDATED = "updated"
    RATED = "rated"
    AUDITED = "audited"
    MEASURED = "measured"
    ADVANCED = "advanced"


KINDS = tuple(Kind)
LIFECYCLE = KINDS[: KINDS.index(Kind.RATED)]  # kinds that make up the life of a case


class Clock(StrEnum):
    FIRST_RESPONSE = "first_response"
    NEXT_RESPONSE = "next_response"
    RESOLUTION = "resolution"
    TOTAL_RESOLUTION = "total_resolution"
    ACKNOWLEDGEMENT = "acknowledgement"
    PROMISE = "promise"


CLOCKS = tuple(Clock)


class Outcome(StrEnum):
    """What became of a clock; exactly one at any time. `no_target` is counted, never shown as a verdict."""

    MET = "met"
    BREACHED = "breached"
    OPEN = "open"
    AT_RISK = "at_risk"
    EXCLUDED = "excluded"
    INCONSISTENT = "inconsistent"
    NO_TARGET = "no_target"


OUTCOMES = tuple(Outcome)


def spoken(name: str) -> str:
    """A name of ours as people say it: `at risk`, `first response`."""
    return name.replace("_", " ")


class Change(StrEnum):
    """How a verdict differs from the one published before it; the type of a verdict event ends in it."""

    MET = "met"
    BREACHED = "breached"
    AT_RISK = "at_risk"
    CORRECTED = "corrected"  # an event proves the published verdict wrong
    REOPENED = "reopened"  # a later event moved on from it
    RESTATED = "restated"  # no event did: it is judged by other rules than before


class PolicyRefusal(StrEnum):
    """Why the policy files were not taken, and the policy in force stayed: log field and metric label alike."""

    UNREADABLE = "unreadable"  # a file cannot be read
    INVALID = "invalid"  # it is no policy
    FROZEN = "frozen"  # it changes a version that has judged cases


class Refusal(StrEnum):
    """Why an event was refused: log field, metric label and header of the rejected topic alike."""

    MALFORMED_JSON = "malformed_json"
    NOT_A_CLOUDEVENT = "not_a_cloudevent"
    UNKNOWN_ENCODING = "unknown_encoding"
    DAMAGED_RECORD = "damaged_record"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_TYPE = "unknown_type"
    BAD_TIME = "bad_time"
    FUTURE_TIME = "future_time"
    NOT_FINITE = "not_finite"
    NEGATIVE = "negative"
    OFF_SCALE = "off_scale"
    UNKNOWN_VALUE = "unknown_value"
    TOO_LARGE = "too_large"
    LATE = "late"  # kept in the rejected topic, counted as late


REFUSALS = tuple(Refusal)

# --- measures ---
# A measure is what a cell counts. `n` is a number of things, `total` the sum of their values: milliseconds for
# times, thousandths for scores, 0 where a measure has no value.

# Clock measures: `<clock>.<outcome>`. Of `met` the value is the elapsed time; `late` is the elapsed time of a
# breached clock once it stopped; `untargeted` the time of a clock that no line of the policy had a target for.
CLOCK_MEASURES = tuple(f"{c}.{o}" for c in CLOCKS for o in (*OUTCOMES, "late", "untargeted"))

CASE_MEASURES = (
    "case.opened",  # cases opened (both families), at the opening
    "case.opened_complaint",  # of these, complaints
    "case.open",  # opened, not ended; without bucket
    "case.closed",  # opened, now ended; without bucket
    "case.unopened",  # lifecycle events, no `opened` yet; without bucket
    "case.inconsistent",  # any clock contradictory; without bucket
    "case.resolved",  # first resolved, at that instant
    "case.reopened",  # first reopening after the first resolve, at the first resolve
    "case.right_first_time",  # decided yes, at the first resolve
    "case.not_right_first_time",  # decided no, at the first resolve
    "case.answered",  # first response was an answer, at that instant; the value is its elapsed time
    "case.answered_targeted",  # of these, with a target for first_response
    "case.answered_within",  # of these, within it
    "case.abandoned",  # given up before an answer, at that instant
    "case.abandoned_targeted",
    "case.abandoned_within",  # given up within the target of first_response
    "case.abandoned_short",  # with a target, given up within limits.short_abandon
    "complaint.resolved",
    "complaint.upheld",
    "complaint.partly_upheld",
    "complaint.rejected",
    "complaint.redress",
    "complaint.within_4_weeks",
    "complaint.within_8_weeks",
    "complaint.later",
    "rating.csat",
    "rating.csat_top2",
    "rating.nps",
    "rating.nps_promoter",
    "rating.nps_detractor",
    "rating.ces",
    "audit.score",  # share of the maximum score, in thousandths
    "audit.passed",
    "audit.failed",
)

# How far a clock with a target got before it was met, or that it was breached: see monitor/chance/course.py.
REACHED = tuple(f"{clock}.reached" for clock in CLOCKS)

MEASURES = CLOCK_MEASURES + CASE_MEASURES + REACHED


class Alike(StrEnum):
    """What a clock has in common with those that its chance to breach is learned from, the widest first."""

    CLOCK = "clock"
    SERVICE = "service"
    ONLY_PRIORITY = "priority"
    PRIORITY = "service_priority"
    CLOCK_TARGET = "clock_target"  # `_target`: and a target of about the same length
    SERVICE_TARGET = "service_target"
    ONLY_PRIORITY_TARGET = "priority_target"
    TARGET = "service_priority_target"
    LABELS = "labels_target"  # all labels of the policy


# --- the ledger ---
LEDGER = ("read", "counted", "duplicate", "conflicting", "late", "rejected", "overflowed", "corrected")
# plus "rejected.<reason>" for each Refusal; `conflicting` is contained in `duplicate`; `overflowed` counts
# the times a label combination was counted as `__other__`; `corrected` verdicts that a late event proved wrong.


class HoleKind(StrEnum):
    """Why records of an events topic are not there."""

    EXPIRED = "expired"  # the topic begins behind the offset where reading stands
    TRUNCATED = "truncated"  # its end was cut off, whether or not it was written on since
    REPLACED = "replaced"  # it is another topic of that name
    STATE_LOST = "state_lost"  # nothing is left of the state that had counted them
    STATE_DAMAGED = "state_damaged"  # what is left of it cannot be read


# --- metrics ---


class Metric(StrEnum):
    SLA_COMPLIANCE = "sqm_sla_compliance_ratio"
    SLA_GOAL = "sqm_sla_goal_ratio"
    SLA_BUDGET_LEFT = "sqm_sla_error_budget_remaining_ratio"
    SLA_BURN_RATE = "sqm_sla_burn_rate"
    CLOCKS = "sqm_clocks"
    CLOCKS_OPEN = "sqm_clocks_open"
    CLOCKS_AT_RISK = "sqm_clocks_at_risk"
    CLOCKS_EXPECTED_BREACHES = "sqm_clocks_expected_breaches"
    INDICATOR = "sqm_indicator"
    INDICATOR_N = "sqm_indicator_n"
    RESPONSE_TIME = "sqm_response_time_seconds"
    EVENTS = "sqm_events_total"
    LEDGER_BALANCED = "sqm_ledger_balanced"
    LEDGER_HOLES = "sqm_ledger_holes"
    LEDGER_MISSING = "sqm_ledger_missing_records"
    CASES_SPLIT = "sqm_cases_split"
    EVENT_LAG = "sqm_event_lag_seconds"
    ALERTS_ACTIVE = "sqm_alerts_active"
    CORRECTED = "sqm_corrected_total"
    LATE = "sqm_late_total"
    DEDUP_HORIZON = "sqm_dedup_horizon_seconds"
    CASES_ARCHIVED = "sqm_cases_archived"
    REJECTED = "sqm_rejected_total"
    SERIES_OVERFLOWED = "sqm_series_overflowed_total"
    CURRENT_SHARE = "sqm_partitions_current_ratio"
    POLICY_INFO = "sqm_policy_info"
    POLICY_PUBLISHED = "sqm_policy_published_timestamp_seconds"
    POLICY_REFUSED = "sqm_policy_refused"
    BUILD_INFO = "sqm_build_info"
    ROLE_STATUS = "sqm_role_status"
    WORKER_LAG = "sqm_worker_lag_records"
    WORKER_HALTED = "sqm_worker_halted"
    WORKER_LAST_COMMIT = "sqm_worker_last_commit_timestamp_seconds"
    WORKER_RECORDS = "sqm_worker_records_total"
    WORKER_STAGE = "sqm_worker_stage_seconds_total"
    DELIVERIES = "sqm_alert_deliveries_total"
    STREAM_CLIENTS = "sqm_stream_clients"
    TICK_SECONDS = "sqm_tick_seconds"
    VERIFY_EQUAL = "sqm_verify_equal"
    VERIFY_DIFFERENCES = "sqm_verify_differences"
    VERIFY_LAST_RUN = "sqm_verify_last_run_timestamp_seconds"
    VERIFY_LAST_SUCCESS = "sqm_verify_last_success_timestamp_seconds"
    VERIFY_SECONDS = "sqm_verify_duration_seconds"
    VERIFY_EVENTS = "sqm_verify_events"


# --- topics ---
class Topic(StrEnum):
    """Suffixes; the prefix is `SQM_KAFKA__TOPIC_PREFIX`."""

    EVENTS = "events"
    STATE = "state"
    POLICY = "policy"
    VERDICTS = "verdicts"
    ALERTS = "alerts"
    REJECTED = "rejected"
    VERIFIED = "verified"  # what `sqm verify` found last
    CLOCK = "clock"  # written for the time that the broker stamps it with, read by nobody
    JUDGE = "judge"  # one partition, empty: its assignment elects the active judge


# --- alerts -------------------------------------------------------------------------------------------------
class AlertKind(StrEnum):
    """What an alert is about."""

    BURN = "burn"  # the error budget of an objective is being spent too fast
    BREACH = "breach"  # one case's clock passed its due
    AT_RISK = "at_risk"  # one case's clock has used most of its target
    LEDGER = "ledger"  # the books of a partition do not balance
    FEED = "feed"  # nothing comes from a feed that should speak


class Severity(StrEnum):
    """How loud: wake somebody up, look at it today, know about it."""

    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


class AlertState(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"
    HISTORIC = "historic"  # was true, but so long before it was judged that nobody is called


class AlertReason(StrEnum):
    """Why an alert changed its state: in the transition, the log and on the page alike."""

    BURNING = "burning"  # both windows of a pair burn faster than its factor
    BREACHED = "breached"  # a due has passed
    AT_RISK = "at_risk"  # the stated share of the target is used
    IMBALANCE = "imbalance"  # counters that must be equal are not
    OLD_NEWS = "old_news"  # it was true more than 15 min before it could be judged
    RECOVERED = "recovered"  # no pair burns any more
    TOO_FEW = "too_few"  # fewer than `min_events` in the long windows
    NOT_SIGNIFICANT = "not_significant"  # an exact binomial test cannot tell the ratio from the goal
    STOPPED = "stopped"  # the clock stopped
    CORRECTED = "corrected"  # an event proved the verdict wrong
    RESTATED = "restated"  # it is judged by other rules than before
    ENDED = "ended"  # the clock is no longer at risk: met, breached or excluded
    ARCHIVED = "archived"  # the case is too old to be held any longer
    BALANCED = "balanced"  # the counters are equal again
    NOT_WATCHED = "not_watched"  # the policy in force no longer asks for it


class Judged(StrEnum):
    """What became of a burn pair at a tick."""

    BURNING = "burning"
    NOT_BURNING = "not_burning"
    NO_EVENTS = "no_events"
    TOO_FEW = "too_few"
    NOT_SIGNIFICANT = "not_significant"


class SlaState(StrEnum):
    """An objective in one word, worst first."""

    BREACHED = "breached"  # the budget of the period is spent
    BURNING = "burning"  # a burn pair fires
    TOO_FEW = "too_few"  # fewer events than `min_events` in the period
    NO_DATA = "no_data"
    OK = "ok"


# --- cases --------------------------------------------------------------------------------------------------
NO_CASE = ("duplicate", "merged")  # outcomes of `resolved` which say that it was no case


class Phase(StrEnum):
    """Where a case stands; the order is that of the codes in cases.py."""

    UNOPENED = "unopened"
    OPEN = "open"
    RESOLVED = "resolved"
    FINAL = "final"  # cancelled or abandoned


PHASES = tuple(Phase)


# --- rules for Prometheus -----------------------------------------------------------------------------------
class Rule(StrEnum):
    """Alert names of `sqm rules`."""

    BURNS = "SqmSlaBudgetBurns"
    SPENT = "SqmSlaBudgetSpent"
