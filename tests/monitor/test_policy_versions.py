"""Versions: what has judged a case stays as it was, whatever is installed and whatever somebody writes later."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import polars as pl
import pytest

from monitor import zones
from monitor.policy import PolicyError, PolicyFrozen, PolicySet, admitted, load, restated
from monitor.policy.calendar_model import Holidays
from monitor.policy.judging import ALL, changed_from
from tests.monitor.lives import verdicts

JUDGED = datetime(2026, 3, 6, tzinfo=UTC)
OFFICE = """
policy: support
labels: [service, priority]
calendars:
  office: {zone: Europe/Berlin, hours: {mon-fri: ["09:00-17:00"]}, holidays: {country: DE, add: [2026-03-05]}}
  feed: {zone: Asia/Tokyo, hours: {mon-fri: ["09:00-17:00"]}}
targets:
  - {clock: first_response, when: {priority: P1}, within: 1h}
  - {clock: resolution, within: 8h, calendar: office}
"""


def policy(text: str = OFFICE) -> PolicySet:
    return load([("support.yaml", text)])


def published(given: PolicySet) -> PolicySet:
    """As it is read back from the policy topic."""
    return load([(f"version {i}", text) for i, text in enumerate(given.dump())])


def in_force(text: str = OFFICE) -> PolicySet:
    return published(admitted(policy(text), None, None, 2026))


def due(policies: PolicySet) -> datetime:
    rows = verdicts(policies, case="Tue 10:00 opened").filter(pl.col("clock") == "resolution")
    found = rows["due"].item()
    assert isinstance(found, datetime)
    return found


# --- what is installed later ---


def of_a_newer_library(self: Holidays, years: range) -> Mapping[date, str]:
    return {date(2026, 3, 4): "a holiday that was decreed later"}


def of_newer_rules(name: str, first: int, last: int) -> zones.Zone:
    return REAL(name if name != "Europe/Berlin" else "Asia/Tokyo", first, last)


REAL = zones.Zone.of


def test_a_newer_library_of_holidays_moves_no_due_of_a_version_that_was_admitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, before = in_force(), due(policy())
    monkeypatch.setattr(Holidays, "of_country", of_a_newer_library)
    # rules are remembered by digest: the writing differs, the meaning does not
    fresh = policy(OFFICE.replace("support", "newer-holidays"))
    assert (due(kept), due(fresh)) == (before, before + timedelta(days=2))


def test_newer_zone_rules_move_no_due_of_a_version_that_was_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, before = in_force(), due(policy())
    monkeypatch.setattr(zones.Zone, "of", of_newer_rules)
    fresh = policy(OFFICE.replace("support", "newer-zones"))
    assert (due(kept), due(fresh)) == (before, before - timedelta(hours=2))


def test_a_version_is_read_also_where_its_country_and_zone_are_no_longer_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [("version 0", text) for text in admitted(policy(), None, None, 2026).dump()]
    before = due(policy())
    monkeypatch.setattr("monitor.policy.calendar_model._countries", lambda: {"FR": []})
    monkeypatch.setattr("monitor.policy.values._zones", lambda: frozenset({"Asia/Tokyo"}))
    assert due(load(texts)) == before
    with pytest.raises(PolicyError, match=r"'Europe/Berlin' is no IANA time zone(.|\n)*'DE' has no known holidays"):
        policy()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Monrovia"])
def test_frozen_rules_are_those_of_the_zone(zone: str) -> None:
    frozen = in_force(OFFICE.replace("Europe/Berlin", zone)).newest.calendars["office"]
    rules, real = frozen.zone_rules(range(2000, 2001)), ZoneInfo(zone)
    assert frozen.zone == zone
    for hours in range(0, 60 * 365 * 24, 997):
        at = datetime(1970, 1, 3, tzinfo=UTC) + timedelta(hours=hours)
        offset = rules.local(pl.Series([int(at.timestamp()) * 1_000_000]).to_numpy())[0] // 1_000_000
        assert offset - int(at.timestamp()) == (at.astimezone(real).utcoffset() or timedelta()).total_seconds()


def test_frozen_holidays_have_names_and_end_thirty_years_ahead() -> None:
    version = in_force().newest
    assert version.document.frozen is not None
    assert version.document.frozen.years == (1970, 2056)
    assert version.calendars["office"].days_off(date(2026, 3, 1), date(2026, 4, 5)) == {
        date(2026, 3, 5): "",
        date(2026, 4, 3): "Good Friday",
    }
    assert version.calendars["office"].days_off(date(2057, 1, 1), date(2057, 12, 31)) == {}


def test_a_frozen_calendar_without_its_holidays_has_only_its_weekly_hours() -> None:
    office = in_force().newest.calendars["office"]
    plain = office.model_copy(update={"holidays": Holidays()})
    assert plain.days_off(date(2026, 1, 1), date(2026, 12, 31)) == {}


def test_only_calendars_that_judge_are_frozen() -> None:
    frozen = in_force().newest.document.frozen
    assert frozen is not None
    assert (set(frozen.zones), set(frozen.holidays)) == ({"Europe/Berlin"}, {"DE"})


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({"zones": {}}, "frozen: lacks Europe/Berlin, which the calendar office needs"),
        ({"holidays": {}}, "frozen: lacks DE, which the calendar office needs"),
        ({"zones": {"Europe/Berlin": ["1 h"]}}, "frozen: '1 h' is no offset: one is written .02:00"),
    ],
)
def test_a_frozen_part_that_lacks_something_is_refused(lost: Mapping[str, object], said: str) -> None:
    kept = in_force().newest.document.model_dump(mode="json", exclude_none=True)
    text = str(kept | {"frozen": {**kept["frozen"], **lost}})
    with pytest.raises(PolicyError, match=said):
        policy(text)


def test_the_record_of_a_version_with_many_calendars_stays_below_a_brokers_limit() -> None:
    countries = ("DE", "CN", "US", "IN", "JP", "BR", "FR", "GB", "ES", "IT", "AU", "CA", "MX", "ZA", "TR", "KR")
    zone_names = sorted(name for name in available_timezones() if name.startswith("America/"))
    calendars = "".join(
        f"  {country}: {{zone: {zone}, hours: {{mon-fri: ['09:00-17:00']}}, holidays: {{country: {country}}}}}\n"
        for country, zone in zip(countries, zone_names, strict=False)
    )
    lines = "".join(f"  - {{clock: resolution, when: {{team: {c}}}, within: 8h, calendar: {c}}}\n" for c in countries)
    kept = in_force(f"policy: p\ncalendars:\n{calendars}targets:\n{lines}")
    assert max(len(text.encode()) for text in kept.dump()) < 600_000


# --- what somebody writes later ---

NEWER = OFFICE.replace("policy: support", "policy: support\neffective_from: 2026-03-07T00:00:00Z").replace("8h", "6h")


@pytest.mark.parametrize(
    ("edited", "change"),
    [
        (("within: 1h", "within: 2h"), "targets[0].within: 1h -> 2h"),
        (("priority: P1}", "priority: [P1, P2]}"), "targets[0].when.priority: P1 -> [P1, P2]"),
        (('09:00-17:00"]}, hol', '09:00-18:00"]}, hol'), "calendars.office.hours.mon: [09:00-17:00] -> [09:00-18:00]"),
        (("labels: [service, priority]", "labels: [priority]"), "labels: [service, priority] -> [priority]"),
        (("labels:", "limits: {grace: 1m}\nlabels:"), "limits.grace: 30s -> 1m"),
        (("labels:", "limits: {reopen: 1d}\nlabels:"), "limits.reopen: 7d -> 1d"),
        (("policy: support", "policy: other"), "the policy in force is 'support'"),
    ],
    ids=lambda words: words[1][:24] if isinstance(words, tuple) else "",
)
def test_an_edit_of_a_version_that_has_judged_is_refused_with_the_ways_on(edited: tuple[str, str], change: str) -> None:
    with pytest.raises(PolicyFrozen) as refused:
        admitted(policy(OFFICE.replace(*edited)), in_force(), JUDGED, 2026)
    assert change in str(refused.value)
    assert "effective_from later than 2026-03-06T00:00:00Z" in str(refused.value)
    assert "sqm restate" in str(refused.value)


@pytest.mark.parametrize(
    "more",
    [
        "slas: [{id: a, measure: resolution, goal: 90%, period: 30d}]",
        "feeds: [{from: {service: chat}, silent_after: 5m, calendar: feed}]",
        "notify: {ops: {url: 'http://127.0.0.1:9093'}}",
        "limits: {min_n: 5, series: 10}",
        "calendars",
    ],
)
def test_what_judges_nothing_may_be_edited_and_touches_no_case(more: str) -> None:
    before = in_force()
    text = OFFICE.replace("Asia/Tokyo", "Asia/Seoul") if more == "calendars" else OFFICE + more
    after = published(admitted(policy(text), before, JUDGED, 2026))
    assert after.digest != before.digest
    assert changed_from(before.judging, after.judging) is None


def test_an_edited_sla_keeps_the_holidays_of_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = in_force()
    monkeypatch.setattr(Holidays, "of_country", of_a_newer_library)
    sla = "slas: [{id: a, measure: resolution, goal: 90%, period: 30d}]"
    assert admitted(policy(OFFICE + sla), before, JUDGED, 2026).newest.document.frozen == before.newest.document.frozen


def test_a_later_version_judges_what_opens_from_then_on_and_the_old_one_stays() -> None:
    before = in_force()
    after = admitted(policy(NEWER), before, JUDGED, 2026)
    assert [version.effective_from for version in after.versions] == [None, datetime(2026, 3, 7, tzinfo=UTC)]
    assert after.versions[0] == before.versions[0]
    assert changed_from(before.judging, after.judging) == datetime(2026, 3, 7, tzinfo=UTC)


def test_a_new_version_that_would_judge_what_is_judged_is_refused() -> None:
    earlier = NEWER.replace("2026-03-07", "2026-03-05")
    with pytest.raises(PolicyFrozen, match="the version effective from 2026-03-05T00:00:00Z is new and would judge"):
        admitted(policy(OFFICE + "---" + earlier), in_force(), JUDGED, 2026)


def test_files_of_yesterday_without_the_version_that_judges_today_are_refused() -> None:
    before = published(admitted(policy(OFFICE + "---" + NEWER), None, None, 2026))
    today = datetime(2026, 3, 8, tzinfo=UTC)
    with pytest.raises(PolicyFrozen, match=r"the version effective from 2026-03-07T00:00:00Z has judged .* is missing"):
        admitted(policy(), before, today, 2026)
    assert len(admitted(policy(NEWER), before, today, 2026).versions) == 2


def test_a_version_that_has_judged_nothing_may_be_edited_and_withdrawn() -> None:
    before = published(admitted(policy(OFFICE + "---" + NEWER), None, None, 2026))
    edited = policy(OFFICE + "---" + NEWER.replace("6h", "5h"))
    assert admitted(edited, before, JUDGED, 2026).newest.targets[1].within == timedelta(hours=5)
    assert len(admitted(policy(), before, JUDGED, 2026).versions) == 1
    with pytest.raises(PolicyFrozen, match="6h -> 5h"):
        admitted(edited, before, datetime(2026, 3, 8, tzinfo=UTC), 2026)


def test_a_policy_that_promises_nothing_gives_way_to_the_first_that_does() -> None:
    empty = in_force("policy: start\nlabels: [service]")
    assert admitted(policy(), empty, JUDGED, 2026).name == "support"


def test_a_restatement_takes_the_place_of_versions_and_leaves_the_others() -> None:
    before = published(admitted(policy(OFFICE + "---" + NEWER), None, None, 2026))
    after = restated(policy(NEWER.replace("6h", "5h")), before, 2026)
    assert [version.targets[1].within for version in after.versions] == [timedelta(hours=8), timedelta(hours=5)]
    assert after.versions[0] == before.versions[0]


@pytest.mark.parametrize(
    ("edited", "since"),
    [
        (OFFICE, None),
        (OFFICE.replace("8h", "7h"), ALL),
        (OFFICE + "---" + NEWER, datetime(2026, 3, 7, tzinfo=UTC)),
        (OFFICE.replace("labels: [service, priority]", "labels: [service]"), ALL),
        (OFFICE + "limits: {short_abandon: 9s}", ALL),
    ],
)
def test_a_state_knows_from_when_on_other_versions_judge_differently(edited: str, since: datetime | None) -> None:
    assert changed_from(policy().judging, policy(edited).judging) == since
    assert changed_from(policy(edited).judging, policy().judging) == since
