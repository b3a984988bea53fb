"""What is wrong with a policy or mapping file, and where: file, line, field, message, nearest name."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. An `error` keeps the file from being used, a `hint` is only said."""

    file: str
    line: int  # from 1; 0: the file as a whole
    field: str  # such as targets[0].within; empty: the document as a whole
    message: str
    nearest: str | None = None  # the name that was probably meant
    severity: Literal["error", "hint"] = "error"

    def __str__(self) -> str:
        """`file:line: field: message`, as editors and terminals understand it."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        meant = f" (did you mean {self.nearest!r}?)" if self.nearest else ""
        return ": ".join(part for part in (where, self.field, self.message + meant) if part)


class FileProblems(Exception):
    """A written file cannot be used; `problems` says all that is wrong with it, in the order of the lines."""

    retriable = False

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep `problems` in the order of files and lines."""
        found = list(problems)
        files = list(dict.fromkeys(p.file for p in found))
        self.problems = tuple(sorted(found, key=lambda p: (files.index(p.file), p.line)))
        super().__init__("\n".join(map(str, self.problems)))


class PolicyError(FileProblems):
    """A policy that cannot be used."""


class MappingError(FileProblems):
    """A mapping that cannot be used."""


def field_text(path: Sequence[str | int]) -> str:
    """`("targets", 0, "within")` as `targets[0].within`."""
    parts = [f"[{p}]" if isinstance(p, int) else f".{p}" for p in path]
    return "".join(parts).removeprefix(".")


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`, if any is at all like it; letter case does not matter."""
    by_folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message: `a, b, c`, cut after `most`."""
    known = list(names)
    more = f" … ({len(known)} in all)" if len(known) > most else ""
    return ", ".join(known[:most]) + more
