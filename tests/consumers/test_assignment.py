"""Who folds which partition and who keeps copies of it."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.assignment import Assignor, Held, Place, places

NOTHING = Held()


def after(given: dict[str, Place], *, gone: tuple[str, ...] = (), come: tuple[str, ...] = ()) -> dict[str, Held]:
    """What the members tell at the next rebalance, all copies being warm."""
    told = {
        member: Held(dict.fromkeys(place.folds, 9), dict.fromkeys(place.copies, 9))
        for member, place in given.items()
        if member not in gone
    }
    return told | dict.fromkeys(come, NOTHING)


def folds(given: dict[str, Place]) -> dict[str, list[int]]:
    return {member: sorted(place.folds) for member, place in given.items()}


@given(
    partitions=st.integers(1, 20),
    workers=st.integers(1, 6),
    copies=st.integers(0, 3),
    changes=st.lists(st.tuples(st.sampled_from(["come", "go"]), st.integers(0, 5)), max_size=6),
)
def test_each_partition_has_one_worker_and_its_copies_lie_with_others(
    partitions: int, workers: int, copies: int, changes: list[tuple[str, int]]
) -> None:
    members = {f"w{n}": NOTHING for n in range(workers)}
    for step, (change, which) in enumerate([*changes, ("stay", 0)]):
        given = places(range(partitions), members, copies)
        assert sorted(n for place in given.values() for n in place.folds) == list(range(partitions))
        found = Counter(n for place in given.values() for n in place.copies)
        assert found == Counter(dict.fromkeys(range(partitions), min(copies, len(members) - 1))) - Counter()
        assert all(not set(place.folds) & set(place.copies) for place in given.values())
        assert all(len(set(place.copies)) == len(place.copies) for place in given.values())
        loads = [len(place.folds) for place in given.values()]
        if copies == 0:
            assert max(loads) - min(loads) <= 1
        if change == "come":
            members = after(given, come=(f"new{step}",))
        elif change == "go" and len(members) > 1:
            members = after(given, gone=(sorted(members)[which % len(members)],))
        else:
            assert folds(places(range(partitions), after(given), copies)).keys() == given.keys()


@given(st.integers(1, 20), st.integers(2, 6), st.integers(1, 2), st.integers(0, 5))
def test_what_a_dead_worker_folded_goes_to_who_has_it_warm(partitions: int, workers: int, copies: int, n: int) -> None:
    before = places(range(partitions), {f"w{n}": NOTHING for n in range(workers)}, copies)
    dead = f"w{n % workers}"
    then = places(range(partitions), after(before, gone=(dead,)), copies)
    for member, place in then.items():
        assert set(place.folds) <= {*before[member].folds, *before[member].copies}


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 2))
def test_without_a_change_everybody_keeps_everything(partitions: int, workers: int, copies: int) -> None:
    first = places(range(partitions), {f"w{n}": NOTHING for n in range(workers)}, copies)
    again = places(range(partitions), after(first), copies)
    assert folds(again) == folds(first)
    assert {m: sorted(p.copies) for m, p in again.items()} == {m: sorted(p.copies) for m, p in first.items()}


def test_a_worker_that_comes_takes_its_share_and_the_others_keep_the_rest() -> None:
    two = places(range(6), {"a": NOTHING, "b": NOTHING}, 0)
    three = places(range(6), after(two, come=("c",)), 0)
    assert {m: len(p.folds) for m, p in three.items()} == {"a": 2, "b": 2, "c": 2}
    assert set(three["a"].folds) < set(two["a"].folds)
    assert set(three["b"].folds) < set(two["b"].folds)
    assert folds(places(range(6), after(three, gone=("c",)), 0)).keys() == {"a", "b"}


def test_copies_of_one_workers_partitions_are_spread_over_the_others() -> None:
    given = places(range(6), {"a": NOTHING, "b": NOTHING, "c": NOTHING}, 1)
    for folder, place in given.items():
        holders = Counter(m for m, p in given.items() for n in place.folds if n in p.copies)
        assert holders == Counter({m: 1 for m in given if m != folder})


def test_of_two_that_say_they_folded_it_the_newer_state_counts() -> None:
    given = places([0], {"thawed": Held({0: 7}), "heir": Held({0: 12})}, 0)
    assert folds(given) == {"heir": [0], "thawed": []}


@pytest.mark.parametrize("copies", [0, 1])
def test_partitions_of_all_topics_come_together(copies: int) -> None:
    class Cluster:
        def partitions_for_topic(self, topic: str) -> set[int]:
            return {0, 1, 2}

    members = {name: Assignor(lambda: Held({1: 5}), copies) for name in ("a", "b")}
    told: dict[str, Any] = {name: assignor.metadata(["desk", "phone"]) for name, assignor in members.items()}
    given = members["a"].assign(Cluster(), told)
    for name, assignment in given.items():
        by_topic = dict(assignment.assignment)
        assert by_topic["desk"] == by_topic["phone"]
        members[name].on_assignment(assignment)
    both = sorted(n for assignment in given.values() for n in dict(assignment.assignment)["desk"])
    assert both == [0, 1, 2]
    assert sorted(n for assignor in members.values() for n in assignor.copies) == [0, 1, 2] * copies
