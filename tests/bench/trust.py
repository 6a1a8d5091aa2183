"""What trust costs: the edge with everything on, and each thing by itself."""

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.messages import Command
from contracts.signature import fault_of_seal, seal
from tests.bench.load import PROFILE
from tests.bench.systems import Linli, LinliParts
from tests.brokers import Broker
from tests.integration.identity.estate import NAMES, Estate, agent_of
from tests.unit.cloud_http.cloud import open_cloud

GATEWAY = "gw-bench-1"
TIMES = 2_000
REQUESTS = 200


class SecuredSite(LinliParts):
    """One gateway that came in by a claim: TLS with a certificate, access lists, the cloud's key."""

    def __init__(self, folder: Path) -> None:
        self.gateway = GATEWAY
        self.local_broker = Broker("nats-gateway", folder / "local")
        self._estate = Estate(folder / "estate", "nats-cloud-tls")
        self.cloud_broker, self.cloud = self._estate.broker, self._estate.cloud
        self._folder = folder

    def start(self) -> None:
        self.cloud_broker.start()
        self.local_broker.start()
        self.cloud.start()
        self.cloud.wait_ready()
        assert self.cloud.send("PUT", "communities/liuyuan", NAMES)[0] == 200
        identity = self._estate.bring_in(self.gateway)
        self.cloud_broker.stop()  # from here on by itself, so that it can be killed; whom it lets in stays as it is
        self.cloud_broker.watches = False
        self.cloud_broker.start()
        self.agent = agent_of(identity, self._folder / "edge", self.local_broker.port, LINLI_PROFILES=str(PROFILE))
        self.agent.start()
        self.agent.wait_ready(cloud=True)


class SecuredLinli(Linli):
    """Linli's agent with everything on."""

    name = "linli_secured"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SecuredSite(folder))


def costs(folder: Path) -> dict[str, float]:
    """Of a command, its signature and the look at it; of a request, who asks and may he; of a change, its entry in the audit."""
    key = Ed25519PrivateKey.generate()
    command = Command(
        command_id="c-1", gateway=GATEWAY, device="d", verb="switch_on", ttl_ms=60_000, issuer="u-1", issued_ms=1
    )
    sealed = seal(command, key)
    read = msgspec.msgpack.decode(sealed, type=Command)
    assert fault_of_seal(read, sealed, GATEWAY, [key.public_key()]) == ""
    return {
        "seal_us": _microseconds(lambda: seal(command, key)),
        "check_seal_us": _microseconds(lambda: fault_of_seal(read, sealed, GATEWAY, [key.public_key()])),
        **asyncio.run(_of_requests(folder)),
    }


def _microseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(TIMES):
        work()
    return (time.perf_counter() - began) / TIMES * 1e6


async def _of_requests(folder: Path) -> dict[str, float]:
    """In the process itself, without a network: medians in ms."""
    async with open_cloud(folder) as cloud:

        async def median_ms(method: str, path: str) -> float:
            took = []
            for number in range(REQUESTS):
                body = {"name": {"zh": "名", "en": f"Name {number}"}} if method == "PUT" else None
                began = time.perf_counter()
                answer = await cloud.http.request(method, path, json=body)
                took.append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
            return statistics.median(took)

        return {
            "request_for_everybody_ms": await median_ms("GET", "/healthz"),
            "request_with_token_ms": await median_ms("GET", "/api/v1/communities"),
            "change_with_audit_ms": await median_ms("PUT", "/api/v1/communities/willow"),
        }
