"""The next certificate of a gateway, over its own session; and the end of the one before once the next one is in use."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import device_registry as registry
from cloud_api.identity.authority import GatewayAuthority, RequestRefused, key_digest, read_request
from cloud_api.identity.certificates import keep_certificate
from cloud_api.identity.gateways import GatewayIdentity
from cloud_api.identity.models import CertificateRow
from contracts import topics
from contracts.messages import CertificateIssued, CertificateWanted
from device_registry import UNAVAILABLE, writing

log = logging.getLogger(__name__)

STALE_MS = 86_400_000
"""A request as old as this is not answered: the log is read again, or the gateway has asked anew since."""
WAITING_MAX = 10_000
AGAIN_PART = 20
"""A gateway gets no other certificate in the first part of the life of its newest one: the list of revoked ones is bounded."""
HOLDING_MAX = 3
LOOK_S = 1.0

Tell = Callable[[str, bytes], Awaitable[bool]]
"""Publishes with QoS 0. Returns whether the broker has taken it."""


async def renew(
    authority: GatewayAuthority, gateway_id: str, wanted: CertificateWanted, serial: int, now_ms: int
) -> CertificateIssued:
    """A certificate for the new key, or the reason why there is none. The same key asking again is given the same one."""
    present = await CertificateRow.get_or_none(serial=wanted.serial, gateway_id=gateway_id)
    if present is None or present.revoked_ms is not None or now_ms >= present.ends_ms:
        return CertificateIssued(serial=wanted.serial, reason="certificate_unknown")
    if not _is_proven(present, wanted):
        return CertificateIssued(serial=wanted.serial, reason="proof_wrong")
    try:
        key = read_request(wanted.request, gateway_id)
    except RequestRefused as error:
        return CertificateIssued(serial=wanted.serial, reason=error.reason)
    gateway = await registry.gateway(gateway_id)
    async with writing():
        holding = await CertificateRow.filter(gateway_id=gateway_id, revoked_ms__isnull=True, ends_ms__gt=now_ms)
        for row in holding:
            if row.public_key == key_digest(key):
                return CertificateIssued(serial=wanted.serial, certificate=row.pem)
        newest = max(holding, key=lambda row: row.issued_ms)
        if now_ms - newest.issued_ms < (newest.ends_ms - newest.begins_ms) // AGAIN_PART:
            return CertificateIssued(serial=wanted.serial, reason="too_early")
        if len(holding) >= HOLDING_MAX:
            return CertificateIssued(serial=wanted.serial, reason="too_many_hold")
        row = await keep_certificate(authority, gateway_id, gateway.community_id, key, serial, now_ms)
    return CertificateIssued(serial=wanted.serial, certificate=row.pem)


def _is_proven(present: CertificateRow, wanted: CertificateWanted) -> bool:
    key = x509.load_pem_x509_certificates(present.pem.encode())[0].public_key()
    try:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(wanted.proof, wanted.request, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


async def certificate_used(gateway_id: str, serial: str, now_ms: int) -> int:
    """A gateway has come in with this certificate: those that it replaces end. Returns how many that were."""
    async with writing():
        row = await CertificateRow.get_or_none(serial=serial, gateway_id=gateway_id, revoked_ms__isnull=True)
        if row is None:
            return 0
        if row.first_used_ms is None:
            row.first_used_ms = now_ms
            await row.save(update_fields=["first_used_ms"])
        older = CertificateRow.filter(gateway_id=gateway_id, revoked_ms__isnull=True, issued_ms__lt=row.issued_ms)
        return await older.update(revoked_ms=now_ms, reason="replaced_by_renewal")


class Renewals:
    """Requests that wait, of each gateway the newest; ``run`` answers them and notes which certificates are in use."""

    def __init__(self) -> None:
        self._wanted: dict[str, CertificateWanted] = {}
        self._used: dict[str, str] = {}
        self._some = asyncio.Event()

    async def wanted(self, gateway: str, wanted: CertificateWanted) -> None:
        """A record of the book."""
        if gateway in self._wanted or len(self._wanted) < WAITING_MAX:
            self._wanted[gateway] = wanted
            self._some.set()

    async def run(
        self,
        identity: GatewayIdentity,
        tell: Tell,
        in_use: Callable[[], Mapping[str, str]],
        clock: Callable[[], int],
    ) -> None:
        """Until cancelled. in_use: gateway -> serial of the certificate by which it says that it came in."""
        while True:
            try:
                await self._answer(identity, tell, clock)
                await self._note(identity, in_use(), clock)
            except UNAVAILABLE as error:
                log.warning("certificates can't be renewed now", extra={"error": str(error)})
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._some.wait()
            except TimeoutError:
                pass

    async def _answer(self, identity: GatewayIdentity, tell: Tell, clock: Callable[[], int]) -> None:
        self._some.clear()
        while self._wanted:
            gateway, wanted = next(iter(self._wanted.items()))
            if abs(clock() - wanted.at_ms) < STALE_MS:
                try:
                    answer = await renew(identity.authority, gateway, wanted, x509.random_serial_number(), clock())
                except registry.NotFound:
                    answer = CertificateIssued(serial=wanted.serial, reason="certificate_unknown")
                if answer.reason:
                    identity.refused.labels(answer.reason).inc()
                    log.error("security: renewal refused", extra={"gateway": gateway, "reason": answer.reason})
                else:
                    identity.changed.set()
                    log.info("certificate renewed", extra={"gateway": gateway})
                await tell(topics.certificate(gateway), msgspec.msgpack.encode(answer))
            if self._wanted.get(gateway) is wanted:
                del self._wanted[gateway]

    async def _note(self, identity: GatewayIdentity, in_use: Mapping[str, str], clock: Callable[[], int]) -> None:
        for gateway, serial in in_use.items():
            if self._used.get(gateway) != serial:
                if await certificate_used(gateway, serial, clock()):
                    log.info("certificate replaced", extra={"gateway": gateway, "serial": serial})
                    identity.changed.set()
                self._used[gateway] = serial
