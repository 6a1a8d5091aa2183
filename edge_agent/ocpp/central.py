"""The central system: who is connected, what becomes of what they say, and what they are told."""

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from websockets import Subprotocol
from websockets.asyncio.server import ServerConnection, serve

from contracts.messages import DesiredChargePoint, DesiredCharging
from edge_agent.downlink import Outcome
from edge_agent.intake import Intake
from edge_agent.ocpp.calls import Link, NotAnswered
from edge_agent.ocpp.door import Door, charge_point_of
from edge_agent.ocpp.limits import Limits
from edge_agent.ocpp.lists import give_list
from edge_agent.ocpp.logins import Passwords
from edge_agent.ocpp.session import Session
from edge_agent.ocpp.session16 import Session16
from edge_agent.ocpp.session201 import Session201
from edge_agent.ocpp.site import Site
from edge_agent.ocpp.validation import CallRefused
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.quota import Quota
from edge_agent.settings import Settings

log = logging.getLogger(__name__)

PROTOCOLS: Mapping[str, type[Session]] = {"ocpp1.6": Session16, "ocpp2.0.1": Session201}
MESSAGE_BYTES_MAX = 65_536
CALLS_PER_S, CALLS_BURST = 5.0, 200
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
        lease_ms: int,
        passwords: Passwords,
        steady_ms: Callable[[], int],
        checkpoint: Callable[[str], None],
        chance: random.Random,
    ) -> None:
        self.site = site
        self.failing = "not listening yet"
        self.links: dict[str, Link] = {}
        self.sessions: dict[str, Session] = {}
        self.limits = Limits(site, self.links, self.sessions, steady_ms, lease_ms)
        self.calls = 0
        self.refused: dict[str, int] = {}
        self._address = address
        self._tls = tls
        self._door = Door(site, self.links.keys(), connections_max, passwords, steady_ms, self._count)
        self._steady_ms = steady_ms
        self._checkpoint = checkpoint
        self._chance = chance
        self._quota = Quota(CALLS_PER_S, CALLS_BURST)
        self._closing: set[asyncio.Task[None]] = set()

    def apply(self, charging: DesiredCharging | None) -> None:
        """The desired state says how this site charges. Whoever came in by another word must come in again."""
        before = self.site.points
        self.site.apply(charging)
        self.limits.apply()
        for name, link in self.links.items():
            if _admitted_by(before.get(name)) != _admitted_by(self.site.points.get(name)):
                self._close(link, "registered anew")
            self.sessions[name].list_due.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.limits.run(), name="limits")
            tasks.create_task(self._listen(), name="charge points' door")

    async def _listen(self) -> None:
        host, port = self._address
        while True:
            try:
                async with serve(
                    self._serve, host, port, ssl=self._tls, process_request=self._door.admit, select_subprotocol=_choose,
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
        if verb == "start_charging" and charge_point in self.limits.waiting:
            return Outcome("failed", "charge_point_not_limited")
        args = msgspec.json.decode(payload)
        try:
            outcome = await self.sessions[charge_point].act(link, verb, int(connector), args)
        except CallRefused as error:
            return Outcome("failed", f"{error.code}: {error}" if str(error) else error.code)
        except NotAnswered:
            return Outcome("unknown", "no_answer")
        if verb == "set_current_limit" and outcome.state == "succeeded":
            self.limits.caps[device] = args["current"]
            self.limits.look()
        return outcome

    def hindrance(self) -> str:
        """Why charging is not as it should be, "" when it is."""
        if self.failing:
            return self.failing
        if away := [name for name in self.site.points if name not in self.links]:
            return f"{len(away)} of {len(self.site.points)} charge points are not connected: {', '.join(away[:5])}"
        if refused := [name for name in self.limits.refused if name in self.site.points]:
            return f"{len(refused)} charge points do not take the limit of the fuse: {', '.join(refused[:5])}"
        return ""

    def status(self) -> list[dict[str, Any]]:
        """Each charge point, those that nobody has registered too."""
        return [self._status(name) for name in sorted({*self.site.points, *self.links})]

    def _status(self, name: str) -> dict[str, Any]:
        link, session, charger = self.links.get(name), self.sessions.get(name), self.limits.chargers.get(name)
        return {
            "charge_point": name,
            "registered": self.site.is_registered(name),
            "version": link.version if link else None,
            "silent_ms": self._steady_ms() - link.heard_ms if link else None,
            "connectors": session.statuses if session else {},
            "notes": session.notes if session else {},
            "transactions": [one.transaction for one in self.site.book.open if one.charge_point == name],
            "limit_a": charger.confirmed_a if charger else None,
            "fail_safe_a": charger.fail_safe_a if charger else None,
            "limit_refused": self.limits.refused.get(name, ""),
        }

    def _count(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        charge_point = charge_point_of(connection.request)
        kind = PROTOCOLS.get(connection.subprotocol or "")
        if kind is None:
            self._count("version_unknown")
            log.warning("charge point speaks no version of ours", extra={"charge_point": charge_point})
            await connection.close(1002, " or ".join(PROTOCOLS))
            return
        session = kind(
            self.site, charge_point, self.site.now_ms(), lambda starts: self.limits.lets_in(charge_point, starts), self._chance
        )  # fmt: skip
        link = Link(
            charge_point, session.version, connection, self._answering(session),
            lambda data, code, reason: self._refused(session, data, code, reason), self._quota, self._steady_ms,
        )  # fmt: skip
        if (earlier := self.links.get(charge_point)) is not None:
            earlier.replaced = True
            self._close(earlier, "connected anew")  # before its old connection was known to be gone
        self.links[charge_point], self.sessions[charge_point] = link, session
        log.info("charge point connected", extra={"charge_point": charge_point, "version": session.version})
        serving = asyncio.create_task(link.serve(), name=f"charge point {charge_point}")
        greeting = asyncio.create_task(self._greet(link, session), name=f"greet {charge_point}")
        gone = asyncio.ensure_future(connection.wait_closed())
        try:
            # Who has gone waits no more for a disk that fails: the answer would reach nobody.
            await asyncio.wait({serving, gone}, return_when="FIRST_COMPLETED")
        finally:
            if self.links.get(charge_point) is link:
                del self.links[charge_point], self.sessions[charge_point]
            for task in (serving, greeting, gone):
                task.cancel()
            for found in await asyncio.gather(serving, greeting, gone, return_exceptions=True):
                if isinstance(found, Exception):
                    log.error(
                        "a charge point's connection failed", extra={"charge_point": charge_point}, exc_info=found
                    )
            self.limits.look()
            log.info("charge point left", extra={"charge_point": charge_point})

    def _close(self, link: Link, reason: str) -> None:
        closing = asyncio.ensure_future(link.close(reason))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _greet(self, link: Link, session: Session) -> None:
        """Once it has spoken it is told its limits, and whom it may let charge; that again when it changes."""
        await link.spoke.wait()
        while True:
            if self.site.is_registered(link.charge_point):
                self.limits.look()
                with contextlib.suppress(NotAnswered):
                    await give_list(link, session, self.site.charging.tokens)
            session.list_due.clear()
            await session.list_due.wait()

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
                if self.site.keep():
                    self.limits.look()
            if action in session.recorded:
                self._checkpoint("before_ocpp_commit")
                await self.site.writer.flushed()
                self._checkpoint("before_ocpp_answer")
            return answered

        return answer

    def _refused(self, session: Session, data: bytes, code: str, reason: str) -> None:
        self._count(code)
        self.site.refuse_call(session.version, session.charge_point, data, code, reason)


def _admitted_by(point: DesiredChargePoint | None) -> str | None:
    return point.password_hash if point is not None else None


def _choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first of the charge point's list that is ours; None: it is told so after the handshake, as OCPP has it."""
    return next((name for name in offered if name in PROTOCOLS), None)


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
    return Central(
        Site(writer, intake, now_ms, is_sure, lambda: token(12)),
        (settings.ocpp_host, settings.ocpp_port),
        tls,
        settings.ocpp_connections_max,
        int(settings.ocpp_lease_s * 1_000),
        Passwords(token(32).encode()),
        steady_ms,
        checkpoint,
        chance,
    )


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """TLS for security profile 2. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
