"""Routes of approvals."""

import secrets

from fastapi import APIRouter, Request

from cloud_api.actor import ActorDep
from cloud_api.approvals import records, schema
from cloud_api.approvals.models import ApprovalRow
from cloud_api.audit import note
from cloud_api.pages import Cursor, Limit, cut, time_before
from cloud_api.parts import PartsDep
from cloud_api.problems import responses

router = APIRouter(tags=["approvals"])


def _in_json(row: ApprovalRow, now_ms: int) -> schema.Approval:
    names = schema.Approval.model_fields.keys() - {"state"}
    shown = {name: getattr(row, name) for name in names}
    return schema.Approval.model_validate(shown | {"state": records.state_of(row, now_ms)})


@router.post(
    "/approvals", status_code=201, summary="Ask a second person", responses=responses("body_invalid")
)  # fmt: skip
async def ask_approval(
    body: schema.ApprovalBody, parts: PartsDep, actor: ActorDep, request: Request
) -> schema.Approval:
    """For unlocking, and for what goes to many at once. When another person has approved it, give its id with the request."""
    now_ms = parts.clock()
    approval_id = f"apr-{secrets.token_hex(8)}"
    note(request, approval=approval_id, what=body.action, of=body.target)
    row = await records.ask(approval_id, body.action, body.target, body.request, body.reason, actor.id, now_ms)
    return _in_json(row, now_ms)


@router.get("/approvals", summary="What waits for a second person, and what became of it")
async def list_approvals(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100) -> schema.ApprovalPage:
    """Newest first."""
    rows, following = cut(
        await records.newest(time_before(cursor), limit + 1), limit, lambda row: (row.created_ms, row.id)
    )
    now_ms = parts.clock()
    return schema.ApprovalPage(items=[_in_json(row, now_ms) for row in rows], next_cursor=following)


@router.get("/approvals/{approval_id}", summary="One approval", responses=responses("not_found"))
async def get_approval(approval_id: str, parts: PartsDep) -> schema.Approval:
    """An approval by its id."""
    return _in_json(await records.find(approval_id), parts.clock())


@router.post(
    "/approvals/{approval_id}/approve",
    summary="Allow it",
    responses=responses("not_found", "same_person", "approval_refused"),
)
async def approve(approval_id: str, parts: PartsDep, actor: ActorDep) -> schema.Approval:
    """Not by who asked for it."""
    now_ms = parts.clock()
    return _in_json(await records.decide(approval_id, True, actor.id, now_ms), now_ms)


@router.post(
    "/approvals/{approval_id}/refuse",
    summary="Do not allow it",
    responses=responses("not_found", "same_person", "approval_refused"),
)
async def refuse(approval_id: str, parts: PartsDep, actor: ActorDep) -> schema.Approval:
    """It can't be allowed after that."""
    now_ms = parts.clock()
    return _in_json(await records.decide(approval_id, False, actor.id, now_ms), now_ms)
