"""What contestants ended in, read back from what they committed, and whether it is what was sent and the same."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

import msgspec
import polars as pl

from consumers.replica import Replica
from consumers.scan import scan
from consumers.settings import Settings
from monitor.frames import CELLS
from monitor.names import Topic

CLOCKS: Final = ("first_response", "resolution")
KINDS: Final = ("met", "breached", "late", "open")  # in the order of the opponent's Cells.Kind
MEASURES: Final = tuple(f"{clock}.{kind}" for clock in CLOCKS for kind in KINDS)
OUTCOMES: Final = ("met", "breached", "open")

SUMS: Final = {"service": pl.String(), "priority": pl.String(), "measure": pl.String(), "bin": CELLS["bin"]}
BREACHES: Final = {"case": pl.String(), "clock": pl.String()}

_CELL_KEY: Final = Struct(">iBh")  # bucket, measure, bin; then the labels
_CELL: Final = Struct(">qq")
_NO_BIN: Final = -(2**15)
_LABELS_AT: Final = 25  # of a case: behind flags and three instants
_ID_BYTES: Final = 16


@dataclass(frozen=True)
class Results:
    """What one contestant committed."""

    counted: int  # events, each once
    sums: pl.DataFrame  # SUMS -> n, total: cells of MEASURES over all buckets, sorted, none that is nothing
    breaches: pl.DataFrame  # BREACHES: breaches told by verdict events, sorted

    def outcomes(self) -> dict[str, int]:
        """Events counted, and clocks by `<clock>.<outcome>`."""
        counts = dict(self.sums.group_by("measure").agg(pl.col("n").sum()).iter_rows())
        return {"counted": self.counted} | {m: n for m, n in counts.items() if m.rpartition(".")[2] in OUTCOMES}


async def of_sqm(settings: Settings) -> Results:
    """What the committed state and the verdicts topic say."""
    replica = Replica(settings)
    task = asyncio.create_task(replica.run())
    await replica.until_caught_up()
    parts, counted = [], 0
    for state in replica.states.values():
        counted += state.ledger().get("counted", 0)
        cells = state.tiers.window(None, None).cells.with_columns(pl.col("measure").cast(pl.String))
        parts.append(cells.join(state.series, on="series").select(*SUMS, "n", "total"))
    task.cancel()
    await asyncio.wait([task])
    found = pl.concat(parts).with_columns(pl.col("measure").str.replace("at_risk", "open"))
    return Results(counted, _summed(found.filter(pl.col("measure").is_in(MEASURES))), await _breaches(settings))


async def of_streams(settings: Settings) -> Results:
    """What the changelogs of the opponent's stores and its verdicts topic say."""
    cells = await _newest(settings, "cells")
    counted = len(await _newest(settings, "ids")) + sum(
        _events_of(case) for _, case in await _newest(settings, "cases")
    )
    rows = pl.DataFrame(list(_rows(cells)), schema={**SUMS, "n": pl.Int64, "total": pl.Int64}, orient="row")
    return Results(counted, _summed(rows), await _breaches(settings))


def check(name: str, found: Results, expected: Mapping[str, int]) -> None:
    """Results that are not those of what was sent make figures worthless: SystemExit."""
    if found.outcomes() != dict(expected):
        raise SystemExit(f"{name}: the results differ from what was sent: {found.outcomes()} for {dict(expected)}")


def check_same(name: str, one: Results, other: Results) -> None:
    """Contestants that do the same job come to the same sums, row for row, and tell of the same breaches."""
    for what, mine, theirs in (("sums", one.sums, other.sums), ("breaches", one.breaches, other.breaches)):
        if not mine.equals(theirs):
            here = mine.join(theirs, on=mine.columns, how="anti", nulls_equal=True)
            there = theirs.join(mine, on=mine.columns, how="anti", nulls_equal=True)
            raise SystemExit(
                f"{name}: the {what} differ from another contestant's, {mine.height} rows from {theirs.height}: "
                f"{here.head(3).rows()} only here, {there.head(3).rows()} only there"
            )


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    summed = rows.group_by(list(SUMS)).agg(pl.col("n", "total").sum())
    return summed.filter((pl.col("n") != 0) | (pl.col("total") != 0)).sort(list(SUMS))


def _rows(cells: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[Any, ...]]:
    for key, value in cells:
        _, measure, code = _CELL_KEY.unpack_from(key)
        service, _, priority = key[_CELL_KEY.size :].decode().partition("\0")
        yield service, priority, MEASURES[measure], None if code == _NO_BIN else code, *_CELL.unpack(value)


def _events_of(case: bytes) -> int:
    """How many events a case has, as its value in the opponent's store says."""
    ids = _LABELS_AT
    for _ in range(2):
        ids += 1 + case[ids]
    return (len(case) - ids) // _ID_BYTES


async def _newest(settings: Settings, store: str) -> list[tuple[bytes, bytes]]:
    """The newest committed key and value of each key of each partition in a store's changelog."""
    found: dict[tuple[int, bytes], bytes] = {}

    def take(records: Sequence[Any]) -> None:
        found.update(((record.partition, record.key), record.value) for record in records)

    await _read(settings, f"{settings.kafka.group}-{store}-changelog", take)
    return [(key, value) for (_, key), value in found.items()]


class _Told(msgspec.Struct):
    case: str
    clock: str
    change: str


class _Message(msgspec.Struct):
    data: _Told


async def _breaches(settings: Settings) -> pl.DataFrame:
    decode = msgspec.json.Decoder(_Message).decode
    found: list[tuple[str, str]] = []

    def take(records: Sequence[Any]) -> None:
        told = [decode(record.value).data for record in records]
        found.extend((one.case, one.clock) for one in told if one.change == "breached")

    await _read(settings, settings.kafka.topic(Topic.VERDICTS), take)
    return pl.DataFrame(found, schema=BREACHES, orient="row").sort("case", "clock")


async def _read(settings: Settings, topic: str, take: Any) -> None:
    await scan(settings.kafka.model_copy(update={"events_topics": (topic,)}), take)
