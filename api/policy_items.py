"""What the policy topic says beside the versions, as the API shows it."""

import msgspec

from api.lists import Item
from api.shapes import instant
from consumers.policy_log import PolicyLog, Refused


def refused_policy_item(refused: Refused | None) -> Item | None:
    """Policy files that were not taken."""
    if refused is None:
        return None
    return {"at": instant(refused.at), "reason": refused.reason, "problems": refused.problems}


def restatement_items(known: PolicyLog) -> list[Item]:
    """All that there ever were, the newest first."""
    newest_first = sorted(known.restatements.values(), key=lambda made: -made.number)
    return [msgspec.structs.asdict(made) | {"at": instant(made.at)} for made in newest_first]
