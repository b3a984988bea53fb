"""A small disk of its own, that can be filled and emptied."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BLOCK: Final = 64 * 1024


class Disk:
    """A file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take all room that is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (BLOCK, 512, 1):
                try:
                    while file.write(b"\1" * size):
                        pass
                except OSError:
                    pass

    def make_room(self) -> None:
        """Give it back."""
        self._ballast.unlink()


def can_mount() -> bool:
    """Whether this user may; in CI it has to work."""
    return os.geteuid() == 0 or os.environ.get("CI") == "true"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Mount one there meanwhile. Needs `can_mount`."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "sqm-faults", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
