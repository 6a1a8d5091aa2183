"""The door for charge points: who may open a connection, by name, password, address and number."""

import asyncio
import http
import logging
import re
import urllib.parse
from collections.abc import Callable, Collection

from websockets import Headers, Request, Response
from websockets.asyncio.server import ServerConnection

from edge_agent.ocpp.logins import Lockout, Passwords, login_of
from edge_agent.ocpp.site import Site

log = logging.getLogger(__name__)

CHARGE_POINT = re.compile(r"^[A-Za-z0-9._:=*|@-]{1,48}$")
"""OCPP's identifiers, without + (which means something in topics)."""
STRANGERS_MAX = 16
"""Charge points that nobody has registered may be connected at once, to be seen."""


class Door:
    """Admits charge points. count: told of each one that is turned away, with the reason."""

    def __init__(
        self,
        site: Site,
        connected: Collection[str],
        connections_max: int,
        passwords: Passwords,
        steady_ms: Callable[[], int],
        count: Callable[[str], None],
    ) -> None:
        self._site = site
        self._connected = connected
        self._connections_max = connections_max
        self._passwords = passwords
        self._steady_ms = steady_ms
        self._count = count
        self._lockout = Lockout()
        self._hashing = asyncio.Lock()

    async def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """None: it may come in. Registered ones need their password, if they have one; strangers only wait to be seen."""
        address = str(connection.remote_address[0])
        charge_point = charge_point_of(request)
        if not CHARGE_POINT.match(charge_point):
            return self._no(http.HTTPStatus.NOT_FOUND, "", address, "name_invalid")
        if len(self._connected) >= self._connections_max and charge_point not in self._connected:
            return self._no(http.HTTPStatus.SERVICE_UNAVAILABLE, charge_point, address, "too_many_connections")
        point = self._site.points.get(charge_point)
        if point is None:
            strangers = sum(name not in self._site.points for name in self._connected)
            if strangers < STRANGERS_MAX:
                return None
            return self._no(http.HTTPStatus.SERVICE_UNAVAILABLE, charge_point, address, "too_many_strangers")
        if not point.password_hash:
            return None
        if self._lockout.is_shut(address, self._steady_ms()):
            return self._no(http.HTTPStatus.TOO_MANY_REQUESTS, charge_point, address, "locked_out")
        login = login_of(request.headers.get("Authorization"))
        if (
            login
            and login.user == charge_point
            and await self._is_right(login.password, charge_point, point.password_hash)
        ):
            self._lockout.passed(address)
            return None
        self._lockout.failed(address, self._steady_ms())
        return self._no(http.HTTPStatus.UNAUTHORIZED, charge_point, address, "password_wrong")

    async def _is_right(self, password: bytes, charge_point: str, password_hash: str) -> bool:
        if self._passwords.is_known(charge_point, password, password_hash):
            return True
        async with self._hashing:  # one at a time: each takes 16 MB
            return await asyncio.to_thread(self._passwords.is_right, charge_point, password, password_hash)

    def _no(self, status: http.HTTPStatus, charge_point: str, address: str, reason: str) -> Response:
        log.warning(
            "charge point turned away", extra={"charge_point": charge_point, "address": address, "reason": reason}
        )
        self._count(reason)
        headers = Headers({"Content-Length": "0", "Connection": "close"})
        if status == http.HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
        return Response(status.value, status.phrase, headers)


def charge_point_of(request: Request) -> str:
    """The charge point's name: the last part of the path."""
    return urllib.parse.unquote(request.path.partition("?")[0].rpartition("/")[2])
