"""The parts of a verification that need no broker: decisions of arrival, events on disk, what cannot be told apart."""

import json
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from aiokafka import TopicPartition

from api.commands.verify import parsed_size
from consumers.changelog import FrameDamaged, Kind, Place, encode
from consumers.decode import decode
from consumers.holes import Hole, accepted
from consumers.judging import Clock
from consumers.settings import KafkaSettings, Settings
from consumers.state_log import StateLog
from consumers.verify import run
from consumers.verify.given import GIVEN, given, of_this_log, taken
from consumers.verify.live import Live, read_given, read_live
from consumers.verify.pieces import Pieces
from consumers.verify.source import FromTopics
from consumers.verify.spill import Spill
from monitor import sealing
from monitor.frames import SERIES, conform
from monitor.names import OTHER, HoleKind
from monitor.policy import load
from monitor.state import SLICES
from monitor.verify import Findings
from monitor.verify.admission import regrouped, unknown_admission
from monitor.verify.recompute import in_the_order_of_the_log
from tests.monitor.test_archive import POLICY, solved
from tests.monitor.test_sealing import folded

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(offset: int, case: str, kind: str = "interaction.opened", topic: str = "t", **changed: Any) -> Any:
    content = {"specversion": "1.0", "id": f"{case}-{offset}", "source": "s", "type": kind, "subject": case}
    value = json.dumps(content | {"time": NOON.isoformat(), "data": {}} | changed).encode()
    return SimpleNamespace(topic=topic, partition=0, offset=offset, value=value, headers=[], key=None, timestamp=0)


def refused(offset: int, reason: str, topic: str = "t", at: datetime = NOON) -> Any:
    headers = {"sqm-topic": topic, "sqm-partition": "0", "sqm-offset": str(offset), "sqm-index": "0"}
    headers |= {"sqm-reason": reason, "sqm-case": "c", "traceparent": "x"}
    told = [(name, text.encode()) for name, text in headers.items()]
    return SimpleNamespace(headers=told, timestamp=int(at.timestamp() * 1000))


@pytest.mark.parametrize("wrong", [{"sqm-offset": None}, {"sqm-offset": b"the third"}, {"sqm-topic": b"\xff"}])
def test_a_record_that_no_worker_wrote_is_passed_over(wrong: dict[str, bytes | None]) -> None:
    other = refused(3, "late")
    other.headers = list((dict(other.headers) | wrong).items())
    bare = SimpleNamespace(headers=[("sqm-reason", b"late")], timestamp=0)
    assert given([refused(1, "late"), other, bare])["offset"].to_list() == [1]


def test_what_was_refused_on_arrival_is_refused_again_and_nothing_else_is() -> None:
    decided = given([refused(1, "late"), refused(2, "future_time"), refused(3, "bad_time"), refused(4, "future_time")])
    assert decided["offset"].to_list() == [1, 2, 4]
    ahead = (NOON + timedelta(days=9)).isoformat()
    records = [
        *(record(0, "a"), record(1, "late", time=(NOON + timedelta(hours=1)).isoformat()), record(2, "b", time=ahead)),
        *(record(3, "c", time="noon"), record(4, "", kind="clock.advanced", time=ahead), record(5, "d")),
    ]
    found = taken(decode(records, future_after=None), decided)
    assert found.events["case"].to_list() == ["a", "d"]
    assert found.refused == {"late": 1, "future_time": 2, "bad_time": 1}
    assert found.read == 6  # the end of time that was refused counts as well
    assert found.newest == NOON + timedelta(hours=1)  # also of what came too late


def test_a_decision_of_before_a_hole_says_nothing_of_the_log_that_is_read_since() -> None:
    decided = given([refused(1, "late"), refused(7, "late"), refused(7, "late", topic="other")])
    hole = Hole("t/0@9", HoleKind.TRUNCATED, "t", 5, 9, 4, True, 5, "its end was cut off")
    kept = of_this_log(decided, accepted([hole], NOON + timedelta(minutes=1)))
    assert kept.select("topic", "offset").rows() == [("t", 1), ("other", 7)]
    assert of_this_log(decided, accepted([hole], NOON - timedelta(minutes=1))).equals(decided)


@pytest.mark.parametrize("clock", ["wall", "event"])
async def test_a_partition_that_never_committed_does_not_keep_up_so_no_alert_has_to_have_ended(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def empty_log(kafka: KafkaSettings, reader: Any, partition: int, pieces: Pieces) -> Live:
        return Live(StateLog("sqm.state", partition), pieces)

    monkeypatch.setattr(run, "read_live", empty_log)
    absent: Any = None  # is not asked
    options = run.Options(run.DEFAULT_MEMORY, 1.0, tmp_path)
    outcome = run.Outcome(NOON, Findings())
    await run._Job(Settings(clock=clock), options, *[absent] * 6).run(0, outcome)
    assert outcome.findings.unproven == ["partition 0: nothing was committed yet"]
    assert not outcome.current


class Reads:
    """Stands in for a reader of a topic in which each reading finds other records, and that begins at an offset."""

    def __init__(self, *reads: list[Any], begins: int = 0) -> None:
        self.reads = list(reads)
        self.begins = begins

    async def bounds(self, where: TopicPartition) -> tuple[int, int]:
        return 0, self.begins + len(self.reads[0])

    async def read(self, where: TopicPartition, end: int, take: Callable[[list[Any]], Awaitable[None]]) -> int:
        await take(self.reads.pop(0))
        return self.begins


async def test_of_decisions_on_record_twice_that_of_after_the_hole_stands() -> None:
    """The state was lost and made anew from the same events: each that was late is refused once more."""
    accept = NOON + timedelta(minutes=1)
    before = [refused(offset, "late") for offset in range(5)]
    after = [refused(offset, "late", at=accept + timedelta(minutes=1)) for offset in range(4)]
    reader: Any = Reads([*before, *after])
    recorded, _ = await read_given(KafkaSettings(), reader, 0)
    hole = Hole("t/0@0", HoleKind.STATE_LOST, "t", 0, 9, None, True, 0, "its state is gone")
    kept = of_this_log(recorded, accepted([hole], accept))
    assert kept["offset"].to_list() == [0, 1, 2, 3]
    assert kept["recorded"].unique().to_list() == [accept + timedelta(minutes=1)]


async def test_where_a_topic_begins_is_where_its_first_record_was_read(tmp_path: Path) -> None:
    """Retention takes the first seven records between the question for the bounds and the reading."""
    reader: Any = Reads([record(offset, "c") for offset in (7, 8)], [refused(7, "late")], begins=7)
    source = FromTopics(KafkaSettings(events_topics=("t",)), reader)
    with closing(Pieces(tmp_path)) as pieces:
        brought = await source.bring(0, {"t": 9}, given([]), Spill(pieces, SLICES), lambda _: None)
    assert (brought.begins, brought.read) == ({"t": 7}, 2)
    assert (await read_given(KafkaSettings(), reader, 0))[1] == 7


def test_a_decision_of_another_topic_is_not_taken_for_this_one() -> None:
    found = taken(decode([record(1, "a")], future_after=None), given([refused(1, "late", topic="other")]))
    assert found.events.height == 1


def test_events_come_back_from_disk_in_their_order_and_in_parts_that_fit(tmp_path: Path) -> None:
    events = decode([record(n, f"case-{n % 300}") for n in range(3_000)], future_after=None).events
    pieces = Pieces(tmp_path / "made")
    spill = Spill(pieces, 16)
    for at in range(0, events.height, 700):
        spill.add(events.slice(at, 700))
    groups = spill.groups(500)
    assert [part for group in groups for part in group] == list(range(16))
    parts = [spill.take(group) for group in groups]
    assert all(part.height <= 500 for part in parts)
    assert pl.concat(parts).sort("offset").equals(events)
    assert all(part["offset"].is_sorted() for part in (spill.take(range(n, n + 1)) for n in range(16)))
    assert spill.find(events["event_key"][7:9])["offset"].to_list() == [7, 8]
    assert list((tmp_path / "made").iterdir()) == []  # nothing is left if it is killed
    pieces.close()


def test_of_twins_in_two_topics_the_one_that_the_state_holds_goes_first() -> None:
    one, other = record(5, "c", topic="a", id="same"), record(9, "c", topic="b", id="same", data={"service": "x"})
    events = decode([one, record(6, "c", topic="a"), other], future_after=None).events
    held = events.filter(pl.col("topic") == "b").select("event_key", "content_key")
    first = in_the_order_of_the_log(events, held, ["a", "b"]).unique("event_key", keep="first", maintain_order=True)
    assert first.select("topic", "offset").rows() == [("b", 9), ("a", 6)]
    assert in_the_order_of_the_log(events, held, ["a"]).equals(events)


def series(*services: str) -> pl.DataFrame:
    return conform(pl.DataFrame({"series": range(len(services)), "service": services}), SERIES)


@pytest.mark.parametrize(
    ("services", "unknown"),
    [
        (("a", "b"), None),
        (("a", "b", OTHER), None),
        (("a", OTHER, "b", "c"), [1, 2, 3]),  # the limit was raised once it had been reached
    ],
)
def test_series_of_before_and_after_a_raised_limit_are_summed_up(
    services: tuple[str, ...], unknown: list[int] | None
) -> None:
    found = unknown_admission(series(*services))
    assert (None if found is None else found.to_list()) == unknown
    rows = pl.DataFrame(
        {"series": [0, 1, 2], "n": [1, 2, 3], "total": [0, 0, 0]}, schema_overrides={"series": pl.UInt32}
    )
    summed = dict(regrouped(rows, found, ["series"]).select("series", "n").iter_rows())
    assert summed == ({0: 1, 1: 2, 2: 3} if unknown is None else {0: 1, 1: 5})


@pytest.mark.parametrize(("written", "size"), [("512MB", 512_000_000), ("1 GiB", 2**30), ("1.5gb", 1_500_000_000)])
def test_sizes_are_read_as_people_write_them(written: str, size: int) -> None:
    assert parsed_size(written) == size


def test_no_decisions_are_no_rows() -> None:
    assert given([]).schema == GIVEN


async def test_a_slice_that_was_replaced_while_it_was_looked_for_is_read_at_the_next_try(tmp_path: Path) -> None:
    """Compaction takes the old slice 0, whose newer one lies beyond the end up to which the log is read first."""
    state = folded(solved("c", 0), 20, load([("support.yaml", POLICY)]), sealed=False)
    slices = [each for n in range(SLICES) for each in encode(state.slice(n), Kind.SLICE, 1, slice_number=n)]
    records = [SimpleNamespace(offset=n, key=key, value=value) for n, (key, value) in enumerate(slices)]
    reader: Any = Reads(records[1:], records)
    with closing(Pieces(tmp_path)) as pieces:
        live = await read_live(KafkaSettings(), reader, 0, pieces)
    assert live.sums.now == state.now
    reader = Reads(records[1:], records[1:])
    with closing(Pieces(tmp_path)) as pieces, pytest.raises(FrameDamaged, match="delta 1 of 1 is missing"):
        await read_live(KafkaSettings(), reader, 0, pieces)


def test_cases_that_lie_sealed_in_a_snapshot_are_read_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "LEAST", 0)
    events = [each for n in range(60) for each in solved(f"c{n}", n / 30)]
    state = folded(events, 20, load([("support.yaml", POLICY)]), sealed=True)
    assert state.history.height > state.history.height_unsealed > 0
    log = StateLog("sqm.state", 0)
    records = [each for n in range(SLICES) for each in encode(state.slice(n), Kind.SLICE, 1, slice_number=n)]
    for offset, (key, value) in enumerate(records):
        log.read(Place(log.topic, 0, offset), key, value)
    with closing(Pieces(tmp_path)) as pieces:
        live = Live(log, pieces)
        live.cut(SLICES)
        found = live.cases(range(SLICES))
    for name in ("history", "contributions", "wakes"):
        rows, held = getattr(found, name), getattr(state, name).frame()
        assert rows.sort(pl.all()).equals(held.sort(pl.all()))
    assert live.sums.history.height == 0  # cases lie on disk alone
