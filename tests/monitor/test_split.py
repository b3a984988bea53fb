"""Cases that come through two partitions are found, whichever way the states came to hold them."""

from datetime import UTC, datetime

import polars as pl
import pytest

from monitor.frames import ARCHIVED, HISTORY, conform
from monitor.keys import keys_of
from monitor.split import MOST, SplitCase, SplitCases
from monitor.state import Delta, State


def history(*cases: str) -> Delta:
    names = pl.Series("case", cases)
    return {"history": conform(pl.DataFrame({"case": names, "case_key": keys_of(names)}), HISTORY)}


def states(*shares: tuple[str, ...]) -> dict[int, State]:
    made = {number: State() for number in range(len(shares))}
    for number, cases in enumerate(shares):
        for case in cases:
            made[number].apply(history(case, case))
    return made


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ((("a", "b"), ("c", "d")), []),
        ((("a", "b"), ("b", "c")), [("b", (0, 1))]),
        ((("a", "b"), ("c",), ("d", "a"), ("a",)), [("a", (0, 2, 3))]),
        ((("a", "b"), ()), []),
        (((), ()), []),
        ((("a", "a"),), []),
    ],
)
def test_what_was_there_when_it_began_is_found(
    shares: tuple[tuple[str, ...], ...], found: list[tuple[str, tuple[int, ...]]]
) -> None:
    split = SplitCases()
    split.look(states(*shares))
    assert (split.first, split.count) == ([SplitCase(*each) for each in found], len(found))


def test_what_comes_later_is_found_once_and_kept() -> None:
    held, split = states(("a", "b"), ("c",), ("d",)), SplitCases()
    split.look(held)
    for number, case in ((1, "b"), (1, "e"), (2, "b"), (0, "b")):
        held[number].apply(history(case))
        split.changed(number, history(case))
        split.look(held)
    assert split.first == [SplitCase("b", (0, 1, 2))]
    held[1].history.remove(keys_of(["b"]))
    split.look(held)
    assert split.count == 1


def test_an_event_for_a_case_that_is_archived_elsewhere_is_found() -> None:
    held, split = states(("a",), ("b",)), SplitCases()
    split.look(held)
    at = datetime(2026, 11, 20, tzinfo=UTC)
    held[1].apply({"archived": conform(pl.DataFrame({"case_key": keys_of(["a"]), "at": [at]}), ARCHIVED)})
    held[0].apply(history("a"))
    split.changed(0, history("a"))
    split.look(held)
    assert split.first == [SplitCase("a", (0, 1))]


def test_a_state_that_is_restored_is_looked_through_again() -> None:
    held, split = states(("a",), ("b",)), SplitCases()
    split.look(held)
    held[1] = states((), ("a",))[1]
    split.look(held)
    assert split.first == [SplitCase("a", (0, 1))]


def test_so_many_are_counted_and_no_more() -> None:
    cases = tuple(f"case {n}" for n in range(MOST + 7))
    held = {0: State(), 1: State()}
    for state in held.values():
        state.apply(history(*cases))
    split = SplitCases()
    split.look(held)
    assert (split.count, len(split.first)) == (MOST, 20)
