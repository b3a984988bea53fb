"""`sqm send`: the events of files into Kafka, in the order of their times."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from api.commands.common import UNREADABLE, policies_of, progress_bar, said
from api.commands.options import with_settings
from api.commands.replay import Files, Mappings, gathered_from, tell_unreadable
from consumers import logs
from consumers.send import Outgoing, Sent, outgoing
from consumers.send import send as publish
from consumers.settings import Settings


@with_settings("kafka")
def send(
    settings: Settings,
    files: Files,
    mapping: Mappings = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Events a second; default: as fast as it goes.")] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if any row cannot be read.")] = False,
) -> None:
    """Publish the events of files, as CloudEvents keyed by their case."""
    logs.configure(settings)
    skew = policies_of(settings.policy).newest.limits.future_skew
    gathered = gathered_from(files, mapping or [])
    records = outgoing(gathered, future_after=datetime.now(UTC) + skew)
    tell_unreadable(gathered)
    sent = asyncio.run(_sent(records, settings, rate))
    said.print(f"{sent.events:,} events sent to {sent.topics[0]} at {settings.kafka.bootstrap}", markup=False)
    if strict and gathered.unreadable.height:
        raise typer.Exit(UNREADABLE)


async def _sent(records: Outgoing, settings: Settings, rate: float | None) -> Sent:
    with progress_bar("sending", "events") as progress:
        return await publish(records, settings.kafka, rate=rate, progress=progress)
