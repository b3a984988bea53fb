"""docs/guarantees.md cannot rot: every promise names a test, and every test and row of the fault table is there."""

import re
from pathlib import Path

import pytest

from tests.faults.table import ROWS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "guarantees.md"
TEST = re.compile(r"\[`(test_\w+)`\]\(([^)]+)\)")
FAULT = re.compile(r"\[\*([^*]+)\*\]\(\.\./tests/faults/table\.py\)")
PROMISED, NOT_PROMISED = PAGE.read_text().split("\n## What is not promised\n")


def promises() -> list[list[str]]:
    """Rows of the tables: promise, how, shown by."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PROMISED.splitlines() if line[:2] == "| "]
    return [row for row in rows if row[0] != "promise"]


@pytest.mark.parametrize("row", promises(), ids=lambda row: row[0][:60])
def test_every_promise_has_a_mechanism_and_is_shown_by_a_test(row: list[str]) -> None:
    _, how, shown = row
    assert how
    assert TEST.search(shown) or FAULT.search(shown)


@pytest.mark.parametrize(("name", "path"), sorted(set(TEST.findall(PAGE.read_text()))), ids=lambda text: text[:70])
def test_every_test_that_is_named_stands_in_the_file_that_is_linked(name: str, path: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (PAGE.parent / path).read_text(), re.MULTILINE)


def test_no_test_is_named_without_its_file() -> None:
    assert len(re.findall(r"`test_\w+`", PAGE.read_text())) == len(TEST.findall(PAGE.read_text()))


def test_every_row_of_the_fault_table_shows_a_promise() -> None:
    assert set(FAULT.findall(PROMISED)) == {row.fault for row in ROWS}
