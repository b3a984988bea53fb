"""Corrections beside an objective's figures: counted where the verdict that stands now lies, and nowhere else."""

from datetime import datetime, timedelta

from monitor.engine import step
from monitor.policy import PolicySet, load
from monitor.slas.corrections import corrected
from monitor.state import State
from tests.api.world import NOON, event, read

POLICIES: PolicySet = load(
    [
        (
            "policy.yaml",
            """
policy: support
labels: [service]
targets:
  - {clock: first_response, within: 10m}
  - {clock: resolution, within: 1h}
slas:
  - {id: each, measure: first_response, by: [service], goal: 90%, period: 1d}
  - {id: web, measure: first_response, where: {service: web}, goal: 90%, period: 1d}
  - {id: other, measure: resolution, goal: 90%, period: 1d}
""",
        )
    ]
)


def counts(state: State, now: datetime) -> dict[tuple[str, str | None], int]:
    rows = corrected({0: state}, POLICIES.newest, now)
    return {(row["sla"], row["service"]): row["corrected"] for row in rows.to_dicts()}


def test_a_corrected_verdict_counts_for_its_objectives_while_it_lies_in_their_period() -> None:
    state = State()
    assert counts(state, NOON) == {}
    minutes = timedelta(minutes=1)
    late = [event(case, "responded", NOON + 60 * minutes) for case in ("a", "b", "c")]
    opened = [
        event(case, "opened", NOON, service=name) for case, name in zip("abc", ("web", "web", "mail"), strict=True)
    ]
    in_time = [event(case, "responded", NOON + 5 * minutes) for case in ("a", "c")]
    for batch in (opened, late, in_time):
        state.apply(step(state, read(batch), NOON + 61 * minutes, POLICIES, grace=timedelta(0)).delta)
    assert counts(state, NOON + 61 * minutes) == {("each", "web"): 1, ("each", "mail"): 1, ("web", None): 1}
    assert counts(state, NOON + timedelta(days=2)) == {}
