"""Charge points as the outside sees them: real clients (packages ``ocpp`` and ``websockets``) of a real agent.

The agent's cloud is away: what it should know of the site is in its outbox from before, and what it would send is read there.
"""

import asyncio
import base64
import contextlib
import sqlite3
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ClientOf16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ClientOf201
from ocpp.v201 import call_result as result201
from websockets.asyncio.client import connect

from contracts.frame import decode_frame
from contracts.messages import ChargingTransaction, DesiredCharging, DesiredState, Record
from contracts.reading import Reading
from edge_agent.outbox import Batch, Outbox
from tests.brokers import Broker, free_port
from tests.processes import EdgeAgent

GATEWAY = "gw-charging-1"


class ChargingSite:
    """An agent with its broker and its door for charge points, without a cloud."""

    def __init__(self, folder: Path, broker: Broker, charging: DesiredCharging | None, **settings: str) -> None:
        self.port = free_port()
        self.agent = EdgeAgent(
            GATEWAY, folder / "edge", broker.port, free_port(), LINLI_OCPP_PORT=str(self.port),
            LINLI_OCPP_HOST="127.0.0.1", **settings,
        )  # fmt: skip
        self.outbox = folder / "edge" / "data" / "outbox.sqlite"
        if charging is not None:
            self.tell(charging, 1)

    def tell(self, charging: DesiredCharging, version: int) -> None:
        """What the cloud has said before it went away. The agent must not be running."""
        outbox = Outbox(self.outbox, GATEWAY, 2**30, lambda: 0)
        document = msgspec.msgpack.encode(DesiredState(version=version, charging=charging))
        outbox.commit(Batch(documents={"desired": document}))
        outbox.close()

    def url(self, charge_point: str) -> str:
        """Where a charge point connects."""
        return f"ws://127.0.0.1:{self.port}/{charge_point}"

    def frames(self) -> tuple[list[Reading], list[Record]]:
        """What the agent has on disk to be sent, in its order."""
        readings: list[Reading] = []
        records: list[Record] = []
        with contextlib.closing(sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True)) as file:
            for (payload,) in file.execute("SELECT payload FROM frames ORDER BY rowid"):
                frame = decode_frame(payload)
                readings += frame.readings
                records += frame.records
        return readings, records

    def transactions(self) -> dict[str, ChargingTransaction]:
        """The last word on each transaction, checked for its order."""
        found: dict[str, ChargingTransaction] = {}
        for record in self.frames()[1]:
            if isinstance(record, ChargingTransaction):
                earlier = found.get(record.transaction)
                assert earlier is None or record.seq > earlier.seq
                found[record.transaction] = record
        return found

    def values(self, device: str, metric: str) -> list[Any]:
        """Every value of a device's metric, as it was taken."""
        return [
            sample.value
            for reading in self.frames()[0]
            if reading.device == device
            for sample in reading.samples
            if sample.metric == metric
        ]


@contextmanager
def charging_site(folder: Path, charging: DesiredCharging | None, **settings: str) -> Iterator[ChargingSite]:
    """The site for the length of a test, running."""
    broker = Broker("nats-gateway", folder / "broker")
    site = ChargingSite(folder, broker, charging, **settings)
    try:
        broker.start()
        site.agent.start()
        site.agent.wait_ready()
        yield site
    finally:
        if site.agent.alive:
            site.agent.stop()
        broker.stop()


class _Obedient:
    """What a charge point was ``asked``, and the ``word`` that it answers to it."""

    asked: list[tuple[str, dict[str, Any]]]
    word: dict[str, str]

    def obey(self, action: str, payload: dict[str, Any], word: str = "Accepted") -> str:
        """Note what is asked; the answer's status."""
        self.asked.append((action, payload))
        return self.word.get(action, word)

    def of(self, action: str) -> list[dict[str, Any]]:
        """What it was asked under this name."""
        return [payload for name, payload in self.asked if name == action]


def _teach(kind: Any, results: Any, words: dict[str, str], versions: dict[str, int]) -> None:
    """Give a client a handler for each action; the package finds it by its name."""

    def add(action: str, word: str) -> None:
        def handler(self: Any, **payload: Any) -> Any:
            status = self.obey(action, payload, word)
            if action == "GetLocalListVersion":
                return results.GetLocalListVersion(**versions)
            if not word:
                return getattr(results, action)()  # an answer that says nothing
            return getattr(results, action)(status=status)

        handler.__name__ = action
        setattr(kind, action, on(action)(handler))

    for action, word in words.items():
        add(action, word)


ASKED = dict.fromkeys(
    (
        "Reset",
        "ChangeAvailability",
        "ReserveNow",
        "CancelReservation",
        "SetChargingProfile",
        "SendLocalList",
        "TriggerMessage",
    ),
    "Accepted",
) | {"UnlockConnector": "Unlocked", "GetLocalListVersion": ""}


class Charger16(_Obedient, ClientOf16):
    """A charge point of 1.6 that obeys."""

    def __init__(self, *arguments: Any) -> None:
        self.asked, self.word = [], {}
        super().__init__(*arguments)


class Charger201(_Obedient, ClientOf201):
    """A charge point of 2.0.1 that obeys."""

    def __init__(self, *arguments: Any) -> None:
        self.asked, self.word = [], {}
        super().__init__(*arguments)


_teach(
    Charger16, result16, ASKED
    | {"RemoteStartTransaction": "Accepted", "RemoteStopTransaction": "Accepted", "UpdateFirmware": "", "GetDiagnostics": ""},
    {"list_version": 0},
)  # fmt: skip
_teach(
    Charger201, result201, ASKED
    | {"RequestStartTransaction": "Accepted", "RequestStopTransaction": "Accepted", "UpdateFirmware": "Accepted",
       "GetLog": "Accepted"},
    {"version_number": 0},
)  # fmt: skip


@asynccontextmanager
async def charger16(
    url: str, password: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Charger16]:
    """A charge point that is connected."""
    async with _connected(Charger16, "ocpp1.6", url, password, tls) as client:
        yield client


@asynccontextmanager
async def charger201(
    url: str, password: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Charger201]:
    """A charge point that is connected."""
    async with _connected(Charger201, "ocpp2.0.1", url, password, tls) as client:
        yield client


@asynccontextmanager
async def _connected(
    kind: Any, protocol: Any, url: str, password: str | None, tls: ssl.SSLContext | None
) -> AsyncIterator[Any]:
    name = url.rpartition("/")[2]
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"} if password is not None else {}
    more = {"ssl": tls} if tls else {}
    async with connect(url, subprotocols=[protocol], additional_headers=headers, **more) as connection:
        client = kind(name, connection)
        listening = asyncio.create_task(client.start())
        try:
            yield client
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await listening
