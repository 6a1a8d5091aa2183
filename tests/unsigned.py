"""Profiles as they travel, for tests that don't look at signatures."""

from contracts.messages import DesiredProfile


def unsigned(profile: str, version: int, document: bytes) -> DesiredProfile:
    """See ``device_registry.Sign``."""
    return DesiredProfile(profile=profile, version=version, digest=b"", signature=b"", document=document)
