"""Every case collected from other engines: the fold, and the slow reference, say what was worked out by hand."""

import json
from datetime import timedelta

import pytest

from monitor.clocks import derive
from monitor.policy import load
from tests.collected.reference import judged
from tests.collected.tables import Row, rows
from tests.monitor.lives import history

ROWS = rows()


def test_no_case_stands_twice() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_fold_is_right_where_other_engines_were_not(row: Row) -> None:
    policies = load([("policy.yaml", "\n---\n".join(map(json.dumps, row.versions)))])
    life = "; ".join(f"{at.isoformat()} {words}" for at, words in row.events)
    found = derive(history(c=life), policies, row.now, timedelta(0)).sort("cycle").to_dicts()
    for clock, expected in row.expect.items():
        ours = [verdict for verdict in found if verdict["clock"] == clock]
        assert [{name: verdict[name] for name in want} for verdict, want in zip(ours, expected, strict=True)] == [
            dict(want) for want in expected
        ]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_slow_reference_says_the_same(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(row, monkeypatch)
    for clock, expected in row.expect.items():
        ours = [verdict for verdict in found if verdict["clock"] == clock]
        assert [{name: verdict[name] for name in want} for verdict, want in zip(ours, expected, strict=True)] == [
            dict(want) for want in expected
        ]
