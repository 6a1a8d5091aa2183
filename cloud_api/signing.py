"""The cloud's key, which profiles, commands, desired states and the audit's checkpoints are signed with.

Made at the first start, or brought by a setting. docs/decisions/017-signed-commands.md says why it is one.
"""

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.messages import Command, DesiredProfile, DesiredState
from contracts.profile_signature import sign
from contracts.signature import seal
from device_registry import Sign

KEY_FILE = "profile_signing_key.pem"
PUBLIC_FILE = "profile_key.pem"
"""What gateways are given: ``LINLI_PROFILE_KEY_FILE`` there."""

Seal = Callable[[Command | DesiredState], bytes]
"""Signs a message to a gateway; returns it as it travels."""


class SigningKeyError(Exception):
    """The key can't be used; the message says why."""


def signing_key(data_dir: Path, brought: Path | None) -> Ed25519PrivateKey:
    """The key, and its public half beside it as PUBLIC_FILE. brought: a PEM file, in place of an own one.

    Raises SigningKeyError.
    """
    path = brought or data_dir / KEY_FILE
    try:
        if brought is None and not path.exists():
            _write(path, _private_pem(Ed25519PrivateKey.generate()), 0o600)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyError(f"{path}: not an Ed25519 key")
        _write(data_dir / PUBLIC_FILE, public_pem(key), 0o644)
    except (OSError, ValueError, TypeError) as error:
        raise SigningKeyError(f"{path}: {error}") from error
    return key


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """What gateways check with."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip


def signing(key: Ed25519PrivateKey) -> Sign:
    """Signs a version as it travels."""

    def signed(profile: str, version: int, document: bytes) -> DesiredProfile:
        return sign(profile, version, document, key)

    return signed


def sealing(key: Ed25519PrivateKey) -> Seal:
    """Signs with this key."""
    return lambda message: seal(message, key)


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip


def _write(path: Path, content: bytes, mode: int) -> None:
    """In one step, and never readable by more than its mode says."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
