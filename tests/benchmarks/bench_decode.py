"""CPU time of decoding, by lane, encoding and stage: `python -m tests.benchmarks.bench_decode [--records N]`.

The best of many runs of one batch in this process, all threads counted. Where other work shares the cores it costs
more; what msgspec alone takes for the same values tells how much.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl
from rich.console import Console
from rich.table import Table

from consumers.decode import ARROW, BATCH, decode
from monitor.events.json_values import decode_events
from monitor.events.structs import draft_of
from tests.benchmarks.lanes import Lane

START: Final = datetime(2026, 11, 20, 8, tzinfo=UTC)


class Record(NamedTuple):
    """As much of an aiokafka ConsumerRecord as is read."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    offset: int = 0
    topic: str = "sqm.events"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None


def structured(values: Sequence[bytes]) -> list[Record]:
    return [Record(value, offset=place) for place, value in enumerate(values)]


def binary(values: Sequence[bytes]) -> list[Record]:
    records = []
    for place, whole in enumerate(map(json.loads, values)):
        data = json.dumps(whole.pop("data")).encode()
        headers = tuple((f"ce_{name}", value.encode()) for name, value in whole.items() if name != "datacontenttype")
        records.append(Record(data, (*headers, ("content-type", b"application/json")), place))
    return records


def batches(values: Sequence[bytes], size: int = 100) -> list[Record]:
    header = (("content-type", BATCH.encode()),)
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    return [Record(b"[" + b",".join(part) + b"]", header, place) for place, part in enumerate(parts)]


def streams(values: Sequence[bytes], size: int = 5_000) -> list[Record]:
    header = (("content-type", ARROW.encode()),)
    records = []
    for place, start in enumerate(range(0, len(values), size)):
        rows = []
        for whole in map(json.loads, values[start : start + size]):
            attributes = {name: whole[name] for name in ("id", "source", "type", "subject", "time")}
            rows.append(attributes | {f"data_{name}": value for name, value in whole["data"].items()})
        buffer = BytesIO()
        pl.DataFrame(rows, infer_schema_length=None).write_ipc_stream(buffer)
        records.append(Record(buffer.getvalue(), header, place))
    return records


def cost(work: Callable[[], object], events: int, runs: int) -> float:
    """CPU microseconds an event, of the best run."""
    best = float("inf")
    for _ in range(runs):
        gc.collect()
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best / events * 1e6


def stages(values: list[bytes], runs: int) -> dict[str, float]:
    decoded = decode_events(values)
    return {
        "JSON to structs": cost(lambda: decode_events(values), len(values), runs),
        "structs to columns": cost(lambda: draft_of(decoded), len(values), runs),
    }


def _to_dicts(values: list[bytes]) -> None:
    for value in values:
        msgspec.json.decode(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="events in the batch")
    parser.add_argument("--runs", type=int, default=30)
    options: Any = parser.parse_args()
    table = Table(title=f"CPU µs an event, best of {options.runs} runs of {options.records:,} events")
    for column in ("lane", "what", "µs"):
        table.add_column(column, justify="right" if column == "µs" else "left")
    lanes = Lane("A", "measured", options.records), Lane("B", "lifecycles", options.records, options.records // 10)
    for lane in lanes:
        values = [value for _, value in lane.made(START)]
        bare = cost(partial(_to_dicts, values), len(values), options.runs)
        table.add_row(lane.title, "for comparison: msgspec to dicts, thrown away", f"{bare:.2f}")
        for name, encode in (("structured", structured), ("binary", binary), ("batch", batches), ("Arrow", streams)):
            records = encode(values)
            assert decode(records, future_after=None).read == len(values)
            whole = cost(partial(decode, records, future_after=None), len(values), options.runs)
            table.add_row(lane.title, f"{name} records to events", f"{whole:.2f}")
        for name, part in stages(values, options.runs).items():
            table.add_row(lane.title, f"  of structured: {name}", f"{part:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
