"""A claim gives one certificate, however many race for it, and each refusal has a reason that an alert knows."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_api.identity.claims import ClaimRefused, provision
from cloud_api.identity.models import CertificateRow, ClaimRow, RefusalRow
from contracts.claim_code import claim_code
from tests.faults import LONG
from tests.integration.people.house import authority
from tests.unit.cloud_http.cloud import GATEWAY, Cloud, open_cloud

RACING = 1_000 if LONG else 200  # each takes 5 ms of a processor
P256 = ec.SECP256R1()
ALERTS = Path(__file__).parents[3] / "docs" / "ops" / "alerts.yml"


def request_for(name: str = "", curve: ec.EllipticCurve = P256) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else [])
    key = ec.generate_private_key(curve)
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


def pem(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(serialization.Encoding.PEM).decode()


def altered(request: x509.CertificateSigningRequest) -> str:
    """One bit of its signature is another."""
    der = request.public_bytes(serialization.Encoding.DER)
    return pem(x509.load_der_x509_csr(der[:-1] + bytes([der[-1] ^ 1])))


async def new_claim(cloud: Cloud) -> str:
    answer = await cloud.http.post("/api/v1/claims", json={"gateway_id": GATEWAY})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


@pytest.mark.timeout(300)
def test_of_a_thousand_keys_that_race_with_one_claim_one_wins(tmp_path: Path) -> None:
    async def run() -> None:
        identity = authority()
        async with open_cloud(tmp_path, identity) as cloud:
            code = await new_claim(cloud)

            async def use() -> str:
                serial = x509.random_serial_number()
                try:
                    await provision(identity.authority, code, pem(request_for()), "", serial, cloud.now_ms)
                except ClaimRefused as error:
                    return error.reason
                return "won"

            assert Counter(await asyncio.gather(*(use() for _ in range(RACING)))) == {
                "won": 1, "claim_used": RACING - 1,
            }  # fmt: skip
            assert await CertificateRow.all().count() == 1
            assert (await ClaimRow.get()).refused == await RefusalRow.all().count() == RACING - 1

    asyncio.run(run())


SLIPS = {"request_unreadable", "request_key_refused"}
"""Reasons that are nobody's who means harm: no alert."""


def test_each_refusal_has_its_own_reason_is_counted_and_is_an_alert(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        identity = authority()
        async with open_cloud(tmp_path, identity) as cloud:
            withdrawn, code, name = await new_claim(cloud), await new_claim(cloud), {"zh": "别处", "en": "Elsewhere"}
            assert (await cloud.http.put("/api/v1/communities/elsewhere", json={"name": name})).status_code == 200
            tries: list[tuple[str, dict[str, str]]] = [
                ("claim_unknown", {"code": claim_code(bytes(16))}),
                ("claim_unknown", {"code": code[:-1] + "?"}),
                ("claim_withdrawn", {"code": withdrawn}),
                ("claim_for_another_site", {"code": code, "community_id": "elsewhere"}),
                ("request_unreadable", {"code": code, "request": "-----BEGIN NOTHING-----"}),
                ("request_altered", {"code": code, "request": altered(request_for())}),
                ("request_names_another", {"code": code, "request": pem(request_for("gw-other"))}),
                ("request_key_refused", {"code": code, "request": pem(request_for(curve=ec.SECP384R1()))}),
            ]
            for reason, body in tries:
                assert await refused(cloud, body) == reason
            used = {"code": code, "request": pem(request_for(GATEWAY))}
            first, again = [await cloud.http.post("/api/v1/provision", json=used) for _ in range(2)]
            assert (first.status_code, again.status_code) == (201, 201), "the answer may be lost on the way"
            assert first.json()["certificate"] == again.json()["certificate"]
            tries.append(("claim_used", {"code": code}))
            assert await refused(cloud, {"code": code}) == "claim_used"

            reasons = [reason for reason, _ in tries]
            shown = (await cloud.get("claims/refused"))["items"]
            assert [each["reason"] for each in reversed(shown)] == reasons
            told = {"gateway_id": GATEWAY, "address": "127.0.0.1", "reason": "claim_used"}
            assert shown[0] == shown[0] | told and shown[0]["claim_id"]
            assert [line.reason for line in caplog.records if "claim refused" in line.message] == reasons  # type: ignore[attr-defined]

            assert await refused(cloud, {"code": claim_code(bytes(16))}) == "claim_unknown"
            assert await refused(cloud, used) == "too_many_attempts", "ten have failed from here: now all have to wait"
            old = {"code": await new_claim(cloud)}
            cloud.now_ms += 86_400_000
            assert await refused(cloud, old) == "claim_expired"
            counted = {each.labels["reason"] for each in next(iter(identity.refused.collect())).samples if each.value}
            assert counted == {*reasons, "claim_expired"}
            assert {reason for reason in counted if not re.fullmatch(alarming(), reason)} == SLIPS

    asyncio.run(run())


async def refused(cloud: Cloud, body: dict[str, str]) -> str:
    cloud.now_ms += 1
    answer = await cloud.http.post("/api/v1/provision", json={"request": pem(request_for()), **body})
    assert answer.status_code in (403, 409, 410, 422, 429), answer.text
    return str(answer.json()["type"]).rpartition("/")[2]


def alarming() -> str:
    """The reasons that the alert looks at."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    (rule,) = [rule for group in groups for rule in group["rules"] if rule["alert"] == "LinliClaimRefused"]
    found = re.search(r'reason=~"([^"]+)"', rule["expr"])
    assert found
    return found[1]
