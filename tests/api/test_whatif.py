"""`sqm replay --compare`, as a user runs it: what it shows, what it writes, what it refuses."""

import json
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from api.commands.whatif import Sheet, print_sheets
from tests.api.test_commands import POLICY, REPLAY, folder, sqm

__all__ = ["folder"]

OLD = "old.yaml"
COMPARED = (*REPLAY, "--compare", OLD)


@pytest.fixture
def desk(folder: Path) -> Path:
    """A folder in which the new policy asks for 80 minutes, and the old one for two hours."""
    (folder / OLD).write_text(POLICY)
    (folder / "policy.yaml").write_text(POLICY.replace("2h", "80m"))
    return folder


def test_compliance_before_and_after_and_every_flip_are_shown(desk: Path) -> None:
    done = sqm(desk, *COMPARED, COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, "")
    told = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for expected in (
        "resolved service x 50% 50.00% 50.00% 0.00% 0.00%",
        "resolved service y 50% 100.00% 0.00% 100.00% -100.00%",
        "resolution all 2 of 3 66.67% 1 of 3 33.33%",
        "resolution service y 1 of 1 100.00% 0 of 1 0.00%",
        "resolution met breached 1",
        "c resolution service y met, due 2026-01-01T12:00:00Z breached, due 2026-01-01T11:20:00Z "
        "1. every case: resolved within 1 hour 20 minutes round the clock",
    ):
        assert expected in told
    assert not [line for line in told if line.startswith("resolution service x")]  # nothing differs there


def test_the_same_policy_twice_flips_nothing(desk: Path) -> None:
    done = sqm(desk, *REPLAY, "--compare", "policy.yaml")
    assert done.stdout.splitlines()[-1] == "No verdict flips."


def test_flips_are_written_as_csv_parquet_and_html(desk: Path) -> None:
    for name in ("f.csv", "f.parquet", "f.html"):
        assert sqm(desk, *COMPARED, "--flips", name).returncode == 0
    text, typed = pl.read_csv(desk / "f.csv"), pl.read_parquet(desk / "f.parquet")
    assert text.columns == typed.columns
    shown = ("case", "old_outcome", "new_outcome", "new_line", "service")
    row = ("c", "met", "breached", "1. every case: resolved within 1 hour 20 minutes round the clock", "y")
    assert text.select(shown).rows() == typed.select(shown).rows() == [row]
    assert typed.schema["new_due"] == pl.Datetime("ms", "UTC")
    page = (desk / "f.html").read_text()
    assert "<td>c</td><td>resolution</td><td>service y</td>" in page
    assert "http" not in page  # it needs nothing from elsewhere


def test_what_a_terminal_cuts_is_where_it_was_written_to() -> None:
    """Not where it could be written to."""
    flips = Sheet("Flips", ("case",), 1, [(str(n),) for n in range(25)])
    for written, said in ((None, "--flips FILE.html"), (Path("f.csv"), "f.csv"), (Path("f.html"), "f.html")):
        shown = StringIO()
        print_sheets([flips], Console(file=shown), written)
        assert f"… and 5 more: {said} has all" in shown.getvalue()


def test_what_stands_in_events_is_text_on_the_page(desk: Path) -> None:
    rows = (desk / "rows.csv").read_text()
    (desk / "rows.csv").write_text(rows.replace("c,y", "<script>alert(1)</script>,<b>y</b>"))
    assert sqm(desk, *COMPARED, "--flips", "f.html").returncode == 0
    page = (desk / "f.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_json_holds_the_summary_of_the_new_policy_and_what_differs(desk: Path) -> None:
    done = sqm(desk, *COMPARED, "--json")
    summary = json.loads(done.stdout)
    assert summary["clocks"]["resolution"]["met"] == 1
    assert [flip["case"] for flip in summary["compared"]["flips"]] == ["c"]
    assert summary["compared"]["objectives"][1]["compliance_before"] == 1.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*COMPARED, "--flips", "f.txt"), "f.txt: flips are written as .csv, .parquet or .html"),
        ((*COMPARED, "--flips", "no/f.csv"), "no: there is no such folder"),
        ((*REPLAY, "--flips", "f.csv"), "f.csv: what flips shows only beside another policy: name it with --compare"),
        ((*REPLAY, "--compare", "nowhere.yaml"), "nowhere.yaml: No such file or directory"),
        ((*REPLAY, "--from-kafka"), "events come from files or --from-kafka, not from both"),
        (("replay",), "name files of events, or --from-kafka"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence_and_exit_code_2(desk: Path, words: tuple[str, ...], told: str) -> None:
    done = sqm(desk, *words, COLUMNS="200")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"sqm: {told}\n")


def test_reasons_of_pauses_that_no_line_lists_are_told(desk: Path) -> None:
    policy = POLICY.replace("within: 2h", "within: 2h, pauses: [customer]")
    (desk / "policy.yaml").write_text(policy)
    events = [
        {"specversion": "1.0", "id": str(n), "source": "s", "type": f"interaction.{kind}", "subject": "1",
         "time": f"2026-01-01T1{n}:00:00Z", "data": data}
        for n, (kind, data) in enumerate(
            [("opened", {}), ("paused", {"reason": "custmer"}), ("resumed", {}), ("paused", {"reason": "customer"})]
        )
    ]  # fmt: skip
    (desk / "e.ndjson").write_text("\n".join(map(json.dumps, events)))
    done = sqm(desk, "replay", "e.ndjson", "--policy", "policy.yaml", "--json")
    assert done.stderr.splitlines() == [
        "hint: 1 pause for 'custmer' stops no clock: lines of `targets` list customer under `pauses` "
        "(did you mean 'customer'?)"
    ]
