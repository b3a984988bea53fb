"""`sqm.policy`: the versions in force, what was refused, and every time that all was judged anew.

| key | value |
|---|---|
| `version/<digest>` | one version of a policy, as a document, with the holidays and zone rules it judges with |
| `set` | which versions are in force, by digest, and the digest of the whole |
| `refused` | the files that were given last and not taken, and why; tombstoned once others are taken |
| `restatement/<number>` | who judged anew, when and why; kept for ever |

A version's record never changes, so that what once judged a case stays known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from monitor.names import PolicyRefusal
from monitor.policy import PolicySet, load
from monitor.state import SEMANTICS

SET_KEY: Final = b"set"
VERSION_KEY: Final = b"version/"
REFUSED_KEY: Final = b"refused"
RESTATEMENT_KEY: Final = b"restatement/"

Record = tuple[bytes, bytes | None]  # key, value


class InForce(msgspec.Struct, frozen=True):
    """Which versions are in force."""

    versions: list[str]  # digests, in their order
    digest: str  # of the whole
    published: datetime | None = None
    policy: str = ""
    semantics: int = SEMANTICS  # of the program that published it


class Refused(msgspec.Struct, frozen=True):
    """Files that were not taken: the policy in force stayed."""

    at: datetime
    reason: PolicyRefusal
    problems: list[str]  # sentences


class Restatement(msgspec.Struct, frozen=True):
    """Once, live cases were judged anew by other rules."""

    number: int  # from 1
    at: datetime
    by: str
    why: str
    before: str  # digest of the versions in force
    after: str
    semantics: int
    flips: int | None = None  # verdicts that turned, as it was shown before; None: not counted


@dataclass
class PolicyLog:
    """All that the topic says."""

    in_force: InForce | None = None
    refused: Refused | None = None
    restatements: dict[int, Restatement] = field(default_factory=dict)
    _versions: dict[str, str] = field(default_factory=dict)

    def read(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record. Raises ValueError (msgspec's errors are such) for one that is none of ours."""
        if key == REFUSED_KEY:
            self.refused = None if value is None else msgspec.json.decode(value, type=Refused)
        elif key is None or value is None:
            return
        elif key == SET_KEY:
            self.in_force = msgspec.json.decode(value, type=InForce)
        elif key.startswith(VERSION_KEY):
            self._versions[key.removeprefix(VERSION_KEY).decode()] = value.decode()
        elif key.startswith(RESTATEMENT_KEY):
            restatement = msgspec.json.decode(value, type=Restatement)
            self.restatements[restatement.number] = restatement

    def policies(self, in_force: InForce) -> PolicySet:
        """The versions of that set. Raises PolicyError, ValueError or KeyError where this program cannot use them."""
        policies = self.of_versions(in_force.versions)
        if policies.digest != in_force.digest:
            raise ValueError(f"read back as {policies.digest}, published as {in_force.digest}")
        return policies

    def of_versions(self, digests: Sequence[str]) -> PolicySet:
        """Versions that are or were in force. Raises PolicyError, or KeyError for one that the topic does not hold."""
        return load([(f"version {digest[:12]}", self._versions[digest]) for digest in digests])

    @property
    def next_restatement(self) -> int:
        """Its number."""
        return max(self.restatements, default=0) + 1


def records(policies: PolicySet, at: datetime, restatement: Restatement | None = None) -> list[Record]:
    """What puts these policies in force, to be written in one transaction."""
    digests = [version.digest for version in policies.versions]
    in_force = InForce(digests, policies.digest, at, policies.name, SEMANTICS)
    versions: Mapping[str, str] = dict(zip(digests, policies.dump(), strict=True))
    return [
        *((VERSION_KEY + digest.encode(), text.encode()) for digest, text in versions.items()),
        *([] if restatement is None else [of_restatement(restatement)]),
        of_refused(None),
        (SET_KEY, msgspec.json.encode(in_force)),
    ]


def of_refused(refused: Refused | None) -> Record:
    """The record of what was refused; None: nothing is any more."""
    return REFUSED_KEY, None if refused is None else msgspec.json.encode(refused)


def of_restatement(restatement: Restatement) -> Record:
    return RESTATEMENT_KEY + str(restatement.number).encode(), msgspec.json.encode(restatement)
