"""Record batches as Kafka stores them, handed out whole.

aiokafka makes an object of eleven fields of each record and passes it through three Python frames: half of what
reading events costs (measured: 1.1 of 2.0 µs a record). A worker reads some hundred thousand a second and needs value,
offset and headers of them; so it takes the batches, with the records that aiokafka's parser in C makes. What is
checked and left out (checksums, aborted transactions, control records) stays aiokafka's doing. It is a seam of its
inside, tried against a real broker by `tests/kafka/test_batches.py`, and held still by the lock file.
"""

import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords

BATCHES: Final = 16  # unpacked at once, in the event loop, which has more to do


class Record(Protocol):
    """What is read of a record."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...  # milliseconds since 1970
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def in_batches(client: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """A started consumer that has fetched nothing yet; from now on `getmany` is only for `fetched`."""
    client._fetcher._records = _Fetched()
    return client


async def fetched(
    client: AIOKafkaConsumer, *partitions: TopicPartition, timeout_ms: int
) -> dict[TopicPartition, list[Record]]:
    """What has come, as `getmany`, of a few batches. The client has to be one of `in_batches`."""
    found = await client.getmany(*partitions, timeout_ms=timeout_ms, max_records=BATCHES)
    return {where: [record for batch in batches for record in batch] for where, batches in found.items()}


class _Fetched(OrderedDict[TopicPartition, Any]):
    """Where a fetcher puts what it has fetched; it is unpacked later, when somebody asks."""

    def __setitem__(self, where: TopicPartition, result: Any) -> None:
        if isinstance(result, FetchResult):
            unpacking: PartitionRecords = result._partition_records
            unpacking._records = _Batches(unpacking._records)
            unpacking._consumer_record = partial(_of_position, weakref.ref(unpacking))
        super().__setitem__(where, result)


def _of_position(unpacking: "weakref.ref[PartitionRecords]", where: TopicPartition, whole: "_Whole") -> list[Record]:
    """The records of a batch from the position on: reading may begin in the midst of one."""
    at = unpacking()  # a reference that counts would keep all that was fetched until the garbage collector comes
    assert at is not None
    offset, records = at.next_fetch_offset, whole.records
    return records if records[0].offset >= offset else [record for record in records if record.offset >= offset]


class _Whole(NamedTuple):
    """What stands for all records of a batch; reading goes on after its offset."""

    offset: int
    records: list[Record]


class _Batches:
    """MemoryRecords whose batches hold one thing each."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> "_Batch":
        return _Batch(self._records.next_batch())


class _Batch:
    """A batch as aiokafka knows it, but that to go through it gives all of its records at once."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:  # of a control batch
        return next(self._batch)

    def __iter__(self) -> Iterator[_Whole]:
        records = list(self._batch)
        if records:
            yield _Whole(records[-1].offset, records)
