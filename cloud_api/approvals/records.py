"""Approvals: one person asks for exactly one thing, another allows it, and then the first may do it once, before long."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from cloud_api.approvals.models import ApprovalRow
from cloud_api.problems import Problem
from device_registry import NotFound, writing

HOLDS_MS = 15 * 60_000
"""From the asking to the doing: who decided about it is still there, and so is what he decided about."""

State = Literal["waiting", "approved", "refused", "expired", "used"]


def state_of(row: ApprovalRow, now_ms: int) -> State:
    """What people see."""
    if row.used_ms is not None:
        return "used"
    if row.state != "refused" and now_ms >= row.expires_ms:
        return "expired"
    return row.state  # type: ignore[return-value]


async def ask(
    approval_id: str, action: str, target: str, request: Mapping[str, Any], reason: str, asked_by: str, now_ms: int
) -> ApprovalRow:
    """Ask for leave to do this."""
    return await ApprovalRow.create(
        id=approval_id, action=action, target=target, request=dict(request), digest=_digest(action, target, request),
        reason=reason, state="waiting", asked_by=asked_by, created_ms=now_ms, expires_ms=now_ms + HOLDS_MS,
    )  # fmt: skip


async def decide(approval_id: str, allow: bool, decided_by: str, now_ms: int) -> ApprovalRow:
    """The second person's word. Raises NotFound, Problem same_person, approval_refused when there is nothing to decide."""
    async with writing():
        row = await find(approval_id)
        if row.asked_by == decided_by:
            raise Problem("same_person", f"{decided_by} asked for it: another person decides")
        state = state_of(row, now_ms)
        if state != "waiting":
            raise Problem("approval_refused", f"{approval_id} is {state}")
        row.state, row.decided_by, row.decided_ms = "approved" if allow else "refused", decided_by, now_ms
        await row.save(update_fields=["state", "decided_by", "decided_ms"])
        return row


async def approved(
    approval_id: str, action: str, target: str, request: Mapping[str, Any], actor: str, now_ms: int
) -> ApprovalRow:
    """The approval under which this may be done. Raises Problem approval_refused."""
    row = await ApprovalRow.get_or_none(id=approval_id)
    if row is None or row.asked_by != actor:
        raise Problem("approval_refused", f"you have no approval {approval_id!r}")
    if row.digest != _digest(action, target, request):
        raise Problem("approval_refused", f"{approval_id} is for something else")
    if (state := state_of(row, now_ms)) != "approved":
        raise Problem("approval_refused", f"{approval_id} is {state}")
    return row


async def use(approval_id: str, now_ms: int) -> None:
    """Use it, within the transaction of what is done. Raises Problem approval_refused when somebody was faster."""
    if not await ApprovalRow.filter(id=approval_id, used_ms__isnull=True).update(used_ms=now_ms):
        raise Problem("approval_refused", f"{approval_id} is used")


async def find(approval_id: str) -> ApprovalRow:
    """One approval. Raises NotFound."""
    row = await ApprovalRow.get_or_none(id=approval_id)
    if row is None:
        raise NotFound("approval", approval_id)
    return row


async def newest(before: tuple[int, str] | None, limit: int) -> list[ApprovalRow]:
    """Newest first."""
    rows = ApprovalRow.all()
    if before is not None:
        rows = rows.filter(created_ms__lte=before[0]).exclude(created_ms=before[0], id__gte=before[1])
    return await rows.order_by("-created_ms", "-id").limit(limit)


def _digest(action: str, target: str, request: Mapping[str, Any]) -> str:
    return blake2b(msgspec.json.encode([action, target, request], order="deterministic"), digest_size=32).hexdigest()
