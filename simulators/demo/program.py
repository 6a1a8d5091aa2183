"""The demo's composition root: which programs, with which settings, in which order."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import signal
import string
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from pathlib import Path

import httpx

from simulators.communities import CHARGE_POINT_PREFIX, CHARGE_POINTS, CHARGE_POINTS_GATEWAY, GATEWAYS
from simulators.demo.accounts import ADMINISTRATOR, Account, make_accounts, token_client
from simulators.demo.children import Child, ChildSpec
from simulators.demo.identities import Identities
from simulators.demo.secret_file import write_secret
from simulators.demo.seed import seed_registry, wait_for_devices
from simulators.demo.settings import DemoError, DemoSettings, read_settings

log = logging.getLogger(__name__)

BIN = Path(sys.executable).parent
BROKER_CONFIG = Path(__file__).parents[2] / "broker_config"
READY_S_MAX = 90


def run_demo() -> int:
    """Run until SIGINT or SIGTERM. Returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = read_settings(os.environ, len(GATEWAYS))
        with only_one(settings.data_dir):
            return asyncio.run(Demo(settings).run())
    except DemoError as error:
        print(f"simulate demo: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def only_one(data_dir: Path) -> Generator[None]:
    """Hold the data directory. Raises DemoError when another demo does."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another demo runs on {data_dir}; stop it or set LINLI_DATA_DIR") from None
        yield


class Demo:
    """All programs of the demo."""

    def __init__(self, settings: DemoSettings) -> None:
        self._settings = settings
        self._url = f"http://127.0.0.1:{settings.http_port}"
        self._charge_point_password = secrets.token_urlsafe(18)
        self._accounts: Mapping[str, Account] = {}
        logs = settings.data_dir / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        self._identities = Identities(settings.data_dir)
        # Devices and gateways find their brokers by themselves; this is the order of starting, backwards of stopping.
        self._children = [
            Child(spec, logs, environment, self._write_down)
            for spec in (
                self._broker("cloud"),
                self._cloud(),
                *self._gateways(),
                self._devices(),
                self._charge_points(),
            )
        ]

    def _broker(self, place: str, number: int = -1) -> ChildSpec:
        settings = self._settings
        cloud = number < 0
        port = settings.mqtt_port if cloud else settings.site_mqtt_ports[number]
        folder = settings.data_dir / place / "broker"
        (folder / "store").mkdir(parents=True, exist_ok=True)
        template = (BROKER_CONFIG / f"nats-{'cloud-tls' if cloud else 'gateway'}.conf").read_text(encoding="utf-8")
        config = folder / "broker.conf"
        access = self._identities.access
        within = os.path.relpath(access.parent, folder)  # NATS includes only what is seen from its file
        places = {"STORE": folder / "store", "TLS": self._identities.tls, "ACCESS": within}
        config.write_text(string.Template(template).substitute(NAME=place, PORT=port, **places))
        command = [str(BIN / "nats-server"), "-c", str(config)]
        return ChildSpec(f"{place}-broker", command, {}, lambda: _listens(port), (access,) if cloud else ())

    def _cloud(self) -> ChildSpec:
        settings = self._settings
        return ChildSpec(
            "cloud-api",
            [str(BIN / "cloud-api"), "serve"],
            {
                "LINLI_DATA_DIR": str(settings.data_dir / "cloud"),
                "LINLI_HTTP_PORT": str(settings.http_port),
                "LINLI_MQTT_PORT": str(settings.mqtt_port),
                "LINLI_ADOPT": "auto",
                **self._identities.cloud_settings(settings.mqtt_port),
            },
            lambda: _answers(f"{self._url}/readyz"),
        )

    def _gateways(self) -> list[ChildSpec]:
        specs = []
        for number, gateway in enumerate(GATEWAYS):
            folder = self._settings.data_dir / gateway.id
            ocpp = {"LINLI_OCPP_HOST": "127.0.0.1", "LINLI_OCPP_PORT": str(self._settings.ocpp_port)}
            specs.append(self._broker(gateway.id, number))
            specs.append(
                ChildSpec(
                    f"{gateway.id}-agent",
                    [str(BIN / "edge-agent"), "run", "--config", str(self._identities.settings_of(gateway.id))],
                    {
                        "LINLI_DATA_DIR": str(folder),
                        "LINLI_LOCAL_MQTT_PORT": str(self._settings.site_mqtt_ports[number]),
                        "LINLI_CLOUD_MQTT_PORT": str(self._settings.mqtt_port),
                        **(ocpp if gateway.id == CHARGE_POINTS_GATEWAY else {}),
                    },
                    _agent_ready(folder),
                )
            )
        return specs

    def _devices(self) -> ChildSpec:
        ready = self._ready_file("devices")
        command = [str(BIN / "simulate"), "community", "--ready-file", str(ready)]
        for gateway, port in zip(GATEWAYS, self._settings.site_mqtt_ports, strict=True):
            command += ["--gateway", f"{gateway.id}=127.0.0.1:{port}"]
        settings = {"LINLI_SEED": str(self._settings.seed), "LINLI_SPEED": str(self._settings.speed)}
        return ChildSpec("devices", command, settings, _exists(ready))

    def _charge_points(self) -> ChildSpec:
        """A few that speak OCPP, both versions, to the first gateway itself."""
        folder, ready = self._settings.data_dir, self._ready_file("charge-points")
        passwords = folder / "charge-points.passwords"
        write_secret(passwords, f"{self._charge_point_password}\n")
        command = [
            str(BIN / "simulate"), "ocpp", "--url", f"ws://127.0.0.1:{self._settings.ocpp_port}",
            "--charge-points", str(CHARGE_POINTS), "--prefix", CHARGE_POINT_PREFIX, "--meter-s", "120",
            "--seed", str(self._settings.seed), "--speed", str(self._settings.speed),
            "--password-file", str(passwords), "--out", str(folder / "charging.jsonl"), "--ready-file", str(ready),
        ]  # fmt: skip
        return ChildSpec("charge-points", command, {}, _exists(ready))

    def _ready_file(self, name: str) -> Path:
        ready = self._settings.data_dir / f"{name}.ready"
        ready.unlink(missing_ok=True)
        return ready

    def _write_down(self) -> None:
        """demo.json: for people and scripts that want to find the parts."""
        settings = self._settings
        document = {
            "url": self._url,
            "http_port": settings.http_port,
            "mqtt_port": settings.mqtt_port,
            "mqtt_tls": self._identities.shown(),
            "site_mqtt_ports": {g.id: port for g, port in zip(GATEWAYS, settings.site_mqtt_ports, strict=True)},
            "ocpp_port": settings.ocpp_port,
            "accounts": {role: account._asdict() for role, account in self._accounts.items()},
            "gateways": [gateway.id for gateway in GATEWAYS],
            "pids": {
                "supervisor": os.getpid(),
                **{child.spec.name: child.pid for child in self._children if child.pid},
            },
            "data_dir": str(settings.data_dir),
            "logs": str(settings.data_dir / "logs"),
        }
        write_secret(settings.data_dir / "demo.json", json.dumps(document, indent=2))

    async def run(self) -> int:
        """Start everything, say when it is ready, keep it running until told to stop."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        running: list[asyncio.Task[None]] = []
        try:
            starting = asyncio.create_task(self._start(running))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stopping
            starting.cancel()
            stopping.cancel()
            return 0
        finally:
            for task in reversed(running):
                task.cancel()
                await asyncio.wait([task])

    async def _start(self, running: list["asyncio.Task[None]"]) -> None:
        settings = self._settings
        try:
            async with asyncio.timeout(READY_S_MAX):
                *programs, devices, charge_points = self._children
                await self._identities.of_the_cloud()
                agents = [child for child in programs if child.spec.name.endswith("-agent")]
                missing = self._identities.missing([gateway.id for gateway in GATEWAYS])
                for child in programs:
                    if missing and child in agents:
                        continue  # they begin with what their claims bring
                    running.append(asyncio.create_task(child.run(), name=child.spec.name))
                    if child.spec.name.endswith("broker"):
                        await child.wait_ready()
                for child in programs:
                    if not (missing and child in agents):
                        await child.wait_ready()
                self._accounts = await make_accounts(self._url, settings.data_dir)
                self._write_down()
                async with token_client(self._url, self._accounts[ADMINISTRATOR].token) as api:
                    await seed_registry(api, self._charge_point_password)
                    if missing:
                        await self._identities.of_gateways(api, missing)
                        running += [asyncio.create_task(child.run(), name=child.spec.name) for child in agents]
                        for child in agents:
                            await child.wait_ready()
                    # Only now: a broker keeps nothing for an agent that has never been there.
                    for child in (devices, charge_points):
                        running.append(asyncio.create_task(child.run(), name=child.spec.name))
                        await child.wait_ready()
                    await wait_for_devices(api, [gateway.id for gateway in GATEWAYS], settings.seed)
        except TimeoutError:
            missing = [child.spec.name for child in self._children if not (child.pid and await child.spec.ready())]
            raise DemoError(
                f"not ready after {READY_S_MAX} s: {', '.join(missing) or 'devices'}; "
                f"see {self._settings.data_dir / 'logs'}"
            ) from None
        print(f"Accounts to sign in with, one a role, are in {settings.data_dir / 'demo.json'}", file=sys.stderr)
        print(f"Linli is ready: {self._url}", flush=True)


def _exists(path: Path) -> Callable[[], Awaitable[bool]]:
    async def exists() -> bool:
        return path.exists()  # noqa: ASYNC240 (a local file)

    return exists


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2) as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx.HTTPError:
            return False


def _agent_ready(folder: Path) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        try:
            where: Mapping[str, object] = json.loads((folder / "agent.json").read_text())
        except (OSError, ValueError):
            return False
        return await _answers(f"http://{where['host']}:{where['port']}/readyz")

    return ready
