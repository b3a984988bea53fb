"""docs/reference/semantics.md names the tests that hold its readings; they exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_named_on_the_page_exists() -> None:
    page = (ROOT / "docs/reference/semantics.md").read_text()
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page)
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in written] == []
    files = re.findall(r"`([\w/]+\.py)`", page)
    assert [f for f in files if not (ROOT / f).exists() and not (ROOT / "tests/monitor" / f).exists()] == []


def test_every_rule_of_the_clocks_has_a_test_that_bears_its_number() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests/monitor").glob("test_clocks_*.py"))
    named = re.findall(r"def test_rules?_((?:\d+_(?:and_)?)+)", written)
    assert {int(number) for name in named for number in re.findall(r"\d+", name)} == set(range(1, 16))
