"""The central system: the door for charge points, who is connected, and what becomes of what they say."""

import asyncio
import contextlib
import http
import logging
import random
import re
import ssl
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from websockets import Headers, Request, Response, Subprotocol
from websockets.asyncio.server import ServerConnection, serve

from contracts.messages import DesiredCharging
from edge_agent.downlink import Outcome
from edge_agent.intake import Intake
from edge_agent.ocpp.calls import Link, NotAnswered
from edge_agent.ocpp.doors import Lockout, Passwords, login_of
from edge_agent.ocpp.session import Session
from edge_agent.ocpp.session16 import Session16
from edge_agent.ocpp.session201 import Session201
from edge_agent.ocpp.site import Site
from edge_agent.ocpp.validation import CallRefused
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.quota import Quota
from edge_agent.settings import Settings

log = logging.getLogger(__name__)

CHARGE_POINT = re.compile(r"^[A-Za-z0-9._:=*|@-]{1,48}$")
"""OCPP's identifiers, without + (which means something in topics)."""
PROTOCOLS: Mapping[str, type[Session]] = {"ocpp1.6": Session16, "ocpp2.0.1": Session201}
MESSAGE_BYTES_MAX = 65_536
CALLS_PER_S, CALLS_BURST = 5.0, 200
PENDING_MAX = 16
"""Charge points that nobody has registered may be connected at once, to be seen."""
OPEN_S, CLOSE_S, PING_S = 10.0, 2.0, 30.0
BIND_AGAIN_S = 2.0


class Central:
    """Charge points connect to ``ws://host:port/{charge point}``, or ``wss`` where there is a certificate.

    tls  None: plain text. With it nothing else is spoken.
    """

    def __init__(
        self,
        site: Site,
        address: tuple[str, int],
        tls: ssl.SSLContext | None,
        connections_max: int,
        passwords: Passwords,
        steady_ms: Callable[[], int],
        checkpoint: Callable[[str], None],
        chance: random.Random,
    ) -> None:
        self.site = site
        self.failing = "not listening yet"
        self.links: dict[str, Link] = {}
        self.sessions: dict[str, Session] = {}
        self.calls = 0
        self.refused: dict[str, int] = {}
        self._address = address
        self._tls = tls
        self._connections_max = connections_max
        self._steady_ms = steady_ms
        self._checkpoint = checkpoint
        self._chance = chance
        self._quota = Quota(CALLS_PER_S, CALLS_BURST)
        self._lockout = Lockout()
        self._passwords = passwords
        self._hashing = asyncio.Lock()
        self._connections = 0

    def apply(self, charging: DesiredCharging | None) -> None:
        """The desired state says how this site charges."""
        self.site.apply(charging)

    async def run(self) -> None:
        """Serve until cancelled."""
        host, port = self._address
        while True:
            try:
                async with serve(
                    self._serve, host, port, ssl=self._tls, process_request=self._admit, select_subprotocol=_choose,
                    compression=None, max_size=MESSAGE_BYTES_MAX, open_timeout=OPEN_S, close_timeout=CLOSE_S,
                    ping_interval=PING_S, ping_timeout=PING_S, server_header=None, logger=_quiet(),
                ) as server:  # fmt: skip
                    self.failing = ""
                    log.info(
                        "charge points may connect", extra={"host": host, "port": port, "tls": self._tls is not None}
                    )
                    await server.serve_forever()
            except OSError as error:
                self.failing = str(error)
                log.error("charge points can't connect", extra={"host": host, "port": port, "error": str(error)})
            await asyncio.sleep(BIND_AGAIN_S)

    async def tell(self, topic: str, payload: bytes) -> Outcome:
        """Carry out a verb: ``ocpp/{device}/{verb}``, with its arguments. Returns the charge point's own word."""
        _, device, verb = topic.split("/", 2)
        charge_point, _, connector = device.rpartition("-")
        link = self.links.get(charge_point)
        if link is None or not connector.isdecimal():
            return Outcome("failed", "charge_point_not_connected")
        if not self.site.is_registered(charge_point):
            return Outcome("failed", "charge_point_not_registered")
        session = self.sessions[charge_point]
        try:
            return await session.act(link, verb, int(connector), msgspec.json.decode(payload))
        except CallRefused as error:
            return Outcome("failed", f"{error.code}: {error}" if str(error) else error.code)
        except NotAnswered:
            return Outcome("unknown", "no_answer")

    # --- who may come in ---

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        address = str(connection.remote_address[0])
        charge_point = _charge_point(request)
        if not CHARGE_POINT.match(charge_point):
            return _no(http.HTTPStatus.NOT_FOUND)
        if self._connections >= self._connections_max:
            return self._turn_away(http.HTTPStatus.SERVICE_UNAVAILABLE, charge_point, address, "too many connections")
        point = self.site.points.get(charge_point)
        if point is None:
            pending = sum(name not in self.site.points for name in self.links)
            return _no(http.HTTPStatus.SERVICE_UNAVAILABLE) if pending >= PENDING_MAX else None
        if not point.password_hash:
            return None
        if self._lockout.is_shut(address, self._steady_ms()):
            return self._turn_away(http.HTTPStatus.TOO_MANY_REQUESTS, charge_point, address, "locked out")
        login = login_of(request.headers.get("Authorization"))
        if (
            login
            and login.user == charge_point
            and await self._is_right(login.password, charge_point, point.password_hash)
        ):
            self._lockout.passed(address)
            return None
        self._lockout.failed(address, self._steady_ms())
        return self._turn_away(http.HTTPStatus.UNAUTHORIZED, charge_point, address, "wrong password")

    async def _is_right(self, password: bytes, charge_point: str, password_hash: str) -> bool:
        if self._passwords.is_known(charge_point, password, password_hash):
            return True
        async with self._hashing:  # one at a time: each takes 16 MB
            return await asyncio.to_thread(self._passwords.is_right, charge_point, password, password_hash)

    def _turn_away(self, status: http.HTTPStatus, charge_point: str, address: str, reason: str) -> Response:
        log.warning(
            "charge point turned away", extra={"charge_point": charge_point, "address": address, "reason": reason}
        )
        self._count(reason.replace(" ", "_"))
        return _no(status)

    def _count(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    # --- who is here ---

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        charge_point = _charge_point(connection.request)
        kind = PROTOCOLS.get(connection.subprotocol or "")
        if kind is None:
            log.warning("charge point speaks no version of ours", extra={"charge_point": charge_point})
            await connection.close(1002, "ocpp1.6 or ocpp2.0.1")
            return
        session = kind(self.site, charge_point, self.site.now_ms(), self._chance)
        link = Link(
            charge_point, session.version, connection, self._answering(session),
            lambda data, code, reason: self._refused(session, data, code, reason), self._quota, self._steady_ms,
            self.site.now_ms(),
        )  # fmt: skip
        earlier = self.links.get(charge_point)
        self.links[charge_point], self.sessions[charge_point] = link, session
        self._connections += 1
        extra = {
            "charge_point": charge_point,
            "version": session.version,
            "registered": self.site.is_registered(charge_point),
        }
        log.info("charge point connected", extra=extra)
        try:
            if earlier is not None:  # it has called again before its old connection was known to be gone
                await earlier.close("connected anew")
            await link.serve()
        finally:
            self._connections -= 1
            if self.links.get(charge_point) is link:
                del self.links[charge_point], self.sessions[charge_point]
            log.info("charge point left", extra={"charge_point": charge_point})

    def _answering(self, session: Session) -> Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def answer(action: str, payload: dict[str, Any]) -> dict[str, Any]:
            self.calls += 1
            if action != "BootNotification" and not self.site.is_registered(session.charge_point):
                raise CallRefused("SecurityError", "not registered yet")
            try:
                answered = session.answer(action, payload)
            except (LookupError, ValueError, TypeError, ArithmeticError) as error:
                log.exception("a call could not be worked on", extra={"action": action})
                raise CallRefused("InternalError", "it could not be worked on") from error
            finally:
                self.site.keep()
            if action in session.recorded:
                await self.site.writer.flushed()
                self._checkpoint("before_ocpp_answer")
            return answered

        return answer

    def _refused(self, session: Session, data: bytes, code: str, reason: str) -> None:
        self._count(code)
        self.site.refuse_call(session.version, session.charge_point, data, code, reason)


def _charge_point(request: Request) -> str:
    return urllib.parse.unquote(request.path.partition("?")[0].rpartition("/")[2])


def _choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first of the charge point's list that is ours; None: it is told so after the handshake, as OCPP has it."""
    return next((name for name in offered if name in PROTOCOLS), None)


def _no(status: http.HTTPStatus) -> Response:
    headers = Headers({"Content-Length": "0", "Connection": "close"})
    if status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
    return Response(status.value, status.phrase, headers)


def _quiet() -> logging.Logger:
    """What websockets says of each connection that came to nothing is no error of ours."""
    quiet = logging.getLogger("websockets.server")
    quiet.setLevel(logging.CRITICAL)
    return quiet


def central_system(
    settings: Settings,
    writer: OutboxWriter,
    intake: Intake,
    now_ms: Callable[[], int],
    steady_ms: Callable[[], int],
    is_sure: Callable[[], bool],
    token: Callable[[int], str],
    chance: random.Random,
    checkpoint: Callable[[str], None],
) -> Central:
    """The central system of these settings. token: secret random bytes, in hexadecimal. Raises OSError (certificate)."""
    tls = server_context(settings.ocpp_tls_cert, settings.ocpp_tls_key) if settings.ocpp_tls_cert else None
    site = Site(writer, intake, now_ms, is_sure, lambda: token(12))
    address = settings.ocpp_host, settings.ocpp_port
    passwords = Passwords(token(32).encode())
    return Central(site, address, tls, settings.ocpp_connections_max, passwords, steady_ms, checkpoint, chance)


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """TLS for security profile 2. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.suppress(AttributeError):
        context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(cert, key)
    return context
