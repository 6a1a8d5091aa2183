"""The composition root of `cloud-api serve` and `ingest`: settings → stores → parts → tasks, top to bottom.

The only place that reads the clock and random sources. On embedded defaults everything is in one process: a SQLite file
has one writer. With PostgreSQL, `cloud-api ingest` workers run beside `cloud-api serve`. The other verbs of the command line
are in ``upkeep``, ``gateways`` and ``on_machine``.
"""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack

import httpx
from prometheus_client import CollectorRegistry

import device_registry as registry
from cloud_api.app import build_app
from cloud_api.broker_access import certificate_name, client_context
from cloud_api.commands import CommandSender
from cloud_api.desired import publish_desired
from cloud_api.durable import Durable, open_durable, registry_database
from cloud_api.figures import Figures, IngestFigures, Times, registry_of
from cloud_api.gateways import gateway_identity
from cloud_api.health import health_app
from cloud_api.identity.gateways import GatewayIdentity, ShutOut, keep_broker_access
from cloud_api.ingest import BrokerAddress, BrokerSession, GatewayPresence, Ingest
from cloud_api.parts import Check, Parts
from cloud_api.people.accounts import seal_old_secrets
from cloud_api.people.invitations import first_code
from cloud_api.people.oidc import Client, Provider
from cloud_api.people.passwords import Passwords
from cloud_api.people.sealed import PeopleKeyError, people_key
from cloud_api.people.sign_in import FIRST_CODE, Door, keep_first_code
from cloud_api.process import ProgramError, listen, only_process, stop_on_signals
from cloud_api.projections import Progress, run_projection
from cloud_api.readiness import connected, ingesting, logging_frames, readiness
from cloud_api.records import APPS
from cloud_api.retention import Rule, keep, record_rules
from cloud_api.settings import Settings
from cloud_api.signing import public_pem, sealing, signing
from cloud_api.starting import until_there
from cloud_api.stores import PROJECTIONS, Stores, open_stores
from cloud_api.survey import Survey
from cloud_api.web_server import web_server
from contracts import VERSION, topics
from contracts.claim_code import BITS
from contracts.crash_points import crash_points
from contracts.vocabulary import DAY_MS

log = logging.getLogger(__name__)

LIVE_BEHIND_FRAMES = 400
"""A live state that is further behind shows people what was, for a second or more."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def now_ms() -> int:
    """This machine's clock, ms UTC."""
    return time.time_ns() // 1_000_000


def broker_address(settings: Settings) -> BrokerAddress:
    """Where the broker is and who we are there. Raises ProgramError when our certificate can't be used."""
    ca, cert, key = settings.mqtt_tls_ca, settings.mqtt_tls_cert, settings.mqtt_tls_key
    if ca is None and not settings.mqtt_plain and settings.mqtt_host not in LOOPBACK:
        raise ProgramError(
            f"{settings.mqtt_host} is not this machine: LINLI_MQTT_TLS_CA is needed, or LINLI_MQTT_PLAIN=true "
            "on a network that nobody else is on"
        )
    try:
        client_id = certificate_name(cert) if cert else ""
        if ca:
            client_context(ca, cert, key)
    except (OSError, ValueError) as error:
        raise ProgramError(f"TLS to the broker: {error}") from error
    return BrokerAddress(
        settings.mqtt_host,
        settings.mqtt_port,
        settings.mqtt_username,
        settings.mqtt_password.get_secret_value(),
        (lambda: client_context(ca, cert, key)) if ca else None,
        client_id,
    )


def build_ingest(
    settings: Settings,
    durable: Durable,
    presence: GatewayPresence,
    clock: Callable[[], int],
    times: Times,
    shut_out: ShutOut,
    progress: Progress | None = None,
) -> Ingest:
    """The ingest of this process. progress: of its projections, when it has some."""

    async def is_behind() -> bool:
        live = progress.places["live"] if progress else None
        if live is None or live.failing:  # it stands still, and nobody need wait for that
            return False
        return await durable.framelog.last_position() - live.position > LIVE_BEHIND_FRAMES

    return Ingest(
        broker_address(settings),
        durable.framelog,
        durable.quarantine,
        durable.ledger,
        presence,
        clock,
        random.SystemRandom(),
        share=settings.ingest_share,
        checkpoint=crash_points(settings.crash_at),
        timed=times.commit.time,
        is_shut_out=lambda gateway: gateway in shut_out.gateways,
        is_behind=is_behind,
    )


def build_session(settings: Settings, presence: GatewayPresence, clock: Callable[[], int]) -> BrokerSession:
    """The broker's session of a process that takes no frames: it hears which gateways are there, and publishes."""

    def heard(topic: str, payload: bytes, qos: int) -> None:
        presence.take(topic, payload)

    address = broker_address(settings)
    return BrokerSession(address, [(topics.ALL_STATE, 1)], heard, False, clock, random.SystemRandom())


async def serve(settings: Settings, clock: Callable[[], int] = now_ms) -> None:
    """HTTP, ingest, projections, commands and desired state, until SIGINT or SIGTERM."""
    stop = stop_on_signals()
    listener = listen(settings.http_host, settings.http_port)
    async with AsyncExitStack() as closing:
        stores = await until_there(
            lambda: closing.enter_async_context(open_stores(settings, clock)), listener, stop, random.SystemRandom()
        )
        if stores is None:
            return
        times = Times(clock)
        progress = Progress(PROJECTIONS, times.applied)
        survey = Survey(stores.durable.framelog, stores.durable.ledger, stores.presence)
        figures = Figures(
            VERSION, clock, stores.presence, stores.live.hub, stores.commands, progress, survey, stores.durable.framelog
        )
        metrics = registry_of(times, figures)
        metrics.register(stores.refused)
        metrics.register(stores.records_refused)
        metrics.register(stores.alarms)
        metrics.register(stores.removed)
        metrics.register(stores.not_removed)
        checks = readiness(stores, progress, settings.data_dir)
        identity = gateway_identity(settings)
        if identity is not None:
            metrics.register(identity.refused)
        shut_out = ShutOut()
        if settings.ingest == "own":
            ingest = build_ingest(settings, stores.durable, stores.presence, clock, times, shut_out, progress)
            metrics.register(IngestFigures(ingest))
            checks |= {"ingest": ingesting(ingest)}
            session, connection = ingest.session, ingest.run()
        else:
            session = build_session(settings, stores.presence, clock)
            checks |= {"broker": connected(session)}
            connection = session.run()
        seal = sealing(stores.signing_key)
        sender = CommandSender(
            stores.commands, clock, session.publish, stores.presence.online, stores.live.latest, stores.work, seal
        )
        desired = publish_desired(session.publish, signing(stores.signing_key), seal, stores.presence.desired_version)
        door = await open_door(settings, clock, provider=await sign_in_provider(settings, closing, clock))
        metrics.register(door.refused)
        app = build_app(build_parts(settings, stores, clock, checks, metrics, door, figures.look, identity))
        try:
            server = web_server(app, settings.http_proxies, settings.http_tls_cert, settings.http_tls_key)
        except (OSError, ValueError) as error:
            raise ProgramError(f"LINLI_HTTP_TLS_CERT: {error}") from error
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]), name="http")
            background = [
                tasks.create_task(connection, name="broker"),
                tasks.create_task(stores.presence.watch(stores.durable.instances.keep), name="who is silent"),
                tasks.create_task(sender.run(), name="commands"),
                tasks.create_task(desired, name="desired state"),
                tasks.create_task(stores.audit.keep_checkpoints(), name="audit checkpoints"),
                tasks.create_task(
                    keep(retention_rules(settings, stores), clock, stores.removed, stores.not_removed), name="retention"
                ),
                tasks.create_task(survey.run(), name="survey"),
                tasks.create_task(shut_out.follow(stores.presence.shut_out), name="who is shut out"),
                *(
                    tasks.create_task(work, name=name)
                    for name, work in of_gateways(settings, stores, identity, session, clock)
                ),
                *(
                    tasks.create_task(run_projection(each, stores.durable.framelog, progress), name=each.name)
                    for each in stores.projections()
                ),
            ]
            log.info("serving", extra={"http": f"http://{settings.http_host}:{listener.getsockname()[1]}"})
            await stop.wait()
            log.info("stopping")
            server.should_exit = True
            stores.live.hub.close()
            for task in background:
                task.cancel()


def retention_rules(settings: Settings, stores: Stores) -> list[Rule]:
    """What is removed after how long; what is kept for ever is not among it."""

    async def prune(before_ms: int, limit: int) -> int:
        await stores.telemetry.prune(before_ms)
        return 0  # whole, and uncounted

    durable = stores.durable
    others = [
        ("quarantine", settings.records_keep_days, durable.quarantine.forget),
        ("audit", settings.audit_keep_days, stores.audit.forget),
        ("telemetry", settings.telemetry_keep_days, prune),
    ]
    return [
        *record_rules(settings.records_keep_days * DAY_MS, settings.charging_keep_days * DAY_MS),
        *(Rule(kind, days * DAY_MS, remove) for kind, days, remove in others if days),
    ]


def of_gateways(
    settings: Settings, stores: Stores, identity: GatewayIdentity | None, session: BrokerSession,
    clock: Callable[[], int],
) -> list[tuple[str, Coroutine[None, None, None]]]:  # fmt: skip
    """What the cloud does about its gateways' certificates, by name; nothing without an authority."""
    if identity is None:
        return []
    certificates_used = stores.presence.certificates
    work = [("certificates", stores.renewals.run(identity, session.tell, certificates_used, clock))]
    if settings.broker_access:
        work.append(("broker access", keep_broker_access(identity, settings.broker_access, clock)))
    return work


async def ingest_only(settings: Settings, clock: Callable[[], int] = now_ms) -> None:
    """Ingest alone, until SIGINT or SIGTERM. With PostgreSQL any number of them; a SQLite file has one writer."""
    stop = stop_on_signals()
    listener = listen(settings.http_host, settings.http_port) if settings.http_port else None
    async with AsyncExitStack() as closing:
        if not settings.database_url:
            closing.enter_context(only_process(settings.data_dir))
        durable = await until_there(
            lambda: closing.enter_async_context(open_durable(settings)), listener, stop, random.SystemRandom()
        )
        if durable is None:
            return
        times = Times(clock)
        presence = GatewayPresence(clock, lambda gateway, online, at_ms: None, await durable.instances.load())
        await closing.enter_async_context(registry.open_database(registry_database(settings), APPS))
        shut_out = ShutOut()
        ingest = build_ingest(settings, durable, presence, clock, times, shut_out)
        metrics = registry_of(times, IngestFigures(ingest))
        server = web_server(health_app({"frame_log": logging_frames(durable), "ingest": ingesting(ingest)}, metrics))
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(ingest.run(), name="ingest"),
                tasks.create_task(presence.watch(durable.instances.keep), name="who is silent"),
                tasks.create_task(shut_out.follow(presence.shut_out), name="who is shut out"),
            ]
            if listener is not None:
                tasks.create_task(server.serve([listener]), name="http")
            await stop.wait()
            server.should_exit = True
            for task in running:
                task.cancel()


async def sign_in_provider(settings: Settings, closing: AsyncExitStack, clock: Callable[[], int]) -> Provider | None:
    """By whom people may sign in too. closing: closes its connections. Raises ProgramError."""
    if not settings.oidc_issuer:
        return None
    client = Client(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret.get_secret_value())
    http = await closing.enter_async_context(httpx.AsyncClient(follow_redirects=False, trust_env=False))
    try:
        return Provider(client, http, clock)
    except ValueError as error:
        raise ProgramError(f"LINLI_OIDC_ISSUER: {error}") from error


async def open_door(
    settings: Settings,
    clock: Callable[[], int],
    passwords: Passwords | None = None,
    provider: Provider | None = None,
) -> Door:
    """How people come in; while there is nobody, with a code for the first administrator in the data folder.

    Raises ProgramError when the key of what is sealed can't be used.
    """
    try:
        key = await asyncio.to_thread(people_key, settings.data_dir, settings.people_key)
    except PeopleKeyError as error:
        raise ProgramError(f"the key that secrets of people are sealed with: {error}") from error
    await seal_old_secrets(key)
    file = settings.data_dir / FIRST_CODE
    code = await first_code(secrets.token_bytes(BITS // 8), clock())
    if code is not None:
        await asyncio.to_thread(keep_first_code, file, code)
    return Door(
        key, passwords or Passwords(), provider=provider, provider_name=settings.oidc_name,
        require_totp=settings.require_totp, first_code=file,
    )  # fmt: skip


def build_parts(
    settings: Settings,
    stores: Stores,
    clock: Callable[[], int],
    checks: Mapping[str, Check],
    metrics: CollectorRegistry,
    door: Door,
    before_metrics: Callable[[], Awaitable[None]] | None = None,
    identity: GatewayIdentity | None = None,
) -> Parts:
    """What the HTTP application is made of."""
    return Parts(
        clock=clock,
        framelog=stores.durable.framelog,
        telemetry=stores.telemetry,
        live=stores.live,
        quality=stores.quality,
        ledger=stores.durable.ledger,
        quarantine=stores.durable.quarantine,
        presence=stores.presence,
        commands=stores.commands,
        audit=stores.audit,
        adopt_at_once=settings.adopt == "auto",
        cloud_key=public_pem(stores.signing_key),
        console=settings.console,
        checks=checks,
        metrics=metrics,
        before_metrics=before_metrics,
        public_url=settings.public_url,
        identity=identity,
        door=door,
        new_request_id=lambda: f"req-{secrets.token_hex(8)}",
    )
