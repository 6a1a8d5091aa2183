"""Routes of a resident's data. The name travels in the body: addresses are written down in logs, bodies are not."""

import msgspec
from fastapi import APIRouter, Request

import device_registry as registry
from cloud_api.actor import ActorDep
from cloud_api.audit import Draft
from cloud_api.audit.recording import note
from cloud_api.audit.schema import AuditCheckpoint
from cloud_api.charging import transactions
from cloud_api.charging.routes import transaction_in_json
from cloud_api.charging.site_routes import token_in_json
from cloud_api.devices.readings import TIME_MS_MAX
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.personal_data import schema
from cloud_api.problems import responses

router = APIRouter(tags=["personal data"])

TRANSACTIONS_MAX = 10_000


@router.post(
    "/personal-data/export",
    summary="Everything that is kept of a resident",
    responses=responses("not_found", "body_invalid"),
    openapi_extra=needs(Permission.CHARGING),
)
async def export_personal_data(body: schema.Subject, request: Request) -> schema.PersonalData:
    """For the resident to take away. At most the newest 10,000 transactions."""
    alias, token = await registry.token_named(body.gateway_id, body.token)
    note(request, gateway=body.gateway_id, alias=alias)
    rows = await transactions.newest([body.gateway_id], None, 0, TIME_MS_MAX, None, TRANSACTIONS_MAX, token=alias)
    ids = await registry.devices_at([(row.gateway_id, row.external_id, row.started_ms) for row in rows])
    return schema.PersonalData(
        gateway_id=body.gateway_id,
        name=body.token,
        alias=alias,
        token=token_in_json(token) if token is not None else None,
        transactions=[
            transaction_in_json(row, ids.get((row.gateway_id, row.external_id, row.started_ms)), body.token)
            for row in rows
        ],
    )


@router.post(
    "/personal-data/erase",
    summary="Erase what is kept of a resident",
    responses=responses("not_found", "body_invalid"),
    openapi_extra=needs(Permission.PEOPLE),
)
async def erase_personal_data(
    body: schema.Subject, request: Request, parts: PartsDep, actor: ActorDep
) -> schema.ErasureReceipt:
    """Name and card are forgotten here, and the card by the gateway with its next desired state. Energy stays, for the bills."""
    now_ms = parts.clock()
    alias, was_in_list = await registry.erase_token(body.gateway_id, body.token, now_ms)
    note(request, gateway=body.gateway_id, alias=alias)
    kept = await transactions.count_of(body.gateway_id, alias)
    details = {"gateway": body.gateway_id, "alias": alias, "was_in_list": was_in_list, "transactions_kept": kept}
    community = await registry.community_of_gateway(body.gateway_id)
    entry = await parts.audit.append(
        Draft(now_ms, actor.id, "personal_data_erased", f"tokens/{alias}", community, "done", details)
    )
    checkpoint = await parts.audit.checkpoint()
    return schema.ErasureReceipt(
        gateway_id=body.gateway_id,
        alias=alias,
        erased_ms=now_ms,
        was_in_list=was_in_list,
        transactions_kept=kept,
        seq=entry.seq,
        hash=entry.hash,
        checkpoint=AuditCheckpoint.model_validate(msgspec.to_builtins(checkpoint)),
    )
