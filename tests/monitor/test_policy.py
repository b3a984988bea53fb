"""A policy as it is used: versions, lines, digests, and what its values read and write."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.names import LABELS, Clock
from monitor.policy import PolicySet, default_policy, load
from monitor.policy.calendar_model import ALWAYS, DAYS
from monitor.policy.durations import BusinessDays, format_span, in_words, parse_span, parse_target
from monitor.policy.values import decimal_text, parse_decimal, percent
from monitor.policy.words import in_plain_words

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLES = sorted([*DEPLOY.glob("policies/*.yaml"), *DEPLOY.glob("examples/*/[!m]*.yaml")])


def policy(text: str) -> PolicySet:
    return load([("p.yaml", text)])


# --- values ---


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("4h", 14_400), ("2d", 172_800), ("1h30m", 5_400), ("1d2h3m4s", 93_784), ("0s", 0)],
)
def test_spans_name_their_units(written: str, seconds: int) -> None:
    assert parse_span(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["15", "1.5h", "30m1h", "1h 30m", "", "-1h", "1w", "4H", "1h1h", "99999999999d", None, []]
)
def test_what_is_no_span_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_span(written)


@given(st.integers(0, 10**9))
def test_a_span_is_written_as_it_is_read(seconds: int) -> None:
    assert parse_span(format_span(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("written", "days"), [("3 business_days", 3), ("1 business_day", 1), ("10business_days", 10)])
def test_business_days_are_a_unit_of_their_own(written: str, days: int) -> None:
    assert parse_target(written) == BusinessDays(days)
    assert parse_target(str(BusinessDays(days))) == BusinessDays(days)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (timedelta(minutes=90), "1 hour 30 minutes"),
        (timedelta(days=1), "1 day"),
        (BusinessDays(1), "1 business day"),
        (BusinessDays(3), "3 business days"),
    ],
)
def test_targets_have_words(target: timedelta | BusinessDays, words: str) -> None:
    assert in_words(target) == words


@pytest.mark.parametrize(
    ("written", "value"),
    [("95%", "0.95"), ("99.9%", "0.999"), ("0.95", "0.95"), ("99.99 %", "0.9999"), ("1e-3", "0.001")],
)
def test_percentages_are_decimals_and_never_floats(written: str, value: str) -> None:
    assert parse_decimal(written) == Decimal(value)
    assert decimal_text(parse_decimal(written)) == value


def test_99_9_percent_leaves_exactly_a_thousandth() -> None:
    slas = "slas: [{id: a, measure: resolution, goal: 99.9%, period: 30d}]"
    sla = policy(f"policy: p\ntargets: [{{clock: resolution, within: 1h}}]\n{slas}").newest.slas[0]
    assert 1 - sla.goal == Decimal("0.001")
    assert percent(sla.goal) == "99.9%"


def test_scalars_are_the_text_that_was_written() -> None:
    text = """
policy: no
labels: [tier]
calendars: {c: {zone: Europe/Oslo, hours: {mon: [09:00-17:00]}, holidays: {country: NO, add: [2026-12-24]}}}
targets: [{clock: resolution, within: 1h, calendar: c, when: {priority: 1, tier: [yes, 1.0, null]}}]
"""
    with pytest.raises(Exception, match=r"targets\[0\].when.tier"):
        policy(text)
    version = policy(text.replace(", null", "")).newest
    assert version.name == "no"
    assert version.calendars["c"].holidays.country == "NO"
    assert {label: test.values for label, test in version.targets[0].when} == {
        "priority": ("1",),
        "tier": ("yes", "1.0"),
    }


# --- calendars ---


def test_hours_may_name_days_ranges_and_lists_and_shifts_may_pass_midnight() -> None:
    text = """
policy: p
calendars:
  c:
    zone: America/New_York
    hours: {sat-mon: ["22:00-06:00"], "tue, thu": ["09:00-12:00", "13:00-24:00"]}
    exceptions: {2026-10-10: [], 2026-10-11: "08:00-09:00"}
    holidays: {add: [2026-12-22]}
"""
    calendar = policy(text).newest.calendars["c"]
    hours = {
        day: [(s.start / timedelta(hours=1), s.end / timedelta(hours=1)) for s in calendar.hours[day]] for day in DAYS
    }
    night, split = [(22, 30)], [(9, 12), (13, 24)]
    assert hours == {"mon": night, "tue": split, "wed": [], "thu": split, "fri": [], "sat": night, "sun": night}
    closed = calendar.days_off(date(2026, 1, 1), date(2026, 12, 31))
    days = [date(2026, 10, 10), date(2026, 10, 11), date(2026, 12, 22), date(2026, 12, 29)]
    assert [len(calendar.shifts(day, closed)) for day in days] == [0, 1, 0, 2]
    assert not calendar.always_open
    assert ALWAYS.always_open


def test_holidays_are_those_of_the_country_and_remove_beats_add() -> None:
    text = """
policy: p
calendars:
  c:
    zone: Asia/Shanghai
    hours: {mon-fri: ["09:00-18:00"]}
    holidays: {country: CN, add: [2026-12-24, 2026-12-25], remove: [2026-10-08, 2026-12-25]}
"""
    closed = policy(text).newest.calendars["c"].days_off(date(2026, 10, 1), date(2026, 12, 31))
    assert date(2026, 10, 1) in closed
    assert date(2026, 12, 24) in closed
    assert not {date(2026, 10, 8), date(2026, 12, 25)} & set(closed)


# --- versions ---

VERSIONS = """\
policy: p
effective_from: 2026-03-01T00:00:00Z
labels: [tier]
---
policy: p
effective_from: 2026-01-01T00:00:00Z
labels: [service, tier]
"""


@pytest.mark.parametrize(
    ("opened", "number"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, 999_999, UTC), -1),
        (datetime(2026, 1, 1, tzinfo=UTC), 0),
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 3, 1, tzinfo=UTC), 1),
        (None, None),
    ],
)
def test_a_case_is_judged_by_the_version_in_force_when_it_opened(opened: datetime | None, number: int | None) -> None:
    policies = policy(VERSIONS)
    frame = pl.DataFrame({"opened": [opened]}, schema={"opened": pl.Datetime("us", "UTC")})
    found = frame.select(policies.version_of(pl.col("opened"))).to_series()
    assert (found.name, found.dtype, found.to_list()) == ("opened", pl.Int16(), [number])
    if opened is not None:
        version = policies.version_at(opened)
        assert (version.number if version else -1) == number


def test_a_version_without_a_date_is_in_force_before_the_others() -> None:
    policies = policy(VERSIONS + "---\npolicy: p\n")
    assert [v.effective_from for v in policies.versions[:1]] == [None]
    assert policies.version_at(datetime(1990, 1, 1, tzinfo=UTC)) is policies.at(0)
    assert policies.newest.number == 2


def test_labels_are_those_of_the_newest_then_of_older_versions() -> None:
    assert policy(VERSIONS).labels == ("tier", "service")


# --- lines ---

LINES = """\
policy: p
targets:
  - {clock: resolution, when: {kind: complaint}, within: 1h}
  - {clock: resolution, when: {priority: [P1, P2], tier: "!free"}, within: 2h}
  - {clock: first_response, within: 3h}
  - {clock: resolution, when: {team: "*"}, within: 4h}
"""


@pytest.mark.parametrize(
    ("complaint", "labels", "line"),
    [
        (True, {}, 0),
        (True, {"priority": "P1"}, 0),
        (False, {"priority": "P1"}, 1),
        (False, {"priority": "P2", "tier": "gold"}, 1),
        (False, {"priority": "P1", "tier": "free"}, None),
        (False, {"priority": "P1", "tier": "free", "team": "a"}, 3),
        (False, {"priority": "P3"}, None),
        (False, {"team": ""}, 3),
        (False, {}, None),
    ],
)
def test_the_first_line_of_a_clock_that_fits_a_case_wins(
    complaint: bool, labels: dict[str, str], line: int | None
) -> None:
    policies = policy(LINES)
    schema = {"complaint": pl.Boolean, **dict.fromkeys(LABELS, pl.String)}
    case = pl.DataFrame([{"complaint": complaint, **labels}], schema=schema)
    assert case.select(policies.newest.line_of(Clock.RESOLUTION)).item() == line
    assert case.select(policies.line_of(Clock.RESOLUTION, pl.lit(0))).item() == line
    assert case.select(policies.line_of(Clock.RESOLUTION, pl.lit(-1))).item() is None
    assert case.select(policies.newest.line_of(Clock.FIRST_RESPONSE)).item() == 2
    assert case.select(policies.newest.line_of(Clock.PROMISE)).item() is None


def test_lines_have_the_defaults_of_the_manual() -> None:
    line = policy(LINES).newest.targets[2]
    assert (line.at_risk, line.bots_answer, line.pauses, line.on_change) == (
        Decimal("0.8"),
        False,
        frozenset(),
        "retroactive",
    )
    assert (line.calendar, line.business_days, line.within) == ("always", None, timedelta(hours=3))


def test_at_risk_can_be_turned_off() -> None:
    text = "policy: p\ntargets: [{clock: resolution, within: 1h, at_risk: false}]"
    policies = policy(text)
    assert policies.newest.targets[0].at_risk is None
    assert load([("p", t) for t in policies.dump()]).newest.targets[0].at_risk is None


# --- examples, digests, dumps ---


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name + "/" + path.name)
def test_every_example_loads_and_comes_back_from_its_dump(path: Path) -> None:
    policies = load([(str(path), path.read_text())])
    again = load([(f"version {i}", text) for i, text in enumerate(policies.dump())])
    assert again == policies
    assert again.digest == policies.digest
    assert [v.judging_digest for v in again.versions] == [v.judging_digest for v in policies.versions]
    assert in_plain_words(policies, date(2026, 11, 20))


def test_the_policy_without_a_policy_names_every_kind_of_clock_an_event_moves() -> None:
    assert {Clock.FIRST_RESPONSE, Clock.RESOLUTION, Clock.PROMISE} <= set(default_policy().clocks)


def test_a_dump_keeps_every_character() -> None:
    strange = 'a\\"b\\\\c\\u0085\\u2028\\x7f\\U0001F600\\ufeff\\t'
    text = f'policy: p\ntargets: [{{clock: resolution, within: 1h, when: {{tier: "{strange}"}}}}]'
    policies = policy(text)
    assert load([("p", t) for t in policies.dump()]) == policies


def test_a_digest_changes_with_the_meaning_and_not_with_the_writing() -> None:
    plain = policy(LINES)
    assert policy(LINES.replace("within: 1h", "within: 60m")).digest == plain.digest
    assert (
        policy(
            "# a remark\n"
            + LINES.replace("{clock: first_response, within: 3h}", '{within: "3h", clock: first_response}')
        ).digest
        == plain.digest
    )
    assert policy(LINES.replace("within: 1h", "within: 61m")).digest != plain.digest


@pytest.mark.parametrize(
    ("more", "judges"),
    [
        ("limits: {grace: 1m}", True),
        ("limits: {reopen: 1d}", True),
        ("labels: [team]", True),
        ("limits: {min_n: 5}", False),
        ("slas: [{id: a, measure: resolution, goal: 90%, period: 30d}]", False),
    ],
)
def test_what_decides_verdicts_has_a_digest_of_its_own(more: str, judges: bool) -> None:
    before, after = policy(LINES).newest, policy(LINES + more).newest
    assert before.digest != after.digest
    assert (before.judging_digest != after.judging_digest) is judges


def test_plain_words_give_a_worked_example_for_each_target() -> None:
    words = "\n".join(in_plain_words(load([("s", (DEPLOY / "policies/support.yaml").read_text())]), date(2026, 11, 16)))
    for expected in (
        "priority P1: first response within 15 minutes round the clock: Sat 10:00 -> due Sat 10:15",
        "every other case: first response within 4 hours of office hours: Mon 10:00 -> due Mon 15:00 (Asia/Shanghai)",
        "over the weekend: Fri 16:30 -> due Mon 11:30",
        "priority P1 or P2, tier not free: resolved within 3 business days by the office calendar",
        "cases opened before 2026-01-01T00:00:00Z",
        "95% first response in time over any 30 days, for each service",
    ):
        assert expected in words
