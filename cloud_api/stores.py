"""Everything that is kept: opened together, the schema brought up to date, and closed together."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Counter

import device_registry as registry
from cloud_api.audit import AuditLog
from cloud_api.backup import restore_is_unfinished
from cloud_api.commands import Commands
from cloud_api.durable import Durable, open_durable, registry_database
from cloud_api.identity.renewals import Renewals
from cloud_api.ingest import GatewayPresence
from cloud_api.live import Hub, LiveState
from cloud_api.process import ProgramError, only_process
from cloud_api.projections import Book, Projection
from cloud_api.quality import QualityTracks
from cloud_api.quarantine import Quarantine
from cloud_api.record_handlers import devices_handler, record_handlers, refused_handler
from cloud_api.records import APPS
from cloud_api.settings import Settings
from cloud_api.signing import SigningKeyError, signing_key
from cloud_api.telemetry import StoreAway, TelemetryStore
from contracts.messages import DeviceSeen, Record, Refused

PROJECTIONS = ("telemetry", "live", "quality", "book")


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that is kept."""

    durable: Durable
    telemetry: TelemetryStore
    live: LiveState
    quality: QualityTracks
    presence: GatewayPresence
    commands: Commands
    book: Book
    work: asyncio.Event  # set when the command sender has something new to do
    refused: Counter  # samples, by the telemetry store
    records_refused: Counter  # records, by the book
    alarms: Counter  # what gateways refused that came in our name
    signing_key: Ed25519PrivateKey
    renewals: Renewals
    audit: AuditLog
    removed: Counter  # what was old, by kind
    not_removed: Counter  # tries in vain

    def projections(self) -> tuple[Projection, ...]:
        """In the order of PROJECTIONS."""
        return self.telemetry, self.live, self.quality, self.book


@asynccontextmanager
async def open_stores(settings: Settings, clock: Callable[[], int]) -> AsyncIterator[Stores]:
    """Open everything, the schema brought up to date, and close it at the end."""
    folder = settings.data_dir
    with only_process(folder):
        if restore_is_unfinished(folder):
            raise ProgramError(f"a restore into {folder} was cut off; run `cloud-api restore` again with --replace")
        async with AsyncExitStack() as closing:
            durable = await closing.enter_async_context(open_durable(settings))
            with registry.database_errors():
                await registry.migrate(registry_database(settings), APPS)
            await closing.enter_async_context(registry.open_database(registry_database(settings), APPS))
            refused = Counter("linli_telemetry_refused_samples", "Samples the store never takes", registry=None)
            telemetry = telemetry_store(settings, durable.quarantine, refused)
            closing.push_async_callback(telemetry.close)
            await refuse_what_is_not_kept(telemetry, settings.telemetry_keep_days)
            live = LiveState(folder / "live.sqlite", Hub(boot=secrets.token_hex(4)))
            closing.push_async_callback(live.close)
            await live.load()
            quality = QualityTracks(folder / "quality.sqlite")
            closing.push_async_callback(quality.close)
            await quality.load()

            try:
                key = signing_key(folder, settings.signing_key)
            except SigningKeyError as error:
                raise ProgramError(f"the key that the cloud signs with: {error}") from error
            audit = AuditLog(durable.audit, clock, key)
            work = asyncio.Event()

            def gateway_changed(gateway: str, online: bool, at_ms: int) -> None:
                live.publish("gateway", {"gateway_id": gateway, "online": online, "at_ms": at_ms})
                work.set()

            presence = GatewayPresence(clock, gateway_changed, await durable.instances.load())
            commands = Commands(
                clock=clock,
                new_id=lambda: f"cmd-{secrets.token_hex(8)}",
                latest=live.latest,
                announce=live.publish,
                on_work=work.set,
            )
            renewals = Renewals()
            alarms = Counter(
                "linli_gateway_refused", "What came to gateways in our name and was refused, by reason", ["reason"],
                registry=None,
            )  # fmt: skip
            refused_word = refused_handler(commands, durable.quarantine, audit, clock, alarms)
            handlers = record_handlers(commands, durable.ledger, durable.quarantine, renewals, refused_word)
            inventory = devices_handler(durable.quarantine, clock, settings.adopt == "auto")
            records_refused = Counter("linli_book_refused_records", "Records the book can't keep", registry=None)

            async def refuse(gateway: str, record: Record, reason: str, detail: str, received_ms: int) -> None:
                records_refused.inc()
                await durable.quarantine.record_refused(gateway, record, reason, detail, received_ms)

            removed = Counter(
                "linli_retention_removed", "What was old and is removed, by kind", ["kind"], registry=None
            )
            not_removed = Counter("linli_retention_failures", "Tries to remove it in vain", ["kind"], registry=None)
            book = Book(durable.cursors, handlers, refuse, {DeviceSeen: inventory})
            yield Stores(
                durable, telemetry, live, quality, presence, commands, book, work, refused, records_refused, alarms, key,
                renewals, audit, removed, not_removed,
            )  # fmt: skip


async def refuse_what_is_not_kept(telemetry: TelemetryStore, days: int) -> None:
    """Raises ProgramError when people want telemetry to be forgotten after so many days and the store never forgets."""
    with contextlib.suppress(StoreAway):  # a server that is away can't say it: then the log does, whenever it fails
        if days and (reason := await telemetry.keeps_all()):
            raise ProgramError(f"LINLI_TELEMETRY_KEEP_DAYS = {days}: {reason}, and set this to 0")


def telemetry_store(settings: Settings, quarantine: Quarantine, refused: Counter) -> TelemetryStore:
    """The store that the settings choose; the other's libraries stay out of memory."""
    if not settings.telemetry_url:
        from cloud_api.telemetry.duckdb_store import DuckDbStore

        return DuckDbStore(settings.data_dir / "telemetry.duckdb", settings.telemetry_memory_mb_max)
    from cloud_api.telemetry.influx_http import InfluxAddress
    from cloud_api.telemetry.influx_store import InfluxStore

    address = InfluxAddress(
        settings.telemetry_url,
        settings.telemetry_database,
        settings.telemetry_username,
        settings.telemetry_password.get_secret_value(),
        settings.telemetry_token.get_secret_value(),
    )

    async def refuse(gateway: str, samples: Refused) -> None:
        refused.inc(samples.count)
        await quarantine.store_refused(gateway, samples)

    return InfluxStore(address, refuse)
