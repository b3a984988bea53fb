"""The documents say what is so: their commands run, their examples are valid, their links lead somewhere."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from monitor.events import read_json
from monitor.frames import ORIGIN
from monitor.policy import PolicyError, PolicyFrozen, admitted, load

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(\w+)? ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)]+)\)")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")


class Block(NamedTuple):
    document: Path
    language: str
    note: str
    text: str

    def __str__(self) -> str:
        first = self.text.strip().splitlines()[0][:50]
        return f"{self.document.relative_to(ROOT)}: {first}"


def blocks() -> Iterator[Block]:
    for document in DOCUMENTS:
        for language, note, text in BLOCK.findall(document.read_text()):
            yield Block(document, language, note.strip(), text)


def some(language: str, note: str) -> list[Block]:
    found = [block for block in blocks() if block.language == language and block.note.startswith(note)]
    assert found, f"no document has a block of {language} {note}"
    return found


def read(text: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    origin = pl.DataFrame({"topic": "docs", "partition": 0, "offset": 0, "index": 0}, schema=dict(ORIGIN))
    events, refused, _ = read_json([text.encode()], origin, future_after=None)
    return events, refused


@pytest.mark.parametrize("block", some("json", "event"), ids=str)
def test_events_in_documents_are_accepted(block: Block) -> None:
    json.loads(block.text)
    events, refused = read(block.text)
    assert refused.is_empty(), refused["message"].to_list()
    assert events.height == 1


@pytest.mark.parametrize("block", some("json", "refused="), ids=str)
def test_events_that_documents_call_wrong_are_refused_for_the_reason_given(block: Block) -> None:
    events, refused = read(block.text)
    assert events.is_empty()
    assert refused["reason"].to_list() == [block.note.removeprefix("refused=")]


@pytest.mark.parametrize("block", some("yaml", "policy"), ids=str)
def test_policies_in_documents_are_valid(block: Block) -> None:
    load([(str(block), block.text)])


@pytest.mark.parametrize("block", some("yaml", "wrong="), ids=str)
def test_policies_that_documents_call_wrong_are_refused_as_they_say(block: Block) -> None:
    with pytest.raises(PolicyError, match=re.escape(block.note.removeprefix("wrong="))):
        load([(str(block), block.text)])


def test_the_refused_edit_and_the_version_in_its_place_are_as_shown() -> None:
    [judged], [later] = (some("yaml", f"policy {which}") for which in ("judged", "later"))
    [refusal] = some("text", "refusal")
    in_force = admitted(load([("desk.yaml", judged.text)]), None, None, 2026)
    until = datetime(2026, 11, 20, 12, tzinfo=UTC)
    with pytest.raises(PolicyFrozen) as refused:
        admitted(load([("desk.yaml", judged.text.replace("4h", "2h"))]), in_force, until, 2026)
    assert str(refused.value) == refusal.text.strip()
    assert len(admitted(load([("desk.yaml", later.text)]), in_force, until, 2026).versions) == 2


@pytest.mark.parametrize("block", some("yaml", "file="), ids=str)
def test_files_shown_in_documents_are_as_they_stand(block: Block) -> None:
    assert block.text == (ROOT / block.note.removeprefix("file=")).read_text()


@pytest.mark.parametrize("block", some("console", ""), ids=str)
def test_commands_in_documents_run_and_print_what_is_shown(block: Block, tmp_path: Path) -> None:
    command, *shown = block.text.strip().splitlines()
    assert command.startswith("$ ")
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    words = shlex.split(command.removeprefix("$ ").replace(".venv/bin/", f"{ROOT}/.venv/bin/"))
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = [re.sub(r"\s+", " ", line).strip() for line in done.stdout.splitlines()]
    for line in shown:
        if line.strip() != "…":
            assert re.sub(r"\s+", " ", line).strip() in printed


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_to_files(document: Path) -> None:
    targets = [target for target, _ in LINK.findall(document.read_text()) if "://" not in target]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


def anchors(document: Path) -> set[str]:
    """Of its headings, as forges make them."""
    headings = HEADING.findall(document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_into_documents_lead_to_headings(document: Path) -> None:
    targets = [link for link in ANCHOR.findall(document.read_text()) if "://" not in link[0]]
    missing = [
        (path, anchor)
        for path, anchor in targets
        if anchor not in anchors(document.parent / path if path else document)
    ]
    assert missing == []
