"""A cloud in one process for tests: real stores in a folder, frames put straight into its log, HTTP without a socket."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from cloud_api.actor import SCOPE, Actor
from cloud_api.app import build_app
from cloud_api.framelog import IncomingFrame
from cloud_api.identity.gateways import GatewayIdentity
from cloud_api.people.oidc import Provider
from cloud_api.people.passwords import Passwords
from cloud_api.people.sign_in import FIRST_CODE
from cloud_api.program import build_parts, open_door
from cloud_api.projections import rebuild
from cloud_api.settings import Settings
from cloud_api.stores import Stores, open_stores
from contracts.frame import encode_frame, read_header
from contracts.messages import DeviceSeen, GatewayState, Record
from contracts.reading import Clock, Reading, Sample

NOW = 1_790_000_000_000
GATEWAY = "gw-willow-1"
EPOCH = "00112233445566aa"
ADMINISTRATOR = "root"
PASSWORD = "tram ladder violet 88"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A password takes no time here: how it is kept for real is tested by itself."""


class Cloud:
    """http: a client of the application, let in as an administrator; now_ms: the clock, to be moved by tests.

    A request's header Test-Actor says who asks.
    """

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.now_ms = NOW
        self.seqs: dict[str, int] = {}
        self.samples: dict[str, int] = {}
        self.app: FastAPI
        self.http: httpx.AsyncClient

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Another one, whom nobody knows."""
        transport = httpx.ASGITransport(self._asked, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)

    async def _asked(self, scope: Any, receive: Any, send: Any) -> None:
        if (actor := dict(scope["headers"]).get(b"test-actor")) is not None:
            scope[SCOPE] = Actor(actor.decode(), "10.0.0.7")
        await self.app(scope, receive, send)

    async def let_in(self, folder: Path) -> None:
        """As the first administrator is: by the code in the data folder; then with a token, as machines are.

        Where he was before, he signs in.
        """
        async with self.client(**{"X-Requested-With": "linli"}) as browser:
            who = {"name": ADMINISTRATOR, "password": PASSWORD}
            if (folder / FIRST_CODE).exists():
                body = {"code": (folder / FIRST_CODE).read_text(), **who}
                answer = await browser.post("/api/v1/invitations/accept", json=body)
            else:
                answer = await browser.post("/api/v1/sessions", json=who)
            assert answer.status_code == 201, answer.text
            grants = [{"role": "administrator", "community_id": None}]
            answer = await browser.post("/api/v1/tokens", json={"name": "tests", "grants": grants})
            assert answer.status_code == 201, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['secret']}"

    async def frames(
        self, readings: Sequence[Reading] = (), records: Sequence[Record] = (), gateway: str = GATEWAY
    ) -> None:
        """A frame as the gateway would send it, through the log and all projections."""
        seq = self.seqs[gateway] = self.seqs.get(gateway, 0) + 1
        before = self.samples.get(gateway, 0)
        payload = encode_frame(gateway, EPOCH, "bulk", seq, self.now_ms, before, readings, records)
        self.samples[gateway] = before + sum(len(reading.samples) for reading in readings)
        await self.stores.durable.framelog.append([IncomingFrame(read_header(payload), payload, self.now_ms)])
        for projection in self.stores.projections():
            await rebuild(projection, self.stores.durable.framelog, lambda position, end: None)

    async def seen(
        self,
        device: str,
        kind: str,
        verbs: Sequence[str] = (),
        name: str = "",
        gateway: str = GATEWAY,
        at_ms: int = NOW,
    ) -> str:
        """The gateway reports a device. Returns its id."""
        record = DeviceSeen(
            device=device,
            profile="linli/reading",
            profile_version=1,
            kind=kind,
            verbs=list(verbs),
            name=name,
            at_ms=at_ms,
        )
        await self.frames(records=[record], gateway=gateway)
        found = (await self.http.get("/api/v1/devices", params={"external_id": device})).json()
        return str(found["items"][0]["id"])

    def online(self, online: bool = True) -> None:
        """The gateway's birth or death."""
        self.stores.presence.heard(GATEWAY, GatewayState(online=online, session="s", agent_version="0.1.0"))

    async def get(self, path: str, **parameters: Any) -> Any:
        """A GET that must succeed, decoded."""
        answer = await self.http.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()


def reading(device: str, observed_ms: int = NOW, **samples: Any) -> Reading:
    """One reading, taken when it was observed."""
    return Reading(
        device, observed_ms, observed_ms, Clock.GATEWAY, tuple(Sample(name, value) for name, value in samples.items())
    )


@asynccontextmanager
async def open_cloud(
    folder: Path,
    identity: GatewayIdentity | None = None,
    provider: Callable[[Callable[[], int]], Provider] | None = None,
    **settings: Any,
) -> AsyncIterator[Cloud]:
    """A cloud with the community "willow" and one gateway. provider: makes the sign-in provider, with the cloud's clock."""
    chosen = Settings(data_dir=folder, console=folder / "dist", **{"adopt": "auto", **settings})
    clouds: list[Cloud] = []

    def clock() -> int:
        return clouds[0].now_ms if clouds else NOW

    async with open_stores(chosen, clock) as stores:
        cloud = Cloud(stores)
        clouds.append(cloud)
        door = await open_door(chosen, clock, Passwords(QUICK), provider and provider(clock))
        cloud.app = build_app(build_parts(chosen, stores, clock, {}, CollectorRegistry(), door, identity=identity))
        async with cloud.client() as http:
            cloud.http = http
            await cloud.let_in(folder)
            name = {"zh": "柳园", "en": "Willow Garden"}
            await http.put("/api/v1/communities/willow", json={"name": name})
            await http.put(f"/api/v1/gateways/{GATEWAY}", json={"community_id": "willow", "name": name})
            yield cloud
