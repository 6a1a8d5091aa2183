"""Routes of the audit."""

import json
from collections.abc import AsyncIterator
from typing import Literal

import msgspec
from fastapi import APIRouter, Depends
from fastapi.responses import Response, StreamingResponse

from cloud_api.audit import schema
from cloud_api.audit.checkpoints import checkpoint_line
from cloud_api.audit.entries import Entry, line_of
from cloud_api.audit.recording import reads_personal_data
from cloud_api.audit.store import Where
from cloud_api.devices.readings import Time
from cloud_api.pages import Cursor, Limit, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs_everywhere
from cloud_api.people.roles import Permission
from cloud_api.problems import responses

router = APIRouter(tags=["audit"])

MEDIA_TYPE = "application/x-ndjson"
PEM_TYPE = "application/x-pem-file"


def _in_json(entry: Entry) -> schema.AuditEntry:
    return schema.AuditEntry.model_validate({**entry._asdict(), "details": json.loads(entry.details)})


@router.get(
    "/audit",
    summary="Who asked for what",
    responses=responses("cursor_invalid"),
    openapi_extra=needs_everywhere(Permission.AUDIT),
)
async def list_audit(
    parts: PartsDep,
    cursor: Cursor = "",
    limit: Limit = 100,
    actor: str = "",
    action: str = "",
    community: str = "",
    outcome: Literal["done", "refused", "failed"] | None = None,
    start_ms: Time = None,
    end_ms: Time = None,
) -> schema.AuditPage:
    """Everything that changed something or was refused, and who looked at personal data; newest first."""
    where = Where(actor, action, community, outcome or "", start_ms or 0, end_ms if end_ms is not None else 2**62)
    place = decode_cursor(cursor, int)
    found = await parts.audit.store.newest(where, int(place[0]) if place else None, limit + 1)
    entries, following = cut(found, limit, lambda entry: (entry.seq,))
    return schema.AuditPage(items=[_in_json(entry) for entry in entries], next_cursor=following)


@router.get(
    "/audit/export",
    summary="The whole audit, to take away",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {MEDIA_TYPE: {}},
            "description": "An entry a line, then a checkpoint over the last one; one comes first if what was old is gone",
        }
    },
    dependencies=[Depends(reads_personal_data)],
    openapi_extra=needs_everywhere(Permission.AUDIT),
)
async def export_audit(parts: PartsDep) -> StreamingResponse:
    """`cloud-api audit verify FILE` checks it offline; docs/audit.md says how to do so without us."""
    checkpoint = await parts.audit.checkpoint()

    async def lines() -> AsyncIterator[bytes]:
        store, begun = parts.audit.store, False
        async for entry in store.all_up_to(checkpoint.checkpoint):
            if not begun and (before := await store.checkpoint_over(entry.seq - 1)):
                yield checkpoint_line(before) + b"\n"
            begun = True
            yield line_of(entry) + b"\n"
        yield checkpoint_line(checkpoint) + b"\n"

    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(lines(), media_type=MEDIA_TYPE, headers=headers)


@router.get(
    "/audit/checkpoints",
    summary="Checkpoints over the audit",
    responses=responses("cursor_invalid"),
    openapi_extra=needs_everywhere(Permission.AUDIT),
)
async def list_checkpoints(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100) -> schema.AuditCheckpointPage:
    """Newest first. Who keeps one elsewhere can tell later whether the entries up to it are still the same."""
    place = decode_cursor(cursor, int)
    found = await parts.audit.store.checkpoints(int(place[0]) if place else None, limit + 1)
    page, following = cut(found, limit, lambda one: (one.checkpoint,))
    items = [schema.AuditCheckpoint.model_validate(msgspec.to_builtins(one)) for one in page]
    return schema.AuditCheckpointPage(items=items, next_cursor=following)


@router.get(
    "/audit/key",
    summary="The key that signs checkpoints",
    response_class=Response,
    responses={200: {"content": {PEM_TYPE: {}}, "description": "The public half, PEM"}},
    openapi_extra=needs_everywhere(Permission.AUDIT),
)
async def get_audit_key(parts: PartsDep) -> Response:
    """For `cloud-api audit verify --key`. Fetch it once, and keep it where the operator can't write."""
    headers = {"Content-Disposition": 'attachment; filename="profile_key.pem"'}
    return Response(parts.cloud_key, media_type=PEM_TYPE, headers=headers)
