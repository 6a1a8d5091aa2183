"""Who is given the next certificate, and who is not: each refusal with its reason."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_api.identity import claims
from cloud_api.identity.authority import GatewayAuthority
from cloud_api.identity.certificates import access, revoke_certificates
from cloud_api.identity.making import AuthorityError, make_installation
from cloud_api.identity.renewals import certificate_used, renew
from contracts.messages import CertificateIssued, CertificateWanted
from edge_agent.provisioning.requests import identity_of, proven_request, request_pem
from tests.unit.cloud_http.cloud import GATEWAY, NOW, open_cloud

DAY_MS = 86_400_000
DUE_MS = NOW + 60 * DAY_MS


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[GatewayAuthority]:
    now = datetime.fromtimestamp(NOW / 1000, UTC)
    make_installation(tmp_path / "made", ["127.0.0.1"], now)
    folder = tmp_path / "made" / "gateways"
    yield GatewayAuthority.load(folder / "authority.pem", folder / "authority.key")


class Gateway(NamedTuple):
    """What a gateway has: its key, and the serial of its certificate."""

    key: ec.EllipticCurvePrivateKey
    serial: str

    def asks(self, new: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey | None = None) -> CertificateWanted:
        request, proof = proven_request(new, by or self.key)
        return CertificateWanted(request=request, serial=self.serial, proof=proof, at_ms=DUE_MS)


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


async def came_in(authority: GatewayAuthority, at_ms: int = NOW) -> Gateway:
    own = key()
    _, code = await claims.create_claim(GATEWAY, "local", DAY_MS, at_ms, lambda: f"claim-{at_ms}", at_ms.to_bytes(16))
    done = await claims.provision(authority, code, request_pem(own), "", x509.random_serial_number(), at_ms)
    facts, _ = identity_of(own, done.certificate, GATEWAY)
    return Gateway(own, facts.serial)


async def answer(authority: GatewayAuthority, wanted: CertificateWanted, at_ms: int = DUE_MS) -> CertificateIssued:
    return await renew(authority, GATEWAY, wanted, x509.random_serial_number(), at_ms)


def test_the_next_certificate_ends_the_one_before_when_it_is_used(tmp_path: Path, authority: GatewayAuthority) -> None:
    asyncio.run(the_next_one(tmp_path, authority))


async def the_next_one(tmp_path: Path, authority: GatewayAuthority) -> None:
    async with open_cloud(tmp_path):
        gateway, following = await came_in(authority), key()
        first = await answer(authority, gateway.asks(following))
        facts, _ = identity_of(following, first.certificate, GATEWAY, DUE_MS)
        again = await answer(authority, gateway.asks(following))
        assert again.certificate == first.certificate, "an answer may be lost on the way"
        allowed = await access(DUE_MS)
        assert {serial for serial, _ in allowed.holding} == {gateway.serial, facts.serial} and not allowed.revoked
        assert await certificate_used(GATEWAY, gateway.serial, DUE_MS) == 0, "the old one in use ends nothing"
        assert await certificate_used("gw-other", facts.serial, DUE_MS) == 0
        assert await certificate_used(GATEWAY, facts.serial, DUE_MS) == 1
        allowed = await access(DUE_MS)
        assert allowed.holding == [(facts.serial, GATEWAY)] and [each for each, _ in allowed.revoked] == [
            gateway.serial
        ]


def test_each_refusal_has_its_reason(tmp_path: Path, authority: GatewayAuthority) -> None:
    asyncio.run(each_refusal(tmp_path, authority))


async def each_refusal(tmp_path: Path, authority: GatewayAuthority) -> None:
    async with open_cloud(tmp_path):
        gateway = await came_in(authority)
        wanted = gateway.asks(key())
        stolen = gateway.asks(key(), by=key())
        assert (await answer(authority, stolen)).reason == "proof_wrong", "the broker asks in the gateway's name"
        other = CertificateWanted(request=stolen.request, serial=gateway.serial, proof=wanted.proof, at_ms=DUE_MS)
        assert (await answer(authority, other)).reason == "proof_wrong", "another request under a true proof"
        foreign = await renew(authority, "gw-other", wanted, 1, DUE_MS)
        assert foreign.reason == "certificate_unknown", "another gateway's certificate"
        assert (await answer(authority, wanted, NOW + DAY_MS)).reason == "too_early"
        assert (await answer(authority, wanted, NOW + 91 * DAY_MS)).reason == "certificate_unknown", "it has ended"
        weak = ec.generate_private_key(ec.SECP384R1())
        assert (await answer(authority, gateway.asks(weak))).reason == "request_key_refused"
        for number in range(2):
            assert (await answer(authority, gateway.asks(key()), DUE_MS + number * 10 * DAY_MS)).certificate
        assert (await answer(authority, gateway.asks(key()), DUE_MS + 25 * DAY_MS)).reason == "too_many_hold"
        await revoke_certificates(GATEWAY, "stolen", DUE_MS)
        assert (await answer(authority, wanted)).reason == "certificate_unknown", "it is shut out"


def test_an_installation_is_made_anew_only_where_it_ends(tmp_path: Path) -> None:
    """And what needs a key that was carried away says which."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    made = make_installation(tmp_path, ["cloud.example"], now)
    assert {"authorities/gateways-root", "gateways/authority", "broker/broker", "services/cloud-api"} <= set(made)
    assert make_installation(tmp_path, ["cloud.example"], now) == []
    assert make_installation(tmp_path, ["cloud.example", "other.example"], now) == ["broker/broker"]
    later = now.replace(year=2027)
    root = tmp_path / "authorities" / "services-ca.key"
    away = root.rename(tmp_path / "away.key")
    with pytest.raises(AuthorityError, match=r"services-ca\.key is needed to sign"):
        make_installation(tmp_path, ["cloud.example"], later)
    away.rename(root)
    assert set(make_installation(tmp_path, ["cloud.example"], later)) == {
        "broker/broker", *(f"services/{name}" for name in ("cloud-api", "ingest-1", "ingest-2", "health"))
    }  # fmt: skip
    for folder in ("authorities", "gateways", "broker", "services"):
        for private in (tmp_path / folder).glob("*.key"):
            assert private.stat().st_mode & 0o077 == 0
