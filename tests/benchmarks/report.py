"""The page that `make bench` writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from statistics import median
from typing import Final

from tests.benchmarks.contestants import Run
from tests.benchmarks.lanes import Lane

STAGES: Final = {
    "decode": "records to checked events (msgspec, polars), in a thread",
    "step": "`engine.step`: duplicates, cases, clocks, facts, cells",
    "apply": "`State.apply`: the delta into the tables",
    "encode": "delta and snapshot slices as Arrow IPC, zstd",
    "outputs": "verdict and rejected messages",
    "commit": "the Kafka transaction, from its beginning to its end",
}
BARE: Final = "bare loop"
OPPONENT: Final = "Kafka Streams"

HEAD: Final = """# Performance

Made by `make bench` on {when:%Y-%m-%d} with Python {machine.python} and Apache Kafka {machine.kafka} on \
{machine.cores} cores, which broker and contestants share; the load average before it began was {machine.load:.1f}.

All contestants read the same records from the same topic of the same broker, one after the other, in turns (every
other turn in reverse order); figures are medians, ratios medians of the ratios within a turn.

- **bare loop**: awaits `getmany` of aiokafka in one process and throws the records away.
- **sqm**: one process, as `sqm worker` is; two as `sqm worker --processes 2` makes them. It decodes, checks,
  deduplicates, judges, adds up, and commits state, verdicts and offsets in one transaction a checkpoint and partition:
  every second, and while it is behind, as in these runs, after at most three.
- **Kafka Streams** {machine.kafka} with `exactly_once_v2`, `commit.interval.ms` 1000 and a thread for each of two cores
  in one JVM with 3 GB of heap and the parallel collector (`tests/benchmarks/streams`): one processor reads the events
  with Jackson's streaming parser, checks and deduplicates them, judges both clocks against the same targets, corrects
  (new less old) counts, sums and histogram bins by 10 s, labels and measure, lets breaches ripen every second, and
  tells of breaches in a topic. All stays in its partition: nothing is sent on to be keyed anew. Stores are logged,
  without standbys; those in memory are hash maps, since looking up in Kafka Streams' own (a TreeMap) took a quarter of
  its time; cells and cases have a record cache that is never full, ids, which come once, have none. It does only what
  the lanes need: sqm's checks of all other fields, its other measures (cases opened, closed, answered), coarser tiers,
  ledger, survival tables and snapshots have no counterpart.

Time runs from the first assignment to the last commit, CPU time of all threads and processes likewise; the broker's
is that from a contestant's start to its end. Java compiles while it runs, so the second half of the records is also
shown alone. After every run the committed state is read back: its counts of events and verdicts must be those of what
was sent, to the unit; the sums by labels, measure and bin of sqm and Kafka Streams must be the same in every row, and
so must the breaches that they told of.
"""

COLUMNS: Final = (
    "contestant",
    "records/s",
    "of the bare loop",
    "to Kafka Streams",
    "CPU s a million",
    "broker's",
    "records/s, second half",
    "to Kafka Streams",
    "CPU s a million",
    "peak memory",
)

Ratios = list[float]


@dataclass(frozen=True)
class Machine:
    """What it ran on."""

    python: str
    kafka: str
    cores: int
    load: float


@dataclass(frozen=True)
class Result:
    """The runs of one lane."""

    lane: Lane
    bytes_each: float
    runs: dict[str, list[Run]]  # by the contestants' titles, one a turn

    def ratios(self, title: str, to: str, *, later: bool = False) -> Ratios:
        """How fast one was beside another in the same turn; `later`: in the second half. Empty: not to be told."""
        pairs = [
            (one.later, other.later) if later else (one, other)
            for one, other in zip(self.runs[title], self.runs[to], strict=True)
        ]
        return [one.rate / other.rate for one, other in pairs if one is not None and other is not None]


def written(results: Sequence[Result], when: datetime, machine: Machine) -> str:
    """The page as Markdown."""
    return "\n".join([HEAD.format(when=when, machine=machine), *(_section(result) for result in results)])


def _section(result: Result) -> str:
    lane = result.lane
    lines = [
        f"## Lane {lane.name}: {lane.title}",
        "",
        f"{lane.records:,} records of {result.bytes_each:.0f} bytes.",
        "",
        _row(COLUMNS),
        f"|---|{'---:|' * (len(COLUMNS) - 1)}",
        *(_row(_cells(result, title)) for title in result.runs),
        "",
        *_profile(result),
    ]
    return "\n".join([*lines, ""])


def _cells(result: Result, title: str) -> list[str]:
    runs = result.runs[title]
    later = [run.later for run in runs if run.later is not None]
    return [
        title,
        _middle(runs, lambda run: run.rate, "{:,.0f}"),
        _ratio(result, title, BARE, "{:.0%}"),
        _ratio(result, title, _opponent(result), "{:.2f} x"),
        _middle(runs, lambda run: run.cpu_a_million, "{:.1f}"),
        _middle(runs, lambda run: run.broker_cpu / run.records * 1e6, "{:.1f}"),
        _middle(later, lambda run: run.rate, "{:,.0f}"),
        _ratio(result, title, _opponent(result), "{:.2f} x", later=True),
        _middle(later, lambda run: run.cpu_a_million, "{:.1f}"),
        _middle([run for run in runs if run.peak_mb], lambda run: run.peak_mb, "{:,.0f} MB"),
    ]


def _opponent(result: Result) -> str | None:
    """The Kafka Streams that others are measured by: of several the fastest."""
    several = [title for title in result.runs if title.startswith(OPPONENT)]
    return max(several, key=lambda title: median(run.rate for run in result.runs[title]), default=None)


def _ratio(result: Result, title: str, to: str | None, form: str, *, later: bool = False) -> str:
    if to is None or to not in result.runs or title in (to, BARE):
        return ""
    ratios = result.ratios(title, to, later=later)
    return f"**{form.format(median(ratios))}**" if ratios else ""


def _middle(runs: Sequence[Run], of: Callable[[Run], float], form: str) -> str:
    return form.format(median(map(of, runs))) if runs else ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(stage: str, run: Run) -> float:
    return run.stages[stage]


def _profile(result: Result) -> list[str]:
    """Where the workers' time goes."""
    profiled = {title: runs for title, runs in result.runs.items() if any(run.stages for run in runs)}
    if not profiled:
        return []
    lines = [
        "Where the time goes, in wall seconds of all partitions together, which overlap:",
        "",
        _row(["stage", *profiled, "what"]),
        f"|---|{'---:|' * len(profiled)}---|",
    ]
    for stage, what in STAGES.items():
        seconds = [_middle(runs, partial(_seconds, stage), "{:.2f}") for runs in profiled.values()]
        lines.append(_row([stage, *seconds, what]))
    whole = [_middle(runs, lambda run: run.seconds, "{:.2f}") for runs in profiled.values()]
    return [*lines, _row(["the whole run", *whole, "from the first assignment to the last commit"]), ""]
