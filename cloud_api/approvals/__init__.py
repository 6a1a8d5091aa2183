"""What takes two people: one asks, another allows it, then the first does it."""

from cloud_api.approvals.records import approved, use

__all__ = ["approved", "use"]
