"""The fault table: every row under its name, to be run short or long, with a seed."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults import broker_rows, reader_rows, time_rows, worker_rows
from tests.faults.disk import can_mount
from tests.faults.scene import Length, Scene, scene

Run = Callable[[str, int, Length, Path], Awaitable[Scene]]  # at that broker, with that seed


class Row(NamedTuple):
    """One row: what fails, and how it is run. `lacking`: why it cannot run here, if it cannot."""

    fault: str
    run: Run
    lacking: Callable[[], str] = lambda: ""


def _on_the_shared_broker(play: Callable[[Scene], Awaitable[None]], **options: Any) -> Run:
    async def run(bootstrap: str, seed: int, length: Length, folder: Path) -> Scene:
        async with scene(bootstrap, seed, length, folder, **options) as here:
            await play(here)
        return here

    return run


def _on_its_own_broker(play: Callable[[int, Length, Path], Awaitable[Scene]]) -> Run:
    return lambda bootstrap, seed, length, folder: play(seed, length, folder)


def _no_mounting() -> str:
    return "" if can_mount() else "only root may mount the small disk that is filled"


ROWS: Final = (
    Row("worker killed in each stage", _on_the_shared_broker(worker_rows.killed_in_each_stage)),
    Row("zombie", _on_the_shared_broker(worker_rows.a_zombie_is_fenced)),
    Row("rebalance storm", _on_the_shared_broker(worker_rows.workers_come_and_go)),
    Row("broker killed", _on_its_own_broker(broker_rows.the_broker_is_killed)),
    Row("bad network", _on_its_own_broker(broker_rows.the_network_is_bad)),
    Row("disk full", _on_its_own_broker(broker_rows.the_disk_is_full), _no_mounting),
    Row("every kind of damage", _on_the_shared_broker(worker_rows.every_kind_of_damage)),
    Row("duplicates, disorder, a day late", _on_the_shared_broker(worker_rows.duplicates_disorder_and_lateness)),
    Row("10,000 clocks ripen in one second", _on_the_shared_broker(worker_rows.ten_thousand_ripen_at_once)),
    Row("wrong clocks", _on_the_shared_broker(time_rows.clocks_are_wrong, clock="wall")),
    Row(
        "judge killed while telling",
        _on_the_shared_broker(reader_rows.the_judge_is_killed_while_telling, judge=False),
    ),
    Row("api killed under 200 listeners", _on_the_shared_broker(reader_rows.the_api_is_killed_under_its_listeners)),
)
