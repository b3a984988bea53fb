"""The reference pages are what the code says."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from api.cli import COMMANDS
from api.markdown import anchor, members, table
from api.reference import FOLDER, PAGES, pages
from consumers.settings import described
from monitor.indicators import REGISTRY
from monitor.names import Metric, Refusal


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_the_pages_are_up_to_date(made: dict[str, str]) -> None:
    stale = [name for name, text in made.items() if FOLDER.joinpath(name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs`"


def test_the_table_of_contents_has_every_page() -> None:
    contents = FOLDER.joinpath("README.md").read_text(encoding="utf-8")
    assert [
        path.name for path in FOLDER.glob("*.md") if path.name != "README.md" and f"]({path.name})" not in contents
    ] == []


def test_everything_is_in_them(made: dict[str, str]) -> None:
    wanted: dict[str, Sequence[str]] = {
        "settings.md": [name for name, _ in described()],
        "metrics.md": list(Metric),
        "indicators.md": [indicator.id for indicator in REGISTRY],
        "events.md": list(Refusal),
    }
    for page, names in wanted.items():
        assert [name for name in names if f"`{name}`" not in made[page]] == [], page
    for command in COMMANDS:
        assert f"## sqm {command}\n" in made["cli.md"]
    assert "Traceback" not in made["cli.md"]


@pytest.mark.parametrize("page", PAGES)
def test_links_within_a_page_lead_to_a_heading(made: dict[str, str], page: str) -> None:
    headings = {anchor(line.lstrip("# ")) for line in made[page].splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", made[page])) <= headings


def test_no_page_tells_of_the_machine_it_was_made_on(made: dict[str, str]) -> None:
    places = [str(place) for place in (Path.home(), Path.cwd(), tempfile.gettempdir())]
    assert [(name, place) for name, text in made.items() for place in places if f"{place}/" in text] == []


def test_tables_hold_any_text() -> None:
    assert table(("a", "b"), [("x|y", "two\nlines")]) == "| a | b |\n| --- | --- |\n| x\\|y | two lines |\n"


def test_members_say_type_default_and_meaning() -> None:
    schema = {
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "description": "its name"},
            "when": {"type": "object", "additionalProperties": {"type": "string"}, "default": {}},
            "calendar": {"anyOf": [{"$ref": "#/$defs/Calendar"}, {"type": "null"}], "default": None},
            "clock": {"enum": ["a", "b"], "default": "a", "examples": ["b"]},
        },
    }
    assert members(schema).splitlines()[2:] == [
        "| `id` | string | required | its name |",
        "| `when` | map to string |  |  |",
        "| `calendar` | [Calendar](#calendar) or null |  |  |",
        '| `clock` | `a`, `b` | `"a"` | Such as `"b"`. |',
    ]
