"""What was refused: from whom, why, when, and its first bytes."""

from cloud_api.quarantine.store import SCHEMA, Entry, Quarantine

__all__ = ["SCHEMA", "Entry", "Quarantine"]
