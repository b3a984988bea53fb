"""RFC 3339 times to microseconds."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.events.times import fault_of, micros_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-20T08:30:00Z", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20t08:30:00z", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20 08:30:00Z", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T16:30:00+08:00", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T03:00:00-05:30", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T08:30:00-00:00", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T08:30:00.1Z", datetime(2026, 11, 20, 8, 30, 0, 100_000, tzinfo=UTC)),
        ("2026-11-20T08:30:00.1234569999Z", datetime(2026, 11, 20, 8, 30, 0, 123_456, tzinfo=UTC)),
        ("1969-12-31T23:59:59.9999999Z", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2000-02-29T00:00:00Z", datetime(2000, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_a_time_with_any_offset_and_fraction_is_read_and_cut_to_microseconds(text: str, instant: datetime) -> None:
    values, fine = micros_of([text])
    assert fine.tolist() == [True]
    assert values.tolist() == [micros(instant)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-20T08:30:00", "no offset"),
        ("2026-11-20T08:30:00.5", "no offset"),
        ("2026-11-20T08:30Z", "no seconds"),
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2026-02-29T00:00:00Z", "calendar"),
        ("1900-02-29T00:00:00Z", "calendar"),
        ("2026-13-01T00:00:00Z", "calendar"),
        ("2026-00-01T00:00:00Z", "calendar"),
        ("2026-01-00T00:00:00Z", "calendar"),
        ("2026-01-01T24:00:00Z", "calendar"),
        ("2026-01-01T00:60:00Z", "calendar"),
        ("2026-01-01T00:00:00+24:00", "calendar"),
        ("0000-01-01T00:00:00Z", "calendar"),
        ("0001-01-01T00:00:00+01:00", "calendar"),
        ("9999-12-31T23:59:59-01:00", "calendar"),
        ("2026-11-20T08:30:00.Z", "RFC 3339"),
        ("2026-11-20T08:30:00+0800", "RFC 3339"),
        ("2026-11-20T08:30:00,5Z", "RFC 3339"),
        ("2026-11-20T08:30:00Z\n", "RFC 3339"),
        (" 2026-11-20T08:30:00Z", "RFC 3339"),
        ("20261120T083000Z", "RFC 3339"),
        ("٢٠٢٦-11-20T08:30:00Z", "RFC 3339"),
        ("1795163400", "RFC 3339"),
        ("now", "RFC 3339"),
        ("", "RFC 3339"),
        ("2026-11-20T08:30:00." + "1" * 100 + "Z", "too long"),
    ],
)
def test_what_is_no_time_is_told_apart_and_explained(text: str, why: str) -> None:
    _, fine = micros_of([text])
    assert fine.tolist() == [False]
    assert why in fault_of(text)


def test_a_line_break_does_not_let_a_text_pass_into_its_neighbour() -> None:
    texts = ["2026-11-20T08:30:00", "Z\n2026-11-20T08:30:00Z"]
    assert micros_of(texts)[1].tolist() == [False, False]
    assert micros_of(["2026-11-20T08:30:00Z\n2026-11-20T08:30:00Z", ""])[1].tolist() == [False, False]


MICROS = st.integers(micros(datetime(2, 1, 1, tzinfo=UTC)), micros(datetime(9998, 12, 31, tzinfo=UTC)))
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.builds(lambda us, zone: (EPOCH + timedelta(microseconds=us)).astimezone(zone), MICROS, OFFSETS)


@given(INSTANTS, st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]))
def test_every_instant_is_read_as_the_standard_library_reads_it(instant: datetime, precision: str) -> None:
    text = instant.isoformat(timespec=precision)
    values, fine = micros_of([text])
    assert fine.tolist() == [True]
    assert values.tolist() == [micros(datetime.fromisoformat(text))]


LINES = st.text("0123456789-:TtZz .+\n", max_size=30)


@given(st.lists(st.one_of(INSTANTS.map(datetime.isoformat), LINES, st.just("2026-11-20T08:30:00Z")), max_size=12))
def test_a_time_is_read_the_same_whatever_stands_beside_it(texts: list[str]) -> None:
    values, fine = micros_of(texts)
    alone = [micros_of([text]) for text in texts]
    np.testing.assert_array_equal(values, [value[0] for value, _ in alone])
    np.testing.assert_array_equal(fine, [flag[0] for _, flag in alone])


def test_no_times_are_no_times() -> None:
    values, fine = micros_of([])
    assert (len(values), len(fine)) == (0, 0)
