"""Ids: given ones for what people set up, derived ones for devices."""

from base64 import b32encode
from hashlib import blake2b


def device_id(gateway_id: str, external_id: str, before: int = 0) -> str:
    """The id of the device first seen at this source: always the same, so a rebuild gives the same ids.

    before  how many devices were moved away from this source
    "dev-" and 16 lower-case base32 characters of BLAKE2b over ``gateway/external id`` (and NUL, ``before`` if any).
    """
    place = f"{gateway_id}/{external_id}" + (f"\0{before}" if before else "")
    digest = blake2b(place.encode(), digest_size=10).digest()
    return "dev-" + b32encode(digest).decode().lower()


def facility_id(community_id: str, kind: str) -> str:
    """The id of the facility that is made when a community's first device of a kind is placed."""
    return f"{community_id}-{kind}"
