"""What was refused: from whom, why, when, and its first bytes."""

from cloud_api.quarantine.store import Entry, Quarantine

__all__ = ["Entry", "Quarantine"]
