"""Slots of the workers of one host: each worker holds one while it runs, so that a restarted one gets it back."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MOST: Final = 1000


class SlotTaken(Exception):
    """The slot that was asked for belongs to another worker, or none is free."""

    retriable = False


@contextmanager
def held(data_dir: Path, wanted: int | None) -> Iterator[int]:
    """Hold a slot: `wanted`, or the first that is free. Another process sees it as free once this one is gone.

    Raises SlotTaken; OSError where the folder cannot be written.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    for slot in range(MOST) if wanted is None else (wanted,):
        with (data_dir / f"worker-{slot}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield slot
            return
    which = "no slot is free" if wanted is None else f"slot {wanted} belongs to another worker that runs"
    raise SlotTaken(f"{data_dir}: {which}; set SQM_WORKER__SLOT to another number or leave it out")
