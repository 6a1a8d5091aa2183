"""A cloud with two communities, the same things in each, and people of every kind who have come in by invitations."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloud_api.identity.authority import GatewayAuthority
from cloud_api.identity.gateways import GatewayIdentity
from cloud_api.people.roles import Role
from contracts.messages import Discovered, Proposal, Refused
from tests.unit.cloud_http.cloud import NOW, PASSWORD, Cloud, open_cloud, reading

HERE, ELSEWHERE = "willow", "oaktree"
"""Whose people ask, and whose things they must not see: its word stands in all that belongs to it."""
PROFILE = {
    "profile": {"id": "made-up/hoist", "version": 1, "kind": "building", "en": "Hoist", "zh": "升降机"},
    "topics": ["hoist/{device}/up"],
    "identity": {"device": "{device}"},
    "messages": [{"readings": [{"metrics": {"temperature": {"path": "t", "unit": "Cel"}}}]}],
    "examples": [{"topic": "hoist/a/up", "payload": {"t": 20.5}, "expect": {"temperature": 20.5}}],
}
OWN_PAGE = {"X-Requested-With": "linli"}


class Things(NamedTuple):
    """Ids of what there is in a community, by the name of the path's parameter."""

    of: Mapping[str, str]

    def path(self, template: str) -> str:
        """A path with them."""
        return template.format(**self.of)


class House:
    """people: who they are -> a browser in which they have signed in; things: community -> what is there."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.people: dict[str, httpx.AsyncClient] = {}
        self.things: dict[str, Things] = {}

    async def newcomer(self, name: str, role: Role, community: str | None) -> httpx.AsyncClient:
        """Somebody who was invited."""
        grants = [{"role": role.value, "community_id": community}]
        invited = await self.cloud.http.post("/api/v1/invitations", json={"grants": grants})
        assert invited.status_code == 201, invited.text
        browser = self.cloud.client(**OWN_PAGE)
        body = {"code": invited.json()["code"], "name": name, "password": PASSWORD}
        answer = await browser.post("/api/v1/invitations/accept", json=body)
        assert answer.status_code == 201, answer.text
        self.people[name] = browser
        return browser

    async def furnish(self, community: str) -> None:
        """A community with one of everything."""
        gateway, http = f"gw-{community}-1", self.cloud.http
        name = {"zh": community, "en": community}
        await _ok(http.put(f"/api/v1/communities/{community}", json={"name": name}))
        facility = {"community_id": community, "kind": "building", "name": name}
        await _ok(http.put(f"/api/v1/facilities/{community}-building", json=facility))
        await _ok(http.put(f"/api/v1/gateways/{gateway}", json={"community_id": community, "name": name}))
        valve = f"{community}-valve"
        device = await self.cloud.seen(valve, "building", ["switch_on", "switch_off"], valve, gateway)
        found = Discovered(
            topic=f"{community}/unit", count=3, size_bytes=12, head=b"{}", first_ms=NOW, at_ms=NOW,
            proposals=[
                Proposal(
                    profile="zigbee2mqtt/plug", profile_version=1, kind="building", score=0.9,
                    device=f"{community}-unit", values={"power": 41.5},
                )
            ],
        )  # fmt: skip
        refused = Refused(
            topic=f"{community}/broken", profile="linli/reading", reason="json_invalid", detail=community, at_ms=NOW,
            head=b"{", size_bytes=1, count=1,
        )  # fmt: skip
        await self.cloud.frames([reading(valve, NOW - 1000, valve_open=False)], [found, refused], gateway)
        order = {"verb": "switch_on"}
        command = await _ok(
            http.post(f"/api/v1/devices/{device}/commands", json=order, headers={"Idempotency-Key": community})
        )
        asked = {"action": "command", "target": device, "request": {"verb": "switch_on", "args": {}}, "reason": "test"}
        approval = await _ok(http.post("/api/v1/approvals", json=asked))
        claim = await _ok(http.post("/api/v1/claims", json={"gateway_id": gateway}))
        await _ok(http.post("/api/v1/profiles", json=PROFILE))
        pushed = {"gateways": [gateway], "community": ""}
        await _ok(http.post("/api/v1/profiles/made-up/hoist/versions/1/push", json=pushed))
        user = await self.newcomer(f"{community}-neighbour", Role.RESIDENT, community)
        who = await _ok(user.get("/api/v1/sessions/current"))
        self.things[community] = Things(
            {
                "community_id": community, "facility_id": f"{community}-building", "gateway_id": gateway,
                "device_id": device, "command_id": command["id"], "claim_id": claim["id"], "user_id": who["user_id"],
                "maker": "made-up", "model": "hoist", "version": "1", "token_id": "token-nobody",
                "invitation_id": "invitation-nobody", "passkey_id": "passkey-nobody", "approval_id": approval["id"],
                "session_id": "nobody",
            }
        )  # fmt: skip

    async def close(self) -> None:
        """Close the browsers."""
        for browser in self.people.values():
            await browser.aclose()


async def _ok(asked: Any) -> Any:
    answer = await asked
    assert answer.status_code < 300, answer.text
    return answer.json()


def authority() -> GatewayIdentity:
    """One that signs for gateways."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.fromtimestamp(NOW // 1000, UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(365)).sign(key, hashes.SHA256())
    )  # fmt: skip
    return GatewayIdentity(GatewayAuthority([certificate], key), "no authority", "127.0.0.1", 8883)


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Both communities, and somebody of each role in the first one: his name is the role's word."""
    async with open_cloud(folder, authority()) as cloud:
        house = House(cloud)
        try:
            for community in (HERE, ELSEWHERE):
                await house.furnish(community)
            for role in Role:
                await house.newcomer(role.value, role, HERE)
            yield house
        finally:
            await house.close()
