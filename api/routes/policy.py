"""/v1/policy: what was promised to whom, as it is in force."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api.context import Newest
from api.problems import responses
from api.shapes import Instant, NoParameters, Shape, instant
from monitor.names import Clock
from monitor.policy import PolicyVersion

router = APIRouter(prefix="/v1", tags=["policy"])


class TargetLine(Shape):
    number: int = Field(description="What `line` of a verdict refers to.")
    clock: Clock
    title: str = Field(examples=["first_response, priority P1"])


class Version(Shape):
    """A version of the policy: judges the cases opened from `effective_from` until the next version's."""

    number: int
    effective_from: Instant | None = Field(description="null: always, before the others.")
    digest: str
    labels: list[str]
    targets: list[TargetLine]
    document: dict[str, Any] = Field(description="As the policy file says it; receivers only by their kind.")


class Policy(Shape):
    name: str = Field(examples=["support"])
    digest: str = Field(description="Of all versions; every delta names the one it was made with.")
    versions: list[Version] = Field(description="In their order; SLAs and alerts are those of the last.")


@router.get("/policy", summary="The policy in force", responses=responses("not-ready"))
async def policy(board: Newest, _: Annotated[NoParameters, Query()]) -> Policy:
    """All versions of the policy. Addresses of receivers are left out: they may hold secrets."""
    policies = board.policies
    return Policy(name=policies.name, digest=policies.digest, versions=[_version(v) for v in policies.versions])


def _version(version: PolicyVersion) -> Version:
    document = version.document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if "notify" in document:
        document["notify"] = {name: receiver.kind for name, receiver in version.notify.items()}
    return Version(
        number=version.number,
        effective_from=instant(version.effective_from),
        digest=version.digest,
        labels=list(version.labels),
        targets=[TargetLine(number=t.number, clock=t.clock, title=t.title) for t in version.targets],
        document=document,
    )
