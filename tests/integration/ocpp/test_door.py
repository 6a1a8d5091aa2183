"""Who may come in, by which version and over what; and what becomes of what is not OCPP."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from ocpp.exceptions import SecurityError
from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from contracts.messages import DesiredChargePoint, DesiredCharging, Refused
from contracts.scrypt import hashed
from edge_agent.ocpp.logins import TRIES_MAX
from tests.certificates import Authority
from tests.charge_points import ChargingSite, charger16, charging_site
from tests.processes import wait_for

PASSWORD = "a long password: with a colon"
CHARGING = DesiredCharging(
    fuse_a=96,
    charge_points=[
        DesiredChargePoint(charge_point="CP-1"),
        DesiredChargePoint(charge_point="SAFE", password_hash=hashed(PASSWORD.encode(), b"0123456789abcdef")),
    ],
)
BOOT = call.BootNotification("Wall", "ACME")


def _run(site: ChargingSite, play: Callable[[ChargingSite], Awaitable[None]]) -> None:
    asyncio.run(play(site))  # type: ignore[arg-type]


async def _status_of(attempt: Any) -> int:
    """The HTTP status with which a connection is refused."""
    with pytest.raises(InvalidStatus) as refusal:
        async with attempt:
            pass
    return int(refusal.value.response.status_code)


def test_passwords_strangers_and_lockout(tmp_path: Path) -> None:
    async def play(site: ChargingSite) -> None:
        safe = site.url("SAFE")
        async with charger16(safe, PASSWORD) as point:
            assert (await point.call(BOOT)).status == "Accepted"
        async with charger16(site.url("STRANGER")) as point:
            boot = await point.call(BOOT)
            assert (boot.status, boot.interval) == ("Pending", 60)
            with pytest.raises(SecurityError):
                await point.call(call.Authorize("ANY"), suppress=False)
            shown = (wait_for(site.agent.status, "status"))["charge_points"]
            assert [(one["charge_point"], one["registered"]) for one in shown if one["version"]] == [
                ("STRANGER", False)
            ]
        for name in ("a/b%2Fc", "no%20blanks", "x" * 49):
            assert await _status_of(charger16(site.url(name))) == 404
        assert await _status_of(charger16(safe)) == 401
        for _ in range(TRIES_MAX - 1):
            assert await _status_of(charger16(safe, "wrong")) == 401
        assert await _status_of(charger16(safe, PASSWORD)) == 429, "its address is shut now, also to the right one"
        async with charger16(site.url("CP-1")) as point:  # who needs no password is not kept out
            assert (await point.call(BOOT)).status == "Accepted"

    with charging_site(tmp_path, CHARGING) as site:
        _run(site, play)
        status = wait_for(site.agent.status, "status")
        assert status["charge_points_refused"]["locked_out"] == 1
        assert status["charge_points_refused"]["password_wrong"] == TRIES_MAX
        assert status["parts"]["charge_points"] == "2 of 2 charge points are not connected: CP-1, SAFE"


async def _say(connection: ClientConnection, message: str) -> Any:
    await connection.send(message)
    while (answer := json.loads(await connection.recv()))[0] == 2:
        pass  # what it is asked meanwhile
    return answer


def test_what_is_not_ocpp_gets_the_right_error_and_goes_to_quarantine(tmp_path: Path) -> None:
    async def play(site: ChargingSite) -> None:
        async with connect(site.url("CP-1"), subprotocols=["ocpp1.6"]) as one:  # type: ignore[list-item]
            assert (await _say(one, "{"))[:3] == [4, "-1", "FormationViolation"]
            assert (await _say(one, '[2,"7","Heartbeat"]'))[:3] == [4, "7", "FormationViolation"]
            assert (await _say(one, '[9,"7","Heartbeat",{}]'))[:3] == [4, "7", "FormationViolation"]
            assert (await _say(one, '[2,"7","../Heartbeat",{}]'))[:3] == [4, "7", "NotImplemented"]
            assert (await _say(one, '[2,"7","Teleport",{}]'))[:3] == [4, "7", "NotImplemented"]
            assert (await _say(one, '[2,"7","Reset",{"type":"Hard"}]'))[:3] == [4, "7", "NotImplemented"]
            assert (await _say(one, '[2,"7","Authorize",{}]'))[:3] == [4, "7", "ProtocolError"]
            assert (await _say(one, '[2,"7","Authorize",{"idTag":5}]'))[:3] == [4, "7", "TypeConstraintViolation"]
            assert (await _say(one, '[2,"7","Authorize",{"idTag":"SECRET","x":1}]'))[:3] == [
                4,
                "7",
                "FormationViolation",
            ]
            long = json.dumps([2, "7", "Authorize", {"idTag": "S" * 21}])
            assert (await _say(one, long))[:3] == [4, "7", "PropertyConstraintViolation"]
            assert (await _say(one, '[2,"7","Heartbeat",{}]'))[:2] == [3, "7"], "and it goes on"
            with pytest.raises(ConnectionClosed):
                await _say(one, "x" * 100_000)
        async with connect(site.url("CP-1"), subprotocols=["ocpp2.0.1"]) as one:  # type: ignore[list-item]
            assert (await _say(one, "[]"))[:3] == [4, "-1", "RpcFrameworkError"]
            assert (await _say(one, '[2,"7","BootNotification",{}]'))[:3] == [4, "7", "OccurrenceConstraintViolation"]
            assert (await _say(one, '[2,"7","Heartbeat",{"x":1}]'))[:3] == [4, "7", "FormatViolation"]
        async with connect(site.url("CP-1"), subprotocols=["ocpp9"]) as one:  # type: ignore[list-item]
            with pytest.raises(ConnectionClosed):
                await one.recv()
            assert one.close_code == 1002

    with charging_site(tmp_path, CHARGING) as site:
        _run(site, play)
        site.agent.stop()
        refused = [record for record in site.frames()[1] if isinstance(record, Refused)]
        assert {"formation_violation", "protocol_error", "type_constraint_violation"} <= {one.reason for one in refused}
        assert all(b"SECRET" not in one.head for one in refused)
        assert {one.topic for one in refused} == {"ocpp/1.6/CP-1/up", "ocpp/2.0.1/CP-1/up"}


def test_with_a_certificate_there_is_no_plain_text(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls", "site")
    server = authority.issue("gateway", hosts=("127.0.0.1",))

    async def play(site: ChargingSite) -> None:
        trusted = ssl.create_default_context(cafile=str(authority.file))
        async with charger16(site.url("SAFE").replace("ws:", "wss:"), PASSWORD, trusted) as point:
            assert (await point.call(BOOT)).status == "Accepted"
        with pytest.raises((InvalidHandshake, InvalidMessage, ConnectionError, EOFError)):
            async with charger16(site.url("SAFE"), PASSWORD):
                pass

    settings = {"LINLI_OCPP_TLS_CERT": str(server.cert), "LINLI_OCPP_TLS_KEY": str(server.key)}
    with charging_site(tmp_path, CHARGING, **settings) as site:
        _run(site, play)
