"""What `sqm verify` found last, as the API shows it: beside the ledger, and as metrics."""

from collections.abc import Iterator

import polars as pl

from api.lists import Item
from api.metrics import Part
from api.shapes import instant
from consumers.verify.record import Verified
from monitor.names import Metric


def verified_item(found: Verified | None) -> Item | None:
    """`verified` of `/v1/ledger`; None: nothing was verified yet."""
    if found is None:
        return None
    first = found.named[0] if found.named else None
    return {
        "result": found.result,
        "at": instant(found.at),
        "took_seconds": found.seconds,
        "events": found.events,
        "cases": found.cases,
        "differences": found.differences,
        "first": first.said if first else None,
        "cause": first.cause if first else None,
        "unproven": found.unproven,
        "trouble": found.trouble or None,
        "last_equal": instant(found.last_equal),
    }


def of_verified(found: Verified | None) -> Iterator[Part]:
    """The families of the last verification; none before there was one."""
    if found is None:
        return
    if found.result != "unable":
        yield _one(Metric.VERIFY_EQUAL, int(found.result == "equal"))
        yield _one(Metric.VERIFY_DIFFERENCES, found.differences)
        yield _one(Metric.VERIFY_EVENTS, found.events)
    yield _one(Metric.VERIFY_LAST_RUN, found.at.timestamp())
    if found.last_equal is not None:
        yield _one(Metric.VERIFY_LAST_SUCCESS, found.last_equal.timestamp())
    yield _one(Metric.VERIFY_SECONDS, found.seconds)


def _one(name: Metric, value: float) -> Part:
    return Part(name).add(pl.DataFrame({"value": [value]}), ())
