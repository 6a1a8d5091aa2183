"""Certificates that gateways have: renewed while they hold, revoked for good; and whom the broker therefore lets in."""

from typing import NamedTuple

import device_registry as registry
from cloud_api.identity.authority import GatewayAuthority, RequestRefused, key_digest, read_request, serial_text
from cloud_api.identity.models import CertificateRow
from device_registry import writing

OVERLAP_MS = 7 * 86_400_000
"""A certificate that was renewed holds for so long beside the new one, if the new one isn't used before."""


class Access(NamedTuple):
    """What the broker has to know: who may come in, and which certificates don't count any more, with when that was."""

    gateways: list[str]
    revoked: list[tuple[str, int]]


async def certificates(gateway_id: str, before: tuple[int, str] | None, limit: int) -> list[CertificateRow]:
    """A gateway's certificates, newest first."""
    rows = CertificateRow.filter(gateway_id=gateway_id)
    if before is not None:
        rows = rows.filter(issued_ms__lte=before[0]).exclude(issued_ms=before[0], serial__gte=before[1])
    return await rows.order_by("-issued_ms", "-serial").limit(limit)


async def renew(
    authority: GatewayAuthority, gateway_id: str, request_pem: str, serial: int, now_ms: int
) -> CertificateRow:
    """The next certificate of a gateway that has one which holds. The same key again is given the same certificate.

    Raises RequestRefused: also "not_provisioned" and "revoked".
    """
    key = read_request(request_pem, gateway_id)
    digest = key_digest(key)
    gateway = await registry.gateway(gateway_id)
    async with writing():
        rows = await CertificateRow.filter(gateway_id=gateway_id)
        if not rows:
            raise RequestRefused("not_provisioned", f"{gateway_id} has never had a certificate: it needs a claim")
        holding = [row for row in rows if row.revoked_ms is None and row.ends_ms > now_ms]
        if not holding:
            raise RequestRefused("revoked", f"no certificate of {gateway_id} holds: it needs a new claim")
        for row in holding:
            if row.public_key == digest:
                return row
        made = authority.issue(gateway_id, gateway.community_id, key, serial, now_ms)
        return await CertificateRow.create(
            serial=serial_text(made.serial_number),
            gateway_id=gateway_id,
            claim_id=None,
            public_key=digest,
            pem=authority.with_chain(made),
            issued_ms=now_ms,
            begins_ms=int(made.not_valid_before_utc.timestamp() * 1000),
            ends_ms=int(made.not_valid_after_utc.timestamp() * 1000),
        )


async def revoke_certificates(gateway_id: str, reason: str, now_ms: int) -> int:
    """Revoke all that a gateway has: it is shut out. Returns how many that were. Raises NotFound."""
    await registry.gateway(gateway_id)
    async with writing():
        return await CertificateRow.filter(gateway_id=gateway_id, revoked_ms__isnull=True).update(
            revoked_ms=now_ms, reason=reason
        )


async def shut_out() -> frozenset[str]:
    """Gateways all of whose certificates are revoked. One that never had any (made by hand) is not among them."""
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
    rows = await CertificateRow.filter(revoked_ms__isnull=False, ends_ms__gt=now_ms).order_by("serial")
    return Access(ids, [(row.serial, row.revoked_ms or now_ms) for row in rows])
