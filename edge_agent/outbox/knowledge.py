"""What the gateway must remember beside its frames, in the same file: devices, commands, documents, refused messages."""

import sqlite3
from collections.abc import Mapping

from edge_agent.outbox.batch import Batch, CommandEntry, KeptMessage, SeenDevice

COMMANDS_KEPT = 10_000
QUARANTINE_KEPT = 1_000
QUARANTINE_BYTES_MAX = 4_194_304
TABLES: Mapping[str, tuple[type, ...]] = {
    "devices": (str, str, int, str, str, str),
    "commands": (str, str, str, int),
    "quarantine": (int, str, bytes, str, int),
    "deliveries": (int, bytes),
    "meta": (str, str),
}
"""What is remembered, and of what kind its columns are."""


def write(db: sqlite3.Connection, batch: Batch) -> None:
    """In the transaction of the batch."""
    db.executemany("DELETE FROM devices WHERE device = ?", [(device,) for device in batch.forgotten])
    for seen in batch.seen:
        db.execute(
            "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, ?, ?)",
            (seen.device, seen.profile, seen.profile_version, seen.kind, " ".join(seen.verbs), seen.name),
        )
    for command in batch.commands:
        db.execute("INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?)", command)
    if batch.commands:
        db.execute(
            "DELETE FROM commands WHERE command_id IN (SELECT command_id FROM commands ORDER BY at_ms DESC "
            "LIMIT -1 OFFSET ?)",
            (COMMANDS_KEPT,),
        )
    for name, value in batch.documents.items():
        if value:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value.hex()))
        else:
            db.execute("DELETE FROM meta WHERE name = ?", (name,))
    for raw in batch.raw:
        db.execute("INSERT INTO quarantine (topic, payload, reason, at_ms) VALUES (?, ?, ?, ?)", raw)
    if batch.raw:
        db.execute(
            "DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - ?", (QUARANTINE_KEPT,)
        )
        db.execute(
            "DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM (SELECT number, "
            "sum(length(payload) + length(topic)) OVER (ORDER BY number DESC) AS bytes FROM quarantine) WHERE bytes > ?)",
            (QUARANTINE_BYTES_MAX,),
        )
    # The same transaction that holds their readings: each is read once, whenever the agent dies.
    db.executemany("DELETE FROM quarantine WHERE number = ?", [(number,) for number in batch.read_after_all])


def kept_messages(db: sqlite3.Connection) -> list[KeptMessage]:
    """The refused messages that are kept, in the order in which they came."""
    rows = db.execute("SELECT number, topic, payload, reason, at_ms FROM quarantine ORDER BY number")
    return [KeptMessage(*row) for row in rows]


def devices(db: sqlite3.Connection) -> dict[str, SeenDevice]:
    """Every device that this gateway has read."""
    rows = db.execute("SELECT device, profile, profile_version, kind, verbs, name FROM devices")
    return {row[0]: SeenDevice(row[0], row[1], row[2], row[3], tuple(row[4].split()), row[5]) for row in rows}


def command(db: sqlite3.Connection, command_id: str) -> CommandEntry | None:
    """The last word on a command, if it is known."""
    row = db.execute("SELECT * FROM commands WHERE command_id = ?", (command_id,)).fetchone()
    return CommandEntry(*row) if row else None


def commands_in(db: sqlite3.Connection, state: str) -> list[CommandEntry]:
    """The commands whose last word is this state."""
    return [CommandEntry(*row) for row in db.execute("SELECT * FROM commands WHERE state = ?", (state,))]


def document(db: sqlite3.Connection, name: str) -> bytes:
    """A document kept beside the frames (the desired state), or b"" when there is none, or a damaged disk spoilt it."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return _bytes_of(row[0]) if row else b""


def documents(db: sqlite3.Connection, prefix: str) -> dict[str, bytes]:
    """The documents whose names begin so, by the rest of their names; spoilt ones are left out."""
    rows = db.execute("SELECT name, value FROM meta WHERE name >= ? AND name < ?", (prefix, prefix + "\U0010ffff"))
    return {name.removeprefix(prefix): found for name, value in rows if (found := _bytes_of(value))}


def _bytes_of(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (ValueError, TypeError):
        return b""
