"""Routes of approvals."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request

import device_registry as registry
from cloud_api.actor import ActorDep
from cloud_api.approvals import records, schema
from cloud_api.approvals.models import ApprovalRow
from cloud_api.audit.recording import note
from cloud_api.pages import Cursor, Limit, cut, time_before
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.accounts import names_of
from cloud_api.people.roles import Permission
from cloud_api.problems import responses

router = APIRouter(tags=["approvals"])


_MADE = {"state", "asked_by_name", "decided_by_name"}


async def _in_json(rows: Sequence[ApprovalRow], now_ms: int) -> list[schema.Approval]:
    """Who decides has to know who asks, also where he may not look people up."""
    names = await names_of(person for row in rows for person in (row.asked_by, row.decided_by))
    kept = schema.Approval.model_fields.keys() - _MADE
    return [
        schema.Approval.model_validate(
            {name: getattr(row, name) for name in kept}
            | {
                "state": records.state_of(row, now_ms),
                "asked_by_name": names.get(row.asked_by, ""),
                "decided_by_name": names.get(row.decided_by, ""),
            }
        )
        for row in rows
    ]


class _About(NamedTuple):
    """Ids of what an approval is about."""

    devices: frozenset[str] = frozenset()
    gateways: frozenset[str] = frozenset()
    communities: frozenset[str] = frozenset()


def _about(action: str, target: str, request: Mapping[str, Any]) -> _About:
    if action == "command":
        return _About(frozenset({target}))
    community = request.get("community")
    gateways = frozenset(map(str, request.get("gateways") or []))
    return _About(frozenset(), gateways, frozenset({str(community)} if community else ()))


async def _check_seen(action: str, target: str, request: Mapping[str, Any]) -> None:
    """Raises NotFound when what it is about is in a community that the caller does not see."""
    about = _about(action, target, request)
    for device in about.devices:
        await registry.device(device)
    for gateway in sorted(about.gateways):
        await registry.gateway(gateway)
    for community in about.communities:
        await registry.community(community)


async def _seen_rows(rows: Sequence[ApprovalRow]) -> list[ApprovalRow]:
    """Those about what the caller sees; in as many queries as there are kinds of things."""
    about = [_about(row.action, row.target, row.request) for row in rows]
    devices = await registry.seen_of(registry.Device, {each for one in about for each in one.devices})
    gateways = await registry.seen_of(registry.Gateway, {each for one in about for each in one.gateways})
    communities = await registry.seen_of(registry.Community, {each for one in about for each in one.communities})
    return [
        row
        for row, one in zip(rows, about, strict=True)
        if devices >= one.devices and gateways >= one.gateways and communities >= one.communities
    ]


async def _found(approval_id: str) -> ApprovalRow:
    row = await records.find(approval_id)
    if not await _seen_rows([row]):
        raise registry.NotFound("approval", approval_id)
    return row


@router.post(
    "/approvals",
    status_code=201,
    summary="Ask a second person",
    responses=responses("not_found", "body_invalid"),
    openapi_extra=needs(Permission.COMMAND),
)
async def ask_approval(
    body: schema.ApprovalBody, parts: PartsDep, actor: ActorDep, request: Request
) -> schema.Approval:
    """For unlocking, and for what goes to many at once. When another person has approved it, give its id with the request."""
    await _check_seen(body.action, body.target, body.request)
    now_ms = parts.clock()
    approval_id = f"apr-{secrets.token_hex(8)}"
    note(request, approval=approval_id, what=body.action, of=body.target)
    row = await records.ask(approval_id, body.action, body.target, body.request, body.reason, actor.id, now_ms)
    return (await _in_json([row], now_ms))[0]


@router.get(
    "/approvals",
    summary="What waits for a second person, and what became of it",
    openapi_extra=needs(Permission.COMMAND),
)
async def list_approvals(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100) -> schema.ApprovalPage:
    """Newest first."""
    rows, following = cut(
        await records.newest(time_before(cursor), limit + 1), limit, lambda row: (row.created_ms, row.id)
    )
    items = await _in_json(await _seen_rows(rows), parts.clock())
    return schema.ApprovalPage(items=items, next_cursor=following)


@router.get(
    "/approvals/{approval_id}",
    summary="One approval",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.COMMAND),
)
async def get_approval(approval_id: str, parts: PartsDep) -> schema.Approval:
    """An approval by its id."""
    return (await _in_json([await _found(approval_id)], parts.clock()))[0]


@router.post(
    "/approvals/{approval_id}/approve",
    summary="Allow it",
    responses=responses("not_found", "same_person", "approval_refused"),
    openapi_extra=needs(Permission.COMMAND),
)
async def approve(approval_id: str, parts: PartsDep, actor: ActorDep) -> schema.Approval:
    """Not by who asked for it."""
    await _found(approval_id)
    now_ms = parts.clock()
    return (await _in_json([await records.decide(approval_id, True, actor.id, now_ms)], now_ms))[0]


@router.post(
    "/approvals/{approval_id}/refuse",
    summary="Do not allow it",
    responses=responses("not_found", "same_person", "approval_refused"),
    openapi_extra=needs(Permission.COMMAND),
)
async def refuse(approval_id: str, parts: PartsDep, actor: ActorDep) -> schema.Approval:
    """It can't be allowed after that."""
    await _found(approval_id)
    now_ms = parts.clock()
    return (await _in_json([await records.decide(approval_id, False, actor.id, now_ms)], now_ms))[0]
