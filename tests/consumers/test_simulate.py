"""The simulated services: one function of seed and time, however it is taken; and good neighbours of the contract."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from consumers.decode import decode
from consumers.simulate.draws import Draws
from consumers.simulate.encode import ENCODINGS, Record, history, partition_of, with_partitions
from consumers.simulate.plan import HOUR, Incident, Plan, instant, micros
from consumers.simulate.publish import live
from consumers.simulate.services import CHAT, PHONE, SERVICES
from consumers.simulate.stream import Stream
from monitor.names import Kind

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)  # a Friday afternoon
LIVE = timedelta(minutes=20)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.begin(7, NOW)


@pytest.fixture(scope="module")
def past(plan: Plan) -> pl.DataFrame:
    return Stream(plan).take(NOW)


def taken(plan: Plan, instants: Iterable[datetime], start: datetime | None = None) -> pl.DataFrame:
    stream = Stream(plan, start)
    return pl.concat([stream.take(at) for at in instants])


def decoded(records: Iterable[Record]) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows: list[Any] = [
        SimpleNamespace(
            topic="t",
            partition=record.partition,
            offset=offset,
            timestamp=0,
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
        )
        for offset, record in enumerate(records)
    ]
    read = decode(rows, future_after=None)
    return read.events, read.refused


def test_the_same_seed_and_time_make_the_same_events(plan: Plan, past: pl.DataFrame) -> None:
    assert_frame_equal(Stream(Plan.begin(7, NOW)).take(NOW), past)
    other = Stream(Plan.begin(8, NOW)).take(NOW)
    assert not other["time"].head(1000).equals(past["time"].head(1000))


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 1_200_000), max_size=6))
def test_history_and_live_are_one_run_wherever_they_are_cut(cuts: list[int]) -> None:
    busy = micros(NOW) // HOUR * HOUR
    plan = Plan(7, busy - 3 * HOUR, ((busy, None),), ()).with_incident(NOW + timedelta(minutes=2))
    whole = taken(plan, [NOW, NOW + LIVE])
    pieces = taken(plan, [NOW, *(NOW + timedelta(milliseconds=cut) for cut in sorted(cuts)), NOW + LIVE])
    assert_frame_equal(pieces, whole)


def test_a_restart_goes_on_where_the_run_before_ended(plan: Plan) -> None:
    stop = NOW + timedelta(minutes=7, seconds=3)
    first = taken(plan, [NOW, stop])
    second = taken(plan, [NOW + LIVE], start=stop)
    assert_frame_equal(pl.concat([first, second]), taken(plan, [NOW, NOW + LIVE]))


def test_after_a_rest_the_gap_is_filled_and_nothing_before_it_changes(plan: Plan) -> None:
    stop, back = NOW + timedelta(minutes=5), NOW + timedelta(days=2)
    resumed = plan.resume(stop, back)
    assert resumed.busy[0][1] is not None
    assert resumed.busy[-1][1] is None
    assert_frame_equal(Stream(resumed).take(stop), Stream(plan).take(stop))
    gap = Stream(resumed, stop).take(back)
    assert gap.filter(pl.col("time") < stop).is_empty()
    per_hour = gap.group_by_dynamic("time", every="1h").agg(pl.len())
    assert per_hour.height >= 47  # no hour without events
    assert resumed.resume(back, back + timedelta(minutes=1)) == resumed


def test_an_incident_changes_nothing_before_it_begins(plan: Plan) -> None:
    begin = NOW + timedelta(minutes=2)
    assert_frame_equal(Stream(plan.with_incident(begin)).take(begin), Stream(plan).take(begin))


def test_an_incident_makes_customers_wait_and_then_all_catch_up(plan: Plan) -> None:
    begin = micros(NOW + timedelta(minutes=2))
    incident = Incident(begin, begin + 150_000_000, CHAT.name)
    stalled = Plan(plan.seed, plan.origin, plan.busy, (incident,))
    events = taken(stalled, [NOW, NOW + timedelta(minutes=15)]).filter(pl.col("source") == CHAT.source)
    during = events.filter(pl.col("time").is_between(instant(incident.start), instant(incident.end), closed="left"))
    answered = events.filter((pl.col("type") == "interaction.responded") & pl.col("data_by").is_null())
    first_minutes = answered.group_by_dynamic("time", every="1m").agg(pl.len())
    usual: Any = first_minutes.filter(pl.col("time") < instant(incident.start))["len"].tail(30).mean()
    assert answered.filter(pl.col("time").is_in(during["time"].implode())).height < 0.2 * usual * 150 / 60
    later = events.filter(pl.col("time") >= instant(incident.end + 150_000_000))
    usually: Any = waits(later).quantile(0.9)
    assert usually < 60
    assert (waits(events.filter(pl.col("time") >= instant(incident.start - 20_000_000))) > 100).any()


def waits(events: pl.DataFrame) -> pl.Series:
    """Seconds from opening to first answer of the cases that opened in `events`."""
    opened = events.filter(pl.col("type") == "interaction.opened").select("subject", opened="time")
    answered = (
        events.filter((pl.col("type") == "interaction.responded") & pl.col("data_by").is_null())
        .group_by("subject")
        .agg(answered=pl.col("time").min())
    )
    both = opened.join(answered, on="subject")
    return (both["answered"] - both["opened"]).dt.total_milliseconds() / 1000


def test_work_that_waits_is_done_in_its_order_and_never_earlier(plan: Plan) -> None:
    begin = micros(NOW)
    stalled = Plan(plan.seed, plan.origin, plan.busy, (Incident(begin, begin + 100_000_000, CHAT.name),))
    planned = pl.Series(range(begin - 10_000_000, begin + 400_000_000, 1_000_000)).to_numpy()
    done = stalled.delayed(CHAT, planned)
    assert (done >= planned).all()
    assert (done[1:] >= done[:-1]).all()
    assert (done[-100:] == planned[-100:]).all()
    assert (stalled.delayed(PHONE, planned) == planned).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_event_is_accepted_in_every_encoding(encoding: str, past: pl.DataFrame) -> None:
    sample = past.filter(pl.col("subject").hash() % 200 == 0)
    events, refused = decoded(ENCODINGS[encoding](with_partitions(sample, 4)))
    assert refused.is_empty(), refused.select("reason", "field", "message").head(3)
    assert events.height == sample.height


def test_all_encodings_say_the_same(past: pl.DataFrame) -> None:
    sample = with_partitions(past.tail(3000), 4)
    read = {name: decoded(encode(sample))[0].sort("event_key") for name, encode in ENCODINGS.items()}
    for name, events in read.items():
        (
            assert_frame_equal(
                events.drop("partition", "offset", "index"), read["arrow"].drop("partition", "offset", "index")
            ),
            name,
        )


def test_the_whole_history_is_accepted_and_every_kind_of_event_is_in_it(past: pl.DataFrame) -> None:
    events, refused = decoded(history(with_partitions(past, 4)))
    assert refused.is_empty()
    assert events.height == past.height
    assert events["event_key"].n_unique() == past.height
    assert set(events["kind"].unique()) == set(Kind) - {Kind.ADVANCED}
    assert events["complaint"].any()
    for column in ("csat", "nps", "ces", "due_at", "waited", "response_time", "redress", "right_first_time", "score"):
        assert events[column].is_not_null().any(), column
    assert not events["public"].fill_null(True).all()


def test_the_records_of_the_history_are_in_order_and_small(past: pl.DataFrame) -> None:
    records = list(history(with_partitions(past, 4)))
    assert max(len(record.value) for record in records) < 900_000
    for partition in range(4):
        newest = [record.newest for record in records if record.partition == partition]
        assert newest == sorted(newest)


def test_live_each_service_publishes_in_its_own_encoding(past: pl.DataFrame) -> None:
    recent = with_partitions(past.tail(2000), 4)
    headers = {dict(record.headers)["content-type"] for record in live(recent)}
    assert headers == {
        b"application/cloudevents+json",
        b"application/json",
        b"application/cloudevents-batch+json",
        b"application/vnd.apache.arrow.stream",
    }
    assert sum(record.events for record in live(recent)) == recent.height


def test_there_are_days_and_nights_and_weekends(past: pl.DataFrame) -> None:
    older = past.filter((pl.col("type") == "interaction.opened") & (pl.col("time") < NOW - timedelta(hours=3)))
    local = pl.col("time").dt.convert_time_zone("Europe/Berlin")
    billing = older.filter(pl.col("data_service") == "billing").with_columns(local.alias("local"))
    hours = billing["local"].dt.hour()
    assert ((hours >= 8) & (hours < 18)).sum() > 0.7 * billing.height
    weekend = (billing["local"].dt.weekday() >= 6).sum()
    assert 0 < weekend < 0.15 * billing.height
    first: Any = past["time"].min()
    assert timedelta(days=29, hours=22) < NOW - first < timedelta(days=30, hours=2)


def test_while_somebody_watches_some_events_happen_every_second(plan: Plan) -> None:
    for hour in range(24):
        begin = micros(NOW) + hour * HOUR
        cases = {service.name: plan.cases_per_second(service, begin) for service in SERVICES}
        events = 7 * (cases["support-chat"] + cases["billing"] + cases["field-service"]) + cases["phone-line"]
        assert 1.5 < events < 20, (hour, events)


def test_incidents_visit_different_services_that_are_busy_enough(plan: Plan) -> None:
    for k in range(12):
        plan = plan.with_incident(NOW + k * timedelta(minutes=12))
    visited = [incident.service for incident in plan.incidents[-12:]]
    assert len(set(visited)) >= 2
    assert all(a != b for a, b in itertools.pairwise(visited))
    assert all(120 <= (i.end - i.start) / 1e6 <= 200 for i in plan.incidents[-12:])


def test_a_plan_is_the_same_after_it_was_kept(plan: Plan, tmp_path: Any) -> None:
    grown = plan.with_incident(NOW).resume(NOW, NOW + timedelta(days=3))
    grown.save(tmp_path / "plan.json", NOW)
    assert Plan.load(tmp_path / "plan.json") == (grown, NOW)


def test_draws_do_not_depend_on_what_else_is_drawn() -> None:
    some = pl.Series([3, 5, 900], dtype=pl.Int64).to_numpy()
    all_of_them = pl.Series(range(1000), dtype=pl.Int64).to_numpy()
    assert (Draws(1, "s", some).uniform("x") == Draws(1, "s", all_of_them).uniform("x")[some]).all()
    uniform = Draws(1, "s", all_of_them).uniform("x")
    assert 0.45 < uniform.mean() < 0.55
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(Draws(1, "s", all_of_them).normal("y").std() - 1) < 0.1


def test_cases_lie_where_the_usual_clients_would_put_them() -> None:
    # Known values of the Java client's murmur2.
    assert partition_of("21", 4) == (-973932308 & 0x7FFFFFFF) % 4
    assert partition_of("foobar", 7) == (-790332482 & 0x7FFFFFFF) % 7


def test_finished_calls_report_what_an_incident_made_callers_wait(plan: Plan) -> None:
    begin = micros(NOW)
    stalled = Plan(plan.seed, plan.origin, plan.busy, (Incident(begin, begin + 150_000_000, PHONE.name),))
    calls = taken(stalled, [NOW, NOW + timedelta(minutes=4)]).filter(
        (pl.col("source") == PHONE.source) & (pl.col("time") >= NOW)
    )
    assert (calls["data_response_time_s"] > 45).any()
