"""The agent's one composition root: settings, stores, parts, tasks. The only place that reads clock and randomness."""

import asyncio
import contextlib
import gc
import logging
import random
import secrets
import signal
import sqlite3
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts import VERSION
from contracts.crash_points import crash_points
from contracts.frame import decode_columns, frame_name
from contracts.messages import CertificateWanted, Command, DesiredState, Discovered, GatewayState
from contracts.mqtt_client import MqttClient
from contracts.signature import public_keys
from edge_agent.applying import Applying
from edge_agent.clock import UNSURE_MS, GatewayClock, with_times_moved
from edge_agent.discovery import Discovery
from edge_agent.downlink import Authenticity, Executor, Outcome
from edge_agent.figures import commit_seconds, figures
from edge_agent.health import serve_health
from edge_agent.intake import Intake
from edge_agent.machine import boot_id, instance_of, read_kept, write_kept
from edge_agent.outbox import Batch, CommittedFrame
from edge_agent.outbox.file import may_pass
from edge_agent.outbox.salvage import finish_salvage, keep_hint, open_outbox
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.profiles import ProfileSet
from edge_agent.profiles.check import load_with_own
from edge_agent.provisioning.renewal import Renewal
from edge_agent.quota import Quota
from edge_agent.settings import Settings
from edge_agent.shut_door import ShutDoor, say_where
from edge_agent.southbound import Southbound
from edge_agent.standing import Standing
from edge_agent.uplink import SendWindow, Uplink
from edge_agent.uplink.session import CloudAddress
from edge_agent.uplink.tls import client_context

if TYPE_CHECKING:
    from edge_agent.ocpp.central import Central

log = logging.getLogger(__name__)

HOUSE_S = 15.0
OPEN_AGAIN_S = 1.0


def now_ms() -> int:
    """UTC by this machine's clock."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """The steady clock of the machine's boot: no one sets it, and on Linux it counts also while the machine sleeps."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


class Agent:
    """All parts of one gateway's agent, joined. A simulation gives it clocks, randomness and an MQTT client of its own."""

    def __init__(
        self,
        settings: Settings,
        profiles: ProfileSet | None = None,
        now_ms: Callable[[], int] = now_ms,
        monotonic_ms: Callable[[], int] = monotonic_ms,
        jitter: Callable[[], random.Random] = random.Random,
        mqtt: Callable[..., aiomqtt.Client] = MqttClient,
        boot: str = "",
        checkpoint: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.profiles = profiles or load_with_own(Path(settings.profiles) if settings.profiles else None)
        self._monotonic_ms = monotonic_ms
        self._wall_ms = now_ms
        data_dir = Path(settings.data_dir)
        checkpoint = checkpoint or crash_points(settings.crash_at)
        self.checkpoint = checkpoint
        self.clock = GatewayClock(now_ms(), monotonic_ms(), boot, read_kept(data_dir))
        self.outbox = open_outbox(
            data_dir / "outbox.sqlite", settings.gateway_id, settings.outbox_bytes_max, self.now_ms,
            settings.outbox_age_ms_max, settings.disk_free_bytes_min, checkpoint,
        )  # fmt: skip
        if not self.clock.goes_on:
            self.clock.run = max(self.clock.run, self.outbox.unsure_times.last_run() + 1)
        self.outbox.unsure_run = 0 if self.clock.sure else self.clock.run
        self._keep_clock()  # at once: the next start in this boot must count on from the same offset
        self.instance = instance_of(data_dir)
        self.commit_seconds = commit_seconds()
        self.writer = OutboxWriter(
            self.outbox, settings.commit_linger_ms / 1000, settings.commit_messages_max, self.on_committed, checkpoint,
            self.on_renewed, self.commit_seconds.time,
        )  # fmt: skip
        devices = self.outbox.devices()
        self.southbound = Southbound(
            settings.local_mqtt_host,
            settings.local_mqtt_port,
            settings.gateway_id,
            lambda publishes: self.intake.take(publishes),
            lambda: self.intake.begin_session(),
            jitter(),
            settings.local_mqtt_username,
            settings.local_mqtt_password,
        )
        self.executor = Executor(
            self.profiles, self.writer, devices, self._tell, self.now_ms, monotonic_ms, checkpoint,
            lambda: self.clock.error_ms,
        )  # fmt: skip
        self.discovery = Discovery(self.profiles, self.on_discovered, self.now_ms)
        self.intake = Intake(
            self.profiles,
            self.writer,
            devices,
            self.outbox.recent,
            self.now_ms,
            monotonic_ms,
            settings.intake_messages_max,
            Quota(settings.topic_messages_per_s_max, settings.topic_messages_burst),
            self.executor.observe,
            self.southbound.pause,
            self.southbound.resume,
            self.discovery.catalogue.note,
        )
        self.authenticity = Authenticity(settings.gateway_id, lambda: cloud_keys(settings), self.intake.refuse)
        self.window = SendWindow(settings.window_frames_max, settings.resend_after_ms)
        self.renewal = self._renewal(jitter()) if settings.identity_is_ours else None
        self.uplink = Uplink(
            settings.gateway_id,
            self._cloud_address(),
            self.window,
            self.writer,
            self.state,
            self.on_time,
            self.on_command,
            self.on_desired,
            monotonic_ms,
            jitter(),
            settings.reconnect_s_max,
            settings.heartbeat_s,
            checkpoint,
            mqtt,
        )
        self.central = self._central_system(jitter()) if settings.ocpp_port else None
        self.applying = Applying(
            self.profiles, lambda: cloud_keys(settings) or [], self.writer, self.intake, self.executor, self.discovery,
            self.now_ms, checkpoint, self.on_applied,
        )  # fmt: skip
        if self.central is not None:
            self.central.apply(self.applying.desired.charging)
        self.standing = Standing(
            settings, self.writer, self.intake, self.southbound, self.uplink, self.window, self.clock, self.now_ms,
            self.applying, self.central, self.renewal.hindrance if self.renewal else lambda: "",
        )  # fmt: skip

    def on_committed(self, batch: Batch, frames: list[CommittedFrame]) -> None:
        """A batch is on disk: now the local broker may forget it, and the cloud may have it."""
        if log.isEnabledFor(logging.DEBUG):
            for frame in frames:
                name = frame_name(self.outbox.gateway, frame.epoch, frame.lane, frame.seq)
                devices = decode_columns(frame.payload).devices
                log.debug("frame committed", extra={"frame": name, "commit": batch.number, "devices": devices})
        self.southbound.ack(batch.acks)
        self.checkpoint("after_puback")
        self.intake.committed(batch)
        self.uplink.committed(frames)

    def now_ms(self) -> int:
        """UTC as the gateway knows it."""
        return self.clock.now_ms(self._monotonic_ms())

    async def on_time(self, cloud_ms: int, asked_ms: int, answered_ms: int) -> None:
        """The cloud has told the time: set the clock, and move what was framed before it was known."""
        was_sure = self.clock.sure
        shift_ms, error_ms = self.clock.heard(cloud_ms, asked_ms, answered_ms)
        if abs(shift_ms) >= UNSURE_MS:
            log.warning("clock was wrong", extra={"shift_ms": shift_ms, "error_ms": error_ms})
        if was_sure and not shift_ms and not self.outbox.unsure_times.is_healing:
            return
        if not was_sure or self.outbox.unsure_times.is_healing:
            moved = shift_ms if abs(shift_ms) >= UNSURE_MS else 0
            if self.outbox.unsure_run:
                self._move_pending(moved)  # what is being committed is ahead of the call below, and marked
            frames = await self.writer.call(self.outbox.unsure_times.heal, moved, error_ms)
            if frames:
                log.warning("times taken before were moved", extra={"frames": frames, "shift_ms": shift_ms})
        self._keep_clock()

    def _move_pending(self, shift_ms: int) -> None:
        pending = self.writer.pending
        for readings in (pending.readings, pending.urgent_readings) if shift_ms else ():
            readings[:] = [with_times_moved(reading, shift_ms) for reading in readings]

    def on_renewed(self) -> None:
        """The outbox was damaged and begun anew."""
        self.uplink.begin_anew("the outbox was begun anew")

    def _cloud_address(self) -> CloudAddress:
        settings = self.settings
        address = CloudAddress(
            settings.cloud_mqtt_host,
            settings.cloud_mqtt_port,
            settings.cloud_mqtt_username,
            settings.cloud_mqtt_password,
            self._tls if settings.cloud_mqtt_tls_ca else None,
        )
        if self.renewal is not None:
            address = address._replace(let_in=self.renewal.session_begun, issued=self.renewal.answered)
        return address

    def _renewal(self, chance: random.Random) -> Renewal:
        def ask(wanted: CertificateWanted) -> None:
            self.writer.pending.urgent.append(wanted)
            self.writer.wake(at_once=True)

        return Renewal(
            Path(self.settings.cloud_mqtt_tls_cert), self.settings.gateway_id, self.now_ms, chance, ask,
            lambda: self.uplink.ingest_online, lambda: self.uplink.begin_anew("there is a new certificate"),
            self.checkpoint,
        )  # fmt: skip

    def _central_system(self, chance: random.Random) -> "Central":
        """The central system for charge points."""
        from edge_agent.ocpp.central import central_system  # memory that only such sites pay for

        return central_system(
            self.settings, self.writer, self.intake, self.now_ms, self._monotonic_ms,
            lambda: self.clock.sure or self.clock.possible, secrets.token_hex, chance, self.checkpoint,
        )  # fmt: skip

    async def _tell(self, topic: str, payload: bytes, qos: int, retain: bool) -> Outcome | None:
        """Tell a device something: a charge point through its own connection, all others through the local broker."""
        if self.central is not None and topic.startswith("ocpp/"):
            return await self.central.tell(topic, payload)
        await self.southbound.publish(topic, payload, qos, retain)
        return None

    def on_discovered(self, found: Discovered) -> None:
        """There is something new about a topic that no profile reads."""
        self.writer.pending.bulk.append(found)
        self.writer.wake()

    def on_command(self, command: Command, payload: bytes) -> None:
        """A command, from the cloud or from who says so."""
        if not self.authenticity.fault_of_command(command, payload):
            self.executor.submit(command)

    def on_desired(self, desired: DesiredState, document: bytes) -> None:
        """A version of the desired state, from the cloud or from who says so. It never touches the outbox's frames."""
        if fault := self.authenticity.fault_of_desired(desired, document, self.applying.desired.version):
            self.applying.refuse(desired.version, fault)
        else:
            self.applying.submit(desired, document)

    def on_applied(self, desired: DesiredState) -> None:
        """A document is in use: parts other than profiles and devices take what is theirs here."""
        if self.central is not None:
            self.central.apply(desired.charging)
        log.info("desired state applied", extra={"version": desired.version})

    def state(self) -> GatewayState:
        """Birth and heartbeat."""
        return GatewayState(
            online=True,
            session="",
            instance=self.instance,
            at_ms=self.now_ms(),
            clock_trusted=self.clock.sure or self.clock.possible,
            clock_error_ms=self.clock.error_ms,
            agent_version=VERSION,
            desired_version=self.applying.desired.version,
            certificate=self.renewal.serial if self.renewal else "",
            outbox_bytes=self.outbox.held_bytes,
            outbox_bytes_max=self.settings.outbox_bytes_max,
            outbox_hours_until_full=self.standing.hours_until_full(),
            lanes=[*self.outbox.lanes.values(), *self.outbox.ended],
        )

    def status(self) -> dict[str, Any]:
        """What `edge-agent status` shows."""
        return self.standing.status()

    async def run(self, health: bool = True) -> None:
        """Run until cancelled. health: with its health door."""
        async with asyncio.TaskGroup() as writing:
            # The writer outlives the rest, so that what they leave behind is still committed.
            writer = writing.create_task(self.writer.run(), name="writer")
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.applying.run(), name="desired state")
                    tasks.create_task(self.executor.run(), name="commands")
                    tasks.create_task(self.southbound.run(), name="southbound")
                    tasks.create_task(self.uplink.run(), name="uplink")
                    tasks.create_task(self.discovery.run(), name="discovery")
                    tasks.create_task(self._keep_house(), name="keep house")
                    if self.renewal is not None:
                        tasks.create_task(self.renewal.run(), name="certificate")
                    if self.central is not None:
                        tasks.create_task(self.central.run(), name="charge points")
                    if health:
                        door = self.settings.health_host, self.settings.health_port
                        metrics = figures(self.standing.status, self.commit_seconds)
                        serving = serve_health(
                            *door, self.standing.look, self.discovery.listed, metrics, self._listening
                        )
                        tasks.create_task(serving, name="health")
            finally:
                writer.cancel()

    def _keep_clock(self) -> None:
        if self.clock.sure and (self.outbox.unsure_run or self.outbox.unsure_times.is_healing):
            return  # after a crash the next start must still know that there are times to be moved
        try:
            write_kept(Path(self.settings.data_dir), self.clock.kept(self._monotonic_ms()))
        except OSError as error:
            log.error("the clock can't be noted", extra={"error": str(error)})

    async def _keep_house(self) -> None:
        """What is done now and then: folded refusals go out, the clock and the lanes' ends are noted outside the file."""
        while True:
            await asyncio.sleep(HOUSE_S)
            self.intake.fold_out()
            self._keep_clock()
            self.standing.note_fill(self._monotonic_ms())
            try:
                await self.writer.call(finish_salvage, self.outbox)  # first: it needs what was noted before
                await self.writer.call(keep_hint, self.outbox)
            except sqlite3.Error as error:
                log.error("notes beside the outbox can't be written", extra={"error": str(error)})

    def _tls(self) -> ssl.SSLContext:
        settings = self.settings
        cert, key = settings.cloud_mqtt_tls_cert, settings.cloud_mqtt_tls_key
        if self.renewal is not None:
            cert = key = str(self.renewal.identity())
        return client_context(settings.cloud_mqtt_tls_ca, cert, key, self.clock.dates_count(self._wall_ms()))

    def close(self) -> None:
        """Note where everything stands, close the outbox."""
        self._keep_clock()
        try:
            keep_hint(self.outbox)
        except OSError as error:
            log.error("notes beside the outbox can't be written", extra={"error": str(error)})
        self.outbox.close()

    def _listening(self, port: int) -> None:
        say_where(self.settings, port)
        log.info("agent is up", extra={"gateway": self.settings.gateway_id, "health_port": port})


def cloud_keys(settings: Settings) -> list[Ed25519PublicKey] | None:
    """Whose word counts: see ``Authenticity``. Read anew each time, so that keys can be changed."""
    if not settings.profile_key_file:
        return None
    try:
        return public_keys(Path(settings.profile_key_file).read_bytes())
    except (OSError, ValueError) as error:
        log.error(
            "LINLI_PROFILE_KEY_FILE can't be used", extra={"file": settings.profile_key_file, "error": str(error)}
        )
        return []


async def opened(settings: Settings) -> Agent:
    """The agent, its outbox open. While the disk is full or fails it is tried again, and the health door says so."""
    profiles = load_with_own(Path(settings.profiles) if settings.profiles else None)
    shut = ShutDoor(settings)
    try:
        while True:
            try:
                return Agent(settings, profiles, boot=boot_id())
            except (sqlite3.Error, OSError) as error:
                if not may_pass(error):
                    raise
                shut.say(str(error))
                log.error("outbox can't be opened", extra={"error": str(error)})
            await asyncio.sleep(OPEN_AGAIN_S)
    finally:
        await shut.close()


async def run(settings: Settings) -> None:
    """Run the agent until SIGTERM or SIGINT, then leave in order: commit, say death, close."""
    agent = await opened(settings)
    gc.freeze()  # profiles live as long as the program: no need to look at them again
    gc.set_threshold(10_000, 20, 50)  # readings make no cycles: looking for some after every 700 costs a seventh
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    finally:
        agent.close()
    log.info("agent has left")
