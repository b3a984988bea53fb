"""Who folds which partition, and who keeps warm copies of which: decided by the leader of the group at each rebalance.

Each member tells with its wish to join what it has: the partitions that it folded until now, and the copies that it
keeps warm. Kafka carries that to the leader, and the leader's answer to all: no coordinator is needed beside it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

VERSION: Final = 0


class Held(msgspec.Struct, frozen=True):
    """What a member has: by partition, the number of the last delta in its state."""

    folded: dict[int, int] = {}
    warm: dict[int, int] = {}


class Place(msgspec.Struct):
    """What a member is given."""

    folds: list[int] = []
    copies: list[int] = []


def places(partitions: Iterable[int], members: Mapping[str, Held], copies: int) -> dict[str, Place]:
    """Give each partition to one member, and copies of it to others, as many as there are up to `copies`.

    All have as many partitions as the others, or one less. Within that a partition stays with who folded it, else goes
    to who has the newest copy. One that nobody folds any more goes to who has a copy even where that is one too many:
    the next rebalance evens it out, while a cold member would have to restore it now.
    """
    table = _Table(sorted(partitions), members)
    for number in table.open():
        table.give(number, table.by_newest(number, lambda held: held.folded))
    orphans = {number for number in table.partitions if not any(number in held.folded for held in members.values())}
    for number in table.open():
        table.give(number, table.by_newest(number, lambda held: held.warm), surplus=number in orphans)
    for number in table.open():
        table.give(number, table.by_load())
    for number in table.partitions:
        table.give_copies(number, copies)
    return table.places


class _Table:
    """The assignment in the making."""

    def __init__(self, partitions: list[int], members: Mapping[str, Held]) -> None:
        self.partitions = partitions
        self.places = {member: Place() for member in sorted(members)}
        self._members = members
        self._share, self._larger = divmod(len(partitions), max(1, len(members)))  # so many have one more than that
        self._most = self._share + min(1, self._larger)
        self._folder: dict[int, str] = {}
        self._backups: Counter[tuple[str, str]] = Counter()  # copies by who folds and who copies

    def open(self) -> list[int]:
        """Partitions that nobody has yet."""
        return [number for number in self.partitions if number not in self._folder]

    def by_newest(self, number: int, having: Callable[[Held], Mapping[int, int]]) -> list[str]:
        """Members that have that partition, the newest state first."""
        having_it = [member for member in self.places if number in having(self._members[member])]
        return sorted(having_it, key=lambda member: -having(self._members[member])[number])

    def by_load(self) -> list[str]:
        return sorted(self.places, key=lambda member: len(self.places[member].folds))

    def give(self, number: int, wanted: list[str], *, surplus: bool = False) -> None:
        """Give a partition to the first of these that may have one more; `surplus`: also beyond its share."""
        for member in wanted:
            load = len(self.places[member].folds)
            if load == self._share and self._larger > 0:
                self._larger -= 1
            elif load >= (self._most + 1 if surplus else self._share):
                continue
            self.places[member].folds.append(number)
            self._folder[number] = member
            return

    def give_copies(self, number: int, copies: int) -> None:
        """Give copies to others: who has one keeps it, unless it had too many copies of the same member's partitions,
        which are to be spread over all that could take them over."""
        folder = self._folder[number]
        others = [member for member in self.places if member != folder]
        if not others:
            return
        even = -(-len(self.places[folder].folds) * copies // len(others))

        def rank(member: str) -> tuple[bool, bool, int, int]:
            held, place = self._members[member], self.places[member]
            cold = number not in held.warm and number not in held.folded
            return self._backups[folder, member] >= even, cold, len(place.folds) + len(place.copies), len(place.folds)

        for _ in range(min(copies, len(others))):
            member = min(others, key=rank)
            others.remove(member)
            self.places[member].copies.append(number)
            self._backups[folder, member] += 1


class Assignor(AbstractPartitionAssignor):
    """`places` as a strategy of aiokafka's, one for each member: partition p of all topics always comes together.

    :param held: what this member has at the moment
    :param copies: how many copies of each partition there are to be, should this member lead
    """

    name = "sqm"

    def __init__(self, held: Callable[[], Held], copies: int) -> None:
        self._held = held
        self._copies = copies
        self.copies: list[int] = []  # partitions of which this member is to keep copies

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), msgspec.json.encode(self._held()))

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        topics = sorted({topic for member in members.values() for topic in member.subscription})
        there = {topic: cluster.partitions_for_topic(topic) or set() for topic in topics}
        held = {member: msgspec.json.decode(told.user_data or b"{}", type=Held) for member, told in members.items()}
        given = places(set().union(*there.values()), held, self._copies)
        return {
            member: ConsumerProtocolMemberAssignment(
                VERSION,
                [(topic, [number for number in place.folds if number in there[topic]]) for topic in topics],
                msgspec.json.encode(place.copies),
            )
            for member, place in given.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        self.copies = msgspec.json.decode(assignment.user_data or b"[]", type=list[int])
