"""`make soak`: the fault table in its long form, then half an hour with all faults in turn; writes a table."""

import argparse
import asyncio
import os
import random
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console

from consumers.broker import Broker
from tests.faults.scene import LONG, SHORT, Length, Scene
from tests.faults.soak import ANEW_SECONDS, MB, WARM_SECONDS, Soak, soak
from tests.faults.table import ROWS, Row
from tests.kafka.hook import SECRET, SECRET_ENV

console: Final = Console(stderr=True)
HEAD: Final = (
    "| fault | result | seconds | records | aborted transactions | deliveries |\n|---|---|---:|---:|---:|---:|"
)


class Result(NamedTuple):
    """A line of the table."""

    fault: str
    result: str
    seconds: float
    scene: Scene | None

    def line(self) -> str:
        """In Markdown."""
        figures = ["", "", ""]
        if self.scene is not None:
            sent = self.scene.sent
            figures = [f"{len(sent.messages):,}", str(sent.aborted), str(len(self.scene.hook.taken))]
        return f"| {self.fault} | {self.result} | {self.seconds:.0f} | {' | '.join(figures)} |"


async def told(fault: str, work: Callable[[], Awaitable[Scene]]) -> Result:
    """Run it and say what came of it."""
    begun = time.monotonic()
    try:
        played = await work()
    except Exception:
        console.print(traceback.format_exc()[-6_000:], markup=False)
        result = Result(fault, "**failed**", time.monotonic() - begun, None)
    else:
        result = Result(fault, "as sent", time.monotonic() - begun, played)
    print(result.line(), flush=True)
    return result


async def row(row: Row, length: Length, seed: int, broker: Broker, folder: Path) -> Result:
    """One row of the table."""
    if why := row.lacking():
        result = Result(row.fault, f"not run: {why}", 0.0, None)
        print(result.line(), flush=True)
        return result
    await asyncio.to_thread(folder.mkdir)
    return await told(row.fault, lambda: row.run(broker.bootstrap, seed, length, folder))


def of_memory(found: Soak) -> list[str]:
    """What the soak says of memory, in sentences."""
    faults = ", ".join(f"{name} {n} times" for name, n in sorted(found.faults.items()))
    memory = ", ".join(f"{megabytes:,.0f}" for megabytes in found.by_minute)
    return [
        f"Soak of {found.seconds / 60:.0f} min at {found.here.length.rate:,.0f} records/s, half of what was sent and "
        f"committed when nobody paced it. Faults: {faults}.",
        f"Memory of the worker that lived through it, MB by minute: {memory}.",
        of_growth(found),
    ]


def of_growth(found: Soak) -> str:
    """Whether that is flat."""
    last, anew = found.last, found.anew
    assert last is not None
    assert anew is not None
    compared = (
        f"In the end it holds {last.memory / MB:,.0f} MB with {last.events:,} events and ids; a worker started on the "
        f"same state, after {ANEW_SECONDS:.0f} s of work, {anew.memory / MB:,.0f} MB with {anew.events:,}."
    )
    if (growth := found.growth()) is None:
        return f"{compared} Too short to say whether that is flat: the first {WARM_SECONDS / 60:.0f} min are warm-up."
    whole, beyond = growth
    return (
        f"{compared} From minute {WARM_SECONDS / 60:.0f} on it grows by {whole.value:+.1f} MB/h (95 % interval "
        f"{whole.low:+.1f} to {whole.high:+.1f}); beyond what its events take of that other worker "
        f"({found.of_an_event():,.0f} bytes each) by {beyond.value:+.1f} MB/h ({beyond.low:+.1f} to "
        f"{beyond.high:+.1f}): {'flat' if beyond.within_noise else '**it grows**'}."
    )


async def all_of_it(arguments: argparse.Namespace, folder: Path) -> tuple[list[Result], list[str]]:
    """All rows that were asked for, then the soak."""
    length = SHORT if arguments.short else LONG
    wanted = [each for each in ROWS if any(word in each.fault for word in arguments.rows)]
    results, said = [], []
    print(HEAD, flush=True)
    broker = await Broker(folder / "kafka").astart()
    try:
        for number, each in enumerate(wanted):
            results.append(await row(each, length, arguments.seed, broker, folder / f"row-{number}"))
    finally:
        await broker.astop()
    if arguments.minutes:

        async def long() -> Scene:
            found = await soak(arguments.seed, arguments.minutes, Path(tempfile.mkdtemp(dir=folder)))
            said.extend(of_memory(found))
            return found.here

        results.append(await told(f"soak, {arguments.minutes:g} min", long))
    return results, said


def main() -> int:
    """Exit code 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of all that is drawn")
    parser.add_argument("--rows", nargs="*", default=[""], help="only rows with these words; none with no word")
    parser.add_argument("--short", action="store_true", help="rows as short as in the tests")
    parser.add_argument("--minutes", type=float, default=30, help="of the soak; 0: none")
    parser.add_argument("--write", type=Path, default=Path("soak.md"), help="where the table goes")
    arguments = parser.parse_args()
    os.environ[SECRET_ENV] = SECRET
    console.print(f"seed {arguments.seed}: --seed {arguments.seed} shows it again")
    with tempfile.TemporaryDirectory() as scratch:
        results, said = asyncio.run(all_of_it(arguments, Path(scratch)))
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, seed {arguments.seed}, {os.cpu_count()} cores"
    text = "\n".join([f"# The fault table, long form\n\n{at}\n", HEAD, *(each.line() for each in results), "", *said])
    arguments.write.write_text(text + "\n")
    print("\n".join(said))
    console.print(f"wrote {arguments.write}")
    return int(any(each.result.startswith("**") for each in results))


if __name__ == "__main__":
    raise SystemExit(main())
