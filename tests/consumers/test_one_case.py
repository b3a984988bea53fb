"""One case out of many events: the twins that count, and the time that it is judged by."""

from datetime import timedelta

from consumers.one_case import OneCase
from monitor.policy import load
from tests.api.world import NOON, event, read

MINUTE = timedelta(minutes=1)
POLICIES = load([("policy.yaml", "policy: p\nlabels: []\ntargets:\n  - {clock: first_response, within: 1h}\n")])


def test_of_twins_the_first_in_the_log_counts_whatever_their_times() -> None:
    late, in_time = (event("c", "responded", NOON + minutes * MINUTE) | {"id": "same"} for minutes in (200, 10))
    one = OneCase("c")
    one.take(read([event("c", "opened", NOON), late, in_time]))
    told = one.explained(POLICIES, NOON + 300 * MINUTE, timedelta(0))
    assert told is not None
    assert told.stories[0].verdict["outcome"] == "breached"


def test_time_is_that_of_the_partition_which_holds_the_case() -> None:
    one = OneCase("c")
    one.take(read([event("c", "opened", NOON), event("d", "opened", NOON + MINUTE)], partition=1))
    one.take(read([event("e", "opened", NOON + 600 * MINUTE)], partition=2))
    assert one.newest == NOON + MINUTE
    assert OneCase("c").newest is None
