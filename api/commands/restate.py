"""`sqm restate`: judge the live cases anew by other rules, on record; the one way to change what has been judged."""

import asyncio
import getpass
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer
from rich.console import Console

from api.commands.common import check_output, policies_of, said
from api.commands.failures import Unusable
from api.commands.options import with_settings
from api.commands.whatif import SUFFIXES, flip_sheets, print_sheets, turns, write_flips
from consumers import logs
from consumers.policies import PolicyFollower, publish
from consumers.policy_log import Restatement
from consumers.replica import Replica
from consumers.settings import Settings
from monitor.flips import of_live_cases, of_objectives
from monitor.policy import PolicySet, restated
from monitor.state import SEMANTICS
from monitor.whatif import flip_rows

UNCONFIRMED: Final = 1  # exit code: nothing was changed, because nobody said yes


@with_settings("kafka")
def restate(
    settings: Settings,
    why: Annotated[str, typer.Option(help="Why all is judged anew; kept with the restatement for ever.")],
    by: Annotated[str | None, typer.Option(help="Who does it; default: the name you are logged in with.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is done.")] = False,
    flips_to: Annotated[
        Path | None, typer.Option("--flips", help="Write each verdict that flips: .csv, .parquet or .html.")
    ] = None,
) -> None:
    """Put edited versions (--policy) in the place of those that have judged, and judge the live cases anew.

    First it is shown which verdicts flip. Versions with another effective_from stay as they are. What is archived, or
    was measured elsewhere, keeps its verdict.
    """
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "warning"})
    logs.configure(settings)
    check_output(flips_to, "flips", SUFFIXES)
    if not settings.policy:
        raise Unusable("name the files to judge anew by: --policy FILE (several with commas)")
    if not why.strip():
        raise Unusable("--why is empty: say why all is judged anew; it is kept with the restatement")
    given = policies_of(settings.policy)
    asyncio.run(_restate(settings, given, why.strip(), by or getpass.getuser(), flips_to, yes=yes))


async def _restate(
    settings: Settings, given: PolicySet, why: str, by: str, flips_to: Path | None, *, yes: bool
) -> None:
    follower, replica = PolicyFollower(settings.kafka), Replica(settings, alerts=False)

    async def work() -> None:
        in_force = await _in_force(follower)
        wanted = restated(given, in_force, datetime.now(UTC).year)
        if wanted.digest == in_force.digest:
            said.print("These versions are in force as they are: nothing to restate.")
            return
        await replica.until_caught_up()
        turned = await asyncio.to_thread(_turned, replica, in_force, wanted, settings)
        _show(turned, in_force, wanted, flips_to)
        if not yes and not _confirmed():
            said.print("Nothing was changed.")
            raise typer.Exit(UNCONFIRMED)
        if follower.current is not in_force:
            raise Unusable("other versions came into force meanwhile: look at what turns once more")
        made = Restatement(
            number=follower.log.next_restatement,
            at=datetime.now(UTC),
            by=by,
            why=why,
            before=in_force.digest,
            after=wanted.digest,
            semantics=SEMANTICS,
            flips=turned.height,
        )
        await publish(settings.kafka, wanted, made)
        said.print(f"Restatement {made.number} is on record (/v1/policy); the workers judge the live cases anew.")

    await beside(work(), follower.run(), replica.run())


async def _in_force(follower: PolicyFollower) -> PolicySet:
    await follower.read.wait()
    if follower.current is None:
        raise Unusable("no policy is in force yet, so there is nothing to restate: sqm run --policy FILE")
    return follower.current


def _turned(replica: Replica, old: PolicySet, new: PolicySet, settings: Settings) -> pl.DataFrame:
    grace = timedelta(0) if settings.clock == "event" else None
    with replica.reading() as states:
        return of_live_cases(states.values(), old, new, grace)


def _show(turned: pl.DataFrame, old: PolicySet, new: PolicySet, flips_to: Path | None) -> None:
    rows, objectives = flip_rows(turned, old, new), of_objectives(turned, new.newest.slas)
    shown = [turns("Objectives", "sla", objectives)] if objectives.height else []
    shown += flip_sheets(rows)
    print_sheets(shown, Console(highlight=False), flips_to)
    if flips_to is not None:
        write_flips(flips_to, rows, shown, f"{new.name}: what a restatement flips")
    said.print(f"{turned.height:,} verdicts of {turned['case'].n_unique():,} live cases flip.", markup=False)


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        said.print("Nobody can be asked here: --yes goes on.")
        return False
    # The loop stands meanwhile: what is followed goes on afterwards.
    return typer.confirm("Judge the live cases anew, and put it on record?", err=True)


async def beside(work: Coroutine[Any, Any, None], *parts: Coroutine[Any, Any, None]) -> None:
    """Do `work` while the parts run, which never end by themselves; raises what ends one of them."""
    tasks = [asyncio.ensure_future(part) for part in (work, *parts)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
