"""Certificates that gateways have, revoked for good; and whom the broker therefore lets in."""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

import device_registry as registry
from cloud_api.identity.authority import GatewayAuthority, key_digest, serial_text
from cloud_api.identity.models import CertificateRow, ClaimRow
from device_registry import Conflict, writing


class Access(NamedTuple):
    """What the broker has to know: who may come in, by which certificates (serial, gateway), and which don't count any
    more, with when that was."""

    gateways: list[str]
    holding: list[tuple[str, str]]
    revoked: list[tuple[str, int]]


async def keep_certificate(
    authority: GatewayAuthority, gateway_id: str, community_id: str, key: ec.EllipticCurvePublicKey, serial: int,
    now_ms: int, claim_id: str | None = None,
) -> CertificateRow:  # fmt: skip
    """Sign a certificate and keep it. Call within a transaction."""
    certificate = authority.issue(gateway_id, community_id, key, serial, now_ms)
    return await CertificateRow.create(
        serial=serial_text(certificate.serial_number),
        gateway_id=gateway_id,
        claim_id=claim_id,
        public_key=key_digest(key),
        pem=authority.with_chain(certificate),
        issued_ms=now_ms,
        begins_ms=int(certificate.not_valid_before_utc.timestamp() * 1000),
        ends_ms=int(certificate.not_valid_after_utc.timestamp() * 1000),
    )


async def withdraw_open(gateway_id: str, now_ms: int) -> None:
    """Take back the claims by which a gateway could still come in. Call within a transaction."""
    unused = ClaimRow.filter(gateway_id=gateway_id, used_ms__isnull=True, withdrawn_ms__isnull=True)
    await unused.filter(expires_ms__gt=now_ms).update(withdrawn_ms=now_ms)


async def certificates(gateway_id: str, before: tuple[int, str] | None, limit: int) -> list[CertificateRow]:
    """A gateway's certificates, newest first."""
    rows = CertificateRow.filter(gateway_id=gateway_id)
    if before is not None:
        rows = rows.filter(issued_ms__lte=before[0]).exclude(issued_ms=before[0], serial__gte=before[1])
    return await rows.order_by("-issued_ms", "-serial").limit(limit)


async def revoke_certificates(gateway_id: str, reason: str, now_ms: int) -> int:
    """Revoke all that a gateway has, and its open claims: it is shut out. Returns how many certificates that were.

    Raises NotFound; Conflict when it never had one.
    """
    await registry.gateway(gateway_id)
    async with writing():
        rows = CertificateRow.filter(gateway_id=gateway_id)
        if not await rows.exists():
            raise Conflict(f"{gateway_id} has no certificate: it never came in by a claim")
        await withdraw_open(gateway_id, now_ms)
        return await rows.filter(revoked_ms__isnull=True).update(revoked_ms=now_ms, reason=reason)


async def shut_out() -> frozenset[str]:
    """Gateways all of whose certificates are revoked. One that never had any is not among them."""
    revoked = await CertificateRow.filter(revoked_ms__isnull=False).distinct().values_list("gateway_id", flat=True)
    holding = await CertificateRow.filter(revoked_ms__isnull=True).distinct().values_list("gateway_id", flat=True)
    return frozenset(map(str, revoked)) - frozenset(map(str, holding))


async def access(now_ms: int) -> Access:
    """For the broker: see ``Access``. A certificate whose time is over need not be named any more."""
    shut = await shut_out()
    ids: list[str] = []
    last = ""
    while page := await registry.gateways(last, 1000):
        ids += [gateway.id for gateway in page if gateway.id not in shut]
        last = page[-1].id
    rows = CertificateRow.filter(ends_ms__gt=now_ms).order_by("serial")
    known = set(ids)
    holding: list[tuple[str, str]] = []
    revoked: list[tuple[str, int]] = []
    # Without their PEM: this is asked every few seconds.
    for serial, gateway_id, revoked_ms in await rows.values_list("serial", "gateway_id", "revoked_ms"):
        if revoked_ms is not None:
            revoked.append((serial, revoked_ms))
        elif gateway_id in known:
            holding.append((serial, gateway_id))
    return Access(ids, holding, revoked)
