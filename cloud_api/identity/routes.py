"""Routes of claims, provisioning and certificates."""

import io
import secrets
from typing import Annotated

import segno
from cryptography import x509
from fastapi import APIRouter, Path, Request

import device_registry as registry
from cloud_api.actor import ActorDep
from cloud_api.audit.recording import note
from cloud_api.identity import claims, schema
from cloud_api.identity.certificates import certificates, revoke_certificates
from cloud_api.identity.claims import ClaimRefused, claim_state
from cloud_api.identity.gateways import GatewayIdentity
from cloud_api.identity.models import CertificateRow, ClaimRow
from cloud_api.identity.refusals import newest_refusals
from cloud_api.pages import Cursor, Limit, cut, time_before
from cloud_api.parts import PartsDep
from cloud_api.people.access import PUBLIC, needs
from cloud_api.people.roles import Permission
from cloud_api.problems import Problem, responses
from contracts.claim_code import BITS

router = APIRouter(tags=["identity"])

ClaimId = Annotated[str, Path(max_length=40)]


def _claim(row: ClaimRow, now_ms: int) -> dict[str, object]:
    return {
        "id": row.id,
        "gateway_id": row.gateway_id,
        "state": claim_state(row, now_ms).value,
        "issuer": row.issuer,
        "created_ms": row.created_ms,
        "expires_ms": row.expires_ms,
        "used_ms": row.used_ms,
        "refused": row.refused,
    }


def _certificate(row: CertificateRow) -> schema.Certificate:
    return schema.Certificate.model_validate(row, from_attributes=True)


def _identity(parts: PartsDep) -> GatewayIdentity:
    if parts.identity is None:
        raise Problem("no_authority", "LINLI_AUTHORITY_CERT and LINLI_AUTHORITY_KEY are not set: nothing can be signed")
    return parts.identity


@router.post(
    "/claims",
    status_code=201,
    summary="Make a claim for a gateway",
    responses=responses("not_found", "no_authority", "body_invalid"),
    openapi_extra=needs(Permission.INSTALL),
)
async def create_claim(body: schema.ClaimBody, request: Request, parts: PartsDep, actor: ActorDep) -> schema.NewClaim:
    """The code is shown once. An open claim of the same gateway ends with this."""
    note(request, gateway=body.gateway_id)
    _identity(parts)
    now_ms = parts.clock()
    row, code = await claims.create_claim(
        body.gateway_id, actor.id, body.valid_s * 1000, now_ms, lambda: f"claim-{secrets.token_hex(8)}",
        secrets.token_bytes(BITS // 8),
    )  # fmt: skip
    link = claims.claim_link(parts.public_url or str(request.base_url), code)
    picture = io.BytesIO()
    segno.make(link, error="m").save(picture, kind="svg", scale=4, xmldecl=False, nl=False)
    shown = {"code": code, "link": link, "qr_svg": picture.getvalue().decode()}
    return schema.NewClaim.model_validate({**_claim(row, now_ms), **shown})


@router.get("/claims", summary="Claims", openapi_extra=needs(Permission.INSTALL))
async def list_claims(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100, gateway: str = "") -> schema.ClaimPage:
    """Newest first; their codes are kept nowhere."""
    found = await claims.newest_claims(gateway, time_before(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.created_ms, row.id))
    now_ms = parts.clock()
    items = [schema.Claim.model_validate(_claim(row, now_ms)) for row in rows]
    return schema.ClaimPage(items=items, next_cursor=following)


@router.post(
    "/claims/{claim_id}/withdraw",
    summary="Take a claim back",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.INSTALL),
)
async def withdraw_claim(claim_id: ClaimId, parts: PartsDep) -> schema.Claim:
    """One that was used stays used: shut out the gateway instead."""
    now_ms = parts.clock()
    return schema.Claim.model_validate(_claim(await claims.withdraw_claim(claim_id, now_ms), now_ms))


@router.post(
    "/provision",
    status_code=201,
    summary="Turn a claim into a gateway's certificate",
    responses=responses(
        "no_authority", "claim_unknown", "claim_for_another_site", "claim_used", "claim_expired", "claim_withdrawn",
        "request_unreadable", "request_key_refused", "request_altered", "request_names_another", "too_many_attempts",
        "body_invalid",
    ),
    openapi_extra=PUBLIC,
)  # fmt: skip
async def provision(body: schema.ProvisionBody, request: Request, parts: PartsDep) -> schema.Provision:
    """`edge-agent provision` calls this. The same key may ask again: it is given the same certificate."""
    identity, now_ms = _identity(parts), parts.clock()
    address = request.client.host if request.client else ""
    if wait_ms := identity.attempts.wait_ms(address, now_ms):
        raise Problem(
            "too_many_attempts", f"too many claims were refused here; try again in {-(-wait_ms // 60_000)} min"
        )
    try:
        made = await claims.provision(
            identity.authority, body.code, body.request, body.community_id, x509.random_serial_number(), now_ms,
            address,
        )  # fmt: skip
    except ClaimRefused as error:
        note(request, gateway=error.gateway_id)
        identity.attempts.failed(address, now_ms)
        identity.refused.labels(error.reason).inc()
        raise Problem(error.reason, str(error)) from error
    identity.changed.set()
    note(request, gateway=made.gateway_id)
    return schema.Provision(
        gateway_id=made.gateway_id,
        certificate=made.certificate,
        ends_ms=made.ends_ms,
        broker_authority=identity.broker_authority,
        mqtt_host=identity.mqtt_host,
        mqtt_port=identity.mqtt_port,
        now_ms=now_ms,
        profile_key=parts.cloud_key.decode(),
    )


@router.get("/claims/refused", summary="Uses of claims that were refused", openapi_extra=needs(Permission.INSTALL))
async def list_refused_claims(parts: PartsDep, cursor: Cursor = "", limit: Limit = 100) -> schema.RefusalPage:
    """Newest first. One that was used before, is for another site or unknown may be somebody who should not have it."""
    found = await newest_refusals(time_before(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.at_ms, row.id))
    items = [schema.Refusal.model_validate(row, from_attributes=True) for row in rows]
    return schema.RefusalPage(items=items, next_cursor=following)


@router.get(
    "/gateways/{gateway_id}/certificates",
    summary="A gateway's certificates",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.INSTALL),
)
async def list_certificates(gateway_id: str, cursor: Cursor = "", limit: Limit = 100) -> schema.CertificatePage:
    """Newest first."""
    await registry.gateway(gateway_id)
    found = await certificates(gateway_id, time_before(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.issued_ms, row.serial))
    return schema.CertificatePage(items=[_certificate(row) for row in rows], next_cursor=following)


@router.post(
    "/gateways/{gateway_id}/revoke",
    summary="Shut a gateway out",
    responses=responses("not_found", "no_authority", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.SHUT_OUT),
)
async def revoke(gateway_id: str, body: schema.RevokeBody, parts: PartsDep, request: Request) -> schema.Revoked:
    """All its certificates end; the broker ends its session within seconds, its frames are refused. A claim lets it in again."""
    identity = _identity(parts)
    note(request, reason=body.reason)
    count = await revoke_certificates(gateway_id, body.reason, parts.clock())
    identity.changed.set()
    return schema.Revoked(gateway_id=gateway_id, certificates=count)
