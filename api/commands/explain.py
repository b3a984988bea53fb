"""`sqm explain`: why the verdicts of one case are what they are, from the live system or from its events."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx2
import typer

from api.commands.common import policies_of, progress_bar
from api.commands.explained import print_timeline
from api.commands.failures import UnknownCase, Unusable
from api.commands.options import with_settings
from api.commands.replay import Mappings, gathered_from, parsed_instant, tell_unreadable
from api.shapes import instant
from api.timeline import timeline
from consumers import logs
from consumers.decode import decode
from consumers.files_read import read as read_files
from consumers.one_case import OneCase
from consumers.policies import in_force
from consumers.scan import scan
from consumers.settings import ApiSettings, KafkaSettings, Settings
from consumers.tables import FileError
from consumers.topics import partitions
from monitor.names import Topic
from monitor.policy import PolicySet
from monitor.policy.problems import nearest
from monitor.policy.values import instant_text

PATIENCE_SECONDS = 60.0  # for a case of very many events

Found = dict[str, Any]  # _SHOWN
_SHOWN: Final = ("case", "now", "timeline")


@with_settings("kafka", "api.host", "api.port", "clock", "log_level", "log_format", general=False)
def explain(
    settings: Settings,
    case: Annotated[str, typer.Argument(help="Id of the case.")],
    url: Annotated[
        str | None, typer.Option(help="A running sqm to ask; default: the one at --host and --port.")
    ] = None,
    files: Annotated[
        list[Path] | None, typer.Option("--from", help="Read these files instead: CSV, Parquet or CloudEvents.")
    ] = None,
    mapping: Mappings = None,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Read the events topics again instead: also for archived cases.")
    ] = False,
    policy: Annotated[
        list[Path] | None,
        typer.Option(help="Policy files for --from or --from-kafka; default: SQM_POLICY, else the one in force."),
    ] = None,
    now: Annotated[
        datetime | None,
        typer.Option(
            parser=parsed_instant, help="Instant of the verdicts; default: the newest event's, with --from-kafka now."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with times in UTC.")] = False,
) -> None:
    """Tell why each clock of a case has its verdict, so that it can be checked by hand."""
    _check_source(url, files, mapping, from_kafka, policy, now)
    if files:
        found = _from_files(case, files, mapping or [], policies_of(policy or settings.policy), now)
    elif from_kafka:
        logs.configure(settings)
        found = asyncio.run(_from_kafka(case, settings, policy or settings.policy, now))
    else:
        found = _from_api(case, url or _own_address(settings.api))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        print_timeline(found)


def _check_source(
    url: str | None,
    files: list[Path] | None,
    mapping: list[Path] | None,
    from_kafka: bool,
    policy: list[Path] | None,
    now: datetime | None,
) -> None:
    given = [name for name, value in (("--url", url), ("--from", files), ("--from-kafka", from_kafka)) if value]
    if len(given) > 1:
        raise FileError(f"{' and '.join(given)}: a case is read from one of them")
    if mapping and not files:
        raise FileError("--mapping says how rows of files become events: name the files with --from")
    if (policy or now) and not (files or from_kafka):
        option = "--policy" if policy else "--now"
        raise FileError(
            f"{option}: a running sqm judges by its own policy and time; use it with --from or --from-kafka"
        )


def _from_files(case: str, files: list[Path], mappings: list[Path], policies: PolicySet, now: datetime | None) -> Found:
    """As `sqm replay` would judge it: no grace, as of the newest event."""
    gathered = gathered_from(files, mappings)
    tell_unreadable(gathered)
    one = OneCase(case)
    wall = datetime.now(UTC)
    one.take(read_files(gathered, future_after=wall + policies.newest.limits.future_skew))
    return _explained(one, policies, now or one.newest or wall, timedelta(0), ", ".join(map(str, files)))


async def _from_kafka(case: str, settings: Settings, policy: Sequence[Path], now: datetime | None) -> Found:
    """As the live system judges it, from all events that are still in the topics."""
    kafka, wall, one = settings.kafka, datetime.now(UTC), OneCase(case)
    policies = policies_of(policy) if policy else await _published(kafka) or policies_of(())
    latest = wall + policies.newest.limits.future_skew
    with progress_bar("reading", "records") as progress:
        await scan(kafka, lambda records: one.take(decode(records, future_after=latest)), progress)
    by_events = settings.clock == "event"
    at = now or (one.newest if by_events else None) or wall
    where = f"{', '.join(kafka.events_topics)} at {kafka.bootstrap}"
    return _explained(one, policies, at, timedelta(0) if by_events else None, where)


async def _published(kafka: KafkaSettings) -> PolicySet | None:
    """The policies that the live system judges by, if it ever ran."""
    return await in_force(kafka) if kafka.topic(Topic.POLICY) in await partitions(kafka) else None


def _explained(one: OneCase, policies: PolicySet, now: datetime, grace: timedelta | None, where: str) -> Found:
    explanation = one.explained(policies, now, grace)
    if explanation is None:
        raise UnknownCase(f"{one.case}: {_missing(one, now, where)}")
    return {"case": one.case, "now": instant(now), "timeline": timeline(explanation)}


def _missing(one: OneCase, now: datetime, where: str) -> str:
    """Why nothing is known of a case."""
    if one.later(now):
        return f"all its events in {where} lie after {instant_text(now)}"
    if refusals := one.refusals():
        return f"no event of it in {where} can be used. {' '.join(refusals)}"
    guess = nearest(one.case, sorted(one.alike))
    return f"no event of it is in {where}" + (f"; did you mean {guess!r}?" if guess else "")


def _own_address(api: ApiSettings) -> str:
    host = f"[{api.host}]" if ":" in api.host else api.host
    return f"http://{host}:{api.port}"


def _from_api(case: str, url: str) -> Found:
    address = f"{url.rstrip('/')}/v1/cases/{quote(case, safe='')}"
    try:
        answer = httpx2.get(address, timeout=PATIENCE_SECONDS)
        found = answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise Unusable(
            f"no sqm answers at {url} ({reason}): name a running one with --url, or read the events with --from or "
            "--from-kafka"
        ) from None
    if not _of_sqm(found):
        raise Unusable(
            f"what answers at {url} is no sqm: name one with --url, or read the events with --from or --from-kafka"
        )
    if answer.status_code == 404:
        raise UnknownCase(f"{found['detail']} (--from-kafka reads the events again, those of archived cases too)")
    if answer.is_error:
        raise Unusable(f"{url}: {found['detail']}")
    return {name: found[name] for name in _SHOWN}


def _of_sqm(found: object) -> bool:
    """Whether an answer has the shape of a case, or of one of our problem documents."""
    if not isinstance(found, dict):
        return False
    return all(name in found for name in _SHOWN) or (
        str(found.get("type")).startswith("/docs#problem-") and "detail" in found
    )
