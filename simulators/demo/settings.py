"""The demo's settings, out of LINLI_* environment variables, and the ports it takes."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class DemoError(Exception):
    """The demo can't start; the message says what to change."""


class DemoSettings(NamedTuple):
    """What `make run` honours. A port of 0 is a free one."""

    data_dir: Path
    http_port: int
    mqtt_port: int
    site_mqtt_ports: tuple[int, ...]
    ocpp_port: int
    seed: int
    speed: float


def read_settings(environment: Mapping[str, str], gateways: int) -> DemoSettings:
    """Read and check. Raises DemoError naming the variable."""

    def number(name: str, default: float, low: float, high: float) -> float:
        text = environment.get(name, "")
        try:
            value = float(text) if text else default
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise DemoError(f"{name} = {text!r}: a number from {low:g} to {high:g} is needed")
        return value

    def port(name: str, default: int) -> int:
        wanted = int(number(name, default, 0, 65_535))
        if wanted and not _is_free(wanted):
            if name in environment or name == "LINLI_HTTP_PORT":
                raise DemoError(f"port {wanted} is taken; set {name} to another one")
            wanted = 0
        return wanted or _free_port()

    first = int(number("LINLI_SITE_MQTT_PORT", 1883, 0, 65_535 - gateways))
    wanted = [first + place for place in range(gateways)]
    if first == 0 or not all(map(_is_free, wanted)):
        if first and "LINLI_SITE_MQTT_PORT" in environment:
            taken = next(each for each in wanted if not _is_free(each))
            raise DemoError(f"port {taken} is taken; set LINLI_SITE_MQTT_PORT to the first of {gateways} free ones")
        wanted = _free_run(gateways)
    return DemoSettings(
        data_dir=Path(environment.get("LINLI_DATA_DIR", "") or "var").absolute(),
        http_port=port("LINLI_HTTP_PORT", 8080),
        mqtt_port=port("LINLI_MQTT_PORT", 18830),
        site_mqtt_ports=tuple(wanted),
        ocpp_port=port("LINLI_OCPP_PORT", 9000),
        seed=int(number("LINLI_SEED", 1, 0, 2**63)),
        speed=number("LINLI_SPEED", 20, 0.001, 100_000),
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _free_run(count: int) -> list[int]:
    """So many free ports in a row."""
    for _ in range(100):
        first = _free_port()
        run = [first + place for place in range(count)]
        if run[-1] < 65_536 and all(map(_is_free, run)):
            return run
    raise DemoError(f"no {count} free ports in a row")
