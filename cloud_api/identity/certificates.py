"""Certificates that gateways have, revoked for good; and whom the broker therefore lets in."""

from typing import NamedTuple

import device_registry as registry
from cloud_api.identity.claims import withdraw_open
from cloud_api.identity.models import CertificateRow
from device_registry import Conflict, writing


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


async def revoke_certificates(gateway_id: str, reason: str, now_ms: int) -> int:
    """Revoke all that a gateway has, and its open claims: it is shut out. Returns how many certificates that were.

    Raises NotFound; Conflict when it has none that came of a claim: those made by hand are not known here.
    """
    await registry.gateway(gateway_id)
    async with writing():
        rows = CertificateRow.filter(gateway_id=gateway_id)
        if not await rows.exists():
            raise Conflict(
                f"{gateway_id} has no certificate of ours; one made by hand is revoked with deploy/secrets.sh revoke"
            )
        await withdraw_open(gateway_id, now_ms)
        return await rows.filter(revoked_ms__isnull=True).update(revoked_ms=now_ms, reason=reason)


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
