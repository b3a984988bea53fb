"""/v1/policy: what was promised to whom, as it is in force."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api.context import Here, Newest
from api.policy_items import refused_policy_item, restatement_items
from api.problems import responses
from api.shapes import Instant, NoParameters, Shape, instant
from monitor.names import Clock, PolicyRefusal
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
    document: dict[str, Any] = Field(
        description="As the policy file says it, with `frozen`, the holidays and zone rules that it judges with; "
        "receivers only by their kind."
    )


class RefusedPolicy(Shape):
    """Policy files that were not taken; the policy in force stayed."""

    at: Instant
    reason: PolicyRefusal
    problems: list[str] = Field(description="Sentences: file, line, field and what is wrong there, or what is frozen.")


class Restatement(Shape):
    """Once, live cases were judged anew by other rules."""

    number: int
    at: Instant
    by: str
    why: str
    before: str = Field(description="Digest of all versions until then.")
    after: str = Field(description="Digest of all versions from then on.")
    semantics: int = Field(description="Number of the rules of the program; raised whenever any verdict could change.")
    flips: int | None = Field(description="Verdicts that turned, as counted before; null: not counted.")


class Policy(Shape):
    name: str = Field(examples=["support"])
    digest: str = Field(description="Of all versions, with the holidays and zone rules they judge with.")
    published: Instant | None = Field(description="When this set of versions came into force.")
    versions: list[Version] = Field(description="In their order; SLAs and alerts are those of the last.")
    refused: RefusedPolicy | None = Field(description="The newest policy files, if they were refused.")
    restatements: list[Restatement] = Field(description="All there ever were, the newest first.")


@router.get("/policy", summary="The policy in force", responses=responses("not-ready"))
async def policy(board: Newest, here: Here, _: Annotated[NoParameters, Query()]) -> Policy:
    """All versions of the policy, what was refused, and every restatement.

    Addresses of receivers are left out: they may hold secrets.
    """
    policies, known = board.policies, here.policies.log
    content = {
        "name": policies.name,
        "digest": policies.digest,
        "published": instant(known.in_force.published) if known.in_force is not None else None,
        "versions": [_version(v) for v in policies.versions],
        "refused": refused_policy_item(known.refused),
        "restatements": restatement_items(known),
    }
    return Policy.model_validate(content)


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
