"""Claims and what comes of them: a one-time code, bound to one gateway, turns a gateway's request into a certificate.

The claim is used up in the same transaction that makes the certificate, and the certificate names its claim under a unique
key: of a thousand that race with one code one wins. The winner's key asking again is given the same certificate: its answer
may have been lost on the way.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import device_registry as registry
from cloud_api.identity.authority import GatewayAuthority, RequestRefused, key_digest, read_request
from cloud_api.identity.certificates import keep_certificate, withdraw_open
from cloud_api.identity.models import CertificateRow, ClaimRow
from cloud_api.identity.refusals import note_refusal
from contracts.claim_code import ClaimCodeInvalid, claim_code, claim_secret
from device_registry import NotFound, writing

log = logging.getLogger(__name__)

CLI_ISSUER = "cli"
"""Who asked: somebody at the machine itself."""


class ClaimState(StrEnum):
    """Where a claim is."""

    OPEN = "open"
    USED = "used"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


def claim_state(row: ClaimRow, now_ms: int) -> ClaimState:
    """A used claim stays used, whatever came later."""
    if row.used_ms is not None:
        return ClaimState.USED
    if row.withdrawn_ms is not None:
        return ClaimState.WITHDRAWN
    return ClaimState.OPEN if now_ms < row.expires_ms else ClaimState.EXPIRED


class ClaimRefused(Exception):
    """This claim gives no certificate. ``reason`` is a stable word, the message is for the installer."""

    def __init__(self, reason: str, message: str, gateway_id: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.gateway_id = gateway_id


class NewClaim(NamedTuple):
    """A claim that was just made: its code is shown now and never again."""

    id: str
    gateway_id: str
    expires_ms: int
    code: str
    link: str


def claim_link(base_url: str, code: str) -> str:
    """What a claim's QR code shows; the code is behind the #, which no server is sent. "" where no address is known."""
    return f"{base_url.rstrip('/')}/provision#{code.replace('-', '')}" if base_url else ""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What a gateway gets for its claim. certificate: PEM, with the chain."""

    gateway_id: str
    certificate: str
    ends_ms: int


async def create_claim(
    gateway_id: str, issuer: str, valid_ms: int, now_ms: int, new_id: Callable[[], str], secret: bytes
) -> tuple[ClaimRow, str]:
    """A new claim for a gateway of the registry; its open ones are withdrawn. Returns the row, and the code: only now.

    Raises NotFound.
    """
    gateway = await registry.gateway(gateway_id)
    async with writing():
        await withdraw_open(gateway.id, now_ms)
        row = await ClaimRow.create(
            id=new_id(),
            digest=_digest(secret),
            gateway_id=gateway.id,
            issuer=issuer,
            created_ms=now_ms,
            expires_ms=now_ms + valid_ms,
        )
    return row, claim_code(secret)


async def withdraw_claim(claim_id: str, now_ms: int) -> ClaimRow:
    """Take a claim back; one that is used, withdrawn or expired stays as it is. Raises NotFound."""
    async with writing():
        row = await ClaimRow.get_or_none(id=claim_id)
        seen = await registry.visible_gateways()
        if row is None or (seen is not None and row.gateway_id not in seen):
            raise NotFound("claim", claim_id)
        if claim_state(row, now_ms) is ClaimState.OPEN:
            row.withdrawn_ms = now_ms
            await row.save(update_fields=["withdrawn_ms"])
        return row


async def newest_claims(gateway_id: str, before: tuple[int, str] | None, limit: int) -> list[ClaimRow]:
    """Claims, newest first; of one gateway, or of all for ""."""
    rows = ClaimRow.filter(**({"gateway_id": gateway_id} if gateway_id else {}))
    if (seen := await registry.visible_gateways()) is not None:
        rows = rows.filter(gateway_id__in=sorted(seen))
    if before is not None:
        rows = rows.filter(created_ms__lte=before[0]).exclude(created_ms=before[0], id__gte=before[1])
    return await rows.order_by("-created_ms", "-id").limit(limit)


async def provision(
    authority: GatewayAuthority, code: str, request_pem: str, community_id: str, serial: int, now_ms: int,
    address: str = "",
) -> Provisioned:  # fmt: skip
    """Turn a claim and a request into a certificate. Raises ClaimRefused; each refusal is kept for people to see.

    community_id  where the installer means to be, "" if not said: a claim for another community is refused
    address       from where it was asked
    """
    try:
        secret = claim_secret(code)
    except ClaimCodeInvalid as error:
        log.error("security: claim refused", extra={"reason": "claim_unknown", "gateway": ""})
        async with writing():
            await note_refusal("claim_unknown", "", "", address, now_ms)
        raise ClaimRefused("claim_unknown", str(error)) from error
    try:
        async with writing():
            return await _provision(authority, _digest(secret), request_pem, community_id, serial, now_ms)
    except ClaimRefused as error:
        async with writing():
            row = await ClaimRow.get_or_none(digest=_digest(secret)) if error.gateway_id else None
            if row is not None:
                row.refused += 1
                await row.save(update_fields=["refused"])
            await note_refusal(error.reason, row.id if row else "", error.gateway_id, address, now_ms)
        log.error("security: claim refused", extra={"reason": error.reason, "gateway": error.gateway_id})
        raise


async def _provision(
    authority: GatewayAuthority, digest: str, request_pem: str, community_id: str, serial: int, now_ms: int
) -> Provisioned:
    row = await ClaimRow.get_or_none(digest=digest)
    if row is None:
        raise ClaimRefused("claim_unknown", "there is no such claim; was it typed as it stands?")
    gateway = await registry.gateway(row.gateway_id)
    if community_id and gateway.community_id != community_id:
        raise ClaimRefused("claim_for_another_site", f"the claim is not for {community_id}", row.gateway_id)
    try:
        key = read_request(request_pem, row.gateway_id)
    except RequestRefused as error:
        raise ClaimRefused(error.reason, str(error), row.gateway_id) from error
    state = claim_state(row, now_ms)
    if state is ClaimState.USED:
        first = await CertificateRow.get(claim_id=row.id)
        if first.public_key == key_digest(key) and first.revoked_ms is None and now_ms < first.ends_ms:
            return Provisioned(row.gateway_id, first.pem, first.ends_ms)
        raise ClaimRefused("claim_used", "the claim has been used by another gateway or key", row.gateway_id)
    if state is not ClaimState.OPEN:
        raise ClaimRefused(f"claim_{state.value}", f"the claim is {state.value}; ask for a new one", row.gateway_id)
    kept = await keep_certificate(authority, row.gateway_id, gateway.community_id, key, serial, now_ms, row.id)
    row.used_ms = now_ms
    await row.save(update_fields=["used_ms"])
    # Who has just come in with a claim is the gateway: certificates of the one before it end here.
    await (
        CertificateRow.filter(gateway_id=row.gateway_id, revoked_ms__isnull=True)
        .exclude(serial=kept.serial)
        .update(revoked_ms=now_ms, reason="replaced_by_claim")
    )
    return Provisioned(row.gateway_id, kept.pem, kept.ends_ms)


def _digest(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
