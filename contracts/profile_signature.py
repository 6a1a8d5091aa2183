"""Whose word a travelling profile is: what is signed, how it is made, and how a gateway checks it. Pure.

Signed are a profile's id, its version and the BLAKE2b-256 digest of its document, so that a signature fits neither
another document nor another version.
"""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.messages import DesiredProfile
from contracts.signature import holds

DOCUMENT_BYTES_MAX = 65_536


def digest_of(document: bytes) -> bytes:
    """BLAKE2b-256."""
    return hashlib.blake2b(document, digest_size=32).digest()


def sign(profile: str, version: int, document: bytes, key: Ed25519PrivateKey) -> DesiredProfile:
    """The profile as it travels."""
    digest = digest_of(document)
    signature = key.sign(_signed(profile, version, digest))
    return DesiredProfile(profile=profile, version=version, digest=digest, signature=signature, document=document)


def fault_of_signature(travelling: DesiredProfile, keys: Sequence[Ed25519PublicKey]) -> str:
    """Why this profile is not to be believed: "" when it is, else a snake_case word."""
    if not keys:
        return "no_profile_key"
    if len(travelling.document) > DOCUMENT_BYTES_MAX:
        return "document_too_large"
    if digest_of(travelling.document) != travelling.digest:
        return "digest_wrong"
    signed = _signed(travelling.profile, travelling.version, travelling.digest)
    return "" if any(holds(key, travelling.signature, signed) for key in keys) else "signature_wrong"


def _signed(profile: str, version: int, digest: bytes) -> bytes:
    return b"linli profile\0" + profile.encode() + b"\0" + str(version).encode() + b"\0" + digest
