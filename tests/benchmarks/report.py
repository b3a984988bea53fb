"""The page that `make bench` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Final

from tests.benchmarks.lanes import Lane

STAGES: Final = {
    "decode": "records to checked events (msgspec, polars), in a thread",
    "step": "`engine.step`: duplicates, cases, clocks, facts, cells",
    "apply": "`State.apply`: the delta into the tables",
    "encode": "delta and snapshot slices as Arrow IPC, zstd",
    "outputs": "verdict and rejected messages",
    "commit": "the Kafka transaction, from its beginning to its end",
}

HEAD: Final = """# Performance

Made by `make bench` on {when:%Y-%m-%d} with Python {python} on {cores} cores, which broker and contestants share.

All contestants read the same records from the same topic of the same broker, one after the other, in turns; figures
are medians, ratios medians of the turns. The bare loop awaits `getmany` of aiokafka in one process and throws the
records away. A worker (one process, as `sqm worker` is; two as `sqm worker --processes 2` makes them) decodes, checks,
deduplicates, judges, adds up, and commits state, verdicts and offsets in one transaction a checkpoint and partition;
time runs from the first assignment to the last commit. After every run the committed state is read back, and its
counts of events and verdicts must be those of what was sent, to the unit.
"""


@dataclass(frozen=True)
class Run:
    """One run of a contestant."""

    seconds: float
    cpu: float  # seconds
    peak_mb: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)  # seconds


@dataclass(frozen=True)
class Result:
    """The runs of one lane."""

    lane: Lane
    bytes_each: float
    bare: list[Run]
    workers: dict[int, list[Run]]  # by number of processes

    def ratios(self, count: int) -> list[float]:
        """How fast so many workers were beside the bare loop of the same turn."""
        return [loop.seconds / run.seconds for loop, run in zip(self.bare, self.workers[count], strict=True)]


def written(results: Sequence[Result], when: datetime, python: str, cores: int) -> str:
    """The page as Markdown."""
    parts = [HEAD.format(when=when, python=python, cores=cores), _table(results)]
    parts += [_profile(result) for result in results]
    return "\n".join(parts)


def _table(results: Sequence[Result]) -> str:
    lines = [
        "| lane | records | bytes each | contestant | records/s | of the bare loop | CPU s a million | peak memory |",
        "|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for result in results:
        lane = result.lane
        head = [f"{lane.name}: {lane.title}", f"{lane.records:,}", f"{result.bytes_each:.0f}"]
        lines.append(
            _row([*head, "bare loop", *_figures(lane, result.bare)[:1], "", *_figures(lane, result.bare)[1:], ""])
        )
        for count, runs in result.workers.items():
            rate, cpu = _figures(lane, runs)
            ratio, peak = f"**{median(result.ratios(count)):.0%}**", f"{median(run.peak_mb for run in runs):,.0f} MB"
            lines.append(_row(["", "", "", _processes(count), rate, ratio, cpu, peak]))
    return "\n".join([*lines, ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _processes(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _figures(lane: Lane, runs: Sequence[Run]) -> tuple[str, str]:
    """Records a second, CPU seconds a million."""
    rate = lane.records / median(run.seconds for run in runs)
    return f"{rate:,.0f}", f"{median(run.cpu for run in runs) / lane.records * 1e6:.1f}"


def _profile(result: Result) -> str:
    lines = [
        f"## Where the time of lane {result.lane.name} goes",
        "",
        "Wall seconds of all partitions together, which overlap.",
        "",
        f"| stage | {' | '.join(_processes(count) for count in result.workers)} | what |",
        f"|---|{'---:|' * len(result.workers)}---|",
    ]
    for stage, what in STAGES.items():
        seconds = [f"{median(run.stages[stage] for run in runs):.2f}" for runs in result.workers.values()]
        lines.append(_row([stage, *seconds, what]))
    whole = [f"{median(run.seconds for run in runs):.2f}" for runs in result.workers.values()]
    lines.append(_row(["the whole run", *whole, "from the first assignment to the last commit"]))
    return "\n".join([*lines, ""])
