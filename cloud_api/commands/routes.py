"""Routes of commands."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Header, Request

import device_registry as registry
from cloud_api.actor import ActorDep
from cloud_api.audit.recording import note
from cloud_api.commands.schema import Command, CommandBody, CommandPage, Selection, SelectionBody
from cloud_api.pages import Cursor, Limit, cut, time_before
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import Problem, responses

router = APIRouter(tags=["commands"])

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Chosen by you, one for each command you mean: a repetition gives the command that is there",
        examples=["7d3c2f9e-5d0a-4a51-9f0e-2f6f6c1b8a11"],
    ),
]


@router.post(
    "/devices/{device_id}/selections",
    status_code=201,
    summary="Select a device for a dangerous verb",
    responses=responses("not_found", "device_pending", "body_invalid", "verb_unsupported", "arguments_invalid"),
    openapi_extra=needs(Permission.COMMAND),
)
async def select_device(
    device_id: str, body: SelectionBody, parts: PartsDep, actor: ActorDep, request: Request
) -> Selection:
    """The first step of two: nothing happens yet. The command names the selection; it holds once, for who made it, as long as
    the device does not change meanwhile."""
    selection_id = f"sel-{secrets.token_hex(8)}"
    note(request, verb=body.verb, args=body.args, selection=selection_id)
    return await parts.commands.select(await registry.device(device_id), body, selection_id, actor.id)


@router.post(
    "/devices/{device_id}/commands",
    status_code=202,
    summary="Command a device",
    responses=responses(
        "idempotency_key_missing",
        "not_found",
        "idempotency_key_reused",
        "selection_needed",
        "selection_refused",
        "state_changed",
        "approval_needed",
        "approval_refused",
        "device_pending",
        "body_invalid",
        "verb_unsupported",
        "arguments_invalid",
        "metric_unknown",
    ),
    openapi_extra=needs(Permission.COMMAND),
)
async def create_command(
    device_id: str,
    body: CommandBody,
    parts: PartsDep,
    actor: ActorDep,
    request: Request,
    idempotency_key: Key = None,
) -> Command:
    """Accepted is not done: follow the command's state. It ends `confirmed` when telemetry shows the effect.

    Header `Idempotency-Key` is required.
    """
    if idempotency_key is None:
        raise Problem("idempotency_key_missing", "send the header Idempotency-Key, one for each command you mean")
    note(request, verb=body.verb, args=body.args, selection=body.selection, approval=body.approval)
    device = await registry.device(device_id)
    command = await parts.commands.create(device, body, idempotency_key, actor.id)
    note(request, command=command.id)
    return command


@router.get("/commands", summary="Commands", openapi_extra=needs(Permission.COMMAND))
async def list_commands(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100, device: str = "") -> CommandPage:
    """Newest first."""
    found = await parts.commands.newest(device, time_before(cursor), limit + 1)
    items, following = cut(found, limit, lambda command: (command.created_ms, command.id))
    return CommandPage(items=items, next_cursor=following)


@router.get(
    "/commands/{command_id}",
    summary="One command",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.COMMAND),
)
async def get_command(command_id: str, parts: PartsDep) -> Command:
    """Its state, and every transition with its time and source."""
    return await parts.commands.get(command_id)


@router.post(
    "/commands/{command_id}/cancel",
    summary="Withdraw a command",
    responses=responses("not_found", "command_ended"),
    openapi_extra=needs(Permission.COMMAND),
)
async def cancel_command(command_id: str, parts: PartsDep) -> Command:
    """At once while it is queued; else its gateway is asked, and the answer is `cancelled` only on its word."""
    return await parts.commands.cancel(command_id)
