"""The page that `make bench` writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any, Final

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

Both contestants read the same records from the same topic of the same broker, one after the other, each in a process
of its own, in pairs; figures are medians, ratios medians of the pairs. The bare loop awaits `getmany` of aiokafka and
throws the records away. The worker decodes, checks, deduplicates, judges, adds up, and commits state, verdicts and
offsets in one transaction a checkpoint and partition; its time ends with the last commit. After every run the
committed state is read back, and its counts of events and verdicts must be those of what was sent, to the unit.
"""


def written(results: Sequence[Mapping[str, Any]], when: datetime, python: str, cores: int) -> str:
    """The page as Markdown."""
    parts = [HEAD.format(when=when, python=python, cores=cores), _table(results)]
    parts += [_profile(result) for result in results]
    return "\n".join(parts)


def _table(results: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        "| lane | records | bytes each | bare loop, records/s | worker, records/s | of the bare loop "
        "| CPU s a million: bare | worker | peak memory |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        lane, runs = result["lane"], result["runs"]
        millions = lane.records / 1e6
        cells = (
            f"{lane.name}: {lane.title}",
            f"{lane.records:,}",
            f"{result['bytes']:.0f}",
            f"{lane.records / _median(runs, 'bare', 'seconds'):,.0f}",
            f"{lane.records / _median(runs, 'worker', 'seconds'):,.0f}",
            f"**{result['ratio']:.0%}**",
            f"{_median(runs, 'bare', 'cpu') / millions:.1f}",
            f"{_median(runs, 'worker', 'cpu') / millions:.1f}",
            f"{_median(runs, 'worker', 'peak_mb'):,.0f} MB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _profile(result: Mapping[str, Any]) -> str:
    lane, runs = result["lane"], result["runs"]
    total = _median(runs, "worker", "seconds")
    lines = [
        f"## Where the time of lane {lane.name} goes",
        "",
        f"Seconds of all partitions of a run of {total:.1f} s, which overlap.",
        "",
        "| stage | seconds | what |",
        "|---|---:|---|",
    ]
    for stage, what in STAGES.items():
        seconds = median(run["worker"]["stages"].get(stage, 0.0) for run in runs)
        lines.append(f"| {stage} | {seconds:.2f} | {what} |")
    return "\n".join([*lines, ""])


def _median(runs: Sequence[Mapping[str, Any]], contestant: str, figure: str) -> float:
    return median(run[contestant][figure] for run in runs)
