"""A cloud in one process for tests: real stores in a folder, frames put straight into its log, HTTP without a socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from cloud_api.actor import SCOPE, Actor
from cloud_api.app import build_app
from cloud_api.framelog import IncomingFrame
from cloud_api.program import build_parts
from cloud_api.projections import rebuild
from cloud_api.settings import Settings
from cloud_api.stores import Stores, open_stores
from contracts.frame import encode_frame, read_header
from contracts.messages import DeviceSeen, GatewayState, Record
from contracts.reading import Clock, Reading, Sample

NOW = 1_790_000_000_000
GATEWAY = "gw-willow-1"
EPOCH = "00112233445566aa"


class Cloud:
    """http: a client of the application; now_ms: the clock, to be moved by tests.

    A request's header Test-Actor says who asks.
    """

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.now_ms = NOW
        self.seqs: dict[str, int] = {}
        self.samples: dict[str, int] = {}
        self.app: FastAPI
        self.http: httpx.AsyncClient

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

    async def seen(self, device: str, kind: str, verbs: Sequence[str] = (), name: str = "", at_ms: int = NOW) -> str:
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
        await self.frames(records=[record])
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
async def open_cloud(folder: Path, **settings: Any) -> AsyncIterator[Cloud]:
    """A cloud with the community "willow" and one gateway."""
    chosen = Settings(data_dir=folder, console=folder / "dist", **{"adopt": "auto", **settings})
    clouds: list[Cloud] = []

    def clock() -> int:
        return clouds[0].now_ms if clouds else NOW

    async with open_stores(chosen, clock) as stores:
        cloud = Cloud(stores)
        clouds.append(cloud)
        cloud.app = build_app(build_parts(chosen, stores, clock, {}, CollectorRegistry()))

        async def asked(scope: Any, receive: Any, send: Any) -> None:
            if (actor := dict(scope["headers"]).get(b"test-actor")) is not None:
                scope[SCOPE] = Actor(actor.decode(), "10.0.0.7")
            await cloud.app(scope, receive, send)

        transport = httpx.ASGITransport(asked, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://linli") as http:
            cloud.http = http
            name = {"zh": "柳园", "en": "Willow Garden"}
            await http.put("/api/v1/communities/willow", json={"name": name})
            await http.put(f"/api/v1/gateways/{GATEWAY}", json={"community_id": "willow", "name": name})
            yield cloud
