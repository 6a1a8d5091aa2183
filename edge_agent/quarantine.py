"""`edge-agent quarantine`: the refused messages that the gateway keeps for another try, for people."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_agent.outbox.batch import KeptMessage
from edge_agent.outbox.knowledge import kept_messages
from edge_agent.status import NoAgent

HEAD_BYTES = 48
"""Of a message on a line."""


def read_quarantine(data_dir: Path) -> list[KeptMessage]:
    """From the outbox's file, whether the agent runs or not, the oldest first. Raises NoAgent, sqlite3.Error."""
    path = data_dir / "outbox.sqlite"
    if not path.exists():
        raise NoAgent(f"there is no outbox in {data_dir}")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return kept_messages(db)


def in_json(kept: KeptMessage) -> dict[str, Any]:
    """One message with its whole payload, in hexadecimal."""
    return {
        "topic": kept.topic,
        "reason": kept.reason,
        "at_ms": kept.at_ms,
        "size_bytes": len(kept.payload),
        "payload_hex": kept.payload.hex(),
    }


def quarantine_lines(kept: Iterable[KeptMessage]) -> list[str]:
    """A line a message: reason, topic, size and first bytes, as text where they are text."""
    lines = [
        f"{each.reason:20} {each.topic}  {len(each.payload):,} bytes: {_shown(each.payload[:HEAD_BYTES])}"
        for each in kept
    ]
    return lines or ["no refused message is kept"]


def _shown(head: bytes) -> str:
    text = head.decode("utf-8", errors="ignore")
    return text if text.isprintable() and text.encode() == head[: len(text.encode())] and text else head.hex(" ")
