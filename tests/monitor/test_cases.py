"""Cases in order: labels and phases after each event, whatever order the events come in."""

from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from monitor.cases import ordered
from monitor.frames import HISTORY, KEY, empty
from monitor.names import LABELS
from tests.monitor.lives import history

LIFE = (
    "09:00 paused reason=x; 10:00 opened priority=P3 team=a; 11:00 resolved team=z; 11:30 rated team=b; "
    "12:00 updated priority= service=s; 13:00 reopened; 14:00 updated team=; 15:00 cancelled; 16:00 updated priority=P1"
)


def after(**lives: str) -> pl.DataFrame:
    """One row an event: kind, phase and the labels after it."""
    cases = ordered(history(**lives))
    frame = cases.frame()
    return frame.hstack(cases.labels.select(pl.all().gather(frame["state"])))


def test_labels_are_set_by_the_opening_and_updates_kept_where_absent_cleared_where_null() -> None:
    rows = after(c=LIFE).select("kind", "priority", "team", "service").rows()
    assert rows == [
        ("paused", None, None, None),
        ("opened", "P3", "a", None),
        ("resolved", "P3", "a", None),
        ("rated", "P3", "a", None),
        ("updated", None, "a", "s"),
        ("reopened", None, "a", "s"),
        ("updated", None, None, "s"),
        ("cancelled", None, None, "s"),
        ("updated", "P1", None, "s"),
    ]


def test_phases_follow_the_resolves_and_reopenings_that_count() -> None:
    assert after(c=LIFE)["phase"].to_list() == [
        "unopened",
        *("open", "resolved", "resolved", "resolved", "open", "open"),
        *("final", "final"),
    ]
    assert after(c="10:00 responded; 11:00 resolved")["phase"].to_list() == ["unopened", "unopened"]
    assert after(c="09:00 resolved; 10:00 opened; 11:00 reopened")["phase"].to_list() == [
        "unopened",
        "resolved",
        "open",
    ]
    assert after(c="10:00 opened; 11:00 reopened; 12:00 closed; 13:00 resolved")["phase"].to_list() == [
        *("open", "open", "resolved", "resolved"),
    ]


def test_labels_of_one_case_do_not_reach_the_next() -> None:
    rows = after(a="10:00 opened team=a", b="10:00 opened; 11:00 updated priority=P1", c="11:00 updated; 12:00 opened")
    assert set(rows["team"]) == {"a", None}
    assert rows.filter(pl.col("team") == "a").height == 1


def test_a_later_opened_sets_no_labels() -> None:
    assert after(c="10:00 opened team=a; 11:00 opened team=b")["team"].to_list() == ["a", "a"]


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ("10:00 opened complaint; 11:00 opened", ("10:00", True, "open", False, False)),
        ("11:00 responded complaint", (None, False, "unopened", False, False)),
        ("10:00 opened; 11:00 resolved outcome=merged", ("10:00", False, "resolved", True, False)),
        ("10:00 opened; 11:00 resolved outcome=merged; 12:00 reopened", ("10:00", False, "open", False, False)),
        ("10:00 opened; 09:00 acknowledged", ("10:00", False, "open", False, False)),
        ("10:00 opened complaint; 09:00 acknowledged complaint", ("10:00", True, "open", False, True)),
        ("10:00 opened; 09:00 cancelled; 09:30 resolved", ("10:00", False, "final", False, False)),
    ],
)
def test_the_summary_tells_what_a_case_is(life: str, expected: tuple[object, ...]) -> None:
    row = ordered(history(c=life)).summary().row(0, named=True)
    opened = row["opened_at"].strftime("%H:%M") if row["opened_at"] else None
    assert (opened, row["is_complaint"], row["phase"], row["void"], row["contradictory"]) == expected


def test_no_events_make_no_cases() -> None:
    cases = ordered(empty(HISTORY))
    assert (cases.height, cases.frame().height, cases.summary().height) == (0, 0, 0)


def test_the_order_of_rows_does_not_matter_also_with_ties() -> None:
    random = Random(1)
    kinds = ("opened", "updated team=a", "updated team=b", "resolved", "reopened", "paused", "rated", "updated team=")
    lives = {
        f"c{n}": "; ".join(
            f"1{random.randrange(3)}:00 {random.choice(kinds)} id={i} source={random.choice('ab')}"
            + random.choice(["", " seq=1", " seq=2"])
            for i in range(random.randrange(1, 12))
        )
        for n in range(60)
    }
    events = history(**lives)
    wanted = _told(events)
    for seed in range(10):
        assert_frame_equal(_told(events.sample(fraction=1, shuffle=True, seed=seed)), wanted)
        assert_frame_equal(_told(events.sample(fraction=1, shuffle=True, seed=seed).sort("time")), wanted)


def _told(events: pl.DataFrame) -> pl.DataFrame:
    cases = ordered(events)
    frame = cases.frame()
    own = events.select("case", "source", "id", "sequence").select(pl.all().gather(frame["row"]))
    labels = cases.labels.select(pl.all().gather(frame["state"]).name.prefix("after_"))
    return pl.concat([frame.drop("row", "state"), own, labels], how="horizontal")


def test_cases_whose_keys_agree_in_the_bits_first_looked_at_are_told_apart() -> None:
    events = history(**dict.fromkeys("abcdef", "10:00 opened team=x; 11:00 updated team=y; 12:00 resolved"))
    for shift in (0, 3, 64):  # keys that differ in their lowest bits, or in their upper half alone
        number = (pl.col("case").rank("dense") - 1).cast(KEY)
        keyed = events.with_columns(case_key=number * 2 ** min(shift, 62) * 2 ** max(shift - 62, 0))
        for seed in range(5):
            cases = ordered(keyed.sample(fraction=1, shuffle=True, seed=seed))
            assert cases.height == 6
            assert cases.summary()["case"].sort().to_list() == list("abcdef")
            assert cases.resolves.sum() == 6
            assert cases.labels.height == 13
            assert set(cases.labels.columns) == set(LABELS)
