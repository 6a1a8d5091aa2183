"""What must be on disk before anybody is answered, in SQLite files or in PostgreSQL: the settings choose, here alone."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import device_registry as registry
from cloud_api import ledger, quarantine
from cloud_api.audit.store import SCHEMA as AUDIT_SCHEMA
from cloud_api.audit.store import AuditStore, FileAuditStore, SharedAuditStore
from cloud_api.database import Database, SqliteDatabase, open_postgres
from cloud_api.framelog import FrameLog, PostgresFrameLog, SqliteFrameLog
from cloud_api.ingest.instances import SCHEMA as INSTANCES_SCHEMA
from cloud_api.ingest.instances import Instances
from cloud_api.ledger import LedgerBook
from cloud_api.projections import book
from cloud_api.quarantine import Quarantine
from cloud_api.records import APPS
from cloud_api.settings import Settings, SettingsError
from device_registry import DatabaseUnavailable, PostgresAddress, Where

AUDIT_FILE = "audit.sqlite"


@dataclass(frozen=True, slots=True)
class Durable:
    """cursors: a database with the table of the book's cursor."""

    framelog: FrameLog
    ledger: LedgerBook
    quarantine: Quarantine
    cursors: Database
    instances: Instances
    audit: AuditStore


def postgres_address(settings: Settings) -> PostgresAddress | None:
    """The server that the settings name; None: SQLite files. Raises SettingsError when the authority can't be read."""
    if not settings.database_url:
        return None
    url = urlsplit(settings.database_url)
    try:
        tls = ssl.create_default_context(cafile=settings.database_tls_ca) if settings.database_tls_ca else None
    except OSError as error:
        raise SettingsError(f"LINLI_DATABASE_TLS_CA = {str(settings.database_tls_ca)!r}: {error}") from error
    return PostgresAddress(
        host=url.hostname or "",
        port=url.port or 5432,
        user=unquote(url.username or ""),
        database=unquote(url.path[1:]),
        password=settings.database_password.get_secret_value(),
        tls=tls,
    )


def registry_database(settings: Settings) -> Where:
    """Where the registry and the commands are."""
    return postgres_address(settings) or f"sqlite://{settings.data_dir.absolute() / 'registry.sqlite'}"


@asynccontextmanager
async def open_durable(settings: Settings) -> AsyncIterator[Durable]:
    """Open it, its schema made. Raises DatabaseUnavailable when the server is not there."""
    address = postgres_address(settings)
    async with open_files(settings.data_dir) if address is None else open_server(address) as durable:
        yield durable


@asynccontextmanager
async def open_files(folder: Path) -> AsyncIterator[Durable]:
    """A SQLite file each. Only one process may have them open."""
    async with AsyncExitStack() as closing:
        framelog = SqliteFrameLog(folder / "framelog.sqlite")
        closing.push_async_callback(framelog.close)
        drops = SqliteDatabase(folder / "ledger.sqlite", ledger.SCHEMA)
        closing.push_async_callback(drops.close)
        refused = SqliteDatabase(folder / "quarantine.sqlite", quarantine.SCHEMA)
        closing.push_async_callback(refused.close)
        cursors = SqliteDatabase(folder / "book.sqlite", book.SCHEMA, "NORMAL")  # the handlers may be called again
        closing.push_async_callback(cursors.close)
        instances = SqliteDatabase(folder / "instances.sqlite", INSTANCES_SCHEMA)
        closing.push_async_callback(instances.close)
        audit = SqliteDatabase(folder / AUDIT_FILE, AUDIT_SCHEMA)
        closing.push_async_callback(audit.close)
        yield Durable(
            framelog, LedgerBook(drops), Quarantine(refused), cursors, Instances(instances), FileAuditStore(audit)
        )


@asynccontextmanager
async def open_server(address: PostgresAddress) -> AsyncIterator[Durable]:
    """One database, for any number of processes at once."""
    async with open_postgres(address) as database:
        try:
            await database.make_schema(INSTANCES_SCHEMA, AUDIT_SCHEMA)
        except DatabaseUnavailable as error:
            raise DatabaseUnavailable(f"PostgreSQL at {address.host}:{address.port}: {error}") from error
        framelog = PostgresFrameLog(database)
        try:
            yield Durable(
                framelog, LedgerBook(database), Quarantine(database), database, Instances(database),
                SharedAuditStore(database),
            )  # fmt: skip
        finally:
            await framelog.close()


@asynccontextmanager
async def open_audit(settings: Settings) -> AsyncIterator[AuditStore]:
    """The audit alone, also of a running cloud. Raises DatabaseUnavailable."""
    if (address := postgres_address(settings)) is not None:
        async with open_postgres(address) as server:
            await server.make_schema(AUDIT_SCHEMA)
            yield SharedAuditStore(server)
        return
    file = SqliteDatabase(settings.data_dir / AUDIT_FILE, AUDIT_SCHEMA)
    try:
        yield FileAuditStore(file)
    finally:
        await file.close()


async def migrate(settings: Settings) -> list[str]:
    """Bring every schema up to date. Returns the names of the migrations that were applied."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with open_durable(settings):
        return await registry.migrate(registry_database(settings), APPS)
