"""Tiers of cells: whatever the order and the chunks, a window is the sum of the buckets that start in it.

    start                       end
      |---------------------------|
[....)[....)[....)[....)[....)[....)     buckets that start in [start, end] count, the newest unfinished
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor.cells.grains import ALL_TIME, TIERS, finest
from monitor.cells.pages import CUTS
from monitor.cells.sums import Sums, packed, unpacked, without_bin
from monitor.cells.tiers import TIER_ROWS, Tiers
from monitor.frames import CELLS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NEWEST = int(NOW.timestamp()) // 10
MEASURES = ("first_response.met", "first_response.breached", "case.opened", "audit.failed")

Row = tuple[int | None, int, str, int | None, int, int]


def cells(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(CELLS), orient="row")


def added(*chunks: list[Row], now: datetime = NOW) -> Tiers:
    tiers = Tiers.empty()
    tiers.evict(now)
    for chunk in chunks:
        tiers.add(cells(chunk))
    return tiers


def summed(rows: list[Row], step: int = 1, first: int | None = None, last: int | None = None) -> dict[Any, Any]:
    """(series, measure, bin) -> (n, total) by plain arithmetic; without `first` all rows, of no bucket too."""
    sums: dict[Any, list[int]] = {}
    for bucket, series, measure, number, n, total in rows:
        if first is not None and (bucket is None or not first <= bucket // step * step <= (last or bucket)):
            continue
        entry = sums.setdefault((series, measure, number), [0, 0])
        entry[0] += n
        entry[1] += total
    return {key: tuple(entry) for key, entry in sums.items() if any(entry)}


def found(frame: pl.DataFrame) -> dict[Any, Any]:
    return {
        tuple(row[:3]): tuple(row[3:]) for row in frame.select("series", "measure", "bin", "n", "total").iter_rows()
    }


def a_row(oldest: int) -> st.SearchStrategy[Row]:
    bucket = st.one_of(st.none(), st.integers(NEWEST - oldest, NEWEST))
    number = st.one_of(st.none(), st.integers(-3000, 3000))
    amount = st.integers(-3, 5)
    return st.tuples(
        bucket, st.integers(0, 3), st.sampled_from(MEASURES), number, amount, st.integers(-(10**12), 10**12)
    )


ROWS = st.lists(a_row(1000), max_size=40)
WINDOWS = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=3))


def windows(tiers: Tiers, now: datetime = NOW) -> list[Any]:
    every: list[Any] = [found(tiers.window(now - length, now).cells) for length in WINDOWS]
    return [*every, found(tiers.window(None, None).cells)]


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 7))
def test_any_order_and_any_chunks_give_the_same_windows(rows: list[Row], random: Any, size: int) -> None:
    shuffled = random.sample(rows, len(rows))
    chunks = [shuffled[i : i + size] for i in range(0, len(shuffled), size)]
    assert windows(added(*chunks)) == windows(added(rows))


@given(ROWS, ROWS)
def test_taking_back_is_the_inverse_of_adding(kept: list[Row], retracted: list[Row]) -> None:
    tiers = added(kept, retracted, [(*row[:4], -row[4], -row[5]) for row in retracted])
    assert windows(tiers) == windows(added(kept))
    assert sorted(map(str, tiers.rows().iter_rows())) == sorted(map(str, added(kept).rows().iter_rows()))


@given(ROWS)
def test_a_window_holds_what_plain_arithmetic_finds(rows: list[Row]) -> None:
    tiers = added(rows)
    assert found(tiers.window(None, None).cells) == summed(rows)
    for length, tier in zip(WINDOWS, (TIERS[0], TIERS[0], TIERS[1], TIERS[2]), strict=True):
        window = tiers.window(NOW - length, NOW)
        assert window.tier == tier.name
        assert found(window.cells) == summed(rows, tier.step, tier.first(NOW - length), tier.last(NOW))


@given(ROWS, ROWS)
def test_a_snapshot_made_anew_goes_on_as_the_original_does(before: list[Row], after: list[Row]) -> None:
    original = added(before)
    anew = Tiers.from_rows(original.rows())
    anew.evict(NOW)
    for tiers in (original, anew):
        tiers.add(cells(after))
    assert windows(anew) == windows(original)
    assert dict(anew.rows().schema) == dict(TIER_ROWS)


@given(ROWS)
def test_a_snapshot_may_be_cut_by_series_into_parts_that_make_the_whole(rows: list[Row]) -> None:
    tiers = added(rows)
    cut = pl.concat([tiers.rows(part, 3) for part in range(3)])
    assert all(set(tiers.rows(part, 3)["series"] % 3) <= {part} for part in range(3))
    assert windows(Tiers.from_rows(cut)) == windows(Tiers.from_rows(tiers.rows()))


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [(0, True), (-300, True), (-310, False), (-299, True), (10, False), (9, True)],
    ids=["at the end", "at the start", "before it", "within", "after the end", "in the newest bucket"],
)
def test_a_bucket_counts_if_it_starts_within_the_window(seconds: int, counts: bool) -> None:
    bucket = (int(NOW.timestamp()) + seconds) // 10
    window = added([(bucket, 0, "case.opened", None, 1, 0)]).window(NOW - timedelta(minutes=5), NOW)
    assert bool(window.cells.height) is counts


@pytest.mark.parametrize(
    ("length", "tier"),
    [
        (timedelta(minutes=5), "10s"),
        (timedelta(hours=2), "10s"),
        (timedelta(hours=2, seconds=1), "1m"),
        (timedelta(hours=26), "1m"),
        (timedelta(days=3), "15m"),
        (timedelta(days=400), "15m"),
        (timedelta(days=900), "15m"),
        (None, ALL_TIME),
    ],
)
def test_a_window_is_read_from_the_finest_tier_that_spans_it(length: timedelta | None, tier: str) -> None:
    assert finest(NOW, None if length is None else NOW - length) == tier


def test_what_a_tier_no_longer_reaches_leaves_it_and_stays_in_the_coarser_ones() -> None:
    tiers = added([(NEWEST, 0, "case.opened", None, 1, 0)])
    later = NOW + timedelta(hours=3)
    tiers.evict(later)
    assert set(tiers.rows()["tier"]) == {"1m", "15m", ALL_TIME}
    assert tiers.window(later - timedelta(hours=1), later).cells.height == 0
    assert tiers.window(later - timedelta(hours=4), later).cells["n"].to_list() == [1]


def test_rows_without_bucket_count_in_all_time_only() -> None:
    tiers = added([(None, 0, "case.open", None, 3, 0)])
    assert found(tiers.window(None, None).cells) == {(0, "case.open", None): (3, 0)}
    assert tiers.window(NOW - timedelta(days=3), NOW).cells.height == 0


class MovingWindows(RuleBasedStateMachine):
    """Windows that move as time and cells come in any order always equal the same windows read at once."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.tiers = added()

    @rule(rows=st.lists(a_row(30_000), max_size=20))
    def add(self, rows: list[Row]) -> None:
        self.tiers.add(cells(rows))

    @rule(seconds=st.sampled_from([0, 1, 9, 10, 60, 600, 4000, 90_000]))
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.tiers.evict(self.now)

    @rule(length=st.sampled_from(WINDOWS), ahead=st.sampled_from([0, 0, 0, 30, -30]))
    def read(self, length: timedelta, ahead: int) -> None:
        end = self.now + timedelta(seconds=ahead)
        tier = finest(end, end - length)
        moved = self.tiers.moving("no bins", end - length, end, tier, _without_bins)
        at_once = _without_bins(_keyed(self.tiers.window(end - length, end, tier).cells))
        expected = Sums()
        expected.add(at_once)
        assert moved.equals(expected.frame())

    @invariant()
    def all_time_is_kept_up(self) -> None:
        moved = self.tiers.moving("no bins", None, self.now, ALL_TIME, _without_bins)
        expected = Sums()
        expected.add(_without_bins(_keyed(self.tiers.window(None, None).cells)))
        assert moved.equals(expected.frame())


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(packed().alias("key"), "n", "total")


def _without_bins(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(without_bin().alias("key"), "n", "total")


TestMovingWindows = MovingWindows.TestCase
TestMovingWindows.settings = settings(max_examples=40, stateful_step_count=25)


AROUND_THE_BORDER = st.lists(st.tuples(st.sampled_from([0, 7, 8, 9, 10, 29]), a_row(200)), min_size=1, max_size=20)
THEN = st.sampled_from(["nothing", "taken back", "read", "restored", "a day later", "a year later"])


@settings(max_examples=60)
@given(st.sampled_from([0, 200, 1000]), st.lists(st.tuples(AROUND_THE_BORDER, THEN), min_size=1, max_size=8))
def test_tiers_that_pack_old_pages_hold_and_answer_what_those_do_that_never_do(
    left_plain: int, chunks: list[tuple[list[tuple[int, Row]], str]]
) -> None:
    now = NOW
    packing, plain = Tiers(left_plain), Tiers(left_plain=2**63)
    for tiers in (packing, plain):
        tiers.add(cells([(NEWEST, 0, "case.opened", None, 1, 0)]))
    for rows_of_days, then in chunks:
        rows = [(row[0] and row[0] - days * 8640, *row[1:]) for days, row in rows_of_days]
        now += {"a day later": timedelta(days=1), "a year later": timedelta(days=380)}.get(then, timedelta())
        back = [(*row[:4], -row[4], -row[5]) for row in rows[::2]] if then == "taken back" else []
        for tiers in (packing, plain):
            tiers.evict(now)
            tiers.add(cells(rows))
            tiers.add(cells(back))
        if then == "read":
            assert moved(packing, now) == moved(plain, now)
        if then == "restored":
            packing = made_anew(packing, left_plain, now)
        for part, of in ((0, 1), (1, 3), (0, CUTS), (3, CUTS)):
            assert packing.rows(part, of).sort(pl.all()).equals(plain.rows(part, of).sort(pl.all()))
    assert moved(packing, now) == moved(plain, now)


def moved(tiers: Tiers, now: datetime) -> list[Any]:
    lengths = [timedelta(days=days) for days in (3, 9, 12, 400)]
    moving = [tiers.moving("no bins", now - length, now, "15m", _without_bins).rows() for length in lengths]
    return [*moving, *(found(tiers.window(now - length, now).cells) for length in lengths)]


def made_anew(tiers: Tiers, left_plain: int, now: datetime) -> Tiers:
    """As a snapshot does it."""
    anew = Tiers(left_plain)
    for cut in range(CUTS):
        anew.add_packed(tiers.packed(cut))
        anew.add_rows(tiers.rows(cut, CUTS, packed=False))
    anew.evict(now)
    return anew


@given(st.lists(a_row(10).map(lambda row: row[1:]), max_size=30))
def test_packing_a_key_loses_nothing(rows: list[Any]) -> None:
    frame = pl.DataFrame(rows, schema={k: v for k, v in CELLS.items() if k != "bucket"}, orient="row")
    assert unpacked(_keyed(frame)).equals(frame)


def test_a_far_series_keeps_its_number_when_packed() -> None:
    frame = cells([(None, 2**32 - 1, "audit.failed", 3746, 1, 2)]).drop("bucket")
    assert unpacked(_keyed(frame)).equals(frame)
