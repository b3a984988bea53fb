"""Which cases two sets of versions judge differently: from when on they were opened.

A state keeps what judged it as a text, one word for what holds for all cases and one for each version:

    3f2a9c… -=81be07… 2026-01-01T00:00:00Z=c0ffee…
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

ALL: Final = datetime.min.replace(tzinfo=UTC)  # every case, also one that has not opened
_DIGITS: Final = 16  # of each digest
_ALWAYS: Final = "-"

Version = tuple[datetime | None, str]  # effective_from, digest of what judges


def judging_text(of_all: str, versions: Sequence[Version]) -> str:
    """The text. `of_all` is the digest of what holds for the cases of every version."""
    return " ".join((of_all[:_DIGITS], *map(_word, versions)))


def changed_from(before: str, after: str) -> datetime | None:
    """The instant from which on opened cases are judged differently; ALL for every case, None for none."""
    (of_all, *old), (of_all_now, *new) = before.split(" "), after.split(" ")
    if of_all != of_all_now:
        return ALL
    differing = [pair for pair in zip_longest(old, new) if pair[0] != pair[1]]
    return min((_start(word) for word in differing[0] if word is not None), default=ALL) if differing else None


def _word(version: Version) -> str:
    effective, digest = version
    since = _ALWAYS if effective is None else effective.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{since}={digest[:_DIGITS]}"


def _start(word: str) -> datetime:
    since = word.partition("=")[0]
    return ALL if since == _ALWAYS else datetime.fromisoformat(since)
